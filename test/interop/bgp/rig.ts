// What the stories with every daemon share: a link, a speaker of ours at its one end, and whatever a test starts at
// the other; the peer and the prefixes they speak of.

import { type Family, ip } from '../../../net/ip.ts'
import { prefix } from '../../../net/prefix.ts'
import { type Announcement, type PeerConfig } from '../../../speaker/speaker.ts'
import { addresses, createLink, type Link } from './link.ts'
import { startTorii, type Torii } from './torii.ts'

const { torii: us, router } = addresses

/** The router at the other end, over IPv4 or IPv6, with both families in the session. */
export function peer(over: Family, more: Partial<PeerConfig> = {}): PeerConfig {
  return {
    name: `tor-v${over}`,
    localAsn: 65001,
    peerAsn: 65002,
    address: ip(router[over]),
    routerId: us[4],
    holdTimeMs: 9000,
    connectTimeMs: 1000,
    ebgpMultiHop: false,
    passive: false,
    families: [4, 6],
    ...more,
  }
}

export const vip4: Announcement = {
  prefix: prefix('198.51.100.1/32'),
  communities: [(65001 << 16) | 100],
  largeCommunities: [{ global: 65001, local1: 2, local2: 3 }],
}
export const vip6: Announcement = { ...vip4, prefix: prefix('2001:db8::1/128') }

export type Rig<Router> = {
  readonly link: () => Link
  readonly torii: () => Torii
  /** The daemon at the other end, stopped after the test. */
  readonly start: (lines: string) => Promise<Router>
}

/** A link and a speaker for each test of the suite; `launch` starts the daemon under test. */
export function useRig<Router extends { readonly stop: () => Promise<void> }>(
  launch: (link: Link, lines: string) => Promise<Router>,
): Rig<Router> {
  let link: Link
  let torii: Torii
  let daemon: Router | undefined
  beforeEach(async () => {
    link = createLink()
    torii = await startTorii(link.balancer)
    // What torii run reads from the kernel: the other family's address of the session's interface.
    await torii.setNextHops({ [`${us[4]} 6`]: ip(us[6]), [`${us[6]} 4`]: ip(us[4]) })
  })
  afterEach(async () => {
    await torii.stop()
    await daemon?.stop()
    daemon = undefined
    link.delete()
  })
  return {
    link: () => link,
    torii: () => torii,
    start: async (lines) => (daemon = await launch(link, lines)),
  }
}

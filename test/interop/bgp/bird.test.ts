// The speaker and BIRD 2: the same story as with FRR in short, judged by birdc.

import assert from 'node:assert/strict'
import { type Family, ip } from '../../../net/ip.ts'
import { prefix } from '../../../net/prefix.ts'
import { type Announcement, type PeerConfig } from '../../../speaker/speaker.ts'
import { type Bird, startBird } from './bird.ts'
import { addresses, createLink, eventually, type Link } from './link.ts'
import { startTorii, type Torii } from './torii.ts'

const { torii: us, router } = addresses

function protocol(over: Family, lines = ''): string {
  return `protocol bgp tor {
  local ${router[over]} as 65002;
  neighbor ${us[over]} as 65001;
  connect delay time 0; connect retry time 1; error wait time 1,1; hold time 9;
  ipv4 { import all; export none; import table; };
  ipv6 { import all; export none; import table; };
  ${lines}
}`
}

function peer(over: Family, more: Partial<PeerConfig> = {}): PeerConfig {
  return {
    name: 'tor',
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

const vip4: Announcement = {
  prefix: prefix('198.51.100.1/32'),
  communities: [(65001 << 16) | 100],
  largeCommunities: [{ global: 65001, local1: 2, local2: 3 }],
}
const vip6: Announcement = { ...vip4, prefix: prefix('2001:db8::1/128') }

describe('BGP with BIRD', function () {
  this.timeout(90_000)
  let link: Link
  let bird: Bird | undefined
  let torii: Torii

  beforeEach(async () => {
    link = createLink()
    torii = await startTorii(link.balancer)
    await torii.setNextHops({ [`${us[4]} 6`]: ip(us[6]), [`${us[6]} 4`]: ip(us[4]) })
  })

  afterEach(async () => {
    await torii.stop()
    await bird?.stop()
    bird = undefined
    link.delete()
  })

  const start = async (lines: string): Promise<Bird> => (bird = await startBird(link, lines))
  const established = (router: Bird): Promise<boolean> =>
    eventually('an established session', async () => {
      const [status] = await torii.status()
      return status?.state === 'established' && / Established/.test(router.birdc('show protocols tor'))
    })
  const route = (router: Bird, text: string): string => router.birdc(`show route all ${text}`)

  for (const over of [4, 6] as const)
    for (const passive of [false, true])
      it(`over IPv${over}, both families in it, ${passive ? 'BIRD' : 'we'} connecting`, async () => {
        const router = await start(protocol(over, passive ? '' : 'passive yes;'))
        await torii.announce([vip4, vip6])
        await torii.setPeers([peer(over, { passive })])
        await established(router)
        for (const [text, hop] of [
          ['198.51.100.1/32', us[4]],
          ['2001:db8::1/128', us[6]],
        ] as const) {
          const shown = await eventually(`BIRD to learn ${text}`, () => {
            const answer = route(router, text)
            return answer.includes('BGP.as_path') && answer
          })
          assert.match(shown, /BGP\.origin: IGP/)
          assert.match(shown, /BGP\.as_path: 65001\n/)
          assert.match(shown, new RegExp(`BGP\\.next_hop: ${hop}\\b`))
          assert.match(shown, /BGP\.community: \(65001,100\)/)
          assert.match(shown, /BGP\.large_community: \(65001, 2, 3\)/)
        }
        await torii.withdrawAll()
        for (const text of ['198.51.100.1/32', '2001:db8::1/128'])
          await eventually(`BIRD to forget ${text}`, () => route(router, text).includes('Network not found'))
      })

  it('with a password; with a wrong one there is silence', async () => {
    const router = await start(protocol(4, 'password "secret"; passive yes;'))
    await torii.setPeers([peer(4, { md5Password: 'wrong' })])
    await eventually('the reason', async () =>
      /MD5 password differs/.test((await torii.status())[0]!.lastDown?.text ?? ''),
    )
    await torii.setPeers([peer(4, { md5Password: 'secret' })])
    await established(router)
  })

  it('sends everything again when BIRD asks', async () => {
    const router = await start(protocol(4).replaceAll(' import table;', ''))
    await torii.announce([vip4, vip6])
    await torii.setPeers([peer(4)])
    await established(router)
    const sent = (await torii.status())[0]!.sent.updates
    router.birdc('reload in tor')
    await eventually('two requests and their answers', async () => {
      const [status] = await torii.status()
      return status!.received.routeRefreshes === 2 && status!.sent.updates === sent + 2
    })
  })

  it('leaves and is left with Cease and a text', async () => {
    const router = await start(protocol(4))
    await torii.setPeers([peer(4)])
    await established(router)
    router.birdc('disable tor "new optics"')
    await eventually('BIRD’s reason', async () =>
      /Administrative Shutdown: new optics$/.test((await torii.status())[0]!.lastErrorReceived?.text ?? ''),
    )
    router.birdc('enable tor')
    await established(router)
    await torii.close({ cease: true })
    await eventually('our reason', () =>
      /Received: Administrative shutdown/.test(router.birdc('show protocols all tor')),
    )
    assert.match(router.birdc('show protocols all tor'), /torii is shutting down/)
  })

  it('is back after BIRD died and came back', async () => {
    const first = await start(protocol(4))
    await torii.announce([vip4])
    await torii.setPeers([peer(4)])
    await established(first)
    await first.stop()
    await eventually('our end of it', async () => (await torii.status())[0]!.state !== 'established')
    const second = await start(protocol(4))
    await established(second)
    await eventually('BIRD to learn it again', () => route(second, '198.51.100.1/32').includes('BGP.as_path'))
  })
})

// The door of the speaker: tells BGP neighbours which prefixes this node serves. It never installs a route.

import { type Family, type Ip } from '../net/ip.ts'
import { type Prefix } from '../net/prefix.ts'
import { type Clock, type Log, type Tcp } from '../system/ports.ts'
import { type Announcement } from './announcement.ts'
import { type PeerConfig } from './bgp/peer-config.ts'
import { type PeerStatus } from './status.ts'

export type { Announcement, Community, LargeCommunity } from './announcement.ts'
export type { PeerConfig } from './bgp/peer-config.ts'
export { createSpeaker } from './speaker-driver.ts'
export type { FamilyStatus, MessageCounters, PeerError, PeerState, PeerStatus } from './status.ts'

export type SpeakerEvent =
  | { readonly kind: 'established'; readonly peer: string; readonly families: readonly Family[] }
  | { readonly kind: 'down'; readonly peer: string; readonly reason: string }
  /** All that was wanted of this peer is written to its session: `advertisedBy` may answer differently now. */
  | { readonly kind: 'advertised'; readonly peer: string }

export type SpeakerPorts = {
  readonly tcp: Tcp
  readonly clock: Clock
  readonly log: Log
  /** Uniform in [0, 1). */
  readonly random: () => number
  /**
   * The next hop for prefixes of `family` on a session whose local address is `sessionLocal`, asked only when
   * that address is of the other family: a global address of the same interface. Undefined: there is none.
   */
  readonly nextHopFor: (sessionLocal: Ip, family: Family) => Ip | undefined
  readonly onChange: (event: SpeakerEvent) => void
}

export type Speaker = {
  /** The full desired set. Peers whose session parameters did not change keep their sessions. Throws `TypeError` on an impossible peer. */
  setPeers(peers: readonly PeerConfig[]): void
  /** The full desired set; what is no longer in it is withdrawn. */
  announce(desired: readonly Announcement[]): void
  status(): readonly PeerStatus[]
  /** Names of the peers whose established session was really sent the prefix. */
  advertisedBy(prefix: Prefix): readonly string[]
  /** Withdraws everything from everybody; resolves when the withdrawals are written (or the session is gone). */
  withdrawAll(): Promise<void>
  /**
   * Ends all sessions: with Cease / Administrative Shutdown (`cease`, leaving for good) or by closing TCP only
   * (coming back). Resolves when all is flushed, after 2 s at the latest.
   */
  close(options: { readonly cease: boolean }): Promise<void>
}

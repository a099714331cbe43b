// What operators see of a peer.

import { type Family, type Ip } from '../net/ip.ts'

/** RFC 4271 §8.2.2. */
export type PeerState = 'idle' | 'connect' | 'active' | 'openSent' | 'openConfirm' | 'established'

/** What went wrong, in words, and when. */
export type PeerError = { readonly text: string; readonly at: Date }

export type MessageCounters = {
  readonly opens: number
  readonly updates: number
  readonly notifications: number
  readonly keepalives: number
  readonly routeRefreshes: number
}

export type FamilyStatus = {
  readonly family: Family
  /** Both sides offered it in this session. */
  readonly negotiated: boolean
  /** Prefixes that this session was really sent and that were not withdrawn since. */
  readonly advertised: number
  /** Changes that wait for room in the send buffer. */
  readonly pending: number
  /** Prefixes seen in UPDATEs of this session; none is installed. */
  readonly received: number
  readonly receivedWithdrawn: number
  /** Why nothing is announced in this family, though the session is up. */
  readonly problem: string | undefined
}

export type PeerStatus = {
  readonly name: string
  readonly address: Ip
  readonly state: PeerState
  /** When it entered that state. */
  readonly since: Date
  /** Milliseconds in Established, undefined in any other state. */
  readonly uptimeMs: number | undefined
  readonly established:
    | {
        readonly localAddress: Ip
        readonly peerAsn: number
        readonly peerRouterId: string
        /** 0: no keepalives. */
        readonly holdTimeMs: number
        readonly keepaliveTimeMs: number
        readonly families: readonly Family[]
        readonly fourOctetAs: boolean
        readonly routeRefresh: boolean
      }
    | undefined
  readonly families: readonly FamilyStatus[]
  /** Why the last session or attempt ended. */
  readonly lastDown: PeerError | undefined
  /** The last NOTIFICATION in each direction. */
  readonly lastErrorSent: PeerError | undefined
  readonly lastErrorReceived: PeerError | undefined
  /** Why connections cannot be accepted, if they should be. */
  readonly listenProblem: string | undefined
  /** Of all sessions with this peer. */
  readonly sent: MessageCounters
  readonly received: MessageCounters
  /** Sessions that reached Established since the peer was configured. */
  readonly establishedCount: number
}

// One BGP neighbour as the speaker is told of it, and which changes of it cost the session.

import { type Family, type Ip } from '../../net/ip.ts'

/** Everything in milliseconds that is a time. Defaults are filled in by `normalisePeer`. */
export type PeerConfig = {
  /** Unique among the peers. */
  readonly name: string
  readonly localAsn: number
  /** The neighbour's AS, or any other than ours (`external`), or ours (`internal`). */
  readonly peerAsn: number | 'external' | 'internal'
  readonly address: Ip
  /** Where it listens. Default 179. */
  readonly port?: number
  /** The local address of the session, for connecting and for accepting. */
  readonly sourceAddress?: Ip
  /** BGP Identifier in dotted form (RFC 4271 §1.1). */
  readonly routerId: string
  /** What is offered in OPEN: 0 (no keepalives) or 3 s and more. Default 90 s. */
  readonly holdTimeMs?: number
  /** At most a third of the negotiated hold time is used, which is also the default. */
  readonly keepaliveTimeMs?: number
  /** ConnectRetryTime (RFC 4271 §8.2.1.3). Default 5 s. */
  readonly connectTimeMs?: number
  /** DelayOpenTime (RFC 4271 §8.1.1): how long the neighbour may speak first. Default 0: not at all. */
  readonly delayOpenMs?: number
  readonly md5Password?: string
  /** Without it packets to an external neighbour leave with TTL 1. */
  readonly ebgpMultiHop: boolean
  /** Never connect, only accept. */
  readonly passive: boolean
  /** Accept connections here; nothing is listened on without it, except that `passive` implies 179. */
  readonly listenPort?: number
  /** Address families to offer (unicast). */
  readonly families: readonly Family[]
}

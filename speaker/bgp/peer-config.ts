// One BGP neighbour as the speaker is told of it, and which changes of it cost the session.

import { type Family, formatIp, type Ip, parseIp } from '../../net/ip.ts'

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

/** A `PeerConfig` with nothing left open. */
export type Peer = {
  readonly name: string
  readonly localAsn: number
  readonly peerAsn: number | 'external' | 'internal'
  readonly internal: boolean
  readonly address: Ip
  readonly port: number
  readonly sourceAddress: Ip | undefined
  readonly routerId: number
  readonly holdTimeMs: number
  readonly keepaliveTimeMs: number
  readonly connectTimeMs: number
  readonly delayOpenMs: number
  readonly md5Password: string | undefined
  readonly ebgpMultiHop: boolean
  readonly passive: boolean
  readonly listenPort: number | undefined
  readonly families: readonly Family[]
}

const bgpPort = 179
const holdTimeDefaultMs = 90_000 // RFC 4271 §10
const holdTimeMaxMs = 65_535_000 // the field is seconds in 16 bits
const connectTimeDefaultMs = 5_000

/** Fills in the defaults. Throws `TypeError` for what no session could be made of: the caller was to check it. */
export function normalisePeer(config: PeerConfig): Peer {
  const refuse = (text: string): never => {
    throw new TypeError(`BGP peer ${config.name}: ${text}`)
  }
  const asn = (what: string, value: number): number =>
    Number.isInteger(value) && value > 0 && value <= 0xffffffff
      ? value
      : refuse(`${what} ${value}, expected 1 to 4294967295`)
  const routerId = parseIp(config.routerId)
  if (routerId?.family !== 4 || routerId.value === 0n)
    return refuse(`router id '${config.routerId}', expected an IPv4 address other than 0.0.0.0`)
  const holdTimeMs = config.holdTimeMs ?? holdTimeDefaultMs
  // RFC 4271 §4.2: zero or at least three seconds.
  if (holdTimeMs !== 0 && !(holdTimeMs >= 3000 && holdTimeMs <= holdTimeMaxMs))
    return refuse(`hold time ${holdTimeMs} ms, expected 0 or 3000 to ${holdTimeMaxMs}`)
  if (config.families.length === 0) return refuse('no address family, expected 4, 6 or both')
  if (config.sourceAddress !== undefined && config.sourceAddress.family !== config.address.family)
    return refuse('the source address is of another family than the peer address')
  const localAsn = asn('local AS', config.localAsn)
  const peerAsn = typeof config.peerAsn === 'number' ? asn('peer AS', config.peerAsn) : config.peerAsn
  return {
    name: config.name,
    localAsn,
    peerAsn,
    internal: peerAsn === 'internal' || peerAsn === localAsn,
    address: config.address,
    port: config.port ?? bgpPort,
    sourceAddress: config.sourceAddress,
    routerId: Number(routerId.value),
    // The field has whole seconds.
    holdTimeMs: Math.floor(holdTimeMs / 1000) * 1000,
    keepaliveTimeMs: config.keepaliveTimeMs ?? holdTimeMs / 3,
    connectTimeMs: config.connectTimeMs ?? connectTimeDefaultMs,
    delayOpenMs: config.delayOpenMs ?? 0,
    md5Password: config.md5Password === '' ? undefined : config.md5Password,
    ebgpMultiHop: config.ebgpMultiHop,
    passive: config.passive,
    listenPort: config.listenPort ?? (config.passive ? bgpPort : undefined),
    families: [...new Set(config.families)].sort(),
  }
}

/** Whether a session made for `before` must be ended for `after`; the other parameters apply from the next attempt. */
export function sessionDiffers(before: Peer, after: Peer): boolean {
  return sessionKey(before) !== sessionKey(after)
}

/** Whether an attempt to connect under way for `before` is to be begun anew for `after`. */
export function diallingDiffers(before: Peer, after: Peer): boolean {
  return before.passive !== after.passive || before.connectTimeMs !== after.connectTimeMs
}

function sessionKey(peer: Peer): string {
  return JSON.stringify([
    peer.localAsn,
    peer.peerAsn,
    formatIp(peer.address),
    peer.port,
    peer.sourceAddress === undefined ? null : formatIp(peer.sourceAddress),
    peer.routerId,
    peer.holdTimeMs,
    peer.keepaliveTimeMs,
    peer.md5Password ?? null,
    peer.ebgpMultiHop,
    peer.families,
  ])
}

/** TTL of what is sent: 1 to a neighbour outside on the same link, 255 through routers, the system's inside. */
export function ttlOf(peer: Peer): number | undefined {
  if (peer.internal) return undefined
  return peer.ebgpMultiHop ? 255 : 1
}

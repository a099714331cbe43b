// What we offer in OPEN and what two OPENs agree on (RFC 4271 §4.2, §6.2; RFC 5492; RFC 6793; RFC 4760 §8).

import { bitsOf, type Family, formatIp } from '../../net/ip.ts'
import { type Capability } from './capabilities.ts'
import { afiOf, asn16Max, asTrans, errorCode, familyOf, openError, safi } from './iana.ts'
import { type BgpError, notification } from './notification.ts'
import { type Open } from './open.ts'
import { type Peer } from './peer-config.ts'

/** A session's parameters, fixed from the moment the neighbour's OPEN was accepted. */
export type Negotiated = {
  readonly peerAsn: number
  readonly peerRouterId: number
  readonly internal: boolean
  /** 0: no keepalives, no expiry. */
  readonly holdTimeMs: number
  readonly keepaliveTimeMs: number
  readonly families: readonly Family[]
  readonly fourOctetAs: boolean
  readonly routeRefresh: boolean
}

export type Agreement =
  { readonly ok: true; readonly session: Negotiated } | { readonly ok: false; readonly error: BgpError }

export function openFor(peer: Peer): Open {
  return {
    kind: 'open',
    myAs: peer.localAsn > asn16Max ? asTrans : peer.localAsn,
    holdTimeSeconds: peer.holdTimeMs / 1000,
    routerId: peer.routerId,
    capabilities: [
      ...peer.families.map((family): Capability => ({
        kind: 'multiprotocol',
        afi: afiOf(family),
        safi: safi.unicast,
      })),
      { kind: 'routeRefresh' },
      { kind: 'fourOctetAs', asn: peer.localAsn },
    ],
  }
}

/** Judges the neighbour's OPEN. The error is the NOTIFICATION of RFC 4271 §6.2. */
export function negotiate(peer: Peer, open: Open): Agreement {
  const refuse = (subcode: number, text: string): Agreement => ({
    ok: false,
    error: { notification: notification(errorCode.openMessage, subcode), text },
  })
  const fourOctet = open.capabilities.find((capability) => capability.kind === 'fourOctetAs')
  const peerAsn = fourOctet?.asn ?? open.myAs
  const asnFault = faultOfAsn(peer, open.myAs, peerAsn)
  if (asnFault !== undefined) return refuse(openError.badPeerAs, asnFault)
  const internal = peerAsn === peer.localAsn
  // RFC 6286 §2.2: not zero, and inside one AS not ours.
  if (open.routerId === 0 || (internal && open.routerId === peer.routerId))
    return refuse(
      openError.badBgpIdentifier,
      `BGP identifier ${formatRouterId(open.routerId)}${open.routerId === 0 ? '' : ' is our own too'}`,
    )
  if (open.holdTimeSeconds === 1 || open.holdTimeSeconds === 2)
    return refuse(
      openError.unacceptableHoldTime,
      `hold time ${open.holdTimeSeconds} s, expected 0 or at least 3`,
    )
  const holdTimeMs = Math.min(peer.holdTimeMs, open.holdTimeSeconds * 1000)
  return {
    ok: true,
    session: {
      peerAsn,
      peerRouterId: open.routerId,
      internal,
      holdTimeMs,
      keepaliveTimeMs: Math.min(peer.keepaliveTimeMs, holdTimeMs / 3),
      families: commonFamilies(peer.families, open.capabilities),
      fourOctetAs: fourOctet !== undefined,
      routeRefresh: open.capabilities.some(({ kind }) => kind === 'routeRefresh'),
    },
  }
}

/** Dotted form of a BGP Identifier. */
export function formatRouterId(routerId: number): string {
  return formatIp({ family: 4, value: BigInt(routerId) & ((1n << BigInt(bitsOf(4))) - 1n) })
}

function faultOfAsn(peer: Peer, myAs: number, peerAsn: number): string | undefined {
  // RFC 7607: zero is nobody's AS.
  if (peerAsn === 0) return 'AS 0'
  // RFC 6793 §9: the short field repeats the AS, or says that it does not fit.
  const short = peerAsn > asn16Max ? asTrans : peerAsn
  if (myAs !== short && myAs !== asTrans)
    return `AS ${myAs} in the OPEN but ${peerAsn} in its four-octet AS capability`
  if (peer.peerAsn === 'external')
    return peerAsn === peer.localAsn ? `AS ${peerAsn} is our own, expected another` : undefined
  const expected = peer.peerAsn === 'internal' ? peer.localAsn : peer.peerAsn
  return peerAsn === expected ? undefined : `AS ${peerAsn}, expected ${expected}`
}

// RFC 4760 §8; a neighbour without the capability speaks IPv4 unicast only.
function commonFamilies(ours: readonly Family[], capabilities: readonly Capability[]): readonly Family[] {
  const offers = capabilities.filter((capability) => capability.kind === 'multiprotocol')
  if (offers.length === 0) return ours.filter((family) => family === 4)
  const theirs = new Set(offers.map((offer) => familyOf(offer.afi, offer.safi)))
  return ours.filter((family) => theirs.has(family))
}

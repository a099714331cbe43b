// Path attributes (RFC 4271 §4.3, §5): what each is, and how it is written. Reading is in attribute-decoder.ts.
//
//   +----------------+----------------+------------------------------+-----------------+
//   | Flags          | Type           | Length (1, extended: 2)      | Value           |
//   | O T P E 0 0 0 0|                |                              |                 |
//   +----------------+----------------+------------------------------+-----------------+

import { type Writer, writer } from '../../net/bytes.ts'
import { type Family, type Ip, ipToBytes } from '../../net/ip.ts'
import { type Prefix } from '../../net/prefix.ts'
import { type Community, type LargeCommunity } from '../announcement.ts'
import { type AsPath, writeAsPath } from './as-path.ts'
import { afiOf, asn16Max, asTrans, attributeFlag, attributeType, safi } from './iana.ts'
import { writePrefix } from './nlri.ts'

export type Origin = 'igp' | 'egp' | 'incomplete'

/** `partial`: some router on the way did not know this optional transitive attribute (RFC 4271 §5). */
type Transit = { readonly partial: boolean }

export type PathAttribute =
  | { readonly kind: 'origin'; readonly origin: Origin }
  | { readonly kind: 'asPath'; readonly path: AsPath }
  | { readonly kind: 'nextHop'; readonly address: Ip }
  | { readonly kind: 'med'; readonly value: number }
  | { readonly kind: 'localPref'; readonly value: number }
  | { readonly kind: 'atomicAggregate' }
  | (Transit & { readonly kind: 'aggregator'; readonly asn: number; readonly address: Ip })
  | (Transit & { readonly kind: 'communities'; readonly values: readonly Community[] })
  /** A family known here; MP_REACH_NLRI of others is `unknown`. A second next hop is link-local (RFC 2545 §3). */
  | {
      readonly kind: 'mpReach'
      readonly family: Family
      readonly nextHops: readonly Ip[]
      readonly nlri: readonly Prefix[]
    }
  | { readonly kind: 'mpUnreach'; readonly family: Family; readonly nlri: readonly Prefix[] }
  /** Eight octets each, uninterpreted. */
  | (Transit & { readonly kind: 'extendedCommunities'; readonly values: readonly Uint8Array[] })
  | (Transit & { readonly kind: 'as4Path'; readonly path: AsPath })
  | (Transit & { readonly kind: 'as4Aggregator'; readonly asn: number; readonly address: Ip })
  | (Transit & { readonly kind: 'largeCommunities'; readonly values: readonly LargeCommunity[] })
  /** `flags` without the extended-length bit. */
  | { readonly kind: 'unknown'; readonly flags: number; readonly type: number; readonly value: Uint8Array }

export type KnownKind = Exclude<PathAttribute['kind'], 'unknown'>

/** What both sides agreed on that changes how bytes are read. */
export type CodecContext = { readonly fourOctetAs: boolean }

const wellKnown = attributeFlag.transitive
const optional = attributeFlag.optional
const optionalTransitive = attributeFlag.optional | attributeFlag.transitive

/** The Optional and Transitive bits that each attribute must carry. */
export const attributeFlags: Readonly<Record<KnownKind, number>> = {
  origin: wellKnown,
  asPath: wellKnown,
  nextHop: wellKnown,
  med: optional,
  localPref: wellKnown,
  atomicAggregate: wellKnown,
  aggregator: optionalTransitive,
  communities: optionalTransitive,
  mpReach: optional,
  mpUnreach: optional,
  extendedCommunities: optionalTransitive,
  as4Path: optionalTransitive,
  as4Aggregator: optionalTransitive,
  largeCommunities: optionalTransitive,
}

export const origins: readonly Origin[] = ['igp', 'egp', 'incomplete']

/** One attribute with its header; the extended length only where the value needs it. */
export function encodeAttribute(attribute: PathAttribute, context: CodecContext): Uint8Array {
  const value = writer(32)
  writeValue(value, attribute, context)
  const to = writer(4 + value.length)
  const extended = value.length > 255
  to.u8(flagsOf(attribute) | (extended ? attributeFlag.extendedLength : 0))
  to.u8(attribute.kind === 'unknown' ? attribute.type : attributeType[attribute.kind])
  return (extended ? to.u16(value.length) : to.u8(value.length)).bytes(value.done()).done()
}

export function encodeAttributes(attributes: readonly PathAttribute[], context: CodecContext): Uint8Array {
  const to = writer(64)
  for (const attribute of attributes) to.bytes(encodeAttribute(attribute, context))
  return to.done()
}

function flagsOf(attribute: PathAttribute): number {
  if (attribute.kind === 'unknown') return attribute.flags
  const partial = 'partial' in attribute && attribute.partial ? attributeFlag.partial : 0
  return attributeFlags[attribute.kind] | partial
}

function writeValue(to: Writer, attribute: PathAttribute, { fourOctetAs }: CodecContext): void {
  switch (attribute.kind) {
    case 'origin':
      to.u8(origins.indexOf(attribute.origin))
      return
    case 'asPath':
      writeAsPath(to, attribute.path, fourOctetAs)
      return
    case 'as4Path':
      writeAsPath(to, attribute.path, true)
      return
    case 'nextHop':
      to.bytes(ipToBytes(attribute.address))
      return
    case 'med':
    case 'localPref':
      to.u32(attribute.value)
      return
    case 'atomicAggregate':
      return
    case 'aggregator':
      if (fourOctetAs) to.u32(attribute.asn)
      else to.u16(attribute.asn > asn16Max ? asTrans : attribute.asn)
      to.bytes(ipToBytes(attribute.address))
      return
    case 'as4Aggregator':
      to.u32(attribute.asn).bytes(ipToBytes(attribute.address))
      return
    case 'communities':
      for (const community of attribute.values) to.u32(community)
      return
    case 'extendedCommunities':
      for (const community of attribute.values) to.bytes(community)
      return
    case 'largeCommunities':
      for (const { global, local1, local2 } of attribute.values) to.u32(global).u32(local1).u32(local2)
      return
    case 'mpReach':
      writeReach(to, attribute)
      return
    case 'mpUnreach':
      to.u16(afiOf(attribute.family)).u8(safi.unicast)
      for (const prefix of attribute.nlri) writePrefix(to, prefix)
      return
    case 'unknown':
      to.bytes(attribute.value)
      return
  }
}

// RFC 4760 §3: AFI, SAFI, length and octets of the next hops, one reserved octet, NLRI.
function writeReach(to: Writer, reach: Extract<PathAttribute, { kind: 'mpReach' }>): void {
  const nextHops = reach.nextHops.map(ipToBytes)
  to.u16(afiOf(reach.family)).u8(safi.unicast)
  to.u8(nextHops.reduce((length, nextHop) => length + nextHop.length, 0))
  for (const nextHop of nextHops) to.bytes(nextHop)
  to.u8(0)
  for (const prefix of reach.nlri) writePrefix(to, prefix)
}

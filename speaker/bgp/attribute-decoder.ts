// Reads path attributes and judges what is wrong with them as RFC 7606 has it: `discard` the attribute, treat the
// UPDATE as a `withdraw`, or reset the session (a thrown `Malformed`, with the codes of RFC 4271 §6.3).

import { type Reader, reader, ShortBuffer } from '../../net/bytes.ts'
import { ipFromBytes } from '../../net/ip.ts'
import { BadAsPath, readAsPath } from './as-path.ts'
import {
  attributeFlags,
  type CodecContext,
  type KnownKind,
  origins,
  type PathAttribute,
} from './attributes.ts'
import { attributeFlag, attributeType, errorCode, familyOf, updateError } from './iana.ts'
import { BadPrefix, readPrefixes } from './nlri.ts'
import { type BgpError, Malformed, notification } from './notification.ts'

/** A fault that does not cost the session. The error is the one RFC 4271 would have sent. */
export type AttributeProblem = { readonly action: 'withdraw' | 'discard'; readonly error: BgpError }

export type DecodedAttributes = {
  readonly attributes: readonly PathAttribute[]
  readonly problems: readonly AttributeProblem[]
}

const kindByType = new Map<number, KnownKind>(
  Object.entries(attributeType).map(([kind, type]) => [type, kind as KnownKind]),
)

// RFC 7606 §7: what a malformed value of each attribute leads to.
const verdicts: Readonly<Record<KnownKind, 'withdraw' | 'discard' | 'reset'>> = {
  origin: 'withdraw', // §7.1
  asPath: 'withdraw', // §7.2
  nextHop: 'withdraw', // §7.3
  med: 'withdraw', // §7.4
  localPref: 'withdraw', // §7.5
  atomicAggregate: 'discard', // §7.6
  aggregator: 'discard', // §7.7
  communities: 'withdraw', // §7.8
  mpReach: 'reset', // §7.11: without its NLRI nothing could be withdrawn
  mpUnreach: 'reset', // §7.12
  extendedCommunities: 'withdraw', // §7.14
  as4Path: 'discard', // RFC 6793 §6
  as4Aggregator: 'discard', // RFC 6793 §6
  largeCommunities: 'withdraw', // RFC 8092 §6
}

/** Thrown by the readers of values: the RFC 4271 subcode and what was found. */
class BadValue extends Error {
  readonly subcode: number

  constructor(subcode: number, text: string) {
    super(text)
    this.subcode = subcode
  }
}

/** Reads attributes to the end. Throws `Malformed` only for what must reset the session. */
export function decodeAttributes(section: Uint8Array, context: CodecContext): DecodedAttributes {
  const attributes: PathAttribute[] = []
  const problems: AttributeProblem[] = []
  const seen = new Set<number>()
  let rest = section
  while (rest.length > 0) {
    const raw = nextAttribute(rest)
    if (raw === undefined) {
      // RFC 7606 §4: the NLRI is still found, by the total length.
      problems.push(problem('withdraw', updateError.malformedAttributeList, 'an attribute runs over the end'))
      break
    }
    rest = rest.subarray(raw.whole.length)
    if (seen.has(raw.type)) {
      problems.push(duplicate(raw))
      continue
    }
    seen.add(raw.type)
    const decoded = decodeOne(raw, context)
    if ('action' in decoded) problems.push(decoded)
    else attributes.push(decoded)
  }
  return { attributes, problems }
}

type RawAttribute = {
  readonly flags: number
  readonly type: number
  readonly value: Uint8Array
  /** Header and value, the data of NOTIFICATIONs about it. */
  readonly whole: Uint8Array
}

function nextAttribute(rest: Uint8Array): RawAttribute | undefined {
  const inside = reader(rest)
  try {
    const flags = inside.u8()
    const type = inside.u8()
    const length = (flags & attributeFlag.extendedLength) !== 0 ? inside.u16() : inside.u8()
    const value = inside.bytes(length)
    return { flags, type, value, whole: rest.slice(0, inside.offset) }
  } catch (error) {
    if (error instanceof ShortBuffer) return undefined
    throw error
  }
}

// RFC 7606 §3 g: a second MP attribute resets, any other repetition is dropped.
function duplicate({ type }: RawAttribute): AttributeProblem {
  const text = `attribute ${type} appears twice`
  if (type === attributeType.mpReach || type === attributeType.mpUnreach)
    throw new Malformed(errorCode.updateMessage, updateError.malformedAttributeList, text)
  return problem('discard', updateError.malformedAttributeList, text)
}

function decodeOne(raw: RawAttribute, context: CodecContext): PathAttribute | AttributeProblem {
  const { flags, type, value, whole } = raw
  const kind = kindByType.get(type)
  if (kind === undefined) {
    if ((flags & attributeFlag.optional) === 0)
      throw new Malformed(
        errorCode.updateMessage,
        updateError.unrecognizedWellKnown,
        `well-known attribute ${type} is not known`,
        whole,
      )
    return unknownAttribute(raw)
  }
  const mandatedBits = attributeFlag.optional | attributeFlag.transitive
  const verdict = verdicts[kind]
  try {
    if ((flags & mandatedBits) !== attributeFlags[kind])
      throw new BadValue(updateError.attributeFlags, `flags 0x${flags.toString(16).padStart(2, '0')}`)
    return readValue(kind, raw, reader(value), context)
  } catch (error) {
    const [subcode, text] = reasonOf(error)
    if (verdict === 'reset') throw new Malformed(errorCode.updateMessage, subcode, `${kind}: ${text}`, whole)
    // RFC 7606 §3 c: wrong flags are treated as withdraw, whatever the attribute.
    const action = subcode === updateError.attributeFlags ? 'withdraw' : verdict
    return problem(action, subcode, `${kind}: ${text}`, whole)
  }
}

function unknownAttribute({ flags, type, value }: RawAttribute): PathAttribute {
  const kept = attributeFlag.optional | attributeFlag.transitive | attributeFlag.partial
  return { kind: 'unknown', flags: flags & kept, type, value: value.slice() }
}

function reasonOf(error: unknown): readonly [number, string] {
  if (error instanceof BadValue) return [error.subcode, error.message]
  if (error instanceof ShortBuffer) return [updateError.attributeLength, error.message]
  if (error instanceof BadAsPath) return [updateError.malformedAsPath, error.message]
  if (error instanceof BadPrefix) return [updateError.optionalAttribute, error.message]
  throw error
}

function readValue(
  kind: KnownKind,
  raw: RawAttribute,
  value: Reader,
  { fourOctetAs }: CodecContext,
): PathAttribute {
  const partial = (raw.flags & attributeFlag.partial) !== 0
  switch (kind) {
    case 'origin': {
      exactly(value, 1)
      const origin = origins[value.u8()]
      if (origin === undefined)
        throw new BadValue(updateError.invalidOrigin, `value ${raw.value[0] ?? 0}, 0 to 2 are known`)
      return { kind, origin }
    }
    case 'asPath':
      return { kind, path: readAsPath(value, fourOctetAs) }
    case 'as4Path':
      return { kind, partial, path: readAsPath(value, true) }
    case 'nextHop':
      exactly(value, 4)
      return { kind, address: ipFromBytes(value.bytes(4)) }
    case 'med':
    case 'localPref':
      exactly(value, 4)
      return { kind, value: value.u32() }
    case 'atomicAggregate':
      exactly(value, 0)
      return { kind }
    case 'aggregator':
      exactly(value, fourOctetAs ? 8 : 6)
      return {
        kind,
        partial,
        asn: fourOctetAs ? value.u32() : value.u16(),
        address: ipFromBytes(value.bytes(4)),
      }
    case 'as4Aggregator':
      exactly(value, 8)
      return { kind, partial, asn: value.u32(), address: ipFromBytes(value.bytes(4)) }
    case 'communities':
      return { kind, partial, values: many(value, 4, () => value.u32()) }
    case 'extendedCommunities':
      return { kind, partial, values: many(value, 8, () => value.bytes(8).slice()) }
    case 'largeCommunities':
      return {
        kind,
        partial,
        values: many(value, 12, () => ({ global: value.u32(), local1: value.u32(), local2: value.u32() })),
      }
    case 'mpReach':
      return readReach(raw, value)
    case 'mpUnreach': {
      const family = familyOf(value.u16(), value.u8())
      return family === undefined
        ? unknownAttribute(raw)
        : { kind, family, nlri: readPrefixes(value, family) }
    }
  }
}

function readReach(raw: RawAttribute, value: Reader): PathAttribute {
  const family = familyOf(value.u16(), value.u8())
  if (family === undefined) return unknownAttribute(raw)
  const length = value.u8()
  // RFC 4760 §3, RFC 2545 §3; 16 and 32 with IPv4 prefixes: RFC 8950 §4.
  if (length !== 16 && length !== 32 && !(length === 4 && family === 4))
    throw new BadValue(updateError.optionalAttribute, `next hop of ${length} octets`)
  const octets = value.bytes(length)
  value.u8() // reserved: ignored
  const size = length === 4 ? 4 : 16
  const nextHops = Array.from({ length: length / size }, (_, index) =>
    ipFromBytes(octets.subarray(index * size, (index + 1) * size)),
  )
  return { kind: 'mpReach', family, nextHops, nlri: readPrefixes(value, family) }
}

function exactly(value: Reader, length: number): void {
  if (value.left !== length)
    throw new BadValue(updateError.attributeLength, `${value.left} octets instead of ${length}`)
}

function many<T>(value: Reader, size: number, read: () => T): readonly T[] {
  if (value.left === 0 || value.left % size !== 0)
    throw new BadValue(updateError.attributeLength, `${value.left} octets, not a multiple of ${size}`)
  return Array.from({ length: value.left / size }, read)
}

function problem(
  action: 'withdraw' | 'discard',
  subcode: number,
  text: string,
  data?: Uint8Array,
): AttributeProblem {
  return { action, error: { notification: notification(errorCode.updateMessage, subcode, data), text } }
}

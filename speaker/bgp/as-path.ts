// AS_PATH and AS4_PATH (RFC 4271 §4.3 b, RFC 6793): segments on the wire, and the true path out of both.
//
//   +----------------+-----------------+----------------------------------+
//   | Type (1 octet) | Count (1 octet) | AS numbers (2 or 4 octets each)  |
//   +----------------+-----------------+----------------------------------+

import { type Reader, type Writer } from '../../net/bytes.ts'
import { asn16Max, asTrans } from './iana.ts'

export type AsSegmentKind = 'set' | 'sequence' | 'confedSequence' | 'confedSet'
export type AsSegment = { readonly kind: AsSegmentKind; readonly asns: readonly number[] }
export type AsPath = readonly AsSegment[]

// RFC 4271 §4.3, RFC 5065 §3.
const kinds: readonly (readonly [number, AsSegmentKind])[] = [
  [1, 'set'],
  [2, 'sequence'],
  [3, 'confedSequence'],
  [4, 'confedSet'],
]
const kindOf = new Map(kinds)
const numberOf = new Map(kinds.map(([number, kind]) => [kind, number]))

/** Thrown by `readAsPath`. */
export class BadAsPath extends Error {}

/** AS numbers that do not fit two octets become AS_TRANS when `fourOctets` is false (RFC 6793 §4.2.2). */
export function writeAsPath(to: Writer, path: AsPath, fourOctets: boolean): void {
  for (const segment of path) {
    to.u8(numberOf.get(segment.kind) ?? 0).u8(segment.asns.length)
    for (const asn of segment.asns) {
      if (fourOctets) to.u32(asn)
      else to.u16(asn > asn16Max ? asTrans : asn)
    }
  }
}

/** Reads segments to the end. Throws `BadAsPath` (RFC 7606 §7.2: unknown type, overrun, empty segment). */
export function readAsPath(from: Reader, fourOctets: boolean): AsPath {
  const path: AsSegment[] = []
  const width = fourOctets ? 4 : 2
  while (from.left > 0) {
    if (from.left < 2) throw new BadAsPath('one octet is left after the last segment')
    const type = from.u8()
    const count = from.u8()
    const kind = kindOf.get(type)
    if (kind === undefined) throw new BadAsPath(`segment type ${type}, 1 to 4 are known`)
    if (count === 0) throw new BadAsPath('a segment without AS numbers')
    if (count * width > from.left)
      throw new BadAsPath(
        `a segment of ${count} AS numbers needs ${count * width} octets, ${from.left} are left`,
      )
    path.push({ kind, asns: Array.from({ length: count }, () => (fourOctets ? from.u32() : from.u16())) })
  }
  return path
}

/** RFC 4271 §9.1.2.2 a: a set counts one; RFC 5065 §5.3: confederation segments count nothing. */
export function asPathLength(path: AsPath): number {
  let length = 0
  for (const { kind, asns } of path) length += kind === 'sequence' ? asns.length : kind === 'set' ? 1 : 0
  return length
}

/**
 * RFC 6793 §4.2.3: the path of four-octet numbers from what an old neighbour sent. Where AS_PATH is longer, its
 * leading part (added by old speakers) is put before AS4_PATH; where it is shorter, AS4_PATH is ignored.
 */
export function mergeAs4Path(asPath: AsPath, as4Path: AsPath): AsPath {
  let extra = asPathLength(asPath) - asPathLength(as4Path)
  if (extra < 0) return asPath
  const leading: AsSegment[] = []
  for (const segment of asPath) {
    if (segment.kind === 'confedSequence' || segment.kind === 'confedSet') leading.push(segment)
    else if (extra === 0) break
    else if (segment.kind === 'set') {
      leading.push(segment)
      extra -= 1
    } else {
      const asns = segment.asns.slice(0, extra)
      leading.push({ kind: 'sequence', asns })
      extra -= asns.length
    }
  }
  return joinSequences([...leading, ...as4Path])
}

function joinSequences(path: AsPath): AsPath {
  const joined: AsSegment[] = []
  for (const segment of path) {
    const last = joined.at(-1)
    if (
      last?.kind === 'sequence' &&
      segment.kind === 'sequence' &&
      last.asns.length + segment.asns.length <= 255
    )
      joined[joined.length - 1] = { kind: 'sequence', asns: [...last.asns, ...segment.asns] }
    else joined.push(segment)
  }
  return joined
}

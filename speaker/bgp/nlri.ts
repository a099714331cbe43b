// Prefixes as they stand in UPDATE (RFC 4271 §4.3, RFC 4760 §5): length in bits, then as many octets as hold them.
//
//   +---------------------------+
//   |   Length (1 octet)        |
//   |   Prefix (variable)       |
//   +---------------------------+

import { type Reader, type Writer } from '../../net/bytes.ts'
import { bitsOf, type Family, ipFromBytes, ipToBytes } from '../../net/ip.ts'
import { type Prefix, prefixOf } from '../../net/prefix.ts'

/** Thrown by `readPrefixes`; the caller knows which NOTIFICATION its field calls for. */
export class BadPrefix extends Error {}

/** Octets that `prefix` takes on the wire. */
export function prefixSize(prefix: Prefix): number {
  return 1 + ((prefix.length + 7) >> 3)
}

export function writePrefix(to: Writer, prefix: Prefix): void {
  to.u8(prefix.length).bytes(ipToBytes(prefix.ip).subarray(0, (prefix.length + 7) >> 3))
}

/** Reads prefixes to the end; bits after the length are ignored (RFC 4271 §4.3). Throws `BadPrefix`. */
export function readPrefixes(from: Reader, family: Family): readonly Prefix[] {
  const bits = bitsOf(family)
  const prefixes: Prefix[] = []
  while (from.left > 0) {
    const length = from.u8()
    if (length > bits) throw new BadPrefix(`prefix length ${length}, at most ${bits} are possible`)
    const octets = (length + 7) >> 3
    if (octets > from.left)
      throw new BadPrefix(`a prefix of ${length} bits needs ${octets} octets, ${from.left} are left`)
    const address = new Uint8Array(bits / 8)
    address.set(from.bytes(octets))
    prefixes.push(prefixOf(ipFromBytes(address), length))
  }
  return prefixes
}

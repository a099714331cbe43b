// The keyed hash that picks a flow's row: the same on every node, cheap in the kernel, and for those who do not know
// the key unpredictable enough that flows cannot be aimed at one backend.
//
// Four 32-bit words of a flow are multiplied in pairs, each with a word of the key added (the NH construction of
// UMAC, RFC 4418 §5.2.1): two products that the CPU computes side by side, where the usual rotate-and-add hashes are
// one long chain. The 64-bit sum is folded, and a bijective finaliser of two multiplications spreads what is left
// over all bits, because the row is taken from the upper ones. IPv6 addresses are folded to one word each by the same
// means first.
//
// Words are the packet's bytes read little-endian, so that the program in C (xdp/hash.h) never swaps.

import { type Ip } from '../net/ip.ts'

/** A flow in the direction client → VIP. Ports are 0 for ICMP. */
export type Tuple = {
  readonly source: Ip
  readonly destination: Ip
  readonly sourcePort: number
  readonly destinationPort: number
  /** IANA protocol number. */
  readonly protocol: number
}

/** The row of a table of `tableSize` rows that a flow goes by: the hash as a fraction of 2^32, times the size. */
export function rowOf(tuple: Tuple, key: Uint8Array, tableSize: number): number {
  // Exact: sizes stay below 2^20, so the product stays below 2^53.
  return Math.floor((flowHash(tuple, key) * tableSize) / 0x1_0000_0000)
}

/** 32 bits over the five fields; `key` is 16 bytes. Throws `RangeError` on another length. */
export function flowHash(tuple: Tuple, key: Uint8Array): number {
  const [k0, k1, k2, k3] = keyWords(key)
  const source = addressWord(tuple.source, [k0, k1, k2, k3])
  const destination = addressWord(tuple.destination, [k3, k2, k1, k0])
  const ports = (swap16(tuple.sourcePort) | (swap16(tuple.destinationPort) << 16)) >>> 0
  return mix(foldedSum([source + k0, ports + k1], [destination + k2, tuple.protocol + k3]))
}

export type KeyWords = readonly [number, number, number, number]

/**
 * The four words that a key of 16 bytes stands for. The first digits of π are mixed in, because a word of zero would
 * let a zero in an address blot out the field that it is multiplied with. Throws `RangeError` on another length.
 */
export function keyWords(key: Uint8Array): KeyWords {
  if (key.length !== 16) throw new RangeError(`hash key of ${key.length} bytes, not 16`)
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  const word = (index: number, pi: number): number => (view.getUint32(4 * index, true) ^ pi) >>> 0
  return [word(0, 0x243f6a88), word(1, 0x85a308d3), word(2, 0x13198a2e), word(3, 0x03707344)]
}

function addressWord(ip: Ip, key: KeyWords): number {
  const word = (index: number): number => swap32(Number((ip.value >> BigInt(96 - 32 * index)) & 0xffff_ffffn))
  if (ip.family === 4) return swap32(Number(ip.value))
  return foldedSum([word(0) + key[0], word(1) + key[1]], [word(2) + key[2], word(3) + key[3]])
}

/** a·b + c·d modulo 2^64, its halves folded; the factors are taken modulo 2^32. */
function foldedSum([a, b]: readonly [number, number], [c, d]: readonly [number, number]): number {
  const first = multiply(a >>> 0, b >>> 0)
  const second = multiply(c >>> 0, d >>> 0)
  const low = first.low + second.low
  const carry = low > 0xffff_ffff ? 1 : 0
  return (low ^ (first.high + second.high + carry)) >>> 0
}

/** The full 64-bit product of two 32-bit numbers, by 16-bit halves. */
function multiply(a: number, b: number): { readonly high: number; readonly low: number } {
  const a0 = a & 0xffff
  const a1 = a >>> 16
  const b0 = b & 0xffff
  const b1 = b >>> 16
  const middle = a1 * b0 + Math.floor((a0 * b0) / 0x1_0000)
  const upper = a0 * b1 + (middle & 0xffff)
  return {
    high: a1 * b1 + Math.floor(middle / 0x1_0000) + Math.floor(upper / 0x1_0000),
    low: Math.imul(a, b) >>> 0,
  }
}

/** The `lowbias32` finaliser (C. Wellons): bijective, every input bit flips about half of the output's. */
function mix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d)
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b)
  return (h ^ (h >>> 16)) >>> 0
}

function swap16(value: number): number {
  return ((value & 0xff) << 8) | (value >>> 8)
}

function swap32(value: number): number {
  return ((swap16(value & 0xffff) << 16) | swap16(value >>> 16)) >>> 0
}

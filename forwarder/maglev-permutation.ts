// Where each backend stands in Maglev's preference lists (NSDI '16 §3.4), from a hash of its name alone, so that every
// node draws the same lists. The hash is MurmurHash3_x86_128 with seed 0 over the name's UTF-8 bytes: 32-bit
// operations, published vectors, four words at once. The packet hash key has no part in it: rotating that key moves
// flows between rows, and must not also move rows between backends.

export type Permutations = {
  /** Paper: h1 mod M. Where a list begins. */
  readonly offset: Uint32Array
  /** Paper: h2 mod (M - 1) + 1. From one row of a list to the next. */
  readonly skip: Uint32Array
  /** skip⁻¹ mod M: a row's rank in a list is (row - offset) · inverse mod M. */
  readonly inverse: Uint32Array
  /** In [0, 1): orders backends that give a row the same rank. */
  readonly phase: Float64Array
  /** Two words for each name: what the table digest knows it by. */
  readonly identity: Uint32Array
}

/** The lists of `names`, in their order, over `tableSize` rows (a prime). */
export function permutationsOf(names: readonly string[], tableSize: number): Permutations {
  const count = names.length
  const permutations = {
    offset: new Uint32Array(count),
    skip: new Uint32Array(count),
    inverse: new Uint32Array(count),
    phase: new Float64Array(count),
    identity: new Uint32Array(2 * count),
  }
  const { offset, skip, inverse, phase, identity } = permutations
  const encoder = new TextEncoder()
  const buffer = new Uint8Array(3 * names.reduce((longest, name) => Math.max(longest, name.length), 0))
  const view = new DataView(buffer.buffer)
  const words = new Uint32Array(4)
  for (let i = 0; i < count; i += 1) {
    murmur128(view, encoder.encodeInto(names[i] ?? '', buffer).written, words)
    const h1 = words[0] ?? 0
    const h2 = words[1] ?? 0
    const h3 = words[2] ?? 0
    const h4 = words[3] ?? 0
    const step = (h2 % (tableSize - 1)) + 1
    offset[i] = h1 % tableSize
    skip[i] = step
    inverse[i] = inverseModulo(step, tableSize)
    phase[i] = h3 / 0x1_0000_0000
    identity[2 * i] = h1 ^ h3
    identity[2 * i + 1] = h2 ^ h4
  }
  return permutations
}

/**
 * How many steps of a list lead from one row to another: (to - from) · inverse mod `size`. `ratio` is inverse / size.
 * Exact: the quotient is off by one at most, and so little of the products is left that their low 32 bits suffice.
 * Without branches, because the processor could not foresee them: `size & (x >> 31)` is `size` for a negative x.
 */
export function stepsAhead(from: number, to: number, inverse: number, ratio: number, size: number): number {
  let distance = (to - from) | 0
  distance = (distance + (size & (distance >> 31))) | 0
  const quotient = (distance * ratio) | 0
  let steps = (Math.imul(distance, inverse) - Math.imul(quotient, size)) | 0
  steps = (steps + (size & (steps >> 31))) | 0
  return steps >= size ? (steps - size) | 0 : steps
}

/** MurmurHash3_x86_128, seed 0, of the first `length` bytes, into `out` as four words in the reference's order. */
export function murmur128(bytes: DataView, length: number, out: Uint32Array): void {
  const c1 = 0x239b961b
  const c2 = 0xab0e9789
  const c3 = 0x38b34ae5
  const c4 = 0xa1e38b93
  const whole = length - (length % 16)
  let h1 = 0
  let h2 = 0
  let h3 = 0
  let h4 = 0
  for (let at = 0; at < whole; at += 16) {
    h1 ^= scramble(bytes.getUint32(at, true), c1, 15, c2)
    h1 = (Math.imul((rotate(h1, 19) + h2) | 0, 5) + 0x561ccd1b) | 0
    h2 ^= scramble(bytes.getUint32(at + 4, true), c2, 16, c3)
    h2 = (Math.imul((rotate(h2, 17) + h3) | 0, 5) + 0x0bcaa747) | 0
    h3 ^= scramble(bytes.getUint32(at + 8, true), c3, 17, c4)
    h3 = (Math.imul((rotate(h3, 15) + h4) | 0, 5) + 0x96cd1c35) | 0
    h4 ^= scramble(bytes.getUint32(at + 12, true), c4, 18, c1)
    h4 = (Math.imul((rotate(h4, 13) + h1) | 0, 5) + 0x32ac3b17) | 0
  }
  // The rest as if padded with zeros: a word of zeros scrambles to zero.
  h4 ^= scramble(wordFrom(bytes, whole + 12, length), c4, 18, c1)
  h3 ^= scramble(wordFrom(bytes, whole + 8, length), c3, 17, c4)
  h2 ^= scramble(wordFrom(bytes, whole + 4, length), c2, 16, c3)
  h1 ^= scramble(wordFrom(bytes, whole, length), c1, 15, c2)

  h1 ^= length
  h2 ^= length
  h3 ^= length
  h4 ^= length
  h1 = (h1 + h2 + h3 + h4) | 0
  h2 = (h2 + h1) | 0
  h3 = (h3 + h1) | 0
  h4 = (h4 + h1) | 0
  h1 = finalMix(h1)
  h2 = finalMix(h2)
  h3 = finalMix(h3)
  h4 = finalMix(h4)
  h1 = (h1 + h2 + h3 + h4) | 0
  out[0] = h1
  out[1] = h2 + h1
  out[2] = h3 + h1
  out[3] = h4 + h1
}

/** MurmurHash3's 32-bit finaliser: a bijection in which every input bit changes every output bit half the time. */
export function finalMix(value: number): number {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

function scramble(word: number, before: number, turn: number, after: number): number {
  return Math.imul(rotate(Math.imul(word, before), turn), after)
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function wordFrom(bytes: DataView, from: number, end: number): number {
  let word = 0
  for (let at = Math.min(from + 4, end) - 1; at >= from; at -= 1) word = (word << 8) | bytes.getUint8(at)
  return word
}

/** Extended Euclid; `modulus` is prime and `value` no multiple of it. */
function inverseModulo(value: number, modulus: number): number {
  let dividend = modulus
  let divisor = value
  let before = 0
  let inverse = 1
  while (divisor > 1) {
    const quotient = Math.floor(dividend / divisor)
    const remainder = dividend - quotient * divisor
    const next = before - quotient * inverse
    dividend = divisor
    divisor = remainder
    before = inverse
    inverse = next
  }
  return inverse < 0 ? inverse + modulus : inverse
}

// The Internet checksum: computed (RFC 1071) and updated in place of a recomputation (RFC 1624).

/** One's complement sum of 16-bit words, folded; `initial` carries a partial sum (for example a pseudo header's). */
export function onesComplementSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial
  for (let i = 0; i + 1 < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)
  if (bytes.length % 2 === 1) sum += (bytes[bytes.length - 1] ?? 0) << 8
  return fold(sum)
}

/** The checksum field's value over `bytes` (RFC 1071). */
export function internetChecksum(bytes: Uint8Array, initial = 0): number {
  return ~onesComplementSum(bytes, initial) & 0xffff
}

/**
 * RFC 1624 equation 3: HC' = ~(~HC + ~m + m'), over any even-length pair of old and new bytes.
 * A wrong checksum stays wrong by the same difference: damage is never repaired.
 */
export function updateChecksum(checksum: number, before: Uint8Array, after: Uint8Array): number {
  let sum = ~checksum & 0xffff
  for (let i = 0; i < before.length; i += 2) {
    sum += ~(((before[i] ?? 0) << 8) | (before[i + 1] ?? 0)) & 0xffff
    sum += ((after[i] ?? 0) << 8) | (after[i + 1] ?? 0)
  }
  return ~fold(sum) & 0xffff
}

function fold(sum: number): number {
  while (sum > 0xffff) sum = Math.floor(sum / 0x10000) + (sum & 0xffff)
  return sum
}

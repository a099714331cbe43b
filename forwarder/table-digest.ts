// A fingerprint of a table, for comparing what nodes hold: it covers the table's size and the name behind every row,
// and nothing that could differ between nodes that agree (the order of the documents, indices, addresses of maps).
// A sum over rows, so that a health change adjusts it by the rows that moved. 64 bits: against accidents, not attacks.

import { finalMix } from './maglev-permutation.ts'

/** The two sums, modulo 2^32. */
export type DigestSums = { readonly low: number; readonly high: number }

/** Sums over all rows; `identity` has two words for each number that `rows` holds, numbers beyond it are empty rows. */
export function digestSums(rows: Uint32Array, identity: Uint32Array): DigestSums {
  let low = 0
  let high = 0
  for (let row = 0; row < rows.length; row += 1) {
    const at = 2 * (rows[row] ?? 0)
    low = (low + lowTerm(row, identity[at] ?? 0)) | 0
    high = (high + highTerm(row, identity[at + 1] ?? 0)) | 0
  }
  return { low, high }
}

/** The sums after `changed` rows went from what they hold in `before` to what they hold in `after`. */
export function adjustSums(
  { low, high }: DigestSums,
  changed: Uint32Array,
  before: Uint32Array,
  after: Uint32Array,
  identity: Uint32Array,
): DigestSums {
  for (const row of changed) {
    const was = 2 * (before[row] ?? 0)
    const is = 2 * (after[row] ?? 0)
    low = (low - lowTerm(row, identity[was] ?? 0) + lowTerm(row, identity[is] ?? 0)) | 0
    high = (high - highTerm(row, identity[was + 1] ?? 0) + highTerm(row, identity[is + 1] ?? 0)) | 0
  }
  return { low, high }
}

/** 16 hex digits. */
export function digestText({ low, high }: DigestSums, tableSize: number): string {
  const first = finalMix(low + tableSize)
  const second = finalMix(high ^ first)
  return [first, second].map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('')
}

function lowTerm(row: number, word: number): number {
  const h = Math.imul(row + 1, 0x9e3779b1) ^ word
  const mixed = Math.imul(h ^ (h >>> 15), 0x85ebca77)
  return mixed ^ (mixed >>> 13)
}

function highTerm(row: number, word: number): number {
  const h = Math.imul(row + 1, 0xc2b2ae3d) ^ word
  const mixed = Math.imul(h ^ (h >>> 16), 0x27d4eb2f)
  return mixed ^ (mixed >>> 15)
}

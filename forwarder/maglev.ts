// Maglev's table population (NSDI '16 §3.4): backends take turns, each turn takes the first row of the backend's own
// preference list that is still empty. With equal weights this is the published algorithm row by row. Weights alter
// the frequency of the turns, as the paper suggests, up to a quota: the backend's share, rounded.

import { type Permutations, stepsAhead } from './maglev-permutation.ts'

/**
 * Fills `rows` with the numbers of backends, 0 to `weights.length - 1`: the order of turns is that of the arrays.
 * Weights are positive integers, at least one backend, `rows.length` a prime.
 */
export function populate(rows: Uint32Array, permutations: Permutations, weights: Uint32Array): void {
  const size = rows.length
  const count = weights.length
  const position = Int32Array.from(permutations.offset)
  const skip = Int32Array.from(permutations.skip)
  const takesTurn = turns(weights, size)
  // A bit for each row: small enough to stay in the processor's cache where `rows` is not.
  const taken = new Int32Array((size + 31) >> 5)
  let empty = size
  let i = 0
  // The paper's walk needs size / empty steps a turn. Looking at all empty rows needs `empty`: faster at the end.
  for (; empty * empty > size; i = i + 1 < count ? i + 1 : 0) {
    if (!takesTurn(i)) continue
    const step = skip[i] ?? 0
    let row = position[i] ?? 0
    while (((taken[row >> 5] ?? 0) >> (row & 31)) & 1) {
      row = (row + step) | 0
      row = row >= size ? (row - size) | 0 : row
    }
    taken[row >> 5] = (taken[row >> 5] ?? 0) | (1 << (row & 31))
    rows[row] = i
    row = (row + step) | 0
    position[i] = row >= size ? (row - size) | 0 : row
    empty = (empty - 1) | 0
  }
  const left = emptyRows(taken, size, empty)
  for (; empty > 0; i = i + 1 < count ? i + 1 : 0) {
    if (!takesTurn(i)) continue
    const at = nearest(left.subarray(0, empty), position[i] ?? 0, permutations.inverse[i] ?? 0, size)
    rows[left[at] ?? 0] = i
    // `position` may stay behind: the rows between are taken, and no longer looked at.
    empty -= 1
    left[at] = left[empty] ?? 0
  }
}

/** Tells for each backend in its turn whether it takes it. */
function turns(weights: Uint32Array, size: number): (backend: number) => boolean {
  const heaviest = weights.reduce((a, b) => Math.max(a, b))
  if (weights.every((weight) => weight === heaviest)) return () => true
  const credit = new Uint32Array(weights.length).fill(heaviest >>> 1)
  const quota = quotas(weights, size)
  return (backend) => {
    const earned = (credit[backend] ?? 0) + (weights[backend] ?? 0)
    const due = earned >= heaviest
    credit[backend] = due ? earned - heaviest : earned
    const remaining = quota[backend] ?? 0
    if (!due || remaining === 0) return false
    quota[backend] = remaining - 1
    return true
  }
}

/** Shares of `size` rows by rounding the running sum: each is exact to one row, and so is any run of them together. */
function quotas(weights: Uint32Array, size: number): Uint32Array {
  const total = weights.reduce((a, b) => a + b, 0)
  let sum = 0
  let given = 0
  return weights.map((weight) => {
    sum += weight
    const before = given
    given = Math.floor((size * sum) / total + 0.5)
    return given - before
  })
}

function emptyRows(taken: Int32Array, size: number, count: number): Int32Array {
  const rows = new Int32Array(count)
  let at = 0
  for (let row = 0; at < count && row < size; row += 1) {
    if ((((taken[row >> 5] ?? 0) >> (row & 31)) & 1) === 0) rows[at++] = row
  }
  return rows
}

/** The index of the row that a list, walked on from `position`, comes to first. */
function nearest(rows: Int32Array, position: number, inverse: number, size: number): number {
  const ratio = inverse / size
  let index = 0
  let fewest = size
  for (let at = 0; at < rows.length; at += 1) {
    const steps = stepsAhead(position, rows[at] ?? 0, inverse, ratio, size)
    if (steps >= fewest) continue
    fewest = steps
    index = at
  }
  return index
}

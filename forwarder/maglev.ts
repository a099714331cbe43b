// Maglev's table population (NSDI '16 §3.4): backends take turns, each turn takes the first row of the backend's own
// preference list that is still empty. With equal weights this is the published algorithm row by row. Weights alter
// the frequency of the turns, as the paper suggests, up to a quota: the backend's share, rounded.

import { type Permutations } from './maglev-permutation.ts'

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
  let filled = 0
  for (;;) {
    for (let backend = 0; backend < count; backend += 1) {
      if (takesTurn !== undefined && !takesTurn(backend)) continue
      const step = skip[backend] ?? 0
      let row = position[backend] ?? 0
      while (((taken[row >> 5] ?? 0) >> (row & 31)) & 1) {
        row = (row + step) | 0
        row = row >= size ? (row - size) | 0 : row
      }
      taken[row >> 5] = (taken[row >> 5] ?? 0) | (1 << (row & 31))
      rows[row] = backend
      filled = (filled + 1) | 0
      if (filled === size) return
      row = (row + step) | 0
      position[backend] = row >= size ? (row - size) | 0 : row
    }
  }
}

/** Tells for each backend in its turn whether it takes it; undefined where weights are equal and all always do. */
function turns(weights: Uint32Array, size: number): ((backend: number) => boolean) | undefined {
  const heaviest = weights.reduce((a, b) => Math.max(a, b))
  if (weights.every((weight) => weight === heaviest)) return undefined
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

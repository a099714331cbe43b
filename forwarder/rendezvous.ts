// Weighted rendezvous over Maglev's preference lists: a row goes to the backend that has it earliest in its list,
// ranks being stretched so that shares follow the weights. Every row so has one fixed order of all possible backends,
// and that is what makes disruption minimal: a backend that comes takes rows and moves no other, one that goes leaves
// its rows to others and moves no other, and a new weight moves rows only to or from the one whose weight it is.
//
//   u     = (rank of the row in the backend's list + phase) / M     uniform in [0, 1), each M-th once per backend
//   score = -ln(1 - u) / weight                                     the lowest wins, with probability weight / sum
//
// Ranks instead of hashes because a list holds each rank exactly once, which halves the variance of the shares, and
// because the lists can be walked: M · ln N steps instead of a score for every row and backend.
// Only IEEE 754 +, -, ·, / decide: Math.log may differ between machines, and the tables must not.

import { type Permutations, stepsAhead } from './maglev-permutation.ts'

export type Candidates = {
  readonly permutations: Permutations
  readonly weights: Uint32Array
  /** Which of them take part, ascending, each with a weight above 0. */
  readonly members: Uint32Array
}

/** Writes into `rows`, at each of `wanted`, the member whose score is the lowest; equal scores: the first. */
export function assign(rows: Uint32Array, wanted: Uint32Array, candidates: Candidates): void {
  // A walk costs about as much as scoring every row of the table for eight members.
  const few = wanted.length * candidates.members.length <= 8 * rows.length
  assignByScore(rows, few ? wanted : assignByWalk(rows, wanted, candidates), candidates)
}

/** Scores every wanted row for every member: for few rows. */
export function assignByScore(rows: Uint32Array, wanted: Uint32Array, candidates: Candidates): void {
  const { members, weights, permutations } = candidates
  const size = rows.length
  const perSize = 1 / size
  const equal = equallyWeighted(candidates)
  const best = new Float64Array(wanted.length).fill(Infinity)
  for (const member of members) {
    const offset = (permutations.offset[member] ?? 0) | 0
    const inverse = (permutations.inverse[member] ?? 0) | 0
    const ratio = inverse / size
    const phase = permutations.phase[member] ?? 0
    const perWeight = 1 / (weights[member] ?? 1)
    for (let w = 0; w < wanted.length; w += 1) {
      const row = wanted[w] ?? 0
      const u = (stepsAhead(offset, row, inverse, ratio, size) + phase) * perSize
      const lowest = best[w] ?? 0
      // -ln(1 - u) >= u: most members lose before any logarithm.
      if (u * perWeight >= lowest) continue
      const score = (equal ? u : stretch(u)) * perWeight
      if (score >= lowest) continue
      best[w] = score
      rows[row] = member
    }
  }
}

/**
 * Walks each member's list from its beginning, as far as nearly all of the wanted rows need: for many rows.
 * Returns the wanted rows that a later rank could still win, which are to be scored.
 */
export function assignByWalk(rows: Uint32Array, wanted: Uint32Array, candidates: Candidates): Uint32Array {
  const { members, weights, permutations } = candidates
  const size = rows.length
  const perSize = 1 / size
  const equal = equallyWeighted(candidates)
  // Rows that nobody asked about have a score that nobody beats.
  const best = new Float64Array(size).fill(-1)
  for (const row of wanted) best[row] = Infinity
  let total = 0
  for (const member of members) total += weights[member] ?? 0
  // Of all rows exp(-total · horizon) have no score up to the horizon: one in twice as many as there are members.
  const horizon = stretch(1 - 1 / (2 * members.length)) / total
  for (const member of members) {
    const weight = weights[member] ?? 1
    const perWeight = 1 / weight
    const step = permutations.skip[member] ?? 1
    const phase = permutations.phase[member] ?? 0
    // A score up to the horizon has a u of at most weight · horizon; one rank more covers rounding.
    const end = Math.min(size, Math.ceil(weight * horizon * size) + 1)
    let row = permutations.offset[member] ?? 0
    for (let rank = 0; rank < end; rank += 1) {
      const lowest = best[row] ?? 0
      const u = (rank + phase) * perSize
      if (u * perWeight < lowest) {
        const score = (equal ? u : stretch(u)) * perWeight
        if (score < lowest) {
          best[row] = score
          rows[row] = member
        }
      }
      row = (row + step) | 0
      row = row >= size ? (row - size) | 0 : row
    }
  }
  return wanted.filter((row) => (best[row] ?? 0) > horizon)
}

/** Then ranks alone decide the same: the stretch keeps their order. */
function equallyWeighted({ members, weights }: Candidates): boolean {
  const first = weights[members[0] ?? 0]
  return members.every((member) => weights[member] === first)
}

const ln2 = 0.6931471805599453

/**
 * -ln(1 - u) for u in [0, 1], the same on every machine, to 1e-9. Never below u. ln(m) of m in [1/2, 1] is
 * -2 artanh((1 - m) / (1 + m)), here eight terms of its series; halvings beforehand bring 1 - u into that interval.
 */
export function stretch(u: number): number {
  let s = u / (2 - u)
  let halvings = 0
  if (u > 0.5) {
    let m = Math.max(1 - u, 2 ** -53)
    while (m < 0.5) {
      m *= 2
      halvings += 1
    }
    s = (1 - m) / (1 + m)
  }
  const q = s * s
  const tail = q * (1 / 9 + q * (1 / 11 + q * (1 / 13 + q * (1 / 15))))
  return halvings * ln2 + 2 * s * (1 + q * (1 / 3 + q * (1 / 5 + q * (1 / 7 + tail))))
}

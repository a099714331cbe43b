// Maglev's population against the paper: its worked example, and its pseudo code written out slowly.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Permutations,
  murmur128,
  permutationsOf,
  stepsAhead,
} from '../../forwarder/maglev-permutation.ts'
import { populate } from '../../forwarder/maglev.ts'

function populated(permutations: Permutations, weights: readonly number[], size: number): number[] {
  const rows = new Uint32Array(size)
  populate(rows, permutations, Uint32Array.from(weights))
  return [...rows]
}

function lists(pairs: readonly (readonly [offset: number, skip: number])[]): Permutations {
  return {
    offset: Uint32Array.from(pairs, ([offset]) => offset),
    skip: Uint32Array.from(pairs, ([, skip]) => skip),
    inverse: new Uint32Array(pairs.length),
    phase: new Float64Array(pairs.length),
    identity: new Uint32Array(2 * pairs.length),
  }
}

/** NSDI '16 §3.4, pseudocode 1, on whole permutation tables. */
function pseudocode(offset: readonly number[], skip: readonly number[], M: number): number[] {
  const N = offset.length
  const permutation = offset.map((from, i) => Array.from({ length: M }, (_, j) => (from + j * skip[i]!) % M))
  const next = Array<number>(N).fill(0)
  const entry = Array<number>(M).fill(-1)
  let n = 0
  while (true) {
    for (let i = 0; i < N; i += 1) {
      let c = permutation[i]![next[i]!]!
      while (entry[c]! >= 0) {
        next[i]! += 1
        c = permutation[i]![next[i]!]!
      }
      entry[c] = i
      next[i]! += 1
      n += 1
      if (n === M) return entry
    }
  }
}

const primes = [2, 3, 7, 31, 251, 1021]
const names = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 40 })

function hashed(text: string): string {
  const bytes = new TextEncoder().encode(text)
  const words = new Uint32Array(4)
  murmur128(new DataView(bytes.buffer), bytes.length, words)
  return Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('')
}

describe('the Maglev table', () => {
  it("is the paper's in its example (table 1), before and after B1 goes", () => {
    const [b0, b1, b2] = [[3, 4] as const, [0, 2] as const, [3, 1] as const]
    assert.deepEqual(populated(lists([b0, b1, b2]), [1, 1, 1], 7), [1, 0, 1, 0, 2, 2, 0])
    assert.deepEqual(populated(lists([b0, b2]), [1, 1], 7), [0, 0, 0, 0, 1, 1, 1])
  })

  it("equals the paper's pseudocode for any names and any equal weights", () => {
    fc.assert(
      fc.property(
        names,
        fc.constantFrom(...primes),
        fc.integer({ min: 1, max: 256 }),
        (backends, M, weight) => {
          const permutations = permutationsOf(backends, M)
          assert.deepEqual(
            populated(permutations, Array<number>(backends.length).fill(weight), M),
            pseudocode([...permutations.offset], [...permutations.skip], M),
          )
        },
      ),
    )
  })

  it('gives every weight its share to one row, and any run of backends together too', () => {
    const weights = fc.array(fc.integer({ min: 1, max: 256 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(weights, fc.constantFrom(251, 1021, 4099), (w, M) => {
        const permutations = permutationsOf(
          w.map((_, i) => `be${i}`),
          M,
        )
        const rows = populated(permutations, w, M)
        const total = w.reduce((a, b) => a + b, 0)
        let together = 0
        let share = 0
        for (const [i, weight] of w.entries()) {
          const count = rows.filter((row) => row === i).length
          assert.ok(Math.abs(count - (M * weight) / total) <= 1, `${count} rows for ${weight} of ${total}`)
          together += count
          share += (M * weight) / total
          assert.ok(Math.abs(together - share) <= 1)
        }
        assert.equal(together, M)
      }),
    )
  })

  it('splits 100 : 50 over a thousand backends as 2.00 : 1', () => {
    const w = Array.from({ length: 1000 }, (_, i) => (i < 500 ? 100 : 50))
    const permutations = permutationsOf(
      w.map((_, i) => `be${i}`),
      65537,
    )
    const rows = populated(permutations, w, 65537)
    const heavy = rows.filter((row) => row < 500).length
    assert.equal((heavy / (rows.length - heavy)).toFixed(3), '2.000')
  })
})

describe('preference lists', () => {
  it('come from MurmurHash3_x86_128', () => {
    // Vectors of the C++ reference, as the JavaScript ports publish them: every kind of tail.
    const vectors = {
      '': '00000000000000000000000000000000',
      '0': '0ab2409ea5eb34f8a5eb34f8a5eb34f8',
      '01': '0f87acb4674f3b21674f3b21674f3b21',
      test: '6f02ef30550c7d68550c7d68550c7d68',
      'I will not buy this record, it is scratched.': 'a0a9683b25ac5e40d9af2895890dddf5',
      "I will not buy this tobacconist's, it is scratched.": '9b5b7ba2ef3f7866889adeaf00f3f98e',
      'My hovercraft is full of eels.': 'e3a186aee169ba6c6a8bd9343c68fa9c',
    }
    for (const [text, expected] of Object.entries(vectors)) assert.equal(hashed(text), expected)
  })

  it('contain every row once', () => {
    fc.assert(
      fc.property(names, fc.constantFrom(...primes), (backends, M) => {
        const { offset, skip } = permutationsOf(backends, M)
        for (let i = 0; i < backends.length; i += 1) {
          const list = Array.from({ length: M }, (_, j) => (offset[i]! + j * skip[i]!) % M)
          assert.equal(new Set(list).size, M)
        }
      }),
    )
  })

  it('do not depend on what other backends there are', () => {
    const alone = permutationsOf(['be7'], 65537)
    const among = permutationsOf(['a much longer name than the others', 'be7', 'ß'], 65537)
    assert.deepEqual([alone.offset[0], alone.skip[0]], [among.offset[1], among.skip[1]])
  })

  it('are counted exactly, up to the largest table', () => {
    const row = (M: number) => fc.integer({ min: 0, max: M - 1 })
    const input = fc
      .constantFrom(7, 65537, 655373, 655_357)
      .chain((M) => fc.tuple(fc.constant(M), row(M), row(M), fc.integer({ min: 1, max: M - 1 })))
    fc.assert(
      fc.property(input, ([M, from, to, factor]) => {
        const expected = (BigInt(to - from + M) * BigInt(factor)) % BigInt(M)
        assert.equal(stepsAhead(from, to, factor, factor / M, M), Number(expected))
      }),
      { numRuns: 2000 },
    )
  })

  it('know where a row stands: as many steps ahead as the walk takes', () => {
    const M = 251
    const { offset, skip, inverse } = permutationsOf(['a', 'b', 'c'], M)
    for (const i of [0, 1, 2]) {
      let row = offset[i]!
      for (let rank = 0; rank < M; rank += 1) {
        assert.equal(stepsAhead(offset[i]!, row, inverse[i]!, inverse[i]! / M, M), rank)
        row = (row + skip[i]!) % M
      }
    }
  })
})

// The spread over backends against what the tables promise: values computed by hand.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { spreadOf, worstSigmas } from '../../demo/spread.ts'

const shares = new Map([
  ['be1', 0.5],
  ['be2', 0.25],
  ['be3', 0.25],
])

describe('spread over backends', () => {
  it('gives count, expectation, deviation and distance in binomial sigmas', () => {
    const [be1, be2] = spreadOf([{ shares, counts: new Map([['be1', 60], ['be2', 20], ['be3', 20]]) }]) // prettier-ignore
    assert.deepEqual(be1, {
      backend: 'be1',
      count: 60,
      expected: 50,
      deviation: 60 / 50 - 1,
      sigma: 5,
      sigmas: 2,
    })
    assert.equal(be2?.expected, 25)
    assert.equal(be2.sigma, Math.sqrt(100 * 0.25 * 0.75))
  })

  it('adds expectations and variances of several VIPs', () => {
    const one = { shares: new Map([['be1', 0.5], ['be2', 0.5]]), counts: new Map([['be1', 50], ['be2', 50]]) } // prettier-ignore
    const other = { shares: new Map([['be1', 0.1], ['be2', 0.9]]), counts: new Map([['be1', 0], ['be2', 100]]) } // prettier-ignore
    const [be1] = spreadOf([one, other])
    assert.equal(be1?.count, 50)
    assert.equal(be1.expected, 60)
    assert.ok(Math.abs(be1.sigma - Math.sqrt(25 + 9)) < 1e-9)
  })

  it('is infinitely off where a backend answered that the table does not name', () => {
    const rows = spreadOf([{ shares, counts: new Map([['be1', 1], ['be9', 1]]) }]) // prettier-ignore
    assert.equal(worstSigmas(rows), Infinity)
  })

  it('counts every answer once, whatever the numbers', () => {
    fc.assert(
      fc.property(fc.array(fc.dictionary(fc.constantFrom('be1', 'be2', 'be3'), fc.nat(1000))), (all) => {
        const observed = all.map((counts) => ({ shares, counts: new Map(Object.entries(counts)) }))
        const rows = spreadOf(observed)
        const sum = all.flatMap((counts) => Object.values(counts)).reduce((total, each) => total + each, 0)
        assert.equal(
          rows.reduce((total, { count }) => total + count, 0),
          sum,
        )
        assert.ok(
          Math.abs(rows.reduce((total, { expected }) => total + expected, 0) - sum) < 1e-6 * (1 + sum),
        )
      }),
    )
  })
})

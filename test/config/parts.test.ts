// The small parts that documents are read with: durations, near misses, the index of pools.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Document } from '../../config/document.ts'
import { parseDuration } from '../../config/duration.ts'
import { type Pool } from '../../config/model.ts'
import { indexPools } from '../../config/pool-index.ts'
import { nearest } from '../../config/suggest.ts'
import { type Ip } from '../../net/ip.ts'
import { rangeContains, rangesOverlap } from '../../net/prefix.ts'
import { accepted, pool } from './read.ts'

describe('a duration', () => {
  it('is written as in Go', () => {
    const known: Readonly<Record<string, number>> = {
      '0': 0,
      '90s': 90_000,
      '1m30s': 90_000,
      '1.5h': 5_400_000,
      '.5s': 500,
      '1.s': 1000,
      '-2s': -2000,
      '+2s': 2000,
      '250us': 0.25,
      '250µs': 0.25,
      '3ns': 0.000003,
      '1h2m3s4ms': 3_723_004,
    }
    for (const [text, milliseconds] of Object.entries(known))
      assert.equal(parseDuration(text), milliseconds, text)
    for (const text of [
      '',
      '90',
      's',
      '1d',
      '1 s',
      '1s ',
      '1m 30s',
      '--1s',
      '.s',
      '1,5s',
      '0x1s',
      'Infinitys',
    ])
      assert.equal(parseDuration(text), undefined, text)
  })
})

describe('a near miss', () => {
  it('is the closest word if it is close', () => {
    const words = ['peerASN', 'peerAddress', 'peerPort', 'password']
    assert.equal(nearest('peerAsn', words), 'peerASN')
    assert.equal(nearest('peerAdress', words), 'peerAddress')
    assert.equal(nearest('eperPort', words), 'peerPort')
    assert.equal(nearest('passwort', words), 'password')
    assert.equal(nearest('prot', ['part', 'port']), 'port')
    assert.equal(nearest('tiemouts', ['timeout-a', 'timeouts']), 'timeouts')
    assert.equal(nearest('abdc', ['abxy']), undefined, 'a swap costs one, two replacements two')
    for (const far of ['pxyt', 'trop', 'orpt', 'rpot', 'poxx'])
      assert.equal(nearest(far, ['port']), undefined, far)
    assert.equal(nearest('weight', words), undefined)
    assert.equal(nearest('x', ['y', 'abc']), 'y')
    assert.equal(nearest('', words), undefined)
  })
})

describe('the index of pools', () => {
  const [template] = accepted(pool('addresses: [10.0.0.0/8]')).pools
  assert.ok(template)
  const small = (value: number): Ip => ({ family: 4, value: BigInt(value) })
  const range = fc
    .tuple(fc.nat(60), fc.nat(8))
    .map(([first, more]) => ({ first: small(first), last: small(first + more) }))
  const pools = fc.array(fc.array(range, { minLength: 1, maxLength: 4 }), { maxLength: 5 })
  const index = (ranges: readonly Pool['ranges'][]): ReturnType<typeof indexPools> =>
    indexPools(
      ranges.map((each, number) => ({
        value: { ...template, name: `${number}`, ranges: each },
        document: {} as Document,
      })),
    )

  it('finds an overlap exactly where there is one', () => {
    fc.assert(
      fc.property(pools, (list) => {
        const all = list.flat()
        const any = all.some((a, i) => all.some((b, j) => i < j && rangesOverlap(a, b)))
        const { overlaps } = index(list)
        assert.equal(overlaps.length > 0, any)
        for (const [a, b] of overlaps) assert.ok(a !== b && rangesOverlap(a.range, b.range))
      }),
    )
  })

  it('finds the pool of an address, or that there is none', () => {
    fc.assert(
      fc.property(pools, fc.nat(70), (list, value) => {
        const held = list.some((ranges) => ranges.some((each) => rangeContains(each, small(value))))
        const found = index(list).holding(small(value))
        assert.equal(found !== undefined, held)
        if (found !== undefined) assert.ok(found.ranges.some((each) => rangeContains(each, small(value))))
        assert.equal(index(list).holding({ family: 6, value: BigInt(value) }), undefined)
      }),
    )
  })
})

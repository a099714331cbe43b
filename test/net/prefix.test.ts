import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ip } from '../../net/ip.ts'
import {
  formatPrefix,
  hostPrefix,
  parsePrefix,
  prefix,
  prefixContains,
  prefixOf,
  rangeContains,
  rangeOf,
  rangeSize,
  rangesOverlap,
  rangeToPrefixes,
} from '../../net/prefix.ts'

const range = fc
  .tuple(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0, max: 0xffff }))
  .map(([a, b]) => ({
    first: { family: 4 as const, value: BigInt(Math.min(a, b)) },
    last: { family: 4 as const, value: BigInt(Math.max(a, b)) },
  }))

describe('prefixes', () => {
  it('drop host bits and print canonically', () => {
    assert.equal(formatPrefix(prefix('198.51.100.77/24')), '198.51.100.0/24')
    assert.equal(formatPrefix(prefix('2001:db8::1/64')), '2001:db8::/64')
    assert.equal(formatPrefix(hostPrefix(ip('2001:db8::1'))), '2001:db8::1/128')
    assert.equal(formatPrefix(prefixOf(ip('10.1.2.3'), 0)), '0.0.0.0/0')
  })

  it('refuse what is not one', () => {
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '::/129',
      '10.0.0.0/08',
      '10.0.0.0/-1',
      '/24',
      ' 10.0.0.0/24',
    ]) {
      assert.equal(parsePrefix(text), undefined, text)
    }
  })

  it('hold exactly the addresses of their range', () => {
    const block = prefix('192.0.2.64/26')
    assert.equal(rangeSize(rangeOf(block)), 64n)
    assert.ok(prefixContains(block, ip('192.0.2.127')))
    assert.ok(!prefixContains(block, ip('192.0.2.128')))
    assert.ok(!prefixContains(prefix('0.0.0.0/0'), ip('::1')))
    assert.equal(rangeSize(rangeOf(prefix('2001:db8::/48'))), 1n << 80n)
  })
})

describe('ranges', () => {
  it('are covered exactly, in order, by the fewest prefixes', () => {
    assert.deepEqual(rangeToPrefixes({ first: ip('10.0.0.1'), last: ip('10.0.0.6') }).map(formatPrefix), [
      '10.0.0.1/32',
      '10.0.0.2/31',
      '10.0.0.4/31',
      '10.0.0.6/32',
    ])
    fc.assert(
      fc.property(range, (one) => {
        const blocks = rangeToPrefixes(one).map(rangeOf)
        assert.equal(blocks[0]?.first.value, one.first.value)
        assert.equal(blocks.at(-1)?.last.value, one.last.value)
        for (let i = 1; i < blocks.length; i += 1)
          assert.equal(blocks[i]?.first.value, (blocks[i - 1]?.last.value ?? 0n) + 1n)
        // 2 × (bits − 1) is the most that any range needs.
        assert.ok(blocks.length <= 30)
      }),
    )
  })

  it('overlap if and only if they share an address', () => {
    fc.assert(
      fc.property(range, range, (a, b) => {
        const low = a.first.value > b.first.value ? a.first : b.first
        assert.equal(rangesOverlap(a, b), rangeContains(a, low) && rangeContains(b, low))
      }),
    )
  })
})

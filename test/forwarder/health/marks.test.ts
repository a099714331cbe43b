// Marks stay with their pairs, and the rules are ones that nft takes.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import {
  assignMarks,
  markBase,
  type Marks,
  renderHealthRules,
  type Steered,
  steeredKey,
} from '../../../forwarder/health/marks.ts'
import { ip } from '../../../net/ip.ts'

const pair = (vip: string, dscp: number, backend: string): Steered => ({
  vip: ip(vip),
  dscp,
  backend: ip(backend),
})
const some = (numbers: readonly number[]): readonly Steered[] =>
  numbers.map((number) => pair('198.51.100.10', 2, `10.0.${number >> 8}.${number & 255}`))

describe('health marks', () => {
  it('are one for each pair, and kept as long as the pair is', () => {
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(fc.nat(40)), { maxLength: 20 }), (sets) => {
        let marks: Marks = new Map()
        for (const set of sets) {
          const before = marks
          marks = assignMarks(before, some(set))
          assert.equal(marks.size, set.length)
          assert.equal(new Set(marks.values()).size, set.length)
          for (const [key, mark] of marks) {
            assert.equal(mark, before.get(key) ?? mark)
            // No mark goes straight from one pair to another.
            if (!before.has(key)) assert.ok(![...before.values()].includes(mark))
          }
        }
      }),
    )
  })

  it('are shared by services of one VIP at one backend', () => {
    const twice = [...some([1]), ...some([1])]
    assert.deepEqual([...assignMarks(new Map(), twice).values()], [markBase])
  })

  it('are refused beyond 65,536 pairs', () => {
    const most = some(Array.from({ length: 65536 }, (_, number) => number))
    assert.equal(assignMarks(new Map(), most).size, 65536)
    assert.throws(() => assignMarks(new Map(), [...most, pair('198.51.100.10', 2, '10.9.9.9')]), RangeError)
  })
})

describe('health rules', () => {
  const steered = [
    pair('198.51.100.10', 3, '10.1.1.2'),
    pair('198.51.100.10', 3, '10.1.2.2'),
    pair('198.51.100.11', 46, '10.1.1.2'),
    pair('2001:db8::10', 3, 'fd00:1:1::2'),
  ]
  const marks = assignMarks(new Map(), steered)

  it('do not depend on the order of the targets', () => {
    assert.equal(
      renderHealthRules(steered.toReversed(), marks, []),
      renderHealthRules(steered, marks, [ip('2001:db8::10'), ip('198.51.100.11')]),
    )
  })

  it('send each mark to its backend with the id of its VIP', () => {
    const text = renderHealthRules(steered, marks, [])
    const mark = (each: Steered): number => marks.get(steeredKey(each))!
    assert.ok(
      text.includes(
        `ip daddr 198.51.100.10 ip daddr set meta mark map { ${mark(steered[0]!)} : 10.1.1.2, ` +
          `${mark(steered[1]!)} : 10.1.2.2 } ip dscp set 3 counter accept`,
      ),
      text,
    )
    assert.ok(text.includes(`{ ${mark(steered[3]!)} : fd00:1:1::2 } ip6 dscp set 3`), text)
  })

  it('are taken by nft, the empty ones too', () => {
    for (const each of [renderHealthRules(steered, marks, []), renderHealthRules([], new Map(), [])])
      execFileSync('unshare', ['--net', 'nft', '--check', '-f', '-'], { input: each })
  })
})

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type LabelSelector } from '../../config/config.ts'
import { matches, selectorKey, selects } from '../../config/selector.ts'

const expression = (
  operator: LabelSelector[number]['operator'],
  key: string,
  ...values: readonly string[]
): LabelSelector[number] => ({ operator, key, values })

describe('a label selector', () => {
  const of = { app: 'web', tier: 'front' }

  it('holds if all its expressions hold, an empty one always', () => {
    assert.ok(matches([], of))
    assert.ok(matches([expression('In', 'app', 'mail', 'web'), expression('Exists', 'tier')], of))
    assert.ok(!matches([expression('In', 'app', 'web'), expression('In', 'tier', 'back')], of))
  })

  it('has four operators; NotIn holds for a label that is not there', () => {
    const holds = (...args: Parameters<typeof expression>): boolean => matches([expression(...args)], of)
    assert.deepEqual(
      [holds('In', 'app', 'web'), holds('In', 'app', 'x'), holds('In', 'no', 'x')],
      [true, false, false],
    )
    assert.deepEqual(
      [holds('NotIn', 'app', 'web'), holds('NotIn', 'app', 'x'), holds('NotIn', 'no', 'x')],
      [false, true, true],
    )
    assert.deepEqual([holds('Exists', 'app'), holds('Exists', 'no')], [true, false])
    assert.deepEqual([holds('DoesNotExist', 'app'), holds('DoesNotExist', 'no')], [false, true])
    assert.ok(!holds('Exists', 'toString'), 'what every object has is no label')
  })

  it('is one of a list: any may hold, and an empty list selects all', () => {
    const [yes, no] = [[expression('Exists', 'app')], [expression('Exists', 'no')]]
    assert.ok(selects([], of))
    assert.ok(selects([no, yes], of))
    assert.ok(!selects([no, no], of))
  })

  it('has one key however its expressions are ordered', () => {
    const word = fc.constantFrom('a', 'b', 'c,d', '"')
    const any = fc.record({
      operator: fc.constantFrom('In' as const, 'NotIn' as const),
      key: word,
      values: fc.uniqueArray(word),
    })
    fc.assert(
      fc.property(fc.array(any), (selector) => {
        const turned = selector.map((each) => ({ ...each, values: each.values.toReversed() })).toReversed()
        assert.equal(selectorKey(selector), selectorKey(turned))
      }),
    )
    assert.notEqual(selectorKey([expression('In', 'a', 'b')]), selectorKey([expression('In', 'a', 'b', 'c')]))
  })
})

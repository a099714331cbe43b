// The small languages inside a topology file, by what containerlab makes of them.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { splitWords, substituteEnv, substituteMagic, TopologyError } from './words.ts'

describe('environment variables in a topology', () => {
  const env = { IMAGE: 'torii:1', EMPTY: '' }
  const cases: readonly (readonly [string, string])[] = [
    ['${IMAGE}', 'torii:1'],
    ['$IMAGE/x', 'torii:1/x'],
    ['${IMAGE:=other}', 'torii:1'],
    ['${NONE:=other}', 'other'],
    ['${NONE:-other:tag}', 'other:tag'],
    ['${EMPTY:-other}', 'other'],
    ['${EMPTY-other}', ''],
    ['${IMAGE:+there}', 'there'],
    ['${EMPTY:+there}', ''],
    ['${NONE:+there}', ''],
    ['$$IMAGE', '$IMAGE'],
    ['5 $ and 6 $', '5 $ and 6 $'],
    ['a ${NONE:=b} c ${IMAGE} d', 'a b c torii:1 d'],
  ]
  for (const [text, expected] of cases) {
    it(`${text} is ${JSON.stringify(expected)}`, () => assert.equal(substituteEnv(text, env), expected))
  }
})

describe('magic words', () => {
  it('name the node and the lab, wherever they stand and however often', () => {
    const words = { node: 'lb1', nodeDir: '/x/clab-l/lb1', lab: 'l', labDir: '/x/clab-l' }
    assert.equal(
      substituteMagic('conf/__clabNodeName__/__clabNodeName__.conf:/__clabLabName__', words),
      'conf/lb1/lb1.conf:/l',
    )
    assert.equal(substituteMagic('__clabNodeDir__ __clabDir__', words), '/x/clab-l/lb1 /x/clab-l')
  })
})

describe('command lines', () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['ip addr add 10.0.0.1/24 dev eth1', ['ip', 'addr', 'add', '10.0.0.1/24', 'dev', 'eth1']],
    [`sh -c 'echo "a b" > /x | cat'`, ['sh', '-c', 'echo "a b" > /x | cat']],
    [`a"b c"'d e'f`, ['ab cd ef']],
    ['a\\ b "c\\"d" \'e\\f\'', ['a b', 'c"d', 'e\\f']],
    [`a '' ""`, ['a', '', '']],
    ['$HOME *.yml a>b', ['$HOME', '*.yml', 'a>b']],
    ['', []],
    ['  a\t\n b  ', ['a', 'b']],
  ]
  for (const [text, words] of cases) {
    it(`${JSON.stringify(text)} is ${words.length} words`, () => assert.deepEqual(splitWords(text), words))
  }

  it('are split into exactly the words that were quoted into them', () => {
    const quote = (word: string): string => `'${word.replaceAll("'", `'\\''`)}'`
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        assert.deepEqual(splitWords(words.map(quote).join(' ')), words)
      }),
    )
  })

  it('with an open quote are refused', () => {
    for (const text of [`a 'b`, 'a "b', `"a'`]) assert.throws(() => splitWords(text), TopologyError)
  })
})

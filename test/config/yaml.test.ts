import assert from 'node:assert/strict'
import { accepted, peer, pool, problems } from './read.ts'

const head = 'apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: one}\n'

describe('YAML', () => {
  it('that is none is refused with its line, document by document', () => {
    assert.deepEqual(problems('a: [1\nb: 2\n---\na: {\n---\nb: "x\n'), [
      'f:2:1: not YAML: flow sequence in block collection must be sufficiently indented and end with a ]',
      'f:5:1: not YAML: flow map in block collection must be sufficiently indented and end with a }',
      'f:7:1: not YAML: missing closing "quote',
    ])
    assert.equal(problems('{{{{').length, 1, 'what follows in a line is a consequence')
    assert.deepEqual(problems('\ta: 1\n'), ['f:1:1: not YAML: tabs are not allowed as indentation'])
    assert.deepEqual(problems('a: !secret 1\n'), ['f:1:4: not YAML: unresolved tag: !secret'])
  })

  it('leaves the other documents of the file to be read', () => {
    assert.deepEqual(
      problems(`a: [\n---\n${pool('addresses: []')}`).map((line) => line.slice(0, 7)),
      ['f:2:1: ', 'f:7:14:'],
    )
  })

  it('takes an address that ends in :: for a key: the quotes are what is missing', () => {
    const hint = 'put the address in quotes: "2001:db8::"'
    assert.deepEqual(problems(peer('myASN: 1\npeerASN: 2\npeerAddress: 2001:db8::')), [
      `f:7:16: not YAML: nested mappings are not allowed in compact mappings: ${hint}`,
    ])
    assert.deepEqual(problems(peer('{myASN: 1, peerASN: 2, peerAddress: 2001:db8::, peerPort: 179}')), [
      `f:5:39: not YAML: block collections are not allowed within flow collections: ${hint}`,
    ])
    assert.deepEqual(problems(pool('addresses: ["10.0.0.0/8", 2001:db8::]')), [
      `f:5:29: IPAddressPool one: spec.addresses[1]: found a mapping, expected ADDRESS/LENGTH or FIRST-LAST: ${hint}`,
    ])
    for (const entry of ['{"2001:db8:": x}', '{"2001:db8:": , a: 1}', '{abc: }', '{}'])
      assert.deepEqual(
        problems(pool(`addresses: [${entry}]`)).map((line) => line.endsWith('FIRST-LAST')),
        [true],
      )
    assert.deepEqual(problems('a: b: c\n'), [
      'f:1:4: not YAML: nested mappings are not allowed in compact mappings',
    ])
  })

  it('reads numbers with leading zeros in more ways than one: they are refused', () => {
    assert.deepEqual(problems(peer('myASN: 010\npeerASN: -07\npeerAddress: 10.0.0.1')), [
      'f:5:10: found 010, which some readers of YAML take for octal and others for decimal: write 10, or "010" if it is text',
      'f:6:12: found -07, which some readers of YAML take for octal and others for decimal: write -7, or "-07" if it is text',
      'f:6:12: BGPPeer one: spec.peerASN: found -07, expected a whole number from 0 to 4294967295',
    ])
    assert.deepEqual(problems(peer('myASN: 1\npeerASN: 2\npeerAddress: 10.0.0.1\npassword: "010"')), [])
  })

  it('may not give a key twice', () => {
    assert.deepEqual(
      problems(`${head}spec:\n  addresses: [10.0.0.0/8]\n  autoAssign: true\n  addresses: [11.0.0.0/8]\n`),
      [`f:7:3: the key 'addresses' is there twice, the first in line 5: remove one`],
    )
  })

  it('may have anchors and aliases, which count as written out', () => {
    const text = `${head}spec:\n  addresses: [&a 10.0.0.0/8]\n  serviceAllocation:\n    namespaces: &n [a, b]\n---\n`
    accepted(text)
    assert.equal(
      problems('apiVersion: &v 010\nkind: *v\n').filter((line) => line.includes('octal')).length,
      1,
    )
    assert.deepEqual(problems(`${head}spec: {addresses: [&a 10.0.0.0/80, *a]}\n`), [
      `f:4:23: IPAddressPool one: spec.addresses[0]: found '10.0.0.0/80', expected ADDRESS/LENGTH or FIRST-LAST`,
      `f:4:36: IPAddressPool one: spec.addresses[1]: found '10.0.0.0/80', expected ADDRESS/LENGTH or FIRST-LAST`,
    ])
  })

  it('may not have aliases of nothing, of themselves, or of too much', () => {
    assert.deepEqual(problems('a: *x\n'), ['f:1:4: no anchor &x before this alias'])
    assert.deepEqual(problems('a: &x [1, *x]\n'), ['f:1:11: the alias *x is inside what it stands for'])
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 12; i += 1)
      bomb.push(`a${i}: &a${i} [${Array.from({ length: 10 }, () => `*a${i - 1}`).join(', ')}]`)
    const found = problems(bomb.join('\n'))
    assert.equal(found.length, 1)
    assert.match(found[0] ?? '', /^f:\d+:\d+: aliases stand for more than 10000 nodes: write it out$/)
  })

  it('may not be nested without end', () => {
    for (const depth of [101, 5000, 200_000]) {
      const found = problems(`a: ${'['.repeat(depth)}${']'.repeat(depth)}\n`)
      assert.equal(found.length, 1)
      assert.match(
        found[0] ?? '',
        /^f:1:\d+: (?:nested more than 100 deep|not YAML: nested too deep to read)$/,
      )
    }
  })

  it('has keys that are plain text', () => {
    assert.deepEqual(problems('? [a]\n: 1\n'), ['f:1:3: found a key that is not plain text'])
    assert.deepEqual(problems(`${head}spec: {addresses: [10.0.0.0/8]}\n<<: {a: 1}\n80: x\n`), [
      'f:5:1: IPAddressPool one: ["<<"]: unknown field, expected one of: apiVersion, kind, status, metadata, spec',
      'f:6:1: IPAddressPool one: ["80"]: unknown field, expected one of: apiVersion, kind, status, metadata, spec',
    ])
  })

  it('counts lines as editors do, with either end of line', () => {
    const text = pool('addresses: [10.0.0.0/8]\nx: 1').replaceAll('\n', '\r\n')
    assert.deepEqual(
      problems(text).map((line) => line.slice(0, 30)),
      ['f:6:3: IPAddressPool one: spec'],
    )
  })
})

// Whatever the text: no exception, every problem inside the file, and a refusal only with a reason.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { parseDocuments, type Problem } from '../../config/config.ts'
import { all, advertisement, datapath, loadBalancer, peer, pool } from './read.ts'

const sound = all(
  pool(
    'addresses: [198.51.100.0/24, "2001:db8::/64"]\nserviceAllocation: {priority: 1, namespaces: [a]}',
    'public',
  ),
  peer(
    'myASN: 64512\npeerASN: 64500\npeerAddress: 10.0.0.1\nholdTime: 9s\nnodeSelectors: &n\n- matchLabels: {rack: a}',
  ),
  advertisement('communities: [65535:65281]\nipAddressPools: [public]\nlocalPref: 100'),
  loadBalancer(
    'pool: public\naddresses: [198.51.100.7]\nports: [{port: 80}]\nbackends:\n- name: be1\n  addresses: [10.1.1.2]\n  weight: 1',
  ),
  datapath('interfaces: [eth1]\ndscp: {ids: "2-7,9"}\nhashKey: "000102030405060708090a0b0c0d0e0f"'),
)

/** Mutations as editors and torn writes make them. */
const mutation = fc.record({
  at: fc.nat(sound.length),
  remove: fc.oneof(fc.nat(3), fc.nat(200)),
  insert: fc.oneof(
    fc.constantFrom(
      '',
      ' ',
      '\n',
      '\t',
      ':',
      '- ',
      '- - ',
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '*n',
      '&n ',
      '!',
      '%',
      '---\n',
      '...\n',
      '? ',
      '<<: ',
      '~',
      'null',
      '010',
      '::',
      '2001:db8::',
      '1e400',
      '-1',
      '.nan',
      'yes',
      '__proto__: ',
      '\u0000',
      '\uFEFF',
      '\r',
      '|\n',
      '>-\n',
      '#',
      '@',
      '`',
      ', ',
      '0x1f',
      '99999999999999999999',
      '\ud800',
    ),
    fc.string({ maxLength: 8 }),
  ),
})
const mutate = (
  text: string,
  { at, remove, insert }: { at: number; remove: number; insert: string },
): string => text.slice(0, at) + insert + text.slice(at + remove)

const mutated = fc.array(mutation, { minLength: 1, maxLength: 4 }).map((list) => list.reduce(mutate, sound))

function check(text: string): void {
  const parsed = parseDocuments([{ file: 'f', text }])
  const found: readonly Problem[] = [
    ...(parsed.kind === 'refused' ? parsed.problems : []),
    ...parsed.warnings,
  ]
  if (parsed.kind === 'refused') assert.ok(parsed.problems.length > 0)
  const lines = text.split('\n')
  for (const { place, message } of found) {
    assert.equal(place.file, 'f')
    assert.ok(place.line >= 1 && place.line <= lines.length, `line ${place.line} of ${lines.length}`)
    assert.ok(place.column >= 1 && place.column <= (lines[place.line - 1] ?? '').length + 1)
    assert.ok(message !== '')
  }
}

describe('any text', () => {
  it('that sound documents became by edits is accepted, or refused with places inside it', () => {
    check(sound)
    assert.equal(parseDocuments([{ file: 'f', text: sound }]).kind, 'ok')
    fc.assert(fc.property(mutated, check), { numRuns: 2000 })
  })

  it('at all is accepted, or refused with places inside it', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 100 }), check), { numRuns: 1000 })
  })

  it('with a field of another name is refused for it, and at its line', () => {
    const names = [...sound.matchAll(/^ {2}(\w+):/gm)]
    assert.ok(names.length > 10)
    for (const match of names) {
      const text = `${sound.slice(0, match.index)}  ${match[1] ?? ''}Q:${sound.slice(match.index + match[0].length)}`
      const parsed = parseDocuments([{ file: 'f', text }])
      assert.equal(parsed.kind, 'refused', match[0])
      const line = sound.slice(0, match.index).split('\n').length
      const unknown = parsed.problems.find(({ message }) => message.startsWith('unknown field'))
      assert.deepEqual(unknown?.place, { file: 'f', line, column: 3 })
    }
  })
})

describe('many documents', () => {
  it('are read in time that grows with their number, and so are many ranges', () => {
    const services = Array.from({ length: 1000 }, (_, i) =>
      loadBalancer(
        `addresses: [10.0.${i >> 8}.${i & 255}]\nports: [{port: 80}]\nbackends: [{name: be1, addresses: [10.200.1.1]}]`,
        `s${i}`,
      ),
    )
    // Compared in pairs these would take minutes.
    const ranges = Array.from({ length: 30_000 }, (_, i) => `- 10.${i >> 8}.${i & 255}.0/24`)
    const parsed = parseDocuments([
      { file: 'f', text: all(pool(`addresses:\n${ranges.join('\n')}`, 'p'), ...services) },
    ])
    assert.deepEqual(parsed.kind === 'refused' ? parsed.problems : [], [])
  })
})

// AS_PATH in both widths, and the true path behind an old speaker (RFC 6793 §4.2.3).

import assert from 'node:assert/strict'
import { reader, toHex, writer } from '../../../net/bytes.ts'
import {
  type AsPath,
  asPathLength,
  BadAsPath,
  mergeAs4Path,
  readAsPath,
  writeAsPath,
} from '../../../speaker/bgp/as-path.ts'

const sequence = (...asns: number[]): AsPath => [{ kind: 'sequence', asns }]
const trans = 23456

function hex(path: AsPath, fourOctets: boolean): string {
  const to = writer()
  writeAsPath(to, path, fourOctets)
  return toHex(to.done())
}

function read(text: string, fourOctets: boolean): AsPath {
  return readAsPath(reader(Buffer.from(text, 'hex')), fourOctets)
}

describe('AS_PATH', () => {
  it('has segments of numbers in four octets, or in two with AS_TRANS for those that do not fit', () => {
    const path: AsPath = [...sequence(65001, 70_000), { kind: 'set', asns: [1] }]
    assert.equal(hex(path, true), '0202' + '0000fde9' + '00011170' + '0101' + '00000001')
    assert.equal(hex(path, false), '0202' + 'fde9' + '5ba0' + '0101' + '0001')
    assert.deepEqual(read(hex(path, true), true), path)
  })

  it('with a segment that cannot be is malformed (RFC 7606 §7.2)', () => {
    for (const bytes of ['02', '0501' + '0001', '0001' + '0001', '0200', '0202' + '0001', '0201' + '000100'])
      assert.throws(() => read(bytes, false), BadAsPath, bytes)
    assert.throws(() => read('0201' + 'fde9', true), BadAsPath)
  })

  it('counts a set once and confederations not at all', () => {
    const path: AsPath = [
      { kind: 'confedSequence', asns: [1, 2] },
      { kind: 'sequence', asns: [3, 4] },
      { kind: 'set', asns: [5, 6, 7] },
      { kind: 'confedSet', asns: [8] },
    ]
    assert.equal(asPathLength(path), 3)
  })
})

describe('AS4_PATH', () => {
  it('takes the place of what it covers; what old speakers added stays in front', () => {
    assert.deepEqual(
      mergeAs4Path(sequence(100, trans, trans), sequence(70_000, 70_001)),
      sequence(100, 70_000, 70_001),
    )
    assert.deepEqual(mergeAs4Path(sequence(trans), sequence(70_000)), sequence(70_000))
  })

  it('is ignored when it is longer', () => {
    assert.deepEqual(mergeAs4Path(sequence(100), sequence(70_000, 70_001)), sequence(100))
  })

  it('leaves sets and confederation segments before it in place', () => {
    const path: AsPath = [
      { kind: 'confedSequence', asns: [64512] },
      { kind: 'set', asns: [1, 2] },
      { kind: 'sequence', asns: [3, trans] },
    ]
    assert.deepEqual(mergeAs4Path(path, sequence(70_000)), [
      { kind: 'confedSequence', asns: [64512] },
      { kind: 'set', asns: [1, 2] },
      { kind: 'sequence', asns: [3, 70_000] },
    ])
  })

  it('never makes a segment of more than 255 numbers', () => {
    const merged = mergeAs4Path(
      sequence(...Array<number>(255).fill(9)),
      sequence(...Array<number>(200).fill(70_000)),
    )
    assert.equal(asPathLength(merged), 255)
    const long: AsPath = [
      ...sequence(...Array<number>(200).fill(9)),
      ...sequence(...Array<number>(100).fill(trans)),
    ]
    const joined = mergeAs4Path(long, sequence(...Array<number>(100).fill(70_000)))
    assert.deepEqual(
      joined.map(({ asns }) => asns.length),
      [200, 100],
    )
  })
})

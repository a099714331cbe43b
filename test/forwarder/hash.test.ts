// The flow hash: pinned values, agreement with 64-bit arithmetic, and rows that come out even for the flows that
// real clients make (addresses and ports that count up).

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex } from '../../net/bytes.ts'
import { type Ip, ip, ipToBytes } from '../../net/ip.ts'
import { type Tuple, flowHash, rowOf } from '../../forwarder/hash.ts'

const key = fromHex('000102030405060708090a0b0c0d0e0f')!
const flow4: Tuple = {
  source: ip('192.0.2.1'),
  destination: ip('198.51.100.10'),
  sourcePort: 40000,
  destinationPort: 443,
  protocol: 6,
}
const flow6: Tuple = { ...flow4, source: ip('2001:db8::1'), destination: ip('2001:db8:1::10') }

/** The same hash in BigInt, written from its definition. */
function byDefinition(tuple: Tuple, secret: Uint8Array): number {
  const word = (bytes: Uint8Array, index: number): bigint =>
    BigInt(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4 * index, true))
  const pi = [0x243f6a88n, 0x85a308d3n, 0x13198a2en, 0x03707344n]
  const k = pi.map((digits, index) => word(secret, index) ^ digits)
  const add = (a: bigint, b: bigint): bigint => (a + b) & 0xffffffffn
  const fold = (sum: bigint): bigint => (sum & 0xffffffffn) ^ ((sum >> 32n) & 0xffffffffn)
  const pairs = (w: readonly bigint[], by: readonly bigint[]): bigint =>
    fold(add(w[0]!, by[0]!) * add(w[1]!, by[1]!) + add(w[2]!, by[2]!) * add(w[3]!, by[3]!))
  const address = (address: Ip, by: readonly bigint[]): bigint => {
    const bytes = ipToBytes(address)
    return address.family === 4
      ? word(bytes, 0)
      : pairs(
          [0, 1, 2, 3].map((index) => word(bytes, index)),
          by,
        )
  }
  const ports = new Uint8Array(4)
  new DataView(ports.buffer).setUint16(0, tuple.sourcePort)
  new DataView(ports.buffer).setUint16(2, tuple.destinationPort)
  const destination = address(tuple.destination, k.toReversed())
  let h = pairs([address(tuple.source, k), word(ports, 0), destination, BigInt(tuple.protocol)], k)
  h = ((h ^ (h >> 16n)) * 0x7feb352dn) & 0xffffffffn
  h = ((h ^ (h >> 15n)) * 0x846ca68bn) & 0xffffffffn
  return Number(h ^ (h >> 16n))
}

/** χ² of the rows over `size` rows, as standard deviations from its mean. */
function unevenness(tuples: Iterable<Tuple>, secret: Uint8Array, size: number): number {
  const counts = new Uint32Array(size)
  let total = 0
  for (const tuple of tuples) {
    const row = rowOf(tuple, secret, size)
    counts[row] = (counts[row] ?? 0) + 1
    total += 1
  }
  const expected = total / size
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)
  return (chiSquared - (size - 1)) / Math.sqrt(2 * (size - 1))
}

function* counting(base: Tuple, step: (index: number) => Partial<Tuple>): Generator<Tuple> {
  for (let index = 0; index < 12_000; index += 1) yield { ...base, ...step(index) }
}

describe('flow hash', () => {
  it('gives the pinned values: another hash would move every flow of a running cluster', () => {
    const values = [
      flowHash(flow4, key),
      flowHash({ ...flow4, protocol: 17 }, key),
      flowHash(flow6, key),
      flowHash({ ...flow4, sourcePort: 0, destinationPort: 0, protocol: 1 }, key),
      flowHash(flow4, new Uint8Array(16).fill(0xff)),
    ]
    assert.deepEqual(values, [4134003530, 580734977, 2414592547, 992932941, 342200938])
    assert.equal(rowOf(flow4, key, 65537), 63080)
  })

  it('equals its definition in 64-bit arithmetic', () => {
    const address = (bits: bigint): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max: (1n << bits) - 1n })
    fc.assert(
      fc.property(
        fc.constantFrom<4 | 6>(4, 6).chain((family) =>
          fc.record({
            source: address(family === 4 ? 32n : 128n).map((value): Ip => ({ family, value })),
            destination: address(family === 4 ? 32n : 128n).map((value): Ip => ({ family, value })),
            sourcePort: fc.nat(65535),
            destinationPort: fc.nat(65535),
            protocol: fc.nat(255),
          }),
        ),
        fc.uint8Array({ minLength: 16, maxLength: 16 }),
        (tuple, secret) => flowHash(tuple, secret) === byDefinition(tuple, secret),
      ),
      { numRuns: 2000 },
    )
  })

  it('depends on the key and on each of the five fields', () => {
    const other = Uint8Array.from(key, (byte, index) => (index === 15 ? byte + 1 : byte))
    for (const flow of [flow4, flow6]) {
      const base = flowHash(flow, key)
      assert.notEqual(flowHash(flow, other), base)
      const source = { ...flow.source, value: flow.source.value + 1n }
      const destination = { ...flow.destination, value: flow.destination.value + 1n }
      for (const change of [
        { source },
        { destination },
        { sourcePort: 1 },
        { destinationPort: 1 },
        { protocol: 17 },
      ])
        assert.notEqual(flowHash({ ...flow, ...change }, key), base, JSON.stringify(Object.keys(change)))
    }
  })

  it('scales to the table: the first row for hash 0, never past the last', () => {
    fc.assert(
      fc.property(fc.nat(65535), fc.integer({ min: 251, max: 655373 }), (sourcePort, size) => {
        const row = rowOf({ ...flow4, sourcePort }, key, size)
        assert.equal(row, Number((BigInt(flowHash({ ...flow4, sourcePort }, key)) * BigInt(size)) >> 32n))
        return row >= 0 && row < size
      }),
    )
  })

  const patterns: Readonly<Record<string, () => Generator<Tuple>>> = {
    'source ports of one client': () => counting(flow4, (index) => ({ sourcePort: 20_000 + index })),
    'neighbouring clients on one port': () =>
      counting(flow4, (index) => ({ source: { family: 4, value: 0x0a000000n + BigInt(index) } })),
    'clients and ports that count up together': () =>
      counting(flow4, (index) => ({
        source: { family: 4, value: 0x0a000000n + BigInt(index >> 4) },
        sourcePort: 32768 + (index & 15),
      })),
    'IPv6 source ports': () => counting(flow6, (index) => ({ sourcePort: 20_000 + index })),
    'IPv6 interface identifiers': () =>
      counting(flow6, (index) => ({
        source: { family: 6, value: ip('2001:db8::').value + BigInt(index) },
      })),
    'IPv6 /64 subnets': () =>
      counting(flow6, (index) => ({
        source: { family: 6, value: ip('2001:db8::1').value + (BigInt(index) << 64n) },
      })),
  }
  for (const [name, flows] of Object.entries(patterns)) {
    it(`spreads ${name} evenly`, () => {
      for (const secret of [key, new Uint8Array(16), new Uint8Array(16).fill(0xa5)]) {
        for (const size of [16, 251, 1009]) {
          const off = unevenness(flows(), secret, size)
          assert.ok(off < 5, `χ² is ${off.toFixed(1)} standard deviations above its mean over ${size} rows`)
        }
      }
    })
  }

  it('refuses a key of another length', () => {
    assert.throws(() => flowHash(flow4, new Uint8Array(15)), /hash key of 15 bytes, not 16/)
  })
})

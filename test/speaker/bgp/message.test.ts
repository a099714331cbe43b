// The codec as a whole: encoding and decoding are inverse, framing does not depend on how TCP cuts, no bytes make it throw.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, toHex } from '../../../net/bytes.ts'
import {
  type BgpMessage,
  decodeMessage,
  encodeMessage,
  splitMessages,
  withHeader,
} from '../../../speaker/bgp/message.ts'
import { message } from './arbitraries.ts'
import { captured, notifications, opens, routeRefreshes, updates } from './captures.ts'

const everyCapture: readonly Uint8Array[] = [
  ...Object.values(opens),
  ...Object.values(updates).flatMap((each) => Object.values(each)),
  ...Object.values(notifications),
  ...Object.values(routeRefreshes),
]
const four = { fourOctetAs: true }

function decoded(bytes: Uint8Array, context = four): BgpMessage {
  const result = decodeMessage(bytes, context)
  assert.ok(result.ok, result.ok ? '' : result.error.text)
  return result.message
}

/** Code, subcode and data of the NOTIFICATION that these bytes lead to. */
function refusal(bytes: Uint8Array): readonly [number, number, string] {
  const result = decodeMessage(bytes, four)
  assert.ok(!result.ok, 'decoded')
  const { code, subcode, data } = result.error.notification
  return [code, subcode, toHex(data)]
}

describe('BGP messages', () => {
  for (const fourOctetAs of [true, false])
    it(`decode to what was encoded, ${fourOctetAs ? 'four' : 'two'}-octet AS numbers`, () => {
      fc.assert(
        fc.property(message(fourOctetAs), (value) => {
          assert.deepEqual(decoded(encodeMessage(value, { fourOctetAs }), { fourOctetAs }), value)
        }),
        { numRuns: 1000 },
      )
    })

  it('have these bytes when they say nothing', () => {
    const keepalive = encodeMessage({ kind: 'keepalive' }, four)
    assert.equal(toHex(keepalive), `${'ff'.repeat(16)}001304`)
    const refresh = encodeMessage({ kind: 'routeRefresh', afi: 2, subtype: 0, safi: 1 }, four)
    assert.deepEqual(refresh, routeRefreshes.ipv6)
  })

  it('of other implementations are all understood', () => {
    for (const bytes of everyCapture) {
      const value = decoded(bytes)
      if (value.kind === 'update') assert.deepEqual(value.problems, [])
    }
  })

  it('never make the decoder throw, whatever happens to their bytes', () => {
    const damage = fc.array(fc.tuple(fc.nat(4095), fc.integer({ min: 0, max: 255 })), { maxLength: 8 })
    const source = fc.oneof(
      fc.constantFrom(...everyCapture),
      fc.boolean().chain((each) => message(each).map((value) => encodeMessage(value, { fourOctetAs: each }))),
    )
    let refused = 0
    fc.assert(
      fc.property(source, damage, fc.boolean(), fc.boolean(), (bytes, changes, truthful, fourOctetAs) => {
        const damaged = bytes.slice()
        // Behind the header, or anywhere: the first gets past the checks of the header.
        for (const [at, octet] of changes)
          damaged[truthful ? 19 + (at % bytes.length) : at % bytes.length] = octet
        if (!decodeMessage(damaged, { fourOctetAs }).ok) refused += 1
        const cut = bytes.slice(0, changes.length === 0 ? 0 : changes[0]![0] % (bytes.length + 1))
        decodeMessage(cut, { fourOctetAs })
      }),
      { numRuns: 20_000 },
    )
    assert.ok(refused > 1000, `${refused} refused`)
  })

  it('never make the decoder throw when they are random behind a good header', () => {
    const body = fc.uint8Array({ maxLength: 200, size: 'max' })
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), body, fc.boolean(), (type, bytes, fourOctetAs) => {
        decodeMessage(withHeader(type, bytes), { fourOctetAs })
      }),
      { numRuns: 20_000 },
    )
  })
})

describe('BGP message headers (RFC 4271 §6.1)', () => {
  const keepalive = captured('001304')

  it('have a marker of ones', () => {
    const bytes = keepalive.slice()
    bytes[15] = 0xfe
    assert.deepEqual(refusal(bytes), [1, 1, ''])
  })

  it('name a length that the type can have; the data is the length', () => {
    for (const [hex, length] of [
      ['001204', '0012'],
      ['100104', '1001'],
      ['00140400', '0014'], // KEEPALIVE
      ['001c01' + '00'.repeat(9), '001c'], // OPEN
      ['001602' + '00'.repeat(3), '0016'], // UPDATE
      ['00140300', '0014'], // NOTIFICATION
      ['001605' + '00'.repeat(3), '0016'], // ROUTE-REFRESH
      ['001805' + '00'.repeat(5), '0018'],
    ] as const)
      assert.deepEqual(refusal(captured(hex)), [1, 2, length], hex)
  })

  it('name a type that there is; the data is the type', () => {
    assert.deepEqual(refusal(captured('001300')), [1, 3, '00'])
    assert.deepEqual(refusal(captured('001306')), [1, 3, '06'])
  })

  it('are alone in what is decoded as one message', () => {
    assert.deepEqual(refusal(fromHex(toHex(keepalive).repeat(2))!), [1, 2, '0026'])
    assert.deepEqual(refusal(keepalive.slice(0, 18)), [1, 2, '0012'])
  })

  it('do not go above 4096 octets', () => {
    assert.equal(withHeader(3, new Uint8Array(4096 - 19)).length, 4096)
    assert.throws(() => withHeader(3, new Uint8Array(4096 - 18)), RangeError)
  })
})

describe('a stream of BGP messages', () => {
  it('gives the same messages however it is cut', () => {
    const messages = fc.array(message(true), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 40 }), (values, sizes) => {
        const frames = values.map((value) => encodeMessage(value, four))
        const stream = Uint8Array.from(frames.flatMap((each) => [...each]))
        const found: string[] = []
        let rest: Uint8Array = new Uint8Array()
        for (let at = 0, turn = 0; at < stream.length; turn += 1) {
          const size = sizes[turn] ?? stream.length
          const framed = splitMessages(Uint8Array.of(...rest, ...stream.subarray(at, at + size)))
          assert.equal(framed.error, undefined)
          found.push(...framed.frames.map(toHex))
          rest = framed.rest
          at += size
        }
        assert.deepEqual(found, frames.map(toHex))
        assert.equal(rest.length, 0)
      }),
    )
  })

  it('gives what came before a fault, then the fault, and does not wait for the length that it claims', () => {
    const bad = captured('ffff04').slice(0, 19)
    const stream = Uint8Array.of(...captured('001304'), ...bad)
    const { frames, error } = splitMessages(stream)
    assert.equal(frames.length, 1)
    assert.deepEqual([error?.notification.code, error?.notification.subcode], [1, 2])
    assert.equal(splitMessages(stream.subarray(0, 19 + 18)).error, undefined)
  })
})

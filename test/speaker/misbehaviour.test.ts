// Neighbours that break the rules: which NOTIFICATION they get, and that nothing worse happens.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { encodeMessage, withHeader } from '../../speaker/bgp/message.ts'
import { createSpeaker } from '../../speaker/speaker.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { memoryNetwork } from '../support/memory-tcp.ts'
import { captured } from './bgp/captures.ts'
import { openWith, peerConfig } from './bgp/peers.ts'
import { answerCalls, type Call, keepalive, settle } from './neighbour.ts'
import { useSpeaker, silent, vip } from './use-speaker.ts'

describe('the speaker', () => {
  const on = useSpeaker()

  describe('with a neighbour that misbehaves', () => {
    const cases: readonly (readonly [string, (call: Call) => void, readonly [number, number]])[] = [
      ['a marker with a hole', (call) => call.sendRaw(captured('001304').fill(0, 3, 4)), [1, 1]],
      ['a length too small', (call) => call.sendRaw(captured('001204')), [1, 2]],
      ['a length too large', (call) => call.sendRaw(captured('ffff02')), [1, 2]],
      ['an unknown type', (call) => call.sendRaw(captured('001309')), [1, 3]],
      ['a second OPEN', (call) => call.establish(), [5, 3]],
      [
        'an UPDATE whose lengths do not add up',
        (call) => call.sendRaw(captured('001702' + 'ffff0000')),
        [3, 1],
      ],
      [
        'an UPDATE with an unknown well-known attribute',
        (call) => call.sendRaw(captured('001b02' + '0000' + '0004' + '40630100')),
        [3, 2],
      ],
      [
        'an UPDATE with a prefix of 33 bits',
        (call) => call.sendRaw(captured('001d02' + '0000' + '0000' + '21c000020100')),
        [3, 10],
      ],
    ]
    for (const [what, misbehave, codes] of cases)
      it(`answers ${what} with NOTIFICATION ${codes.join('/')}`, async () => {
        const call = await on.establish()
        misbehave(call)
        await settle()
        const last = call.messages.at(-1)
        assert.ok(last?.kind === 'notification', last?.kind)
        assert.deepEqual([last.code, last.subcode], codes)
        assert.ok(call.closed)
        assert.equal(on.status().state, 'idle')
        assert.match(on.status().lastErrorSent!.text, /^we sent /)
      })

    const openings: readonly (readonly [string, Uint8Array, readonly [number, number]])[] = [
      ['BGP version 3', captured('001d01' + '03' + 'fdea' + '005a' + '0a000002' + '00'), [2, 1]],
      ['another AS', captured('001d01' + '04' + 'fdeb' + '005a' + '0a000002' + '00'), [2, 2]],
      ['identifier 0.0.0.0', captured('001d01' + '04' + 'fdea' + '005a' + '00000000' + '00'), [2, 3]],
      [
        'an unknown optional parameter',
        captured('002001' + '04' + 'fdea' + '005a' + '0a000002' + '03' + '010100'),
        [2, 4],
      ],
      ['a hold time of one second', captured('001d01' + '04' + 'fdea' + '0001' + '0a000002' + '00'), [2, 6]],
      ['KEEPALIVE instead of OPEN', captured('001304'), [5, 1]],
    ]
    for (const [what, bytes, codes] of openings)
      it(`answers ${what} with NOTIFICATION ${codes.join('/')}`, async () => {
        const calls = await on.neighbour()
        on.speaker.setPeers([peerConfig])
        await settle()
        calls[0]!.sendRaw(bytes)
        await settle()
        const last = calls[0]!.messages.at(-1)
        assert.ok(last?.kind === 'notification')
        assert.deepEqual([last.code, last.subcode], codes)
        assert.equal(on.status().state, 'idle')
      })

    it('takes what RFC 7606 forgives: the routes count as withdrawn, the session goes on', async () => {
      const call = await on.establish()
      // ORIGIN 7.
      const attributes = '40010107' + '400200' + '4003040a000002'
      call.sendRaw(captured('002902' + '0000' + '000e' + attributes + '18cb0071'))
      await settle()
      assert.equal(on.status().state, 'established')
      const { received, receivedWithdrawn } = on.status().families[0]!
      assert.deepEqual([received, receivedWithdrawn], [0, 1])
    })

    it('reads what comes in any pieces', async () => {
      const calls = await on.neighbour()
      on.speaker.setPeers([peerConfig])
      await settle()
      const bytes = [openWith(), keepalive].map((message) => encodeMessage(message, { fourOctetAs: true }))
      for (const octet of bytes.flatMap((each) => [...each])) {
        calls[0]!.sendRaw(Uint8Array.of(octet))
        await settle()
      }
      assert.equal(on.status().state, 'established')
    })

    it('never throws, whatever bytes come, before and after OPEN', async () => {
      const bytes = fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 100 }),
        fc
          .tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 60 }))
          .map(([type, body]) => withHeader(type, body)),
      )
      await fc.assert(
        fc.asyncProperty(
          fc.array(bytes, { minLength: 1, maxLength: 4 }),
          fc.boolean(),
          async (chunks, opened) => {
            const ownClock = fakeClock()
            const own = memoryNetwork(ownClock)
            const calls = await answerCalls(own.host('10.0.0.2'))
            const one = createSpeaker({
              tcp: own.host('10.0.0.1'),
              clock: ownClock,
              log: silent,
              random: () => 0.5,
              nextHopFor: () => undefined,
              onChange: () => undefined,
            })
            one.announce([vip])
            one.setPeers([peerConfig])
            await settle()
            if (opened) calls[0]!.establish()
            for (const chunk of chunks) calls[0]!.sendRaw(chunk)
            await settle()
            one.status()
            await one.close({ cease: true })
          },
        ),
        { numRuns: 300 },
      )
    }).timeout(60_000)
  })
})

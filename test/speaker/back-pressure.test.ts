// Neighbours that read slowly or not at all.

import assert from 'node:assert/strict'
import { ip } from '../../net/ip.ts'
import { type Announcement } from '../../speaker/speaker.ts'
import { peerConfig } from './bgp/peers.ts'
import { settle } from './neighbour.ts'
import { useSpeaker, told, tableOf, vip } from './use-speaker.ts'

describe('the speaker', () => {
  const on = useSpeaker()

  describe('under back-pressure', () => {
    const many = (count: number, third: number): readonly Announcement[] =>
      Array.from({ length: count }, (_, index) => ({
        prefix: {
          ip: { family: 4 as const, value: 0x0a000000n + BigInt(third * 65536 + index) },
          length: 32,
        },
        communities: [],
        largeCommunities: [],
      }))

    it('waits, and writes the newest wish when there is room', async () => {
      const call = await on.establish()
      call.connection.pause()
      on.speaker.announce(many(10_000, 0))
      await settle()
      const { advertised, pending } = on.status().families[0]!
      assert.ok(pending > 0 && advertised > 0, `${advertised} advertised, ${pending} pending`)
      assert.equal(advertised + pending, 10_000)
      for (let wish = 1; wish < 50; wish += 1) on.speaker.announce(many(1000, wish))
      on.speaker.announce([vip])
      await settle()
      assert.deepEqual(on.speaker.advertisedBy(vip.prefix), [])
      call.connection.resume()
      await settle()
      await settle()
      assert.deepEqual(on.speaker.advertisedBy(vip.prefix), ['tor'])
      const routes = tableOf(call.messages)
      assert.deepEqual([...routes], ['198.51.100.1/32'])
      // What was wanted meanwhile was never sent.
      assert.ok(told(call.messages).every((each) => !/^.10\.[1-9]/.test(each)))
      assert.equal(on.status().families[0]!.pending, 0)
    })

    it('resolves withdrawAll only when the withdrawals are written', async () => {
      const call = await on.establish()
      call.connection.pause()
      on.speaker.announce(many(10_000, 0))
      await settle()
      let done = false
      const withdrawn = on.speaker.withdrawAll().then(() => (done = true))
      await settle()
      assert.equal(done, false)
      call.connection.resume()
      await withdrawn
      await settle()
      assert.equal(tableOf(call.messages).size, 0)
    })

    it('resolves withdrawAll when the session goes instead', async () => {
      const call = await on.establish()
      call.connection.pause()
      on.speaker.announce(many(10_000, 0))
      await settle()
      const withdrawn = on.speaker.withdrawAll()
      call.connection.destroy()
      await withdrawn
      assert.equal(on.status().state, 'idle')
    })

    it('keeps one slow neighbour from holding up another', async () => {
      const [slow, quick] = [await on.neighbour('10.0.0.2'), await on.neighbour('10.0.0.3')]
      on.speaker.setPeers([peerConfig, { ...peerConfig, name: 'quick', address: ip('10.0.0.3') }])
      await settle()
      for (const call of [slow[0]!, quick[0]!]) call.establish()
      await settle()
      slow[0]!.connection.pause()
      on.speaker.announce(many(10_000, 0))
      await settle()
      assert.equal(tableOf(quick[0]!.messages).size, 10_000)
      assert.deepEqual(on.speaker.advertisedBy(many(10_000, 0).at(-1)!.prefix), ['quick'])
    })
  })
})

// Peers that come, change and go, and the end of it all.

import assert from 'node:assert/strict'
import { ip } from '../../net/ip.ts'
import { notification } from '../../speaker/bgp/notification.ts'
import { createSpeaker, type PeerConfig } from '../../speaker/speaker.ts'
import { peerConfig } from './bgp/peers.ts'
import { callUp, settle } from './neighbour.ts'
import { passive, silent, useSpeaker } from './use-speaker.ts'

describe('the speaker', () => {
  const on = useSpeaker()

  describe('told of other peers', () => {
    const two = (): readonly PeerConfig[] => [
      peerConfig,
      { ...peerConfig, name: 'other', address: ip('10.0.0.3') },
    ]

    it('keeps the sessions whose parameters did not change', async () => {
      const call = await on.establish()
      const others = await on.neighbour('10.0.0.3')
      on.speaker.setPeers(two().toReversed())
      await settle()
      on.speaker.setPeers(
        two().map((each) => ({ ...each, connectTimeMs: 1000, listenPort: 179, delayOpenMs: 5 })),
      )
      await settle()
      assert.equal(others.length, 1)
      assert.deepEqual(call.messages, [])
      assert.equal(on.status().state, 'established')
    })

    it('ends those that are gone with Peer De-configured, and those that changed with Other Configuration Change', async () => {
      const [first, second] = [await on.neighbour('10.0.0.2'), await on.neighbour('10.0.0.3')]
      on.speaker.setPeers(two())
      await settle()
      for (const call of [first[0]!, second[0]!]) call.establish()
      await settle()
      on.speaker.setPeers([{ ...peerConfig, holdTimeMs: 30_000 }])
      await settle()
      assert.deepEqual(first[0]!.messages.at(-1), notification(6, 6))
      assert.deepEqual(second[0]!.messages.at(-1), notification(6, 3))
      assert.ok(first[0]!.closed && second[0]!.closed)
      assert.equal(first.length, 2, 'the changed one connects again')
      assert.equal(second.length, 1)
      assert.deepEqual(
        on.speaker.status().map(({ name }) => name),
        ['tor'],
      )
    })

    it('refuses an impossible one, and leaves all as it was', async () => {
      await on.establish()
      for (const wrong of [
        { routerId: 'fd00::1' },
        { routerId: '0.0.0.0' },
        { localAsn: 0 },
        { peerAsn: 2 ** 32 },
        { holdTimeMs: 2000 },
        { holdTimeMs: 65_536_000 },
        { families: [] },
        { sourceAddress: ip('fd00::1') },
      ])
        assert.throws(
          () =>
            on.speaker.setPeers([
              { ...peerConfig, name: 'new' },
              { ...peerConfig, ...wrong },
            ]),
          TypeError,
        )
      assert.throws(() => on.speaker.setPeers([peerConfig, peerConfig]), /given twice/)
      assert.deepEqual(
        on.speaker.status().map(({ name, state }) => [name, state]),
        [['tor', 'established']],
      )
    })

    it('does not begin its attempts anew by being told the same', async () => {
      on.speaker.setPeers([peerConfig])
      await settle()
      for (let turn = 0; turn < 6; turn += 1) {
        await on.wait(833)
        on.speaker.setPeers([peerConfig])
      }
      const calls = await on.neighbour()
      await on.wait(10)
      assert.equal(calls.length, 1)
    })
  })

  describe('that is closed', () => {
    it('sends Cease / Administrative Shutdown with a text, flushes it, and is gone', async () => {
      const call = await on.establish()
      const closed = on.speaker.close({ cease: true })
      await closed
      await settle()
      const last = call.messages.at(-1)
      assert.ok(last?.kind === 'notification')
      assert.deepEqual([last.code, last.subcode], [6, 2])
      assert.equal(new TextDecoder().decode(last.data.subarray(1)), 'torii is shutting down')
      assert.equal(call.messages.length, 1)
      assert.ok(call.closed)
      assert.deepEqual(on.speaker.status(), [])
      assert.equal(on.clock.pending, 0, 'timers are left')
    })

    it('only closes TCP when it is coming back', async () => {
      const call = await on.establish()
      await on.speaker.close({ cease: false })
      await settle()
      assert.deepEqual(call.messages, [])
      assert.ok(call.closed)
    })

    it('waits two seconds for a neighbour that does not read, not longer', async () => {
      const call = await on.establish()
      call.connection.pause()
      let done = false
      const closed = on.speaker.close({ cease: true }).then(() => (done = true))
      await settle()
      await on.wait(1999)
      assert.equal(done, false)
      await on.wait(1)
      await closed
      await settle()
      assert.equal(on.clock.pending, 0)
    })

    it('accepts nobody, listens nowhere and starts nothing any more', async () => {
      on.speaker.setPeers([passive])
      await settle()
      await on.speaker.close({ cease: true })
      await assert.rejects(callUp(on.network.host('10.0.0.2'), '10.0.0.1'), /ECONNREFUSED/)
      on.speaker.setPeers([passive])
      assert.deepEqual(on.speaker.status(), [])
    })

    it('gives up attempts to listen', async () => {
      const us = on.network.host('10.0.0.1')
      const other = createSpeaker({
        tcp: us,
        clock: on.clock,
        log: silent,
        random: Math.random,
        nextHopFor: () => undefined,
        onChange: () => undefined,
      })
      await us.listen({ local: { ip: ip('0.0.0.0'), port: 179 } }, () => undefined)
      other.setPeers([passive])
      await settle()
      assert.equal(on.clock.pending, 1)
      await other.close({ cease: true })
      assert.equal(on.clock.pending, 0)
    })

    it('gives up attempts to connect', async () => {
      on.speaker.setPeers([peerConfig])
      await on.speaker.close({ cease: true })
      await settle()
      assert.equal(on.clock.pending, 0)
    })
  })
})

// Connections that neighbours open: who is taken, who is not, by which key.

import assert from 'node:assert/strict'
import { type Ip, ip } from '../../net/ip.ts'
import { notification } from '../../speaker/bgp/notification.ts'
import { createSpeaker, type PeerConfig } from '../../speaker/speaker.ts'
import { captured } from './bgp/captures.ts'
import { peerConfig } from './bgp/peers.ts'
import { callUp, settle } from './neighbour.ts'
import { useSpeaker, passive, silent, told, vip } from './use-speaker.ts'

describe('the speaker', () => {
  const on = useSpeaker()

  describe('that listens', () => {
    it('takes the connection of its neighbour', async () => {
      on.speaker.announce([vip])
      on.speaker.setPeers([passive])
      await settle()
      const call = await callUp(on.network.host('10.0.0.2'), '10.0.0.1')
      call.establish()
      await settle()
      assert.equal(on.status().state, 'established')
      assert.deepEqual(told(call.messages), ['+198.51.100.1/32'])
    })

    it('closes at once to those it does not know', async () => {
      on.speaker.setPeers([passive])
      await settle()
      const stranger = await callUp(on.network.host('10.0.0.3'), '10.0.0.1')
      await settle()
      assert.ok(stranger.closed)
      assert.deepEqual(stranger.messages, [])
    })

    it('tells neighbours apart by address, and by the address they call', async () => {
      const at = (name: string, address: string, sourceAddress?: Ip): PeerConfig => ({
        ...passive,
        name,
        address: ip(address),
        ...(sourceAddress === undefined ? {} : { sourceAddress }),
      })
      on.speaker.setPeers([
        at('a', '10.0.0.2', ip('10.0.0.1')),
        at('b', '10.0.0.2', ip('10.0.0.11')),
        at('c', '10.0.0.3'),
        at('d', 'fd00::2'),
      ])
      await settle()
      const states = (): string =>
        on.speaker
          .status()
          .map(({ name, state }) => `${name} ${state}`)
          .join()
      await callUp(on.network.host('10.0.0.2'), '10.0.0.11')
      await settle()
      assert.equal(states(), 'a active,b openSent,c active,d active')
      await callUp(on.network.host('10.0.0.3'), '10.0.0.1')
      await callUp(on.network.host('fd00::2'), 'fd00::1')
      await settle()
      assert.equal(states(), 'a active,b openSent,c openSent,d openSent')
    })

    it('demands the key of each neighbour, also when it changes', async () => {
      const keyed = (md5Password: string): PeerConfig => ({ ...passive, md5Password })
      on.speaker.setPeers([keyed('one')])
      await settle()
      const router = on.network.host('10.0.0.2')
      const refused = assert.rejects(callUp(router, '10.0.0.1', 'two'), /ETIMEDOUT/)
      await settle()
      await on.wait(1000)
      await refused
      await callUp(router, '10.0.0.1', 'one')
      on.speaker.setPeers([keyed('two')])
      await settle()
      await callUp(router, '10.0.0.1', 'two')
      on.speaker.setPeers([passive])
      await settle()
      await callUp(router, '10.0.0.1')
    })

    it('takes the key of a neighbour away with the neighbour', async () => {
      const other: PeerConfig = { ...passive, name: 'other', address: ip('10.0.0.3') }
      on.speaker.setPeers([{ ...passive, md5Password: 'x' }, other])
      await settle()
      on.speaker.setPeers([other])
      await settle()
      const stranger = await callUp(on.network.host('10.0.0.2'), '10.0.0.1')
      await settle()
      assert.ok(stranger.closed)
    })

    it('says why it cannot, and tries again', async () => {
      const us = on.network.host('10.0.0.1')
      const other = createSpeaker({
        tcp: us,
        clock: on.clock,
        log: silent,
        random: Math.random,
        nextHopFor: () => undefined,
        onChange: () => undefined,
      })
      const blocking = await us.listen({ local: { ip: ip('0.0.0.0'), port: 179 } }, () => undefined)
      other.setPeers([passive])
      await settle()
      assert.match(other.status()[0]!.listenProblem!, /EADDRINUSE/)
      await on.wait(1000)
      assert.match(other.status()[0]!.listenProblem!, /EADDRINUSE/)
      blocking.close()
      await on.wait(1000)
      assert.equal(other.status()[0]!.listenProblem, undefined)
      await callUp(on.network.host('10.0.0.2'), '10.0.0.1')
      await settle()
      assert.equal(other.status()[0]!.state, 'openSent')
    })

    it('lets the neighbour’s connection win where its identifier is higher (RFC 4271 §6.8)', async () => {
      const calls = await on.neighbour()
      on.speaker.setPeers([{ ...peerConfig, listenPort: 179 }])
      await settle()
      const call = await callUp(on.network.host('10.0.0.2'), '10.0.0.1')
      await settle()
      calls[0]!.establish()
      await settle()
      assert.equal(on.status().state, 'established')
      assert.deepEqual(call.messages.at(-1), notification(6, 7))
    })

    it('refuses a second connection beside a session, with the reason (RFC 4271 §6.8)', async () => {
      on.speaker.setPeers([passive])
      await settle()
      const router = on.network.host('10.0.0.2')
      const first = await callUp(router, '10.0.0.1')
      first.establish()
      await settle()
      const second = await callUp(router, '10.0.0.1')
      // What comes on a connection that was refused is nobody's business.
      second.sendRaw(captured('001209'))
      await settle()
      assert.deepEqual(second.messages, [notification(6, 7)])
      assert.ok(second.closed && !first.closed)
      assert.equal(on.status().state, 'established')
      assert.equal(on.status().lastErrorSent!.text, 'Cease / Connection Collision Resolution')
    })

    it('refuses a neighbour that it holds off from, and takes it when that is over', async () => {
      on.speaker.setPeers([passive])
      await settle()
      const router = on.network.host('10.0.0.2')
      const first = await callUp(router, '10.0.0.1')
      first.send(notification(6, 4))
      await settle()
      const second = await callUp(router, '10.0.0.1')
      await settle()
      assert.deepEqual(second.messages, [notification(6, 5)])
      await on.wait(1000)
      const third = await callUp(router, '10.0.0.1')
      third.establish()
      await settle()
      assert.equal(on.status().state, 'established')
    })

    it('names the peer whose key the kernel does not take', async () => {
      on.speaker.setPeers([
        { ...passive, md5Password: 'x'.repeat(81) },
        { ...passive, name: 'other', address: ip('10.0.0.3'), md5Password: 'x' },
      ])
      await settle()
      assert.match(on.status(0).listenProblem!, /EINVAL/)
      assert.equal(on.status(1).listenProblem, undefined)
      on.speaker.setPeers([{ ...passive, md5Password: 'x' }])
      await settle()
      assert.equal(on.status(0).listenProblem, undefined)
    })

    it('stops listening when nobody is to be accepted any more', async () => {
      on.speaker.setPeers([passive])
      await settle()
      on.speaker.setPeers([{ ...peerConfig, name: 'other' }])
      await settle()
      await assert.rejects(callUp(on.network.host('10.0.0.2'), '10.0.0.1'), /ECONNREFUSED/)
    })
  })
})

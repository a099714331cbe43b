// The speaker as its user sees it, in virtual time: one neighbour from the first connection to what the status says.

import assert from 'node:assert/strict'
import { ip } from '../../net/ip.ts'
import { prefix } from '../../net/prefix.ts'
import { type BgpMessage } from '../../speaker/bgp/message.ts'
import { notification } from '../../speaker/bgp/notification.ts'
import { peerConfig } from './bgp/peers.ts'
import { answerCalls, keepalive, settle } from './neighbour.ts'
import { announcement, useSpeaker, told, kinds, vip, vip6 } from './use-speaker.ts'

describe('the speaker', () => {
  const on = useSpeaker()

  describe('with a neighbour', () => {
    it('connects, agrees, tells it everything, and says so', async () => {
      const calls = await on.neighbour()
      on.speaker.announce([vip, vip6])
      on.speaker.setPeers([peerConfig])
      await settle()
      assert.deepEqual(on.speaker.advertisedBy(vip.prefix), [])
      calls[0]!.establish()
      await settle()
      assert.deepEqual(told(calls[0]!.messages), ['+198.51.100.1/32', '+2001:db8::1/128'])
      assert.deepEqual(kinds(calls[0]!.messages), [
        'open',
        'keepalive',
        'update',
        'update',
        'update',
        'update',
      ])
      assert.deepEqual(on.speaker.advertisedBy(vip.prefix), ['tor'])
      assert.deepEqual(on.speaker.advertisedBy(prefix('198.51.100.0/24')), [])
      assert.deepEqual(on.events, [
        { kind: 'established', peer: 'tor', families: [4, 6] },
        { kind: 'advertised', peer: 'tor' },
      ])
    })

    it('is told of changes, in each family once', async () => {
      const call = await on.establish()
      on.speaker.announce([vip])
      await settle()
      on.speaker.announce([vip])
      on.speaker.announce([announcement('198.51.100.2/32'), vip6])
      await settle()
      assert.deepEqual(told(call.messages), [
        '+198.51.100.1/32',
        '+198.51.100.2/32',
        '+2001:db8::1/128',
        '-198.51.100.1/32',
      ])
      assert.equal(on.events.filter(({ kind }) => kind === 'advertised').length, 3)
    })

    it('connects from the address, to the port, with the key and the TTL of its configuration', async () => {
      const calls = await answerCalls(on.network.host('10.0.0.2'), 1790)
      on.speaker.setPeers([
        { ...peerConfig, port: 1790, sourceAddress: ip('10.0.0.11'), connectTimeMs: 2000 },
      ])
      await settle()
      assert.deepEqual(calls[0]!.connection.options, {
        remote: { ip: ip('10.0.0.2'), port: 1790 },
        local: ip('10.0.0.11'),
        ttl: 1,
        timeoutMs: 1400,
      })
      on.speaker.setPeers([{ ...peerConfig, port: 1790, ebgpMultiHop: true }])
      await settle()
      assert.equal(calls[1]!.connection.options.ttl, 255)
      on.speaker.setPeers([{ ...peerConfig, port: 1790, peerAsn: 'internal' }])
      await settle()
      assert.equal(calls[2]!.connection.options.ttl, undefined)
    })

    it('that says nothing, or refuses, is tried again, with the reason in the status', async () => {
      on.speaker.setPeers([{ ...peerConfig, connectTimeMs: 5000 }])
      await settle()
      assert.equal(on.status().state, 'active')
      assert.match(on.status().lastDown!.text, /ECONNREFUSED/)
      const calls = await on.neighbour()
      await on.wait(4990)
      assert.equal(calls.length, 0)
      await on.wait(10)
      assert.equal(calls.length, 1)
      assert.equal(on.status().state, 'openSent')
    })

    it('keeps its session by KEEPALIVEs, and loses it by the hold timer', async () => {
      const call = await on.establish({ holdTimeMs: 9000 })
      for (let turn = 0; turn < 10; turn += 1) {
        await on.wait(3000)
        call.send(keepalive)
        await settle()
      }
      assert.ok(call.messages.length >= 10)
      assert.equal(on.status().uptimeMs, 30_000)
      call.messages.splice(0)
      await on.wait(8999)
      assert.equal(on.status().state, 'established')
      await on.wait(1)
      assert.deepEqual(call.messages.at(-1), notification(4))
      assert.ok(call.closed)
      assert.equal(on.status().state, 'idle')
      assert.match(on.status().lastDown!.text, /^we sent Hold Timer Expired: nothing was heard for 9000 ms$/)
      assert.equal(on.events.at(-1)!.kind, 'down')
      assert.equal(on.status().established, undefined)
    })

    it('answers a route refresh with the whole family', async () => {
      on.speaker.announce([vip, vip6])
      const call = await on.establish()
      call.send({ kind: 'routeRefresh', afi: 1, subtype: 0, safi: 1 })
      await settle()
      assert.deepEqual(told(call.messages), ['+198.51.100.1/32'])
      call.messages.splice(0)
      call.send({ kind: 'routeRefresh', afi: 2, subtype: 0, safi: 1 })
      await settle()
      assert.deepEqual(told(call.messages), ['+2001:db8::1/128'])
    })

    it('comes back after it went, and is told everything again', async () => {
      const calls = await on.neighbour()
      on.speaker.announce([vip])
      on.speaker.setPeers([peerConfig])
      await settle()
      calls[0]!.establish()
      await settle()
      calls[0]!.connection.end()
      await settle()
      assert.deepEqual(on.speaker.advertisedBy(vip.prefix), [])
      assert.equal(on.status().lastDown!.text, 'the neighbour closed the connection')
      await on.wait(1000)
      calls[1]!.establish()
      await settle()
      assert.deepEqual(told(calls[1]!.messages), ['+198.51.100.1/32'])
      assert.equal(on.status().establishedCount, 2)
    })

    it('is told nothing of a family without a next hop, and the status says why', async () => {
      on.nextHopFor = () => undefined
      on.speaker.announce([vip, vip6])
      const calls = await on.neighbour()
      on.speaker.setPeers([peerConfig])
      await settle()
      calls[0]!.establish()
      await settle()
      assert.deepEqual(told(calls[0]!.messages), ['+198.51.100.1/32'])
      assert.equal(
        on.status().families[1]!.problem,
        'no next hop: the interface of 10.0.0.1 has no global IPv6 address',
      )
      on.nextHopFor = () => ip('fd00::9')
      on.speaker.announce([vip, vip6])
      await settle()
      const reach = calls[0]!.messages
        .flatMap((each) => (each.kind === 'update' ? each.attributes : []))
        .find((each) => each.kind === 'mpReach')
      assert.deepEqual(reach?.nextHops, [ip('fd00::9')])
      assert.equal(on.status().families[1]!.problem, undefined)
    })

    it('follows a next hop that changes', async () => {
      on.speaker.announce([vip6])
      const call = await on.establish()
      on.nextHopFor = () => ip('fd00::7')
      on.speaker.announce([vip6])
      await settle()
      assert.deepEqual(told(call.messages), ['+2001:db8::1/128'])
    })
  })

  describe('the status of a peer', () => {
    it('shows a session with all that was agreed', async () => {
      on.speaker.announce([vip, vip6])
      const call = await on.establish()
      call.send(notificationFree())
      await on.wait(1500)
      const { since, ...rest } = on.status()
      assert.ok(since instanceof Date)
      assert.deepEqual(rest, {
        name: 'tor',
        address: ip('10.0.0.2'),
        state: 'established',
        uptimeMs: 1500,
        established: {
          localAddress: ip('10.0.0.1'),
          peerAsn: 65002,
          peerRouterId: '10.0.0.2',
          holdTimeMs: 30_000,
          keepaliveTimeMs: 10_000,
          families: [4, 6],
          fourOctetAs: true,
          routeRefresh: true,
        },
        families: ([4, 6] as const).map((family) => ({
          family,
          negotiated: true,
          advertised: 1,
          pending: 0,
          received: family === 4 ? 1 : 0,
          receivedWithdrawn: 0,
          problem: undefined,
        })),
        lastDown: undefined,
        lastErrorSent: undefined,
        lastErrorReceived: undefined,
        listenProblem: undefined,
        sent: { opens: 1, updates: 4, notifications: 0, keepalives: 1, routeRefreshes: 0 },
        received: { opens: 1, updates: 1, notifications: 0, keepalives: 1, routeRefreshes: 0 },
        establishedCount: 1,
      })
    })

    it('says what the neighbour said last', async () => {
      const call = await on.establish()
      call.send(notification(6, 2, Uint8Array.of(3, 98, 121, 101)))
      await settle()
      const text = 'Cease / Administrative Shutdown: bye'
      assert.match(on.status().lastErrorReceived!.text, new RegExp(text))
      assert.equal(on.status().lastDown!.text, `the neighbour sent ${text}`)
      assert.deepEqual(on.events.at(-1), { kind: 'down', peer: 'tor', reason: `the neighbour sent ${text}` })
    })

    it('names a family that the neighbour did not offer', async () => {
      const calls = await on.neighbour()
      on.speaker.setPeers([peerConfig])
      await settle()
      calls[0]!.establish({ capabilities: [{ kind: 'multiprotocol', afi: 1, safi: 1 }] })
      await settle()
      const [four, six] = on.status().families
      assert.deepEqual([four!.negotiated, six!.negotiated], [true, false])
      assert.equal(six!.problem, 'the neighbour does not offer IPv6 unicast')
    })
  })
})

function notificationFree(): BgpMessage {
  return {
    kind: 'update',
    withdrawn: [],
    attributes: [
      { kind: 'origin', origin: 'igp' },
      { kind: 'asPath', path: [{ kind: 'sequence', asns: [65002] }] },
      { kind: 'nextHop', address: ip('10.0.0.2') },
    ],
    nlri: [prefix('203.0.113.0/24')],
    problems: [],
  }
}

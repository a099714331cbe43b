// Peers' defaults, and which of their changes cost what.

import assert from 'node:assert/strict'
import { ip } from '../../../net/ip.ts'
import {
  diallingDiffers,
  normalisePeer,
  type PeerConfig,
  sessionDiffers,
  ttlOf,
} from '../../../speaker/bgp/peer-config.ts'
import { peerWith } from './peers.ts'

const least: PeerConfig = {
  name: 'tor',
  localAsn: 65001,
  peerAsn: 65002,
  address: ip('10.0.0.2'),
  routerId: '10.0.0.1',
  ebgpMultiHop: false,
  passive: false,
  families: [6, 4, 6],
}

describe('a peer', () => {
  it('has defaults: port 179, 90 s, a third of it, 5 s, no delay, no listening', () => {
    assert.deepEqual(normalisePeer(least), {
      name: 'tor',
      localAsn: 65001,
      peerAsn: 65002,
      internal: false,
      address: ip('10.0.0.2'),
      port: 179,
      sourceAddress: undefined,
      routerId: 0x0a000001,
      holdTimeMs: 90_000,
      keepaliveTimeMs: 30_000,
      connectTimeMs: 5_000,
      delayOpenMs: 0,
      md5Password: undefined,
      ebgpMultiHop: false,
      passive: false,
      listenPort: undefined,
      families: [4, 6],
    })
  })

  it('that is passive listens at 179 unless told otherwise', () => {
    assert.equal(peerWith({ passive: true }).listenPort, 179)
    assert.equal(peerWith({ passive: true, listenPort: 1790 }).listenPort, 1790)
  })

  it('offers whole seconds, and no empty password', () => {
    assert.equal(peerWith({ holdTimeMs: 3999 }).holdTimeMs, 3000)
    assert.equal(peerWith({ md5Password: '' }).md5Password, undefined)
  })

  it('sends with TTL 1 outside, 255 over several hops, and the system’s inside', () => {
    assert.equal(ttlOf(peerWith()), 1)
    assert.equal(ttlOf(peerWith({ ebgpMultiHop: true })), 255)
    assert.equal(ttlOf(peerWith({ peerAsn: 'internal' })), undefined)
    assert.equal(ttlOf(peerWith({ peerAsn: 65001 })), undefined)
  })

  it('loses its session by a change of what the session is made of, and by nothing else', () => {
    const before = peerWith()
    const costs: readonly Partial<PeerConfig>[] = [
      { localAsn: 65003 },
      { peerAsn: 'external' },
      { address: ip('10.0.0.3') },
      { port: 1790 },
      { sourceAddress: ip('10.0.0.1') },
      { routerId: '10.0.0.9' },
      { holdTimeMs: 30_000 },
      { keepaliveTimeMs: 1_000 },
      { md5Password: 'x' },
      { ebgpMultiHop: true },
      { families: [4] },
    ]
    for (const change of costs) assert.ok(sessionDiffers(before, peerWith(change)), Object.keys(change)[0])
    const free: readonly Partial<PeerConfig>[] = [
      {},
      { name: 'other' },
      { connectTimeMs: 1000 },
      { delayOpenMs: 1000 },
      { passive: true },
      { listenPort: 179 },
      { families: [6, 4] },
    ]
    for (const change of free) assert.ok(!sessionDiffers(before, peerWith(change)), Object.keys(change)[0])
  })

  it('begins its attempt anew for another retry time or when it becomes passive', () => {
    assert.ok(diallingDiffers(peerWith(), peerWith({ passive: true })))
    assert.ok(diallingDiffers(peerWith(), peerWith({ connectTimeMs: 1000 })))
    assert.ok(!diallingDiffers(peerWith(), peerWith({ listenPort: 179 })))
  })
})

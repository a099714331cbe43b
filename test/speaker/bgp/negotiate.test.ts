// What two OPENs agree on, and which NOTIFICATION answers one that we cannot agree with (RFC 4271 §6.2).

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { negotiate, type Negotiated, openFor } from '../../../speaker/bgp/negotiate.ts'
import { type Open } from '../../../speaker/bgp/open.ts'
import { type PeerConfig } from '../../../speaker/bgp/peer-config.ts'
import { open as anyOpen } from './arbitraries.ts'
import { neighbourCapabilities, openWith, peerWith } from './peers.ts'

function agreed(peer: Partial<PeerConfig>, open: Partial<Open>): Negotiated {
  const agreement = negotiate(peerWith(peer), openWith(open))
  assert.ok(agreement.ok, inspect(agreement))
  return agreement.session
}

function refused(peer: Partial<PeerConfig>, open: Partial<Open>): readonly [number, number, string] {
  const agreement = negotiate(peerWith(peer), openWith(open))
  assert.ok(!agreement.ok, inspect(agreement))
  const { notification, text } = agreement.error
  return [notification.code, notification.subcode, text]
}

const withAsn = (asn: number): Partial<Open> => ({
  myAs: asn > 0xffff ? 23456 : asn,
  capabilities: [{ kind: 'fourOctetAs', asn }],
})

describe('two OPENs', () => {
  it('agree', () => {
    assert.deepEqual(agreed({}, {}), {
      peerAsn: 65002,
      peerRouterId: 0x0a000002,
      internal: false,
      holdTimeMs: 30_000,
      keepaliveTimeMs: 10_000,
      families: [4, 6],
      fourOctetAs: true,
      routeRefresh: true,
    })
  })

  it('agree on the shorter hold time and at most a third of it for keepalives', () => {
    const times = (ours: number, theirs: number, keepaliveTimeMs?: number): readonly [number, number] => {
      const given = keepaliveTimeMs === undefined ? {} : { keepaliveTimeMs }
      const session = agreed({ holdTimeMs: ours, ...given }, { holdTimeSeconds: theirs })
      return [session.holdTimeMs, session.keepaliveTimeMs]
    }
    assert.deepEqual(times(90_000, 180), [90_000, 30_000])
    assert.deepEqual(times(90_000, 3), [3_000, 1_000])
    assert.deepEqual(times(90_000, 90, 5_000), [90_000, 5_000])
    assert.deepEqual(times(90_000, 9, 5_000), [9_000, 3_000])
    assert.deepEqual(times(90_000, 0), [0, 0])
    assert.deepEqual(times(0, 90), [0, 0])
  })

  it('do not agree on a hold time of one or two seconds', () => {
    for (const holdTimeSeconds of [1, 2])
      assert.deepEqual(refused({}, { holdTimeSeconds }).slice(0, 2), [2, 6])
  })

  it('agree on the families that both offer; one that offers none has IPv4', () => {
    const families = (ours: readonly (4 | 6)[], theirs: Open['capabilities']): readonly number[] =>
      agreed({ families: ours }, { capabilities: theirs }).families
    const [v4, v6] = neighbourCapabilities
    assert.deepEqual(families([4, 6], [v6!]), [6])
    assert.deepEqual(families([4], [v4!, v6!]), [4])
    assert.deepEqual(families([4], [v6!]), [])
    assert.deepEqual(families([4, 6], []), [4])
    assert.deepEqual(families([6], []), [])
    // VPNv4 unicast is none of ours, and none of the neighbour's IPv4 either.
    assert.deepEqual(families([4, 6], [{ kind: 'multiprotocol', afi: 1, safi: 128 }]), [])
  })

  it('show what the neighbour can', () => {
    const session = agreed({}, { capabilities: [] })
    assert.deepEqual([session.fourOctetAs, session.routeRefresh, session.peerAsn], [false, false, 65002])
  })

  it('agree on the neighbour’s AS, be it a number, any other or the same', () => {
    assert.equal(agreed({ peerAsn: 'external' }, withAsn(65003)).internal, false)
    assert.equal(agreed({ peerAsn: 'internal' }, withAsn(65001)).internal, true)
    assert.equal(agreed({ peerAsn: 65001 }, withAsn(65001)).internal, true)
    assert.equal(agreed({ peerAsn: 4_200_000_000 }, withAsn(4_200_000_000)).peerAsn, 4_200_000_000)
    // RFC 6793 §4.2.3: AS_TRANS may stand for a small number too.
    assert.equal(
      agreed({}, { myAs: 23456, capabilities: [{ kind: 'fourOctetAs', asn: 65002 }] }).peerAsn,
      65002,
    )
  })

  it('do not agree on another AS', () => {
    for (const [peerAsn, asn] of [
      [65002, 65003],
      ['external', 65001],
      ['internal', 65002],
      [65002, 0],
      ['external', 0],
    ] as const) {
      const [code, subcode, text] = refused({ peerAsn }, withAsn(asn))
      assert.deepEqual([code, subcode], [2, 2])
      assert.match(text, new RegExp(`AS ${asn}\\b`))
    }
  })

  it('do not agree when the neighbour names two AS numbers', () => {
    const open = { myAs: 65002, capabilities: [{ kind: 'fourOctetAs', asn: 65003 }] } as const
    assert.deepEqual(refused({ peerAsn: 65003 }, open).slice(0, 2), [2, 2])
    assert.deepEqual(refused({ peerAsn: 65002 }, open).slice(0, 2), [2, 2])
  })

  it('do not agree on identifier zero, or ours inside one AS (RFC 6286 §2.2)', () => {
    assert.deepEqual(refused({}, { routerId: 0 }).slice(0, 2), [2, 3])
    const ours = { routerId: 0x0a000001 }
    assert.deepEqual(refused({ peerAsn: 'internal' }, { ...withAsn(65001), ...ours }).slice(0, 2), [2, 3])
    assert.equal(agreed({}, ours).peerRouterId, 0x0a000001)
  })

  it('agree on the same from both ends, or not at all', () => {
    const asn = fc.constantFrom(1, 65001, 65002, 70_000)
    const hold = fc.constantFrom(0, 3000, 9000, 90_000)
    const families = fc.subarray([4, 6] as const, { minLength: 1 })
    fc.assert(
      fc.property(asn, asn, hold, hold, families, families, (a, b, holdA, holdB, familiesA, familiesB) => {
        const one = peerWith({ localAsn: a, peerAsn: b, holdTimeMs: holdA, families: familiesA })
        const two = peerWith({
          localAsn: b,
          peerAsn: a,
          holdTimeMs: holdB,
          families: familiesB,
          routerId: '10.0.0.2',
        })
        const [ours, theirs] = [negotiate(one, openFor(two)), negotiate(two, openFor(one))]
        assert.ok(ours.ok && theirs.ok)
        const mutual = ({ holdTimeMs, families: both, internal }: Negotiated): unknown => ({
          holdTimeMs,
          both,
          internal,
        })
        assert.deepEqual(mutual(ours.session), mutual(theirs.session))
      }),
    )
  })

  it('are judged without an exception, whatever the neighbour says', () => {
    fc.assert(fc.property(anyOpen, (open) => void negotiate(peerWith({ peerAsn: 'external' }), open)))
  })
})

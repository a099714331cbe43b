// OPEN: bytes of real neighbours, the long form of RFC 9072, and what RFC 4271 §6.2 refuses.

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { toHex } from '../../../net/bytes.ts'
import { ip } from '../../../net/ip.ts'
import { type Capability } from '../../../speaker/bgp/capabilities.ts'
import { decodeMessage, encodeMessage, withHeader } from '../../../speaker/bgp/message.ts'
import { openFor } from '../../../speaker/bgp/negotiate.ts'
import { type Open } from '../../../speaker/bgp/open.ts'
import { normalisePeer } from '../../../speaker/bgp/peer-config.ts'
import { captured, opens } from './captures.ts'

const context = { fourOctetAs: true }

function decodeOpen(bytes: Uint8Array): Open {
  const decoded = decodeMessage(bytes, context)
  assert.ok(decoded.ok && decoded.message.kind === 'open', inspect(decoded))
  return decoded.message
}

/** Of an OPEN of AS 1, 90 s, 10.0.0.1, whose body goes on like this. */
function refusal(optional: string, version = 4): readonly [number, number, string] {
  const body = Uint8Array.of(version, 0, 1, 0, 90, 10, 0, 0, 1, ...Buffer.from(optional, 'hex'))
  const decoded = decodeMessage(withHeader(1, body), context)
  assert.ok(!decoded.ok, 'decoded')
  const { code, subcode, data } = decoded.error.notification
  return [code, subcode, toHex(data)]
}

const shared = { kind: 'open', myAs: 65002, holdTimeSeconds: 9, routerId: 0x0a4e0002 } as const
const ipv4: Capability = { kind: 'multiprotocol', afi: 1, safi: 1 }
const ipv6: Capability = { kind: 'multiprotocol', afi: 2, safi: 1 }
const asn: Capability = { kind: 'fourOctetAs', asn: 65002 }
const raw = (code: number, hex = ''): Capability => ({
  kind: 'unknown',
  code,
  value: new Uint8Array(Buffer.from(hex, 'hex')),
})

describe('OPEN', () => {
  it('of FRR has eleven parameters, one capability in each', () => {
    assert.deepEqual(decodeOpen(opens.frr), {
      ...shared,
      capabilities: [
        ipv4,
        ipv6,
        raw(128),
        { kind: 'routeRefresh' },
        raw(70),
        asn,
        raw(6),
        raw(69, '0001010100020101'),
        raw(73, '02766d00'),
        raw(64, 'c078'),
        raw(71, '0001018000000000020180000000'),
      ],
    })
  })

  it('of BIRD has one parameter with all capabilities', () => {
    const capabilities = [ipv4, ipv6, { kind: 'routeRefresh' }, raw(64, '0078'), asn, raw(70), raw(71)]
    assert.deepEqual(decodeOpen(opens.bird), { ...shared, capabilities })
    assert.deepEqual(encodeMessage(decodeOpen(opens.bird), context), opens.bird)
  })

  it('of GoBGP has an extended next hop capability', () => {
    const capabilities = [
      { kind: 'routeRefresh' },
      raw(73, '02766d00'),
      ipv4,
      ipv6,
      asn,
      raw(5, '000100010002'),
    ]
    assert.deepEqual(decodeOpen(opens.gobgp), { ...shared, capabilities })
    assert.deepEqual(encodeMessage(decodeOpen(opens.gobgp), context), opens.gobgp)
  })

  it('of ours offers both families, route refresh and four-octet AS numbers', () => {
    const peer = normalisePeer({
      name: 'tor',
      localAsn: 4_200_000_001,
      peerAsn: 65002,
      address: ip('10.78.0.2'),
      routerId: '10.78.0.1',
      ebgpMultiHop: false,
      passive: false,
      families: [6, 4],
    })
    assert.deepEqual(
      encodeMessage(openFor(peer), context),
      // version, AS_TRANS, 90 s, 10.78.0.1, 22 octets: 2 (20): 1 1/1, 1 2/1, 2, 65 AS
      captured(
        '0033' +
          '01' +
          '04' +
          '5ba0' +
          '005a' +
          '0a4e0001' +
          '16' +
          '0214' +
          '010400010001' +
          '010400020001' +
          '0200' +
          '4104fa56ea01',
      ),
    )
  })

  it('without parameters is 29 octets long', () => {
    const bytes = encodeMessage({ ...shared, capabilities: [] }, context)
    assert.equal(bytes.length, 29)
    assert.deepEqual(decodeOpen(bytes).capabilities, [])
  })

  it('with more than 255 octets of capabilities takes the form of RFC 9072', () => {
    const value = '00'.repeat(250)
    const capabilities = [raw(240, value), raw(241, '01')]
    const bytes = encodeMessage({ ...shared, capabilities }, context)
    // 255, 255, 258 octets; parameter 2 of 255; capability 240 of 250 …
    assert.equal(toHex(bytes.subarray(28, 37)), 'ffff01020200fff0fa')
    assert.deepEqual(decodeOpen(bytes).capabilities, capabilities)
  })

  it('may take that form for little, too', () => {
    // RFC 9072 §2: the first length may be anything but zero.
    const body = Uint8Array.of(4, 0, 1, 0, 90, 10, 0, 0, 1, 7, 255, 0, 5, 2, 0, 2, 2, 0)
    assert.deepEqual(decodeOpen(withHeader(1, body)).capabilities, [{ kind: 'routeRefresh' }])
  })

  it('of another version is answered with the one that is spoken', () => {
    assert.deepEqual(refusal('00', 3), [2, 1, '0004'])
    assert.deepEqual(refusal('00', 5), [2, 1, '0004'])
  })

  it('with a parameter other than capabilities is refused', () => {
    assert.deepEqual(refusal('03' + '010100'), [2, 4, ''])
  })

  it('with lengths that do not add up is refused', () => {
    for (const [what, optional] of [
      ['more parameters than octets', '05' + '020200'],
      ['octets after the parameters', '00' + '00'],
      ['a parameter over the end', '04' + '0203' + '0200'],
      ['a capability over the end', '04' + '0202' + '0201'],
      ['a capability without a length', '03' + '0201' + '02'],
      ['half an extended length', '01' + 'ff'],
      ['a multiprotocol capability of 3 octets', '07' + '0205' + '0103' + '000101'],
      ['a route refresh capability of 1 octet', '05' + '0203' + '0201' + '00'],
      ['a four-octet AS capability of 2 octets', '06' + '0204' + '4102' + '0001'],
    ] as const)
      assert.deepEqual(refusal(optional), [2, 0, ''], what)
  })
})

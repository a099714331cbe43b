// What L3DSR changes in a packet, and that nothing else changes: bytes by hand, checksums by full computation.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { u16 } from './octets.ts'
import {
  type Segment,
  checksumsHold,
  ethernet,
  extension,
  icmp4,
  icmp6,
  ipv4,
  ipv6,
  tcp,
  udp,
} from './packets.ts'
import { mac } from './small-image.ts'
import { parseFrame } from '../../forwarder/parse.ts'
import { rewriteFrame } from '../../forwarder/rewrite.ts'
import { fromHex, toHex } from '../../net/bytes.ts'
import { onesComplementSum } from '../../net/checksum.ts'
import { type Ip, ip } from '../../net/ip.ts'

const hop = { ifindex: 3, source: mac('02:00:00:00:00:aa'), destination: mac('02:00:00:00:00:bb') }
const reals = { 4: ip('10.1.1.2'), 6: ip('fd00:1:1::2') }
const four = { source: '192.0.2.1', destination: '198.51.100.10' }
const six = { source: '2001:db8:2::1', destination: '2001:db8:1::10' }
const ports = { from: 40_000, to: 80 }

function rewritten(frame: Uint8Array, dscp = 5, real?: Ip): Uint8Array {
  const packet = parseFrame(frame)!
  assert.notEqual(packet.contents.kind, 'unusable')
  if (packet.contents.kind === 'unusable') return frame
  return rewriteFrame(frame, packet, packet.contents, { real: real ?? reals[packet.family], hop, dscp })
}

/** Where the transport header of a frame is. */
function transportAt(frame: Uint8Array): number {
  const { contents } = parseFrame(frame)!
  return contents.kind === 'unusable' ? NaN : contents.at
}

const bytes = fc.uint8Array({ maxLength: 64 })
const trafficClass = fc.nat(255)
const segments: Readonly<Record<'tcp' | 'udp' | 'icmp', (family: 4 | 6, payload: Uint8Array) => Segment>> = {
  tcp: (_, payload) => tcp({ ...ports, payload }),
  udp: (_, payload) => udp({ ...ports, payload }),
  icmp: (family, body) => (family === 4 ? icmp4({ type: 8, body }) : icmp6({ type: 128, body })),
}
const intact = fc
  .record({
    family: fc.constantFrom<4 | 6>(4, 6),
    kind: fc.constantFrom<keyof typeof segments>('tcp', 'udp', 'icmp'),
    payload: bytes,
    trafficClass,
    ttl: fc.integer({ min: 2, max: 255 }),
    flowLabel: fc.nat(0xfffff),
    options: fc.nat(10),
    dscp: fc.nat(63),
    real: fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
  })
  .map(({ family, kind, payload, real, dscp, options, ...header }) => {
    const segment = segments[kind](family, payload)
    const packet =
      family === 4
        ? ipv4({ ...four, ...header, options: new Uint8Array(4 * options) }, segment)
        : ipv6({ ...six, ...header, extensions: options > 7 ? [extension(60, options)] : [] }, segment)
    const value = family === 4 ? real & 0xffffffffn : real
    return { frame: ethernet(packet), protocol: segment.protocol, dscp, real: { family, value }, header }
  })

describe('rewriteFrame', () => {
  it('changes these bytes of an IPv4 packet', () => {
    const before = fromHex(
      '02000000000a 02000000000b 0800 4501 0028 1234 4000 40 06 3c5c c0000201 c633640a' +
        '9c40 0050 00000007 00000009 5010 2000 06f5 0000',
    )!
    // DSCP 5 with the ECN bits 01 as they were, TTL 63, the real's address, both checksums.
    const after =
      '0200000000bb 0200000000aa 0800 4515 0028 1234 4000 3f 06 5c83 c0000201 0a010102' +
      '9c40 0050 00000007 00000009 5010 2000 2630 0000'
    assert.equal(toHex(rewritten(before)), after.replaceAll(' ', ''))
  })

  it('changes these bytes of an IPv6 packet: DSCP lies across two of them', () => {
    const before = ethernet(
      ipv6({ ...six, ttl: 9, trafficClass: 0b101010_11, flowLabel: 0xabcde }, tcp(ports)),
    )
    assert.equal(toHex(before.subarray(14, 18)), '6ababcde')
    const after = rewritten(before, 0b110101)
    assert.equal(toHex(after.subarray(14, 22)), '6d7abcde' + '0014' + '0608')
    assert.equal(toHex(after.subarray(38, 54)), 'fd000001000100000000000000000002')
    assert.equal(toHex(after.subarray(22, 38)), toHex(before.subarray(22, 38)))
  })

  it('keeps the checksums of intact packets right, whatever the packet, the real and the id', () => {
    fc.assert(
      fc.property(intact, ({ frame, protocol, dscp, real }) => {
        assert.ok(checksumsHold(frame, protocol, transportAt(frame)), 'the test built a bad packet')
        const after = rewritten(frame, dscp, real)
        return checksumsHold(after, protocol, transportAt(after))
      }),
      { numRuns: 3000 },
    )
  })

  it('keeps ECN, flow label, addresses of origin, ports, payload and padding', () => {
    fc.assert(
      fc.property(intact, ({ frame, protocol, dscp, real, header }) => {
        const after = rewritten(frame, dscp, real)
        const at = transportAt(frame)
        const check = at + (protocol === 6 ? 16 : protocol === 17 ? 6 : 2)
        const v6 = real.family === 6
        const mayChange = v6
          ? [14, 15, 21, ...Array.from({ length: 16 }, (_, index) => 38 + index)]
          : [15, 22, 24, 25, 30, 31, 32, 33]
        for (const [index, byte] of after.entries())
          if (index >= 12 && !mayChange.includes(index) && index !== check && index !== check + 1)
            assert.equal(byte, frame[index], `byte ${index}`)
        const tos = v6 ? (((after[14]! << 8) | after[15]!) >> 4) & 0xff : after[15]!
        assert.deepEqual([tos >> 2, tos & 3], [dscp, header.trafficClass & 3])
        if (v6) assert.equal(((after[15]! & 15) << 16) | (after[16]! << 8) | after[17]!, header.flowLabel)
        assert.equal(after[v6 ? 21 : 22], header.ttl - 1)
        if (protocol === 1) assert.deepEqual(after.subarray(at), frame.subarray(at))
      }),
    )
  })

  it('leaves a damaged packet damaged, by the same difference', () => {
    fc.assert(
      fc.property(intact, fc.integer({ min: 1, max: 0xfffe }), ({ frame, protocol, dscp, real }, damage) => {
        const at = transportAt(frame)
        const check = at + (protocol === 6 ? 16 : protocol === 17 ? 6 : 2)
        const value = (frame[check]! << 8) | frame[check + 1]!
        const damaged = frame.slice()
        // Never 0: that would be a UDP packet without a checksum.
        const wrong = onesComplementSum(Uint8Array.of(...u16(value), ...u16(damage)))
        fc.pre(wrong !== 0)
        damaged.set(u16(wrong), check)
        fc.pre(!checksumsHold(damaged, protocol, at))
        assert.ok(!checksumsHold(rewritten(damaged, dscp, real), protocol, at))
      }),
    )
  })

  it('leaves a UDP packet without a checksum without one', () => {
    for (const packet of [ipv4(four, udp(ports)), ipv6(six, udp(ports))]) {
      const frame = ethernet(packet)
      const check = transportAt(frame) + 6
      frame.set(u16(0), check)
      assert.deepEqual(rewritten(frame).subarray(check, check + 2), u16(0))
    }
  })

  it('writes 0xffff for a UDP checksum that comes out as 0, and 0 for a TCP one', () => {
    for (const [build, at, zero] of [
      [udp, 40, 0xffff],
      [tcp, 50, 0],
    ] as const) {
      let seen = 0
      for (let checksum = 1; checksum < 65536; checksum += 1) {
        const frame = ethernet(ipv4(four, build(ports)))
        frame.set(u16(checksum), at)
        const after = rewritten(frame)
        const value = (after[at]! << 8) | after[at + 1]!
        if (value === 0 || value === 0xffff) {
          seen += 1
          assert.equal(value, zero)
        }
      }
      assert.ok(seen > 0)
    }
  })
})

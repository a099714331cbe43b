// What is seen in a frame and what is not, header by header.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { concat, u16 } from './octets.ts'
import { ethernet, extension, icmp4, icmp6, ipv4, ipv6, raw, tcp, udp } from './packets.ts'
import { type Packet, parseFrame } from '../../forwarder/parse.ts'
import { fromHex } from '../../net/bytes.ts'
import { formatIp } from '../../net/ip.ts'

const four = { source: '192.0.2.1', destination: '198.51.100.10' }
const six = { source: '2001:db8:2::1', destination: '2001:db8:1::10' }
const ports = { from: 40_000, to: 80 }

function contentsOf(packet: Uint8Array, padTo = 60): Packet['contents'] | undefined {
  return parseFrame(ethernet(packet, { padTo }))?.contents
}

const transport = (protocol: number, at: number): object => ({
  kind: 'transport',
  protocol,
  at,
  sourcePort: 40_000,
  destinationPort: 80,
})
const unusable = (reason: string): object => ({ kind: 'unusable', reason })

describe('parseFrame', () => {
  it('reads addresses, TTL and ports of a TCP SYN', () => {
    const frame = fromHex(
      '02000000000a 02000000000b 0800 4500003c1c4640004006b1e6c0000201c633640a' +
        '9c400050 00000007 00000000 a002faf0 00000000 020405b40402080a0000000100000000 01030307',
    )!
    const packet = parseFrame(frame)!
    assert.equal(`${formatIp(packet.source)} ${formatIp(packet.destination)}`, '192.0.2.1 198.51.100.10')
    assert.equal(packet.ttl, 64)
    assert.deepEqual(packet.contents, transport(6, 34))
  })

  it('finds the transport header behind IPv4 options', () => {
    for (const length of [0, 4, 40])
      assert.deepEqual(
        contentsOf(ipv4({ ...four, options: new Uint8Array(length) }, udp(ports))),
        transport(17, 34 + length),
      )
  })

  it('finds it behind IPv6 extension headers of any length, eight at most', () => {
    const headers = [extension(0), extension(60, 2), extension(43, 1), extension(60)]
    assert.deepEqual(contentsOf(ipv6({ ...six, extensions: headers }, tcp(ports))), transport(6, 54 + 56))
    const chain = (count: number): Uint8Array =>
      ipv6({ ...six, extensions: Array.from({ length: count }, () => extension(60)) }, udp(ports))
    assert.deepEqual(contentsOf(chain(8)), transport(17, 54 + 64))
    assert.deepEqual(contentsOf(chain(9)), unusable('unsupportedProtocol'))
  })

  it('does not follow a routing header with segments left, an authentication header or none', () => {
    for (const header of [extension(43, 0, [4, 1]), extension(51), extension(59)])
      assert.deepEqual(
        contentsOf(ipv6({ ...six, extensions: [header] }, tcp(ports))),
        unusable('unsupportedProtocol'),
      )
  })

  it('tells fragments, the first and the lone one included', () => {
    for (const fragment of [0x2000, 1, 0x1fff, 0x2001])
      assert.deepEqual(contentsOf(ipv4({ ...four, fragment }, tcp(ports))), unusable('fragment'))
    for (const fragment of [0, 0x4000, 0x8000])
      assert.deepEqual(contentsOf(ipv4({ ...four, fragment }, tcp(ports))), transport(6, 34))
    for (const bits of [
      [0, 0],
      [0, 1],
      [1, 0],
    ] as const)
      assert.deepEqual(
        contentsOf(ipv6({ ...six, extensions: [extension(44, 0, bits)] }, tcp(ports))),
        unusable('fragment'),
      )
  })

  it('takes each family with its own ICMP only', () => {
    assert.deepEqual(contentsOf(ipv4(four, icmp4({ type: 8 }))), { kind: 'icmp', at: 34, end: 42 })
    assert.deepEqual(contentsOf(ipv6(six, icmp6({ type: 128 }))), { kind: 'icmp', at: 54, end: 62 })
    assert.deepEqual(contentsOf(ipv4(four, icmp6({ type: 128 }))), unusable('unsupportedProtocol'))
    assert.deepEqual(contentsOf(ipv6(six, icmp4({ type: 8 }))), unusable('unsupportedProtocol'))
    assert.deepEqual(contentsOf(ipv4(four, raw(47, new Uint8Array(20)))), unusable('unsupportedProtocol'))
  })

  it('refuses headers that do not fit the length, whatever padding follows', () => {
    const short = (protocol: number, length: number): Uint8Array => new Uint8Array(length).fill(protocol)
    for (const [protocol, length] of [
      [6, 19],
      [17, 7],
    ] as const) {
      assert.deepEqual(contentsOf(ipv4(four, raw(protocol, short(1, length)))), unusable('malformed'))
      assert.deepEqual(contentsOf(ipv6(six, raw(protocol, short(1, length))), 90), unusable('malformed'))
      assert.notDeepEqual(contentsOf(ipv4(four, raw(protocol, short(1, length + 1)))), unusable('malformed'))
    }
    assert.deepEqual(contentsOf(ipv4(four, raw(1, short(1, 7)))), unusable('malformed'))
    assert.deepEqual(contentsOf(ipv6(six, raw(58, short(1, 7))), 90), unusable('malformed'))
    const overlong = { ...extension(60), rest: concat(Uint8Array.of(9), new Uint8Array(6)) }
    assert.deepEqual(contentsOf(ipv6({ ...six, extensions: [overlong] }, tcp(ports))), unusable('malformed'))
  })

  it('refuses a wrong version, a header length under 20 and lengths beyond the frame', () => {
    const patched = (packet: Uint8Array, at: number, ...bytes: readonly number[]): Uint8Array => {
      const out = packet.slice()
      out.set(bytes, at)
      return ethernet(out, { etherType: packet[0] === 0x45 ? 0x0800 : 0x86dd })
    }
    const good4 = ipv4(four, tcp(ports))
    const good6 = ipv6(six, tcp(ports))
    for (const frame of [
      patched(good4, 0, 0x55),
      patched(good4, 0, 0x44),
      patched(good4, 2, ...u16(19)),
      patched(good4, 2, ...u16(61)),
      patched(good6, 0, 0x50),
      patched(good6, 4, ...u16(21)),
    ]) {
      const packet = parseFrame(frame)!
      assert.deepEqual(packet.contents, unusable('malformed'))
      assert.match(formatIp(packet.destination), /^(?:198\.51\.100\.10|2001:db8:1::10)$/)
    }
  })

  it('sees nothing in other EtherTypes, tags, and frames too short for a destination', () => {
    const packet = ipv4(four, tcp(ports))
    for (const etherType of [0x8100, 0x88a8, 0x0806])
      assert.equal(parseFrame(ethernet(packet, { etherType })), undefined)
    for (const [whole, shortest] of [
      [ethernet(packet), 34],
      [ethernet(ipv6(six, tcp(ports))), 54],
    ] as const) {
      assert.equal(parseFrame(whole.subarray(0, shortest - 1)), undefined)
      assert.deepEqual(parseFrame(whole.subarray(0, shortest))?.contents, unusable('malformed'))
    }
    assert.equal(parseFrame(new Uint8Array(0)), undefined)
  })

  it('never reads beyond a frame, whatever is in it', () => {
    const types = fc.constantFrom(0x0800, 0x86dd)
    const bytes = fc.uint8Array({ maxLength: 120 })
    const version = fc.constantFrom(0x45, 0x46, 0x60)
    const next = fc.constantFrom(0, 6, 17, 43, 44, 58, 60)
    fc.assert(
      fc.property(types, version, next, bytes, (type, first, protocol, rest) => {
        const body = rest.slice()
        body[0] = first
        body[type === 0x0800 ? 9 : 6] = protocol
        const packet = parseFrame(concat(new Uint8Array(12), u16(type), body))
        if (packet === undefined || packet.contents.kind === 'unusable') return true
        const length = packet.contents.kind === 'transport' && packet.contents.protocol === 6 ? 20 : 8
        return packet.contents.at + length <= 14 + body.length
      }),
      { numRuns: 3000 },
    )
  })
})

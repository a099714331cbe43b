// The rules at the head of reference.ts, one by one, on an image with known answers.

import assert from 'node:assert/strict'
import { type Segment, ethernet, extension, icmp4, icmp6, ipv4, ipv6, raw, tcp, udp } from './packets.ts'
import {
  client4,
  client6,
  dscp,
  image,
  ingress,
  port,
  realOf,
  vip4,
  vip6,
  withoutHops,
  withoutReals,
} from './small-image.ts'
import { type DatapathImage, type Reason } from '../../forwarder/image.ts'
import { parseFrame } from '../../forwarder/parse.ts'
import { type Forwarded, type Verdict, forward } from '../../forwarder/reference.ts'
import { type Ip, ip } from '../../net/ip.ts'
import { macFromBytes } from '../../net/mac.ts'

const flow = { from: 40_000, to: port }
type Header = { source?: string; destination?: string; ttl?: number }

function to4(segment: Segment, header: Header & { fragment?: number } = {}): Uint8Array {
  return ethernet(ipv4({ source: client4, destination: vip4, ...header }, segment))
}

function to6(segment: Segment, header: Header = {}): Uint8Array {
  return ethernet(ipv6({ source: client6, destination: vip6, ...header }, segment))
}

function check(frame: Uint8Array, verdict: Verdict, reason: Reason, tables: DatapathImage = image): void {
  const got = forward(frame, ingress, tables)
  assert.deepEqual([got.verdict, got.reason], [verdict, reason])
  if (verdict === 'pass' || verdict === 'drop') {
    assert.equal(got.frame, frame)
    assert.equal(got.ifindex, undefined)
  }
}

/** The index of the real that a forwarded frame is for, by its destination. */
function realReached({ frame, reason }: Forwarded): number {
  assert.equal(reason, 'forwarded')
  const { destination } = parseFrame(frame)!
  return [...image.reals].find(([, { ip: real }]) => real.value === destination.value)![0]
}

const clientTuple = (
  family: 4 | 6,
  protocol: number,
  from: number,
  to: number,
): Parameters<typeof realOf>[0] => ({
  source: ip(family === 4 ? client4 : client6),
  destination: ip(family === 4 ? vip4 : vip6),
  sourcePort: from,
  destinationPort: to,
  protocol,
})

describe('reference forwarder', () => {
  it('passes frames that are not IP, are tagged or too short (rule 1)', () => {
    const packet = ipv4({ source: client4, destination: vip4 }, tcp(flow))
    for (const etherType of [0x0806, 0x8100, 0x88cc]) check(ethernet(packet, { etherType }), 'pass', 'notVip')
    for (const length of [0, 13, 14, 33]) check(to4(tcp(flow)).subarray(0, length), 'pass', 'notVip')
    check(to6(tcp(flow)).subarray(0, 53), 'pass', 'notVip')
  })

  it('passes what is for no VIP, however broken (rule 2)', () => {
    const elsewhere = { destination: '203.0.113.9' }
    for (const segment of [tcp(flow), udp(flow), icmp4({ type: 8 }), raw(6, new Uint8Array(3))])
      check(to4(segment, elsewhere), 'pass', 'notVip')
    check(to4(tcp(flow), { ...elsewhere, fragment: 0x2000, ttl: 0 }), 'pass', 'notVip')
    check(to6(tcp(flow), { destination: '2001:db8:9::9' }), 'pass', 'notVip')
  })

  it('drops malformed packets, fragments and other protocols for a VIP (rules 3 to 5)', () => {
    check(to4(raw(6, new Uint8Array(19))), 'drop', 'malformed')
    check(to6(raw(17, new Uint8Array(7))), 'drop', 'malformed')
    check(to4(tcp(flow)).subarray(0, 53), 'drop', 'malformed')
    for (const fragment of [0x2000, 0x2001, 1]) check(to4(udp(flow), { fragment }), 'drop', 'fragment')
    const header = { source: client6, destination: vip6 }
    check(ethernet(ipv6({ ...header, extensions: [extension(44)] }, udp(flow))), 'drop', 'fragment')
    check(to4(raw(47, new Uint8Array(30))), 'drop', 'unsupportedProtocol')
    check(
      ethernet(ipv6({ ...header, extensions: [extension(43, 0, [4, 1])] }, udp(flow))),
      'drop',
      'unsupportedProtocol',
    )
  })

  it('drops what is for a port that the VIP does not serve, or not by this protocol (rule 6)', () => {
    for (const build of [tcp, udp]) {
      check(to4(build({ ...flow, to: 81 })), 'drop', 'portNotServed')
      check(to6(build({ ...flow, to: 0 })), 'drop', 'portNotServed')
    }
    const tcpOnly = new Map([...image.vips].filter(([id]) => !id.endsWith('/17')))
    check(to4(udp(flow)), 'drop', 'portNotServed', { ...image, vips: tcpOnly })
  })

  it('sends each flow to the real of its row, out of that real’s interface (rules 9, 10)', () => {
    const reached = new Set<number>()
    for (let from = 1024; from < 1074; from += 1) {
      for (const [family, build, protocol] of [
        [4, tcp, 6],
        [4, udp, 17],
        [6, tcp, 6],
        [6, udp, 17],
      ] as const) {
        const frame = (family === 4 ? to4 : to6)(build({ from, to: port }))
        const got = forward(frame, ingress, image)
        const index = realReached(got)
        assert.equal(index, realOf(clientTuple(family, protocol, from, port)))
        const { hop } = image.reals.get(index)!
        assert.equal(got.ifindex, hop!.ifindex)
        assert.equal(got.verdict, hop!.ifindex === ingress ? 'tx' : 'redirect')
        assert.equal(macFromBytes(got.frame.subarray(0, 6)), hop!.destination)
        assert.equal(macFromBytes(got.frame.subarray(6, 12)), hop!.source)
        if (family === 4) assert.equal(got.frame[15]! >> 2, dscp)
        reached.add(index)
      }
    }
    assert.deepEqual([...reached].sort(), [0, 1, 2, 3])
  })

  it('sends echo requests of one client to one real (rule 7)', () => {
    const real4 = realOf(clientTuple(4, 1, 0, 0))
    const real6 = realOf(clientTuple(6, 58, 0, 0))
    for (const size of [0, 56]) {
      const body = new Uint8Array(size)
      assert.equal(realReached(forward(to4(icmp4({ type: 8, body })), ingress, image)), real4)
      assert.equal(realReached(forward(to6(icmp6({ type: 128, body })), ingress, image)), real6)
    }
  })

  describe('ICMP errors (rule 7)', () => {
    const quoteHeader4 = { source: vip4, destination: client4, options: new Uint8Array(8) }
    const quoteHeader6 = {
      source: vip6,
      destination: client6,
      extensions: [extension(0), extension(44, 0, [0, 1])],
    }
    const router4 = { source: '203.0.113.1' }
    const router6 = { source: '2001:db8:9::1' }
    const error4 = (body: Uint8Array, type = 3): Uint8Array => to4(icmp4({ type, code: 4, body }), router4)
    const error6 = (body: Uint8Array, type = 2): Uint8Array => to6(icmp6({ type, body }), router6)

    it('reach the real that sent the quoted packet', () => {
      const reached = new Set<number>()
      for (let to = 1024; to < 1064; to += 1) {
        for (const [build, protocol] of [
          [tcp, 6],
          [udp, 17],
        ] as const) {
          const reply = build({ from: port, to })
          for (const type of [3, 11, 12]) {
            const got = forward(error4(ipv4(quoteHeader4, reply).subarray(0, 36), type), ingress, image)
            assert.equal(realReached(got), realOf(clientTuple(4, protocol, to, port)))
            reached.add(realReached(got))
          }
          for (const type of [1, 2, 3, 4]) {
            const got = forward(error6(ipv6(quoteHeader6, reply), type), ingress, image)
            assert.equal(realReached(got), realOf(clientTuple(6, protocol, to, port)))
            reached.add(realReached(got))
          }
        }
      }
      assert.equal(reached.size, 4)
    })

    it('keep the quote as it was: the real knows its packets by the VIP', () => {
      const frame = error4(ipv4(quoteHeader4, tcp({ from: port, to: 40_000 })))
      const got = forward(frame, ingress, image)
      assert.equal(got.reason, 'forwarded')
      assert.deepEqual(got.frame.subarray(34), frame.subarray(34))
    })

    it('about echo replies follow the echo requests', () => {
      const got4 = forward(error4(ipv4(quoteHeader4, icmp4({ type: 0 }))), ingress, image)
      assert.equal(realReached(got4), realOf(clientTuple(4, 1, 0, 0)))
      const got6 = forward(error6(ipv6(quoteHeader6, icmp6({ type: 129 }))), ingress, image)
      assert.equal(realReached(got6), realOf(clientTuple(6, 58, 0, 0)))
    })

    it('are dropped if they quote what the VIP cannot have sent', () => {
      const reply = tcp({ from: port, to: 40_000 })
      const good = ipv4({ source: vip4, destination: client4 }, reply)
      const wrongVersion = good.slice()
      wrongVersion[0] = 0x65
      for (const body of [
        ipv4({ source: '198.51.100.99', destination: client4 }, reply),
        ipv4({ source: client4, destination: vip4 }, reply),
        ipv4({ source: vip4, destination: client4, fragment: 1 }, reply),
        ipv4({ source: vip4, destination: client4 }, icmp4({ type: 8 })),
        ipv4({ source: vip4, destination: client4 }, raw(47, new Uint8Array(20))),
        good.subarray(0, 27),
        good.subarray(0, 19),
        wrongVersion,
        new Uint8Array(0),
      ])
        check(error4(body), 'drop', 'badQuote')
      const later = { ...quoteHeader6, extensions: [extension(44, 0, [0, 8])] }
      check(error6(ipv6(later, reply)), 'drop', 'badQuote')
      check(error6(ipv6({ ...quoteHeader6, source: client6 }, reply)), 'drop', 'badQuote')
      check(error6(ipv6(quoteHeader6, reply).subarray(0, 63)), 'drop', 'badQuote')
      check(error4(ipv4(quoteHeader4, tcp({ from: 81, to: 40_000 }))), 'drop', 'portNotServed')
    })
  })

  it('passes neighbour discovery and drops all other ICMP (rule 7)', () => {
    for (const type of [133, 134, 135, 136, 137]) check(to6(icmp6({ type })), 'pass', 'neighbourDiscovery')
    for (const type of [0, 129, 132, 138]) check(to6(icmp6({ type })), 'drop', 'unsupportedIcmp')
    for (const type of [0, 4, 5, 13, 135]) check(to4(icmp4({ type })), 'drop', 'unsupportedIcmp')
  })

  it('drops packets from the VIP to itself, and those whose time is up (rule 8)', () => {
    check(to4(tcp(flow), { source: vip4 }), 'drop', 'land')
    check(to6(udp(flow), { source: vip6 }), 'drop', 'land')
    for (const ttl of [0, 1]) {
      check(to4(tcp(flow), { ttl }), 'drop', 'ttlExpired')
      check(to6(tcp(flow), { ttl }), 'drop', 'ttlExpired')
    }
    assert.equal(forward(to4(tcp(flow), { ttl: 2 }), ingress, image).frame[22], 1)
  })

  it('drops what no real or no known next hop is there for (rule 9)', () => {
    const frames: readonly Uint8Array[] = [to4(tcp(flow)), to6(udp(flow)), to4(icmp4({ type: 8 }))]
    for (const frame of frames) {
      check(frame, 'drop', 'noReal', withoutReals)
      check(frame, 'drop', 'noReal', { ...image, tables: new Map() })
      check(frame, 'drop', 'noReal', { ...image, reals: new Map() })
      check(frame, 'drop', 'noNextHop', withoutHops)
    }
  })

  it('leaves its input alone', () => {
    const frame = to4(tcp(flow))
    const before = frame.slice()
    forward(frame, ingress, image)
    assert.deepEqual(frame, before)
  })

  it('does not confuse an IPv6 VIP with the IPv4 address in its first bytes', () => {
    const twin: Ip = { family: 6, value: ip(vip4).value << 96n }
    check(ethernet(ipv6({ source: client6, destination: twin }, tcp(flow))), 'pass', 'notVip')
  })
})

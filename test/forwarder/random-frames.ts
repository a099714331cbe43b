// Random frames at and around VIPs: every kind that the rules of reference.ts tell apart, then damaged.

import { concat, u16 } from './octets.ts'
import {
  type Extension,
  type Segment,
  ethernet,
  extension,
  icmp4,
  icmp6,
  ipv4,
  ipv6,
  raw,
  tcp,
  udp,
} from './packets.ts'
import { type Random, ports, vips } from './random.ts'
import { type Family, type Ip, ip } from '../../net/ip.ts'

const clients = ['192.0.2.1', '10.0.0.7', '2001:db8:2::1', 'fe80::1'].map(ip)
const strangers = ['203.0.113.9', '2001:db8:9::9', 'ff02::1'].map(ip)
const trafficClasses = [0, 1, 2, 3, 0xb8, 0xff]
const ttls = [0, 1, 2, 64, 64, 64, 64, 64, 64, 255]

function ofFamily(addresses: readonly Ip[], family: Family): readonly Ip[] {
  return addresses.filter((address) => address.family === family)
}

/** A frame of at most about 600 bytes, at least 14. */
export function randomFrame(random: Random): Uint8Array {
  if (random.chance(0.01))
    return concat(random.bytes(12), u16(0x0800 + random.below(3)), random.bytes(random.below(90)))
  const frame = ethernet(randomPacket(random), {
    padTo: random.pick([0, 60, 60, 90]),
    etherType: random.chance(0.02) ? random.pick([0x0800, 0x86dd, 0x8100, 0x0806]) : 0,
  })
  return random.chance(0.35) ? damaged(random, frame) : frame
}

function damaged(random: Random, frame: Uint8Array): Uint8Array {
  const out = frame.slice(0, random.chance(0.4) ? 14 + random.below(frame.length - 13) : frame.length)
  if (random.chance(0.7)) {
    for (let count = random.below(4); count >= 0; count -= 1) {
      // Headers are what matters, so most hits are there.
      const at = 12 + random.below(Math.min(out.length, random.chance(0.8) ? 80 : out.length) - 12)
      out[at] = random.pick([0, 1, 0xff, random.below(256), (out[at] ?? 0) ^ (1 << random.below(8))])
    }
  }
  return out
}

function randomPacket(random: Random): Uint8Array {
  const family = random.pick<Family>([4, 6])
  const destination = random.pick(ofFamily(random.chance(0.07) ? strangers : vips, family))
  const source = random.chance(0.02) ? destination : randomClient(random, family)
  return family === 4
    ? ipv4(randomIpv4(random, source, destination), randomSegment(random, 4, destination))
    : ipv6(randomIpv6(random, source, destination), randomSegment(random, 6, destination))
}

function randomClient(random: Random, family: Family): Ip {
  const base = random.pick(ofFamily(clients, family))
  return { family, value: base.value + BigInt(random.below(200)) }
}

function randomIpv4(random: Random, source: Ip, destination: Ip): Parameters<typeof ipv4>[0] {
  return {
    source,
    destination,
    ttl: random.pick(ttls),
    trafficClass: random.pick(trafficClasses),
    fragment: random.chance(0.9)
      ? random.pick([0, 0x4000, 0x8000])
      : random.pick([0x2000, 1, 0x1fff, 0x20b9]),
    options: random.chance(0.15) ? random.bytes(4 * (1 + random.below(10))) : new Uint8Array(0),
  }
}

function randomIpv6(random: Random, source: Ip, destination: Ip): Parameters<typeof ipv6>[0] {
  return {
    source,
    destination,
    ttl: random.pick(ttls),
    trafficClass: random.pick(trafficClasses),
    flowLabel: random.below(0x100000),
    extensions: random.chance(0.25) ? randomExtensions(random) : [],
  }
}

function randomExtensions(random: Random): readonly Extension[] {
  const count = random.chance(0.8) ? 1 + random.below(3) : 1 + random.below(10)
  const types = random.chance(0.8) ? [0, 60, 43] : [0, 60, 43, 44, 51, 59]
  return Array.from({ length: count }, () => {
    const type = random.pick(types)
    const units = type === 44 ? 0 : random.pick([0, 0, 1, 3])
    const segmentsLeft = type === 43 ? Number(random.chance(0.1)) : random.pick([0, 0, 1, 8])
    return extension(type, units, [random.pick([0, 0, 1]), segmentsLeft])
  })
}

function randomSegment(random: Random, family: Family, vip: Ip): Segment {
  const segment = intactSegment(random, family, vip)
  if (random.chance(0.85)) return segment
  const checksum = random.pick([0, 0xffff, 1, random.below(65536)])
  const at = segment.protocol === 6 ? 16 : segment.protocol === 17 ? 6 : 2
  return {
    protocol: segment.protocol,
    bytes: (addresses) => {
      const bytes = segment.bytes(addresses).slice()
      if (bytes.length >= at + 2) bytes.set(u16(checksum), at)
      return bytes
    },
  }
}

function intactSegment(random: Random, family: Family, vip: Ip): Segment {
  const kind = random.below(100)
  const payload = random.bytes(random.below(40))
  const from = random.below(65536)
  const to = random.chance(0.95) ? random.pick(ports) : random.below(65536)
  if (kind < 40) return tcp({ from, to, payload })
  if (kind < 65) return udp({ from, to, payload })
  if (kind < 97) return randomIcmp(random, family, vip)
  return raw(random.pick([1, 2, 47, 50, 58, 59, 132, random.below(256)]), payload)
}

const icmpTypes = {
  4: { echo: 8, errors: [3, 11, 12], others: [0, 4, 5, 9, 13, 128] },
  6: { echo: 128, errors: [1, 2, 3, 4], others: [0, 5, 129, 132, 133, 134, 135, 136, 137, 138, 255] },
}

function randomIcmp(random: Random, family: Family, vip: Ip): Segment {
  const { echo, errors, others } = icmpTypes[family]
  const kind = random.below(10)
  const make = family === 4 ? icmp4 : icmp6
  if (kind < 2) return make({ type: echo, body: random.bytes(random.below(30)) })
  if (kind < 3) return make({ type: random.pick(others), body: random.bytes(random.below(30)) })
  const quote = quoted(random, family, vip)
  const body = random.chance(0.25) ? quote.slice(0, random.below(quote.length + 1)) : quote
  if (random.chance(0.1) && body.length > 0) body[random.below(body.length)] = random.below(256)
  return make({ type: random.pick(errors), code: random.below(6), body })
}

/** What a backend sent, most often: from the VIP and a served port to a client. */
function quoted(random: Random, family: Family, vip: Ip): Uint8Array {
  const source = random.chance(0.92) ? vip : random.pick(ofFamily([...vips, ...strangers], family))
  const client = randomClient(random, family)
  const from = random.chance(0.95) ? random.pick(ports) : random.below(65536)
  const to = random.below(65536)
  const payload = random.bytes(random.below(20))
  const [echoReply, reply] = family === 4 ? [0, icmp4] : [129, icmp6]
  const segment = random.pick([
    () => tcp({ from, to, payload }),
    () => tcp({ from, to, payload }),
    () => udp({ from, to, payload }),
    () => reply({ type: random.chance(0.8) ? echoReply : random.below(256), body: payload }),
    () => raw(random.pick([1, 58, 132]), payload),
  ])()
  return family === 4
    ? ipv4(randomIpv4(random, source, client), segment)
    : ipv6(randomIpv6(random, source, client), segment)
}

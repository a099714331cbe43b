// RTM_NEWROUTE: a route with one next hop in its own attributes, or several in RTA_MULTIPATH, each of them
//
//    0        2       3      4          8
//    | length | flags | hops | ifindex  | attributes (RTA_GATEWAY or RTA_VIA), padded to 4 | next one …

import { bitsOf, type Ip } from '../net/ip.ts'
import { prefixOf } from '../net/prefix.ts'
import {
  type Attributes,
  decodeAttributes,
  MalformedNetlink,
  type NetlinkMessage,
} from './netlink-message.ts'
import { type NextHop, type Route } from './ports.ts'
import { fixedLength, ipOf, split } from './rtnetlink.ts'
import { AF_INET, AF_INET6 } from './sockaddr.ts'

const RTA = { destination: 1, oif: 4, gateway: 5, priority: 6, multipath: 9, table: 15, via: 18 } as const
/** A next hop whose interface is down: the kernel does not use it. */
const RTNH_F_DEAD = 0x1
/** A cached exception (a path MTU, a redirect), not a route. */
const RTM_F_CLONED = 0x200

const kinds: Readonly<Record<number, Route['kind']>> = {
  1: 'unicast',
  2: 'local',
  6: 'blackhole',
  7: 'unreachable',
  8: 'prohibit',
}

/**
 * Undefined for what is not a route by destination alone: other families, cached exceptions, and routes for some
 * packets only (by TOS or by source). Next hops through nexthop objects are those that the kernel lists with the
 * route, which it does unless net.ipv4.nexthop_compat_mode is 0. Throws `MalformedNetlink`.
 */
export function decodeRoute(message: NetlinkMessage): Route | undefined {
  const { fixed, attributes } = split(message, fixedLength.route)
  const family = fixed.readUInt8(0)
  const flags = fixed.readUInt32LE(8)
  const forSomePackets = fixed.readUInt8(2) !== 0 || fixed.readUInt8(3) !== 0
  if ((family !== AF_INET && family !== AF_INET6) || (flags & RTM_F_CLONED) !== 0 || forSomePackets)
    return undefined
  const anything: Ip = { family: family === AF_INET ? 4 : 6, value: 0n }
  const length = fixed.readUInt8(1)
  if (length > bitsOf(anything.family)) throw new MalformedNetlink(`route of length ${length}`)
  const several = attributes.get(RTA.multipath)
  return {
    dst: prefixOf(ipOf(family, attributes.get(RTA.destination)) ?? anything, length),
    table: u32(attributes, RTA.table) ?? fixed.readUInt8(4),
    metric: u32(attributes, RTA.priority) ?? 0,
    kind: kinds[fixed.readUInt8(7)] ?? 'other',
    nextHops: several === undefined ? single(family, flags, attributes) : decodeMultipath(family, several),
  }
}

function single(family: number, flags: number, attributes: Attributes): readonly NextHop[] {
  const ifindex = u32(attributes, RTA.oif)
  if (ifindex === undefined || (flags & RTNH_F_DEAD) !== 0) return []
  return [{ ifindex, via: gateway(family, attributes), weight: 1 }]
}

function decodeMultipath(family: number, bytes: Buffer): readonly NextHop[] {
  const nextHops: NextHop[] = []
  for (let at = 0; bytes.length - at >= 8;) {
    const length = bytes.readUInt16LE(at)
    if (length < 8 || length > bytes.length - at) throw new MalformedNetlink(`next hop of ${length} bytes`)
    if ((bytes.readUInt8(at + 2) & RTNH_F_DEAD) === 0) {
      nextHops.push({
        ifindex: bytes.readInt32LE(at + 4),
        via: gateway(family, decodeAttributes(bytes.subarray(at + 8, at + length))),
        // The wire has the weight less one.
        weight: bytes.readUInt8(at + 3) + 1,
      })
    }
    at += (length + 3) & ~3
  }
  return nextHops
}

/** RTA_VIA names a gateway of another family than the route's (RFC 8950 routes: IPv4 over IPv6). */
function gateway(family: number, attributes: Attributes): Ip | undefined {
  const via = attributes.get(RTA.via)
  if (via === undefined || via.length < 2) return ipOf(family, attributes.get(RTA.gateway))
  return ipOf(via.readUInt16LE(0), via.subarray(2))
}

function u32(attributes: Attributes, type: number): number | undefined {
  const value = attributes.get(type)
  return value?.length === 4 ? value.readUInt32LE(0) : undefined
}

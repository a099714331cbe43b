// The rtnetlink messages (rtnetlink(7), linux/rtnetlink.h) of links, addresses and neighbours; routes are in
// rtnetlink-route.ts. Bytes in, plain values out, and the other way for requests.

import { type Ip, bitsOf, ipFromBytes, ipToBytes } from '../net/ip.ts'
import { macFromBytes } from '../net/mac.ts'
import {
  type Attributes,
  cString,
  decodeAttributes,
  encodeAttribute,
  MalformedNetlink,
  type NetlinkMessage,
} from './netlink-message.ts'
import { type InterfaceAddress, type Link, type Neighbour } from './ports.ts'
import { addressFamily, AF_INET, AF_INET6 } from './sockaddr.ts'

export const rtm = {
  newLink: 16,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  getRoute: 26,
  newNeighbour: 28,
  getNeighbour: 30,
} as const

/** Bytes of the fixed part that comes before the attributes, and that a dump's request consists of. */
export const fixedLength = { link: 16, address: 8, route: 12, neighbour: 12 } as const

const IFF_UP = 0x1
const IFF_LOWER_UP = 0x10000
const ARPHRD_ETHER = 1
const IFLA = { address: 1, name: 3, mtu: 4 } as const
const IFA = { address: 1, local: 2 } as const
const IFA_F_NODAD = 0x02
const NDA = { destination: 1, lladdr: 2 } as const
const NTF_USE = 0x01

const scopes: Readonly<Record<number, InterfaceAddress['scope']>> = {
  0: 'global',
  200: 'site',
  253: 'link',
  254: 'host',
}

const neighbourStates: Readonly<Record<number, Neighbour['state']>> = {
  0x00: 'none',
  0x01: 'incomplete',
  0x02: 'reachable',
  0x04: 'stale',
  0x08: 'delay',
  0x10: 'probe',
  0x20: 'failed',
  0x40: 'noarp',
  0x80: 'permanent',
}

/** The fixed part and the attributes of a message. Throws `MalformedNetlink`. */
export function split(message: NetlinkMessage, length: number): { fixed: Buffer; attributes: Attributes } {
  if (message.payload.length < length)
    throw new MalformedNetlink(`type ${message.type} of ${message.payload.length} bytes`)
  return {
    fixed: message.payload.subarray(0, length),
    attributes: decodeAttributes(message.payload.subarray(length)),
  }
}

/** Undefined unless the value is an address of the family (AF_INET or AF_INET6). */
export function ipOf(family: number, value: Buffer | undefined): Ip | undefined {
  if (value === undefined) return undefined
  const length = family === AF_INET ? 4 : family === AF_INET6 ? 16 : -1
  return value.length === length ? ipFromBytes(value) : undefined
}

/** RTM_NEWLINK. */
export function decodeLink(message: NetlinkMessage): Link {
  const { fixed, attributes } = split(message, fixedLength.link)
  const flags = fixed.readUInt32LE(8)
  const mac = attributes.get(IFLA.address)
  const mtu = attributes.get(IFLA.mtu)
  return {
    index: fixed.readInt32LE(4),
    name: cString(attributes.get(IFLA.name) ?? Buffer.alloc(0)),
    mac: fixed.readUInt16LE(2) === ARPHRD_ETHER && mac?.length === 6 ? macFromBytes(mac) : undefined,
    up: (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0,
    mtu: mtu === undefined ? 0 : mtu.readUInt32LE(0),
  }
}

/** RTM_NEWADDR; undefined for families other than IPv4 and IPv6. */
export function decodeAddress(message: NetlinkMessage): InterfaceAddress | undefined {
  const { fixed, attributes } = split(message, fixedLength.address)
  // On a point-to-point interface IFA_ADDRESS is the other end's.
  const ip = ipOf(fixed.readUInt8(0), attributes.get(IFA.local) ?? attributes.get(IFA.address))
  if (ip === undefined) return undefined
  return {
    ifindex: fixed.readUInt32LE(4),
    ip,
    prefixLength: fixed.readUInt8(1),
    scope: scopes[fixed.readUInt8(3)] ?? 'other',
  }
}

/** RTM_NEWNEIGH; undefined for families other than IPv4 and IPv6 (a bridge's forwarding table). */
export function decodeNeighbour(message: NetlinkMessage): Neighbour | undefined {
  const { fixed, attributes } = split(message, fixedLength.neighbour)
  const ip = ipOf(fixed.readUInt8(0), attributes.get(NDA.destination))
  if (ip === undefined) return undefined
  const mac = attributes.get(NDA.lladdr)
  return {
    ifindex: fixed.readInt32LE(4),
    ip,
    mac: mac?.length === 6 ? macFromBytes(mac) : undefined,
    state: neighbourStates[fixed.readUInt16LE(8)] ?? 'none',
  }
}

/** RTM_NEWADDR or RTM_DELADDR of a host address, that is usable at once: no duplicate address detection. */
export function encodeHostAddress(ifindex: number, ip: Ip): Uint8Array {
  const fixed = Buffer.alloc(fixedLength.address)
  fixed.writeUInt8(addressFamily(ip), 0)
  fixed.writeUInt8(bitsOf(ip.family), 1)
  fixed.writeUInt8(IFA_F_NODAD, 2)
  fixed.writeUInt32LE(ifindex, 4)
  const bytes = ipToBytes(ip)
  return Buffer.concat([fixed, encodeAttribute(IFA.local, bytes), encodeAttribute(IFA.address, bytes)])
}

/** RTM_NEWNEIGH that has the kernel use the entry as a packet would: resolve it, or verify it when it is stale. */
export function encodeUseNeighbour(ifindex: number, ip: Ip): Uint8Array {
  const fixed = Buffer.alloc(fixedLength.neighbour)
  fixed.writeUInt8(addressFamily(ip), 0)
  fixed.writeInt32LE(ifindex, 4)
  fixed.writeUInt8(NTF_USE, 10)
  return Buffer.concat([fixed, encodeAttribute(NDA.destination, ipToBytes(ip))])
}

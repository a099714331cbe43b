// What the forwarder needs of a frame: Ethernet II, IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), and
// where the transport header is. Nothing is believed that does not lie inside both the frame and the length that the
// IP header claims. Tagged frames are not looked into.

import { type Family, type Ip, ipFromBytes } from '../net/ip.ts'
import { protocolNumber } from '../net/service.ts'
import { type Reason } from './image.ts'

export type Transport = {
  readonly kind: 'transport'
  readonly protocol: 6 | 17
  /** Of the header, in the frame. */
  readonly at: number
  readonly sourcePort: number
  readonly destinationPort: number
}

export type IcmpMessage = { readonly kind: 'icmp'; readonly at: number; readonly end: number }

export type Unusable = {
  readonly kind: 'unusable'
  readonly reason: Extract<Reason, 'malformed' | 'fragment' | 'unsupportedProtocol'>
}

export type Packet = {
  readonly family: Family
  readonly source: Ip
  readonly destination: Ip
  /** TTL or hop limit. */
  readonly ttl: number
  readonly contents: Transport | IcmpMessage | Unusable
}

/** Where the IP header begins in a frame. */
export const ipAt = 14

const { TCP, UDP, ICMP, ICMPV6 } = protocolNumber
const headerLength = { [TCP]: 20, [UDP]: 8, [ICMP]: 8, [ICMPV6]: 8 } as const
const extension = { hopByHop: 0, routing: 43, fragment: 44, destination: 60 } as const
const extensions: readonly number[] = Object.values(extension)
const maxExtensions = 8

const malformed = { kind: 'unusable', reason: 'malformed' } as const
const fragment = { kind: 'unusable', reason: 'fragment' } as const
const unsupported = { kind: 'unusable', reason: 'unsupportedProtocol' } as const

/** Undefined unless the frame holds at least the fixed IP header, from which the destination can be told. */
export function parseFrame(frame: Uint8Array): Packet | undefined {
  if (frame.length < ipAt) return undefined
  const view = viewOf(frame)
  switch (view.getUint16(12)) {
    case 0x0800:
      return frame.length < ipAt + 20 ? undefined : parseIpv4(frame, view)
    case 0x86dd:
      return frame.length < ipAt + 40 ? undefined : parseIpv6(frame, view)
    default:
      return undefined
  }
}

function parseIpv4(frame: Uint8Array, view: DataView): Packet {
  return {
    family: 4,
    source: ipFromBytes(frame.subarray(ipAt + 12, ipAt + 16)),
    destination: ipFromBytes(frame.subarray(ipAt + 16, ipAt + 20)),
    ttl: view.getUint8(ipAt + 8),
    contents: ipv4Contents(view),
  }
}

function ipv4Contents(view: DataView): Packet['contents'] {
  const version = view.getUint8(ipAt) >> 4
  const header = (view.getUint8(ipAt) & 15) * 4
  const total = view.getUint16(ipAt + 2)
  if (version !== 4 || header < 20 || total < header || ipAt + total > view.byteLength) return malformed
  // More fragments, or an offset: not the whole datagram.
  if ((view.getUint16(ipAt + 6) & 0x3fff) !== 0) return fragment
  const protocol = view.getUint8(ipAt + 9)
  return protocol === ICMPV6 ? unsupported : contentsAt(view, protocol, ipAt + header, ipAt + total)
}

function parseIpv6(frame: Uint8Array, view: DataView): Packet {
  return {
    family: 6,
    source: ipFromBytes(frame.subarray(ipAt + 8, ipAt + 24)),
    destination: ipFromBytes(frame.subarray(ipAt + 24, ipAt + 40)),
    ttl: view.getUint8(ipAt + 7),
    contents: ipv6Contents(view),
  }
}

function ipv6Contents(view: DataView): Packet['contents'] {
  const end = ipAt + 40 + view.getUint16(ipAt + 4)
  if (view.getUint8(ipAt) >> 4 !== 6 || end > view.byteLength) return malformed
  const place = skipExtensions(view, { at: ipAt + 40, protocol: view.getUint8(ipAt + 6) }, end, false)
  if ('kind' in place) return place
  return place.protocol === ICMP ? unsupported : contentsAt(view, place.protocol, place.at, end)
}

function contentsAt(view: DataView, protocol: number, at: number, end: number): Packet['contents'] {
  if (protocol !== TCP && protocol !== UDP && protocol !== ICMP && protocol !== ICMPV6) return unsupported
  if (end - at < headerLength[protocol]) return malformed
  if (protocol === ICMP || protocol === ICMPV6) return { kind: 'icmp', at, end }
  return {
    kind: 'transport',
    protocol,
    at,
    sourcePort: view.getUint16(at),
    destinationPort: view.getUint16(at + 2),
  }
}

/** A header's offset in the frame and its type. */
export type Place = { readonly at: number; readonly protocol: number }

/**
 * Behind at most eight extension headers of a packet that ends at `end` (RFC 8200 §4). A `quoted` packet may be the
 * first fragment of its datagram. A routing header with segments left means that the destination is not the last one
 * and the checksum does not cover it (§8.1): not for a VIP.
 */
export function skipExtensions(view: DataView, start: Place, end: number, quoted: boolean): Place | Unusable {
  let { at, protocol } = start
  for (let count = 0; count < maxExtensions && extensions.includes(protocol); count += 1) {
    if (at + 8 > end) return malformed
    const header = at
    if (protocol === extension.fragment) {
      if (!quoted || (view.getUint16(at + 2) & 0xfff8) !== 0) return fragment
      at += 8
    } else {
      if (protocol === extension.routing && view.getUint8(at + 3) !== 0) return unsupported
      at += 8 + view.getUint8(at + 1) * 8
    }
    protocol = view.getUint8(header)
  }
  return at > end ? malformed : { at, protocol }
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

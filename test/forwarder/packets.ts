// Frames for tests: Ethernet, IPv4, IPv6, TCP, UDP and ICMP with correct lengths and checksums unless told otherwise,
// and an independent check of a frame's checksums (RFC 1071, computed from scratch).

import { concat, u16 } from './octets.ts'
import { internetChecksum, onesComplementSum } from '../../net/checksum.ts'
import { type Ip, ip, ipToBytes } from '../../net/ip.ts'

/** What an IP packet carries: its protocol, and its bytes given the sum of the pseudo header's addresses. */
export type Segment = { readonly protocol: number; readonly bytes: (addresses: number) => Uint8Array }

type Ports = { readonly from: number; readonly to: number; readonly payload?: Uint8Array }

const nothing = new Uint8Array(0)

function checksummed(protocol: number, at: number, header: Uint8Array, pseudo: boolean): Segment {
  return {
    protocol,
    bytes: (addresses) => {
      const bytes = header.slice()
      const initial = pseudo ? addresses + protocol + bytes.length : 0
      const checksum = internetChecksum(bytes, initial)
      bytes.set(u16(protocol === 17 && checksum === 0 ? 0xffff : checksum), at)
      return bytes
    },
  }
}

export function tcp({ from, to, payload = nothing }: Ports): Segment {
  const fields = [0, 0, 0, 7, 0, 0, 0, 9, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0]
  return checksummed(6, 16, concat(u16(from), u16(to), Uint8Array.from(fields), payload), true)
}

export function udp({ from, to, payload = nothing }: Ports): Segment {
  return checksummed(17, 6, concat(u16(from), u16(to), u16(8 + payload.length), u16(0), payload), true)
}

type Message = { readonly type: number; readonly code?: number; readonly body?: Uint8Array }

/** `body` follows the first eight bytes. */
export function icmp4({ type, code = 0, body = nothing }: Message): Segment {
  return checksummed(1, 2, concat(Uint8Array.of(type, code, 0, 0, 0, 1, 0, 2), body), false)
}

export function icmp6({ type, code = 0, body = nothing }: Message): Segment {
  return checksummed(58, 2, concat(Uint8Array.of(type, code, 0, 0, 0, 1, 0, 2), body), true)
}

/** Any bytes under any protocol number. */
export function raw(protocol: number, bytes: Uint8Array): Segment {
  return { protocol, bytes: () => bytes }
}

type Header = {
  readonly source: string | Ip
  readonly destination: string | Ip
  readonly ttl?: number
  /** The whole byte: DSCP and ECN. */
  readonly trafficClass?: number
}
type Ipv4Header = Header & {
  readonly options?: Uint8Array
  /** The 16 bits of flags and offset. */
  readonly fragment?: number
}
/** One extension header: its type and its bytes behind the next-header field. */
export type Extension = { readonly type: number; readonly rest: Uint8Array }
type Ipv6Header = Header & { readonly flowLabel?: number; readonly extensions?: readonly Extension[] }

function addressBytes(address: string | Ip): Uint8Array {
  return ipToBytes(typeof address === 'string' ? ip(address) : address)
}

export function ipv4(header: Ipv4Header, segment: Segment): Uint8Array {
  const { options = nothing, fragment = 0x4000, ttl = 64, trafficClass = 0 } = header
  const addresses = concat(addressBytes(header.source), addressBytes(header.destination))
  const bytes = segment.bytes(onesComplementSum(addresses))
  const length = 20 + options.length
  const head = concat(
    Uint8Array.of(0x40 | (length / 4), trafficClass),
    u16(length + bytes.length),
    u16(0x1234),
    u16(fragment),
    Uint8Array.of(ttl, segment.protocol, 0, 0),
    addresses,
    options,
  )
  head.set(u16(internetChecksum(head)), 10)
  return concat(head, bytes)
}

export function ipv6(header: Ipv6Header, segment: Segment): Uint8Array {
  const { extensions = [], ttl = 64, trafficClass = 0, flowLabel = 0 } = header
  const addresses = concat(addressBytes(header.source), addressBytes(header.destination))
  const bytes = segment.bytes(onesComplementSum(addresses))
  const types = [...extensions.map(({ type }) => type), segment.protocol]
  const walk = extensions.flatMap(({ rest }, index) => [Uint8Array.of(types[index + 1] ?? 59), rest])
  const payload = concat(...walk, bytes)
  return concat(
    u16(0x6000 | (trafficClass << 4) | (flowLabel >>> 16)),
    u16(flowLabel & 0xffff),
    u16(payload.length),
    Uint8Array.of(types[0] ?? 59, ttl),
    addresses,
    payload,
  )
}

/** An extension header of `8 × (1 + units)` bytes of padding; `second` and `third` are its bytes 2 and 3. */
export function extension(
  type: number,
  units = 0,
  [second, third]: readonly [number, number] = [1, 0],
): Extension {
  const rest = new Uint8Array(7 + 8 * units)
  rest.set([type === 44 ? 0 : units, second, third])
  return { type, rest }
}

/** A frame around an IP packet, by its version, padded to the minimum unless `padTo` says otherwise. */
export function ethernet(packet: Uint8Array, { padTo = 60, etherType = 0 } = {}): Uint8Array {
  const type = etherType !== 0 ? etherType : (packet[0] ?? 0) >> 4 === 6 ? 0x86dd : 0x0800
  const macs = Uint8Array.of(2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2)
  const frame = concat(macs, u16(type), packet)
  return frame.length < padTo ? concat(frame, new Uint8Array(padTo - frame.length)) : frame
}

/** Which of a frame's checksums are right, by full computation over the transport header at `at`. */
export function checksumsHold(frame: Uint8Array, protocol: number, at: number): boolean {
  const v6 = frame[12] === 0x86
  const header = ((frame[14] ?? 0) & 15) * 4
  const length = ((frame[v6 ? 18 : 16] ?? 0) << 8) | (frame[v6 ? 19 : 17] ?? 0)
  const end = 14 + length + (v6 ? 40 : 0)
  const addresses = v6 ? frame.subarray(22, 54) : frame.subarray(26, 34)
  const pseudo = protocol === 1 ? 0 : onesComplementSum(addresses) + protocol + (end - at)
  const ipHolds = v6 || onesComplementSum(frame.subarray(14, 14 + header)) === 0xffff
  return ipHolds && onesComplementSum(frame.subarray(at, end), pseudo) === 0xffff
}

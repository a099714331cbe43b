// ICMP for a VIP (RFC 792, RFC 4443): echo requests go to a backend as flows without ports; an error goes to the
// backend whose packet it quotes, which is found by turning that packet's flow around.

import { ipFromBytes, sameIp, type Ip } from '../net/ip.ts'
import { protocolNumber } from '../net/service.ts'
import { type Tuple } from './hash.ts'
import { type IcmpMessage, type Packet, skipExtensions, viewOf } from './parse.ts'

export type IcmpMeaning =
  | { readonly kind: 'echoRequest'; readonly tuple: Tuple }
  | { readonly kind: 'error'; readonly tuple: Tuple }
  /** An error that quotes nothing that the VIP can have sent. */
  | { readonly kind: 'badQuote' }
  | { readonly kind: 'neighbourDiscovery' }
  | { readonly kind: 'other' }

const { TCP, UDP, ICMP, ICMPV6 } = protocolNumber
const ipv4 = { echoReply: 0, echoRequest: 8, errors: [3, 11, 12] }
const ipv6 = { echoReply: 129, echoRequest: 128, errors: [1, 2, 3, 4] }

/** What a message says to the VIP that is its destination. Tuples are those of the client's packets. */
export function readIcmp(frame: Uint8Array, packet: Packet, message: IcmpMessage): IcmpMeaning {
  const types = packet.family === 4 ? ipv4 : ipv6
  const type = frame[message.at] ?? 0
  if (type === types.echoRequest) {
    const protocol = packet.family === 4 ? ICMP : ICMPV6
    return {
      kind: 'echoRequest',
      tuple: {
        source: packet.source,
        destination: packet.destination,
        sourcePort: 0,
        destinationPort: 0,
        protocol,
      },
    }
  }
  if (types.errors.includes(type)) {
    const quote = { at: message.at + 8, end: message.end }
    const read = packet.family === 4 ? quotedIpv4 : quotedIpv6
    const tuple = read(frame, quote, packet.destination)
    return tuple === undefined ? { kind: 'badQuote' } : { kind: 'error', tuple }
  }
  // RFC 4861 §4: for the host, which owns the link, whoever owns the address.
  if (packet.family === 6 && type >= 133 && type <= 137) return { kind: 'neighbourDiscovery' }
  return { kind: 'other' }
}

type Span = { readonly at: number; readonly end: number }

function quotedIpv4(frame: Uint8Array, { at, end }: Span, vip: Ip): Tuple | undefined {
  if (end - at < 20) return undefined
  const view = viewOf(frame)
  const header = (view.getUint8(at) & 15) * 4
  if (view.getUint8(at) >> 4 !== 4 || header < 20) return undefined
  // Only a datagram's first fragment has ports.
  if ((view.getUint16(at + 6) & 0x1fff) !== 0) return undefined
  const source = ipFromBytes(frame.subarray(at + 12, at + 16))
  const client = ipFromBytes(frame.subarray(at + 16, at + 20))
  if (!sameIp(source, vip)) return undefined
  return turnedAround(view, { at: at + header, end }, { vip, client, protocol: view.getUint8(at + 9) })
}

function quotedIpv6(frame: Uint8Array, { at, end }: Span, vip: Ip): Tuple | undefined {
  if (end - at < 40) return undefined
  const view = viewOf(frame)
  if (view.getUint8(at) >> 4 !== 6) return undefined
  const source = ipFromBytes(frame.subarray(at + 8, at + 24))
  const client = ipFromBytes(frame.subarray(at + 24, at + 40))
  if (!sameIp(source, vip)) return undefined
  const place = skipExtensions(view, { at: at + 40, protocol: view.getUint8(at + 6) }, end, true)
  if ('kind' in place) return undefined
  return turnedAround(view, { at: place.at, end }, { vip, client, protocol: place.protocol })
}

/** The client's flow, from the transport header of what the VIP sent it; eight bytes of that are always quoted. */
function turnedAround(
  view: DataView,
  { at, end }: Span,
  { vip, client, protocol }: { readonly vip: Ip; readonly client: Ip; readonly protocol: number },
): Tuple | undefined {
  if (end - at < 8) return undefined
  const flow = { source: client, destination: vip, protocol }
  if (protocol === TCP || protocol === UDP) {
    return { ...flow, sourcePort: view.getUint16(at + 2), destinationPort: view.getUint16(at) }
  }
  const [icmp, echoReply] = vip.family === 4 ? [ICMP, ipv4.echoReply] : [ICMPV6, ipv6.echoReply]
  if (protocol !== icmp || view.getUint8(at) !== echoReply) return undefined
  return { ...flow, sourcePort: 0, destinationPort: 0 }
}

// L3DSR: what changes in a packet on its way to a backend. The destination becomes the backend's address, the six
// DSCP bits (RFC 2474) the VIP's id, TTL or hop limit goes down by one, the Ethernet addresses are the next hop's. All else, ECN bits (RFC 3168)
// included, stays. Checksums are updated by the difference (RFC 1624), never computed: a damaged packet stays damaged.

import { updateChecksum } from '../net/checksum.ts'
import { ipToBytes, type Ip } from '../net/ip.ts'
import { macToBytes } from '../net/mac.ts'
import { protocolNumber } from '../net/service.ts'
import { type Hop } from './image.ts'
import { type IcmpMessage, type Packet, type Transport, ipAt, viewOf } from './parse.ts'

export type Rewrite = { readonly real: Ip; readonly hop: Hop; readonly dscp: number }

/** A new frame; `contents` is what `packet` holds, `real` of the packet's family. */
export function rewriteFrame(
  frame: Uint8Array,
  packet: Packet,
  contents: Transport | IcmpMessage,
  { real, hop, dscp }: Rewrite,
): Uint8Array {
  const out = frame.slice()
  const before = ipToBytes(packet.destination)
  const after = ipToBytes(real)
  out.set(macToBytes(hop.destination), 0)
  out.set(macToBytes(hop.source), 6)
  if (packet.family === 4) rewriteIpv4(out, after, dscp)
  else rewriteIpv6(out, after, dscp)
  updateTransport(out, packet, contents, before, after)
  return out
}

function rewriteIpv4(frame: Uint8Array, destination: Uint8Array, dscp: number): void {
  const view = viewOf(frame)
  const changing = (): Uint8Array =>
    Uint8Array.of(
      ...frame.subarray(ipAt, ipAt + 2),
      ...frame.subarray(ipAt + 8, ipAt + 10),
      ...frame.subarray(ipAt + 16, ipAt + 20),
    )
  const before = changing()
  view.setUint8(ipAt + 1, (dscp << 2) | (view.getUint8(ipAt + 1) & 3))
  view.setUint8(ipAt + 8, view.getUint8(ipAt + 8) - 1)
  frame.set(destination, ipAt + 16)
  view.setUint16(ipAt + 10, updateChecksum(view.getUint16(ipAt + 10), before, changing()))
}

function rewriteIpv6(frame: Uint8Array, destination: Uint8Array, dscp: number): void {
  const view = viewOf(frame)
  // The traffic class lies across two bytes: version (4), DSCP (6), ECN (2), the upper 4 bits of the flow label.
  view.setUint16(ipAt, 0x6000 | (dscp << 6) | (view.getUint16(ipAt) & 0x3f))
  view.setUint8(ipAt + 7, view.getUint8(ipAt + 7) - 1)
  frame.set(destination, ipAt + 24)
}

/** The pseudo header's change (RFC 9293 §3.1, RFC 768, RFC 8200 §8.1); ICMP for IPv4 has none. */
function updateTransport(
  frame: Uint8Array,
  packet: Packet,
  contents: Transport | IcmpMessage,
  before: Uint8Array,
  after: Uint8Array,
): void {
  const view = viewOf(frame)
  if (contents.kind === 'icmp') {
    if (packet.family === 4) return
    view.setUint16(contents.at + 2, updateChecksum(view.getUint16(contents.at + 2), before, after))
    return
  }
  const udp = contents.protocol === protocolNumber.UDP
  const at = contents.at + (udp ? 6 : 16)
  const checksum = view.getUint16(at)
  // RFC 768: 0 means that there is no checksum (RFC 6935 for IPv6), and one that comes out as 0 is sent as 0xffff.
  if (udp && checksum === 0) return
  const updated = updateChecksum(checksum, before, after)
  view.setUint16(at, udp && updated === 0 ? 0xffff : updated)
}

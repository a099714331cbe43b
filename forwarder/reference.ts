// The forwarder as an executable specification. xdp/torii.bpf.c does the same in the kernel, and a test holds both
// equal, byte for byte. No state is kept about flows: what happens to a packet follows from it and the image alone.
//
// The first rule that fits decides.
//
//  1. Frames that are not IPv4 or IPv6, tagged ones included, or too short for the fixed IP header, pass to the host.
//  2. A destination that is no VIP passes to the host, however broken the packet. All rules below are about VIPs.
//  3. Malformed: dropped. Wrong version, IPv4 header under 20 bytes, lengths that reach beyond the frame or their
//     header, a transport or ICMP header (TCP 20 bytes, UDP and ICMP 8) not wholly inside the IP length.
//  4. Fragments, the first one included: dropped. They cannot be sent after the packets of their flow, because all
//     but the first lack the ports. An IPv6 fragment header counts even if it is alone (atomic).
//  5. Protocols other than TCP, UDP and the family's ICMP, more than eight IPv6 extension headers, or a routing
//     header with segments left: dropped.
//  6. TCP and UDP to a port that is not served: dropped.
//  7. ICMP: echo requests are flows without ports. Errors are flows of the packet that they quote, turned around; it
//     must come from the VIP, from a served port or as an echo reply, with eight bytes of its transport header.
//     Neighbour discovery (RFC 4861) passes to the host. All else is dropped.
//  8. The VIP as source too: dropped. TTL or hop limit 1 or 0: dropped; no time exceeded is sent.
//  9. The hash of the 5-tuple gives the row, the row the real. No real, or none whose next hop is known: dropped.
// 10. The packet is rewritten (rewrite.ts) and sent: out of the interface that it came in by (tx) or another
//     (redirect). It is never longer than it was, so an MTU is not looked at.

import { sameIp, type Ip } from '../net/ip.ts'
import { rowOf, type Tuple } from './hash.ts'
import { readIcmp } from './icmp.ts'
import { type DatapathImage, type RealEntry, type Reason, type VipEntry, noReal, vipId } from './image.ts'
import { type IcmpMessage, type Packet, type Transport, parseFrame } from './parse.ts'
import { rewriteFrame } from './rewrite.ts'

export type Verdict = 'pass' | 'drop' | 'tx' | 'redirect'

/** `frame` is the input itself unless it was forwarded. `ifindex`: where it leaves, for tx and redirect. */
export type Forwarded = {
  readonly verdict: Verdict
  readonly frame: Uint8Array
  readonly ifindex?: number
  readonly reason: Reason
}

/** What becomes of one frame that came in by `ingressIfindex`. */
export function forward(frame: Uint8Array, ingressIfindex: number, image: DatapathImage): Forwarded {
  const packet = parseFrame(frame)
  if (packet === undefined) return refused(frame, 'notVip')
  const matched = match(frame, packet, image)
  if (typeof matched === 'string') return refused(frame, matched)
  const { contents, entry, tuple } = matched
  if (sameIp(packet.source, packet.destination)) return refused(frame, 'land')
  if (packet.ttl <= 1) return refused(frame, 'ttlExpired')
  const { real } = selectReal(image, entry, tuple)
  if (real === undefined) return refused(frame, 'noReal')
  if (real.hop === undefined) return refused(frame, 'noNextHop')
  const { hop } = real
  return {
    verdict: hop.ifindex === ingressIfindex ? 'tx' : 'redirect',
    frame: rewriteFrame(frame, packet, contents, { real: real.ip, hop, dscp: entry.dscp }),
    ifindex: hop.ifindex,
    reason: 'forwarded',
  }
}

function refused(frame: Uint8Array, reason: Reason): Forwarded {
  return { verdict: passes(reason) ? 'pass' : 'drop', frame, reason }
}

/** Whether a packet that is not forwarded for this reason is the host's. */
export function passes(reason: Reason): boolean {
  return reason === 'notVip' || reason === 'neighbourDiscovery'
}

type Match = {
  readonly entry: VipEntry
  readonly tuple: Tuple
  readonly contents: Transport | IcmpMessage
}

/** The VIP's entry and the flow of a packet, or why it is not forwarded (rules 2 to 7). */
function match(frame: Uint8Array, packet: Packet, image: DatapathImage): Match | Reason {
  const { source, destination, contents } = packet
  switch (contents.kind) {
    case 'unusable':
      return addressEntry(image, destination) === undefined ? 'notVip' : contents.reason
    case 'transport': {
      const { protocol, sourcePort, destinationPort } = contents
      const tuple = { source, destination, sourcePort, destinationPort, protocol }
      const entry = servedEntry(image, tuple)
      return typeof entry === 'string' ? entry : { entry, tuple, contents }
    }
    case 'icmp': {
      const address = addressEntry(image, destination)
      if (address === undefined) return 'notVip'
      const meaning = readIcmp(frame, packet, contents)
      switch (meaning.kind) {
        case 'echoRequest':
          return { entry: address, tuple: meaning.tuple, contents }
        case 'error': {
          const { tuple } = meaning
          const entry = tuple.protocol === 6 || tuple.protocol === 17 ? servedEntry(image, tuple) : address
          return typeof entry === 'string' ? entry : { entry, tuple, contents }
        }
        case 'other':
          return 'unsupportedIcmp'
        case 'badQuote':
        case 'neighbourDiscovery':
          return meaning.kind
      }
    }
  }
}

function addressEntry(image: DatapathImage, ip: Ip): VipEntry | undefined {
  return image.vips.get(vipId({ ip, port: 0, protocol: 0 }))
}

/** The entry that serves a TCP or UDP flow, or why none does. */
export function servedEntry(
  image: DatapathImage,
  { destination, destinationPort, protocol }: Tuple,
): VipEntry | Extract<Reason, 'portNotServed' | 'notVip'> {
  const entry = image.vips.get(vipId({ ip: destination, port: destinationPort, protocol }))
  if (entry !== undefined) return entry
  return addressEntry(image, destination) === undefined ? 'notVip' : 'portNotServed'
}

export type Selection = {
  readonly row: number
  readonly index: number | undefined
  readonly real: RealEntry | undefined
}

/** The row of a flow in a VIP's table, and the real that holds it. */
export function selectReal(image: DatapathImage, entry: VipEntry, tuple: Tuple): Selection {
  const row = rowOf(tuple, image.hashKey, image.tableSize)
  const index = image.tables.get(entry.table)?.[row]
  if (index === undefined || index === noReal) return { row, index: undefined, real: undefined }
  return { row, index, real: image.reals.get(index) }
}

// What the datapath looks things up in: the maps of the XDP program as plain values. The reference forwarder reads
// them as they are; xdp/layout.ts has the same as bytes.

import { type Ip } from '../net/ip.ts'
import { type ResolvedHop } from './model.ts'

/** What became of a packet, one for each; the order is that of the program's counters (`enum reason` in layout.h). */
export const reasons = [
  'forwarded',
  'notVip',
  'neighbourDiscovery',
  'malformed',
  'fragment',
  'unsupportedProtocol',
  'unsupportedIcmp',
  'badQuote',
  'portNotServed',
  'land',
  'ttlExpired',
  'noReal',
  'noNextHop',
] as const

export type Reason = (typeof reasons)[number]

/** `port` and `protocol` (IANA number) both 0: the address as such, which says that it is a VIP. */
export type VipKey = { readonly ip: Ip; readonly port: number; readonly protocol: number }

export type VipEntry = {
  /** Index into `tables`. The address's own entry needs one too: echo requests go by it. */
  readonly table: number
  /** 0 to 63. */
  readonly dscp: number
}

export type Hop = Pick<ResolvedHop, 'ifindex' | 'source' | 'destination'>

/** `hop` undefined: the next hop is not known, packets for this real are dropped. */
export type RealEntry = { readonly ip: Ip; readonly hop: Hop | undefined }

/** A row that no real holds. */
export const noReal = 0xffffffff

export type DatapathImage = {
  /** 16 bytes. */
  readonly hashKey: Uint8Array
  /** Rows of every table. */
  readonly tableSize: number
  /** By `vipId`. */
  readonly vips: ReadonlyMap<string, VipEntry>
  /** Row → index into `reals`, or `noReal`. */
  readonly tables: ReadonlyMap<number, Uint32Array>
  readonly reals: ReadonlyMap<number, RealEntry>
}

/** The key of `DatapathImage.vips`. */
export function vipId({ ip, port, protocol }: VipKey): string {
  return `${ip.family}/${ip.value.toString(16)}/${port}/${protocol}`
}

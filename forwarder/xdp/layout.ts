// The maps of the XDP program as bytes: layout.h is the same in C. Numbers are little-endian (the program is compiled
// for bpfel) except addresses and ports, which stand as in the packet.

import { ipFromBytes, ipToBytes } from '../../net/ip.ts'
import { macFromBytes, macToBytes } from '../../net/mac.ts'
import { keyWords } from '../hash.ts'
import {
  type DatapathImage,
  type RealEntry,
  type Reason,
  type VipEntry,
  type VipKey,
  reasons,
} from '../image.ts'

/** File name of the object under prebuilds/bpf, and the program's name in it. */
export const objectName = 'torii.bpf.o'
export const programName = 'torii'

/** Maps by their names in the object. `tables` holds inner arrays of `u32`, all of `tableSize` entries. */
export const maps = {
  vips: { name: 'vips', keySize: 20, valueSize: 8, maxEntries: 65536 },
  tables: { name: 'tables', keySize: 4, valueSize: 4, maxEntries: 4096 },
  reals: { name: 'reals', keySize: 4, valueSize: 32, maxEntries: 65536 },
  settings: { name: 'settings', keySize: 4, valueSize: 20, maxEntries: 1 },
  counters: { name: 'counters', keySize: 4, valueSize: 8, maxEntries: reasons.length },
} as const

/**
 * Rows of the inner map unless another template is set before loading, by `bpf_map__set_inner_map_fd`:
 * `bpf_map__set_max_entries` of an inner map crashes libbpf 1.1. An inner map of another size is refused later.
 */
export const defaultTableSize = 65537

/** A key of the array maps. */
export function encodeIndex(index: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, index, true)
  return bytes
}

export function decodeIndex(bytes: Uint8Array): number {
  return view(bytes).getUint32(0, true)
}

export function encodeVipKey({ ip, port, protocol }: VipKey): Uint8Array {
  const bytes = new Uint8Array(maps.vips.keySize)
  bytes.set(ipToBytes(ip))
  view(bytes).setUint16(16, port)
  bytes[18] = protocol
  bytes[19] = ip.family
  return bytes
}

export function decodeVipKey(bytes: Uint8Array): VipKey {
  const family = bytes[19] === 6 ? 6 : 4
  return {
    ip: ipFromBytes(bytes.subarray(0, family === 4 ? 4 : 16)),
    port: view(bytes).getUint16(16),
    protocol: bytes[18] ?? 0,
  }
}

export function encodeVip({ table, dscp }: VipEntry): Uint8Array {
  const bytes = new Uint8Array(maps.vips.valueSize)
  view(bytes).setUint32(0, table, true)
  bytes[4] = dscp
  return bytes
}

export function decodeVip(bytes: Uint8Array): VipEntry {
  return { table: view(bytes).getUint32(0, true), dscp: bytes[4] ?? 0 }
}

/** Undefined, as in an entry that no real holds, is all zeros: address 0.0.0.0, no next hop. */
export function encodeReal(real: RealEntry | undefined): Uint8Array {
  const bytes = new Uint8Array(maps.reals.valueSize)
  if (real === undefined) return bytes
  bytes.set(ipToBytes(real.ip))
  if (real.hop === undefined) return bytes
  bytes.set(macToBytes(real.hop.destination), 16)
  bytes.set(macToBytes(real.hop.source), 22)
  view(bytes).setUint32(28, real.hop.ifindex, true)
  return bytes
}

/** The entry does not say its family: it is that of the VIPs whose tables point to it. */
export function decodeReal(bytes: Uint8Array, family: 4 | 6): RealEntry {
  const ifindex = view(bytes).getUint32(28, true)
  return {
    ip: ipFromBytes(bytes.subarray(0, family === 4 ? 4 : 16)),
    hop:
      ifindex === 0
        ? undefined
        : {
            ifindex,
            destination: macFromBytes(bytes.subarray(16, 22)),
            source: macFromBytes(bytes.subarray(22, 28)),
          },
  }
}

/** `hashKey` is 16 bytes, stored as the words that the hash makes of it. Throws `RangeError` on another length. */
export function encodeSettings({
  hashKey,
  tableSize,
}: Pick<DatapathImage, 'hashKey' | 'tableSize'>): Uint8Array {
  const bytes = new Uint8Array(maps.settings.valueSize)
  const out = view(bytes)
  for (const [index, word] of [...keyWords(hashKey), tableSize].entries())
    out.setUint32(4 * index, word, true)
  return bytes
}

/** All rows as the inner map's values one after the other: entries are 4 bytes each in a batch update. */
export function encodeTable(rows: Uint32Array): Uint8Array {
  const bytes = new Uint8Array(rows.length * 4)
  const out = view(bytes)
  rows.forEach((real, row) => out.setUint32(row * 4, real, true))
  return bytes
}

/** One reason's counter over all CPUs: `bytes` is the value of a per-CPU lookup, 8 bytes for each possible CPU. */
export function sumCounter(bytes: Uint8Array): number {
  const counts = view(bytes)
  let sum = 0n
  for (let at = 0; at + 8 <= bytes.length; at += 8) sum += counts.getBigUint64(at, true)
  return Number(sum)
}

/** Index of a reason's counter. */
export function counterIndex(reason: Reason): number {
  return reasons.indexOf(reason)
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

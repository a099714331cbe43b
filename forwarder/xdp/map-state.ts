// Reads what the maps hold and writes changes to them, in the order that packets need: whatever a packet is pointed to
// is there before it is pointed there, and goes only when nothing points to it any more.

import { type BpfBinding } from '../../native/bpf.ts'
import { type HeldMaps } from '../build-image.ts'
import {
  type DatapathImage,
  type RealEntry,
  type Reason,
  type VipEntry,
  noReal,
  reasons,
  vipId,
} from '../image.ts'
import { asBytes, type MapChanges } from './changes.ts'
import {
  counterIndex,
  decodeIndex,
  decodeReal,
  decodeVip,
  decodeVipKey,
  encodeIndex,
  encodeReal,
  encodeSettings,
  encodeVip,
  encodeVipKey,
  sumCounter,
} from './layout.ts'
import { createTable, type LoadedProgram } from './loader.ts'

/** Tables made aside before they are swapped in together: the wait for readers is once for each batch. */
const tablesPerBatch = 32
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What the maps hold now; reals that no VIP's table points to are not found, because their family is not known. */
export function readMaps(bpf: BpfBinding, { maps }: LoadedProgram): HeldMaps {
  const vips = new Map<string, VipEntry>()
  const tables = new Map<number, Uint32Array>()
  const reals = new Map<number, RealEntry>()
  for (let key = bpf.bpfMapNextKey(maps.vips, undefined); key !== undefined;) {
    const value = bpf.bpfMapLookup(maps.vips, key)
    const vip = decodeVipKey(key)
    const entry = value === undefined ? undefined : decodeVip(value)
    key = bpf.bpfMapNextKey(maps.vips, key)
    if (entry === undefined) continue
    vips.set(vipId(vip), entry)
    if (tables.has(entry.table)) continue
    const rows = readTable(bpf, maps.tables, entry.table)
    if (rows === undefined) continue
    tables.set(entry.table, rows)
    for (const index of new Set(rows)) {
      if (index === noReal || reals.has(index)) continue
      const real = bpf.bpfMapLookup(maps.reals, encodeIndex(index))
      if (real !== undefined) reals.set(index, decodeReal(real, vip.ip.family))
    }
  }
  return { vips, tables, reals }
}

function readTable(bpf: BpfBinding, outer: number, index: number): Uint32Array | undefined {
  const id = bpf.bpfMapLookup(outer, encodeIndex(index))
  const fd = id === undefined ? -1 : bpf.bpfFdById('map', decodeIndex(id))
  if (fd < 0) return undefined
  try {
    const bytes = bpf.bpfMapRead(fd)
    const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    return Uint32Array.from({ length: bytes.length / 4 }, (_, row) => words.getUint32(4 * row, true))
  } finally {
    bpf.close(fd)
  }
}

/** Writes the hash key and the table size, unless they are there already. */
export function writeSettings(
  bpf: BpfBinding,
  { maps }: LoadedProgram,
  image: Pick<DatapathImage, 'hashKey' | 'tableSize'>,
): void {
  const wanted = encodeSettings(image)
  const held = bpf.bpfMapLookup(maps.settings, encodeIndex(0))
  if (held === undefined || Buffer.compare(held, wanted) !== 0)
    bpf.bpfMapUpdate(maps.settings, encodeIndex(0), wanted)
}

/**
 * Applies changes to maps that packets may be reading. Each table is filled aside and swapped in whole. After a
 * failure the maps hold some of the changes, and everything that they held is still consistent. Throws `AddonError`.
 */
export async function writeChanges(
  bpf: BpfBinding,
  loaded: LoadedProgram,
  changes: MapChanges,
): Promise<void> {
  const { maps } = loaded
  batch(
    bpf,
    maps.reals,
    changes.reals.map(([index, real]) => [encodeIndex(index), encodeReal(real)]),
  )
  for (let at = 0; at < changes.tables.length; at += tablesPerBatch) {
    await swapTables(bpf, loaded, changes.tables.slice(at, at + tablesPerBatch))
  }
  batch(
    bpf,
    maps.vips,
    changes.vips.map(([key, vip]) => [encodeVipKey(key), encodeVip(vip)]),
  )

  for (const key of changes.removedVips) bpf.bpfMapDelete(maps.vips, encodeVipKey(key))
  // This waits for packets that still read the tables: afterwards their reals are nobody's.
  if (changes.removedTables.length > 0) emptyTables(bpf, loaded, changes.removedTables)
  batch(
    bpf,
    maps.reals,
    changes.removedReals.map((index) => [encodeIndex(index), encodeReal(undefined)]),
  )
}

async function swapTables(
  bpf: BpfBinding,
  { maps, tableSize }: LoadedProgram,
  tables: MapChanges['tables'],
): Promise<void> {
  const made: number[] = []
  try {
    const entries: Entry[] = []
    for (const [index, rows] of tables) {
      const fd = createTable(bpf, tableSize)
      made.push(fd)
      bpf.bpfMapWrite(fd, asBytes(rows))
      entries.push([encodeIndex(index), encodeIndex(fd)])
      await nextTurn()
    }
    batch(bpf, maps.tables, entries)
  } finally {
    for (const fd of made) bpf.close(fd)
  }
}

/** All get one and the same table without reals: deleting them would wait for packets once for each. */
function emptyTables(bpf: BpfBinding, { maps, tableSize }: LoadedProgram, tables: readonly number[]): void {
  const fd = createTable(bpf, tableSize)
  try {
    bpf.bpfMapWrite(fd, new Uint8Array(4 * tableSize).fill(0xff))
    batch(
      bpf,
      maps.tables,
      tables.map((index) => [encodeIndex(index), encodeIndex(fd)]),
    )
  } finally {
    bpf.close(fd)
  }
}

type Entry = readonly [Uint8Array, Uint8Array]

function batch(bpf: BpfBinding, fd: number, entries: readonly Entry[]): void {
  if (entries.length === 0) return
  const keys = Buffer.concat(entries.map(([key]) => key))
  const values = Buffer.concat(entries.map(([, value]) => value))
  bpf.bpfMapUpdateBatch(fd, keys, values, entries.length)
}

/** Packets by what became of them, over all CPUs. */
export function readCounters(bpf: BpfBinding, { maps }: LoadedProgram): Readonly<Record<Reason, number>> {
  const count = (reason: Reason): number =>
    sumCounter(bpf.bpfMapLookup(maps.counters, encodeIndex(counterIndex(reason))) ?? new Uint8Array())
  return Object.fromEntries(reasons.map((reason) => [reason, count(reason)])) as Record<Reason, number>
}

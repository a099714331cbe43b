// What has to be written to the maps to get from what they hold to what is wanted. Pure: map-state.ts writes it.

import { ipFromBytes } from '../../net/ip.ts'
import { type HeldMaps } from '../build-image.ts'
import { type RealEntry, type VipEntry, type VipKey } from '../image.ts'

export type MapChanges = {
  readonly reals: readonly (readonly [number, RealEntry])[]
  readonly tables: readonly (readonly [number, Uint32Array])[]
  /** An address's own entry after its ports: packets pass to the host until all of the VIP is there. */
  readonly vips: readonly (readonly [VipKey, VipEntry])[]
  /** An address's own entry before its ports. */
  readonly removedVips: readonly VipKey[]
  readonly removedTables: readonly number[]
  readonly removedReals: readonly number[]
}

/** Additions and removals; an inner table is replaced as a whole if any of its rows is different. */
export function mapChanges(held: HeldMaps, wanted: HeldMaps): MapChanges {
  const changedVips = [...wanted.vips].filter(([id, vip]) => {
    const other = held.vips.get(id)
    return other?.table !== vip.table || other.dscp !== vip.dscp
  })
  return {
    reals: [...wanted.reals].filter(([index, real]) => !sameReal(held.reals.get(index), real)),
    tables: [...wanted.tables].filter(([index, rows]) => !sameRows(held.tables.get(index), rows)),
    vips: changedVips
      .map(([id, vip]) => [vipKeyOf(id), vip] as const)
      .sort(([a], [b]) => Number(a.port === 0) - Number(b.port === 0)),
    removedVips: missing(held.vips, wanted.vips)
      .map(vipKeyOf)
      .sort((a, b) => Number(b.port === 0) - Number(a.port === 0)),
    removedTables: missing(held.tables, wanted.tables),
    removedReals: missing(held.reals, wanted.reals),
  }
}

/** The key that a `vipId` stands for. Throws `RangeError` on any other text. */
export function vipKeyOf(id: string): VipKey {
  const match = /^([46])\/([0-9a-f]{1,32})\/(\d+)\/(\d+)$/.exec(id)
  if (match === null) throw new RangeError(`not the id of a VIP's entry: '${id}'`)
  const [, family, value = '', port, protocol] = match
  const ip = ipFromBytes(Buffer.from(value.padStart(family === '4' ? 8 : 32, '0'), 'hex'))
  return { ip, port: Number(port), protocol: Number(protocol) }
}

function missing<K>(held: ReadonlyMap<K, unknown>, wanted: ReadonlyMap<K, unknown>): K[] {
  return [...held.keys()].filter((key) => !wanted.has(key))
}

function sameRows(a: Uint32Array | undefined, b: Uint32Array): boolean {
  return a === b || (a !== undefined && Buffer.compare(asBytes(a), asBytes(b)) === 0)
}

/** A table's rows as the values of its map, without a copy: programs for `bpfel` run on little-endian hosts only. */
export function asBytes({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength)
}

function sameReal(a: RealEntry | undefined, b: RealEntry): boolean {
  return (
    a?.ip.value === b.ip.value &&
    a.ip.family === b.ip.family &&
    a.hop?.ifindex === b.hop?.ifindex &&
    a.hop?.source === b.hop?.source &&
    a.hop?.destination === b.hop?.destination
  )
}

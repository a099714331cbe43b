// From services, their Maglev tables and next hops to the numbered maps of the datapath. Numbers follow what the maps
// hold already: a VIP keeps its table, a backend's address its index, and one that is held is given to nobody else, so
// that no table in force ever points to another backend than it was made for.

import { type Ip, formatIp } from '../net/ip.ts'
import { formatServicePort, protocolNumber } from '../net/service.ts'
import { type DatapathImage, type Hop, type RealEntry, type VipEntry, noReal, vipId } from './image.ts'
import { type VirtualService } from './model.ts'
import { type Table } from './table.ts'

/** What the maps hold before the change. */
export type HeldMaps = Pick<DatapathImage, 'vips' | 'tables' | 'reals'>
export const emptyMaps: HeldMaps = { vips: new Map(), tables: new Map(), reals: new Map() }

/** `table.names` are those of `service.reals`, in that order. */
export type TabledService = { readonly service: VirtualService; readonly table: Table }
export type Capacity = { readonly vips: number; readonly tables: number; readonly reals: number }
/** Rows translated earlier, by the table's rows: most tables do not change between two images. */
export type RowMemo = WeakMap<
  Uint32Array,
  { readonly indices: readonly number[]; readonly rows: Uint32Array }
>

export type Built = {
  readonly image: DatapathImage
  /** What did not fit or is contradictory; these services are left out. */
  readonly problems: readonly string[]
}

/** Builds the image of all services; `hopOf` gives the next hop to a backend's address. */
export function buildImage(
  held: HeldMaps,
  services: readonly TabledService[],
  options: {
    readonly hashKey: Uint8Array
    readonly tableSize: number
    readonly hopOf: (real: Ip) => Hop | undefined
    readonly capacity: Capacity
    readonly memo: RowMemo
  },
): Built {
  const vips = new Map<string, VipEntry>()
  const tables = new Map<number, Uint32Array>()
  const reals = new Map<number, RealEntry>()
  const problems: string[] = []
  const indexOf = new Map([...held.reals].map(([index, { ip }]) => [addressKey(ip), index]))
  const freeTable = numbers(held.tables, options.capacity.tables)
  const freeReal = numbers(held.reals, options.capacity.reals)

  for (const { service, table } of services) {
    const keys = keysOf(service)
    // A second service on the same address: the first one has the address's own entry.
    const mine = keys.filter((key, position) => position < keys.length - 1 || !vips.has(key))
    const taken = service.ports.find((_, position) => vips.has(keys[position] ?? ''))
    if (taken !== undefined) {
      problems.push(
        `${service.service}: ${formatServicePort(taken)} of ${formatIp(service.vip)} is served by another service`,
      )
      continue
    }
    if (vips.size + mine.length > options.capacity.vips) {
      problems.push(
        `${service.service}: the datapath holds ${options.capacity.vips} ports of VIPs, all in use`,
      )
      continue
    }
    const before = keys
      .map((key) => held.vips.get(key)?.table)
      .find((each) => each !== undefined && !tables.has(each))
    const number = before ?? freeTable()
    if (number === undefined) {
      problems.push(`${service.service}: the datapath holds ${options.capacity.tables} tables, all in use`)
      continue
    }
    const indices: number[] = []
    for (const { ip } of service.reals) {
      const index = indexOf.get(addressKey(ip)) ?? freeReal()
      if (index === undefined) break
      indexOf.set(addressKey(ip), index)
      reals.set(index, { ip, hop: options.hopOf(ip) })
      indices.push(index)
    }
    if (indices.length < service.reals.length) {
      problems.push(`${service.service}: the datapath holds ${options.capacity.reals} backends, all in use`)
      continue
    }
    tables.set(number, translate(table.rows, indices, options.memo))
    for (const key of mine) vips.set(key, { table: number, dscp: service.dscp })
  }
  return { image: { hashKey: options.hashKey, tableSize: options.tableSize, vips, tables, reals }, problems }
}

/** The entries of a VIP: its ports, and last the address as such. */
function keysOf({ vip, ports }: VirtualService): readonly string[] {
  return [
    ...ports.map(({ port, protocol }) => vipId({ ip: vip, port, protocol: protocolNumber[protocol] })),
    vipId({ ip: vip, port: 0, protocol: 0 }),
  ]
}

function addressKey(ip: Ip): string {
  return `${ip.family} ${ip.value}`
}

/** Gives the numbers from 0 that `taken` does not have, each once. */
function numbers(taken: ReadonlyMap<number, unknown>, limit: number): () => number | undefined {
  let next = 0
  return () => {
    while (taken.has(next)) next += 1
    if (next >= limit) return undefined
    next += 1
    return next - 1
  }
}

function translate(rows: Uint32Array, indices: readonly number[], memo: RowMemo): Uint32Array {
  const known = memo.get(rows)
  if (
    known?.indices.length === indices.length &&
    known.indices.every((index, position) => index === indices[position])
  )
    return known.rows
  const translated = new Uint32Array(rows.length)
  for (let row = 0; row < rows.length; row += 1) translated[row] = indices[rows[row] ?? noReal] ?? noReal
  memo.set(rows, { indices, rows: translated })
  return translated
}

// Who has which address, and which is the next free one of a pool. A pool of any size costs only what is in use:
// each range has a cursor below which nothing is free, and nothing is freed while it is in use.

import { type Family, type Ip } from '../net/ip.ts'
import { type Range } from '../net/prefix.ts'
import { type Pool } from './model.ts'

export type AddressBook = {
  /** The pool with a range that holds the address, whether or not the pool may give it out. */
  poolOf(ip: Ip): Pool | undefined
  owner(ip: Ip): string | undefined
  claim(ip: Ip, owner: string): void
  /** From now on the address is given out only to who asks for it by name. */
  block(ip: Ip): void
  /** The lowest free address in the first range that has one. */
  lowestFree(pool: Pool, family: Family): Ip | undefined
  /** Addresses of the pool that have an owner. */
  inUse(pool: Pool, family: Family): number
}

type Cursor = { readonly range: Range; next: bigint }

/** A book without owners. The pools' ranges do not overlap. */
export function addressBook(pools: readonly Pool[]): AddressBook {
  const sorted = { 4: sortRanges(pools, 4), 6: sortRanges(pools, 6) }
  const owners = { 4: new Map<bigint, string>(), 6: new Map<bigint, string>() }
  const blocked = { 4: new Set<bigint>(), 6: new Set<bigint>() }
  const cursors = new Map<Pool, Readonly<Record<Family, readonly Cursor[]>>>()
  const counts = new Map<Pool, Record<Family, number>>()
  for (const pool of pools) {
    const of = (family: Family): readonly Cursor[] =>
      pool.ranges
        .filter(({ first }) => first.family === family)
        .map((range) => ({ range, next: range.first.value }))
    cursors.set(pool, { 4: of(4), 6: of(6) })
    counts.set(pool, { 4: 0, 6: 0 })
  }

  const poolOf = (ip: Ip): Pool | undefined => {
    const found = lastStartingBefore(sorted[ip.family], ip.value)
    return found !== undefined && ip.value <= found.range.last.value ? found.pool : undefined
  }
  return {
    poolOf,
    owner: (ip) => owners[ip.family].get(ip.value),
    claim: (ip, owner) => {
      owners[ip.family].set(ip.value, owner)
      const pool = poolOf(ip)
      const count = pool && counts.get(pool)
      if (count !== undefined) count[ip.family] += 1
    },
    block: (ip) => blocked[ip.family].add(ip.value),
    lowestFree: (pool, family) => {
      for (const cursor of cursors.get(pool)?.[family] ?? []) {
        for (; cursor.next <= cursor.range.last.value; cursor.next += 1n) {
          const ip: Ip = { family, value: cursor.next }
          if (!owners[family].has(ip.value) && !blocked[family].has(ip.value) && mayGive(pool, ip)) return ip
        }
      }
      return undefined
    },
    inUse: (pool, family) => counts.get(pool)?.[family] ?? 0,
  }
}

/** False for IPv4 addresses that end in .0 or .255 in a pool that is to leave them out. */
export function mayGive(pool: Pool, ip: Ip): boolean {
  if (!pool.avoidBuggyIps || ip.family !== 4) return true
  const last = ip.value & 0xffn
  return last !== 0n && last !== 0xffn
}

type OwnedRange = { readonly range: Range; readonly pool: Pool }

function sortRanges(pools: readonly Pool[], family: Family): readonly OwnedRange[] {
  return pools
    .flatMap((pool) => pool.ranges.map((range) => ({ range, pool })))
    .filter(({ range }) => range.first.family === family)
    .sort((a, b) => (a.range.first.value < b.range.first.value ? -1 : 1))
}

function lastStartingBefore(ranges: readonly OwnedRange[], value: bigint): OwnedRange | undefined {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const range = ranges[middle]?.range
    if (range !== undefined && range.first.value <= value) low = middle + 1
    else high = middle
  }
  return ranges[low - 1]
}

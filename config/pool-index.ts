// All pools' ranges in order, for finding what overlaps and what holds an address in logarithmic time.

import { compareIp, type Ip } from '../net/ip.ts'
import { type Range } from '../net/prefix.ts'
import { type Pool } from './model.ts'
import { type Resource } from './resources.ts'

/** A range of a pool; `order` counts all of them as written. */
export type PoolRange = {
  readonly pool: Resource<Pool>
  readonly index: number
  readonly order: number
  readonly range: Range
}

export type PoolIndex = {
  /** Each range that shares addresses with one before it in the order of addresses, and that one. */
  readonly overlaps: readonly (readonly [PoolRange, PoolRange])[]
  /** The pool that holds the address. */
  holding(ip: Ip): Pool | undefined
}

export function indexPools(pools: readonly Resource<Pool>[]): PoolIndex {
  const ranges: readonly PoolRange[] = pools
    .flatMap((pool) => pool.value.ranges.map((range, index) => ({ pool, index, range })))
    .map((each, order) => ({ ...each, order }))
  const sorted = ranges.toSorted((a, b) => compareIp(a.range.first, b.range.first) || a.order - b.order)
  const overlaps: (readonly [PoolRange, PoolRange])[] = []
  // Of the ranges up to each, the one that reaches farthest: a range inside another does not hide it.
  const farthest: PoolRange[] = []
  for (const each of sorted) {
    const before = farthest.at(-1)
    if (before !== undefined && compareIp(each.range.first, before.range.last) <= 0)
      overlaps.push([each, before])
    farthest.push(before === undefined || compareIp(each.range.last, before.range.last) > 0 ? each : before)
  }
  return {
    overlaps,
    holding(ip) {
      let low = 0
      let high = sorted.length
      while (low < high) {
        const middle = (low + high) >> 1
        if (compareIp(sorted[middle]?.range.first ?? ip, ip) <= 0) low = middle + 1
        else high = middle
      }
      const candidate = farthest[low - 1]
      return candidate !== undefined && compareIp(ip, candidate.range.last) <= 0
        ? candidate.pool.value
        : undefined
    },
  }
}

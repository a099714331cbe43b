// What the allocator is asked and what it answers, in its own words.

import { type Family, type Ip } from '../net/ip.ts'
import { type Range } from '../net/prefix.ts'

export type Pool = {
  readonly name: string
  /** Taken in this order, the lowest free address first. */
  readonly ranges: readonly Range[]
  readonly autoAssign: boolean
  /** Leave out IPv4 addresses that end in .0 or .255. */
  readonly avoidBuggyIps: boolean
  /** Whether the pool may serve a request; lower priority first, 0 last. Absent: open to all, after all pools that have one. */
  readonly restriction:
    { readonly priority: number; readonly admits: (request: Request) => boolean } | undefined
}

export type Request = {
  /** `namespace/name`. */
  readonly id: string
  /** One VIP of each. */
  readonly families: readonly Family[]
  /** These and no others, at most one of a family; empty: any. */
  readonly addresses: readonly Ip[]
  /** Only from this pool; absent: any that admits the request and has `autoAssign`. */
  readonly pool: string | undefined
  /** Every backend's own addresses: two VIPs served at one address cannot have the same DSCP id. */
  readonly backends: readonly Ip[]
}

export type Vip = { readonly ip: Ip; readonly pool: string; readonly dscp: number }
export type Allocation = { readonly id: string; readonly vips: readonly Vip[] }

export type RefusalReason =
  'poolExhausted' | 'unknownPool' | 'poolNotAllowed' | 'notInPool' | 'addressInUse' | 'dscpExhausted'
/** `message` says what was found, what was expected and what to do. */
export type Refusal = { readonly id: string; readonly reason: RefusalReason; readonly message: string }

export type Allocated = {
  readonly allocations: readonly Allocation[]
  /** A refused request is served no VIP, save what it held before it asked for more. */
  readonly refusals: readonly Refusal[]
  /** What refused requests held and get back once they can be served: not served now, given to nobody else. */
  readonly reserved: readonly Allocation[]
}

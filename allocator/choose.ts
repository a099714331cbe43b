// Which addresses a request gets, by MetalLB's rules: those it names; else the lowest free ones of the pool it names;
// else of the first pool that serves it. All its families come from one pool, as with MetalLB's RequireDualStack:
// what a pool is announced with then holds for the whole service.

import { type Family, type Ip, sameIp } from '../net/ip.ts'
import { type AddressBook, mayGive } from './addresses.ts'
import { type Pool, type Refusal, type Request } from './model.ts'
import {
  addressInUse,
  inOtherPool,
  leftOut,
  noPoolAllowed,
  notInAnyPool,
  poolExhausted,
  poolNotAllowed,
  unknownPool,
} from './refusals.ts'

/** An address in its pool. */
export type Place = { readonly ip: Ip; readonly pool: Pool }
export type Choice =
  | { readonly kind: 'found'; readonly places: readonly Place[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** Whether the request may have an address of the pool. `autoAssign` has no say in what is asked for or held. */
export function mayUse(request: Request, pool: Pool): boolean {
  return (
    (request.pool === undefined || request.pool === pool.name) &&
    (pool.restriction === undefined || pool.restriction.admits(request))
  )
}

/**
 * Chooses what `request` lacks beside the places it has already (`kept`), without claiming it. Where something is
 * kept, the rest comes from the same pool.
 */
export function choose(
  request: Request,
  kept: readonly Place[],
  pools: readonly Pool[],
  book: AddressBook,
): Choice {
  const named = pools.find(({ name }) => name === request.pool)
  if (request.pool !== undefined && named === undefined) return refused(unknownPool(request, pools))
  const home = kept[0]?.pool ?? named
  if (request.addresses.length > 0) {
    const missing = request.addresses.filter((ip) => !kept.some((place) => sameIp(place.ip, ip)))
    return chooseNamed(request, missing, home, book)
  }
  const missing = request.families.filter((family) => !kept.some(({ ip }) => ip.family === family))
  const candidates = home === undefined ? candidatesFor(request, pools) : [home]
  if (candidates.length === 0) return refused(noPoolAllowed(request, pools))
  if (home !== undefined && !mayUse(request, home)) return refused(poolNotAllowed(request, home))
  return chooseFrom(candidates, request, missing, book)
}

function chooseNamed(
  request: Request,
  addresses: readonly Ip[],
  home: Pool | undefined,
  book: AddressBook,
): Choice {
  const places: Place[] = []
  for (const ip of addresses) {
    const pool = book.poolOf(ip)
    if (pool === undefined) return refused(notInAnyPool(request, ip))
    const expected = home ?? places[0]?.pool ?? pool
    if (pool !== expected) return refused(inOtherPool(request, ip, pool, expected))
    if (!mayUse(request, pool)) return refused(poolNotAllowed(request, pool))
    if (!mayGive(pool, ip)) return refused(leftOut(request, ip, pool))
    const owner = book.owner(ip)
    if (owner !== undefined) return refused(addressInUse(request, ip, owner))
    places.push({ ip, pool })
  }
  return { kind: 'found', places }
}

function chooseFrom(
  pools: readonly Pool[],
  request: Request,
  families: readonly Family[],
  book: AddressBook,
): Choice {
  const lacking: { readonly pool: Pool; readonly family: Family; readonly inUse: number }[] = []
  for (const pool of pools) {
    const places: Place[] = []
    for (const family of families) {
      const ip = book.lowestFree(pool, family)
      if (ip === undefined) lacking.push({ pool, family, inUse: book.inUse(pool, family) })
      else places.push({ ip, pool })
    }
    if (places.length === families.length) return { kind: 'found', places }
  }
  return refused(poolExhausted(request, request.families, lacking))
}

/** Pools that may be taken unasked: restricted ones that admit the request by priority, then the open ones in order. */
function candidatesFor(request: Request, pools: readonly Pool[]): readonly Pool[] {
  return pools
    .filter((pool) => pool.autoAssign && mayUse(request, pool))
    .sort((a, b) => rankOf(a) - rankOf(b))
}

function rankOf({ restriction }: Pool): number {
  if (restriction === undefined) return Number.MAX_SAFE_INTEGER
  return restriction.priority === 0 ? Number.MAX_SAFE_INTEGER - 1 : restriction.priority
}

function refused(refusal: Refusal): Choice {
  return { kind: 'refused', refusal }
}

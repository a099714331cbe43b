// VIPs and DSCP ids for all requests at once: a pure function of pools, requests and what is held.
//
//   1. Holders keep their VIPs: those still in a pool that may serve them and not contradicted by the request.
//   2. Holders keep their ids, in the order held; whoever clashes with an earlier one then takes the lowest free.
//   3. The others choose, those that name addresses first, and take the lowest free ids. Who gets not all it asks for
//      gets nothing of it; but a holder that asks for one family more is served what it has meanwhile.
//
// A VIP once given is not lost by a refusal: while its service is refused it stays reserved. A service that moves
// frees its old VIP only when the pass is over; passes are repeated while that lets a refused request in.
// Idempotent: fed back as held, an answer gives itself.

import { type Ip, compareIp, sameIp } from '../net/ip.ts'
import { type AddressBook, addressBook, mayGive } from './addresses.ts'
import { type Place, choose, mayUse } from './choose.ts'
import { type DscpBook, dscpBook } from './dscp.ts'
import { type Allocated, type Allocation, type Pool, type Refusal, type Request, type Vip } from './model.ts'
import { dscpExhausted } from './refusals.ts'

export type AllocationInput = {
  readonly pools: readonly Pool[]
  /** Each id once. */
  readonly requests: readonly Request[]
  /** In order of age: in a conflict the earlier one stays. */
  readonly held: readonly Allocation[]
  /** 1 to 63. */
  readonly dscpIds: readonly number[]
}

/** Serves what can be served and says of every other request why not. */
export function allocate(input: AllocationInput): Allocated {
  const ids = new Set<string>()
  let held: readonly Allocation[] = input.held.filter(({ id }) => !ids.has(id) && ids.add(id))
  let result = pass({ ...input, held })
  // Each further pass serves at least one request more, or is the last.
  for (let passes = 0; result.refusals.length > 0 && passes < input.requests.length; passes += 1) {
    const next = heldBy(result)
    if (sameAllocations(held, next)) break
    held = next
    result = pass({ ...input, held })
  }
  return result
}

/** What to hold on to: the allocations in order of age, the reserved ones after them. */
export function heldBy({ allocations, reserved }: Allocated): readonly Allocation[] {
  return [...allocations, ...reserved]
}

/** Equal in content and order. */
export function sameAllocations(a: readonly Allocation[], b: readonly Allocation[]): boolean {
  return a.length === b.length && a.every((one, i) => sameAllocation(one, b[i]))
}

export function sameAllocation(a: Allocation, b: Allocation | undefined): boolean {
  return (
    a === b ||
    (a.id === b?.id &&
      a.vips.length === b.vips.length &&
      a.vips.every((vip, i) => {
        const other = b.vips[i]
        return (
          other !== undefined &&
          sameIp(vip.ip, other.ip) &&
          vip.pool === other.pool &&
          vip.dscp === other.dscp
        )
      }))
  )
}

/** What a request holds and may keep; `id`: the DSCP id it had. */
type Holder = { readonly request: Request; readonly places: readonly (Place & { readonly id: number })[] }

function pass({ pools, requests, held, dscpIds }: AllocationInput): Allocated {
  const addresses = addressBook(pools)
  const ids = dscpBook(dscpIds)
  const byId = new Map(requests.map((request) => [request.id, request]))
  const holders = keepAddresses(held, byId, addresses)
  const served = new Map<string, readonly Vip[]>()
  const refusals = new Map<string, Refusal>()
  keepIds(holders, ids, served, refusals)

  const kept = new Map(holders.map(({ request, places }) => [request.id, places]))
  for (const request of inTurn(requests)) {
    const places = kept.get(request.id) ?? []
    const wanted = request.addresses.length > 0 ? request.addresses.length : request.families.length
    if (refusals.has(request.id) || places.length >= wanted) continue
    const more = add(request, places, { pools, addresses, ids })
    if ('reason' in more) refusals.set(request.id, more)
    else served.set(request.id, [...(served.get(request.id) ?? []), ...more])
  }

  return {
    allocations: Array.from(served, ([id, vips]) => ({
      id,
      vips: [...vips].sort((a, b) => compareIp(a.ip, b.ip)),
    })),
    refusals: requests.flatMap(({ id }) => refusals.get(id) ?? []),
    reserved: held.flatMap(({ id, vips }) => {
      if (served.has(id) || !byId.has(id)) return []
      const left = vips.filter(({ ip }) => reserve(ip, id, addresses))
      return left.length > 0 ? [{ id, vips: left }] : []
    }),
  }
}

/** Claims for holders what they may keep and blocks what else they held: it comes back to them if they are refused. */
function keepAddresses(
  held: readonly Allocation[],
  requests: ReadonlyMap<string, Request>,
  addresses: AddressBook,
): readonly Holder[] {
  return held.flatMap(({ id, vips }) => {
    const request = requests.get(id)
    if (request === undefined) return []
    const places = vips.flatMap(({ ip, dscp }) => {
      const pool = addresses.poolOf(ip)
      if (pool === undefined || addresses.owner(ip) !== undefined) return []
      if (!asksFor(request, ip) || !mayUse(request, pool) || !mayGive(pool, ip)) {
        addresses.block(ip)
        return []
      }
      addresses.claim(ip, id)
      return [{ ip, pool, id: dscp }]
    })
    return places.length > 0 ? [{ request, places }] : []
  })
}

function asksFor({ addresses, families }: Request, ip: Ip): boolean {
  return addresses.length > 0 ? addresses.some((asked) => sameIp(asked, ip)) : families.includes(ip.family)
}

function keepIds(
  holders: readonly Holder[],
  ids: DscpBook,
  served: Map<string, readonly Vip[]>,
  refusals: Map<string, Refusal>,
): void {
  const stays = new Set<Place>()
  for (const { request, places } of holders) {
    for (const place of places) {
      if (!ids.isFree(place.id, place.ip.family, request.backends)) continue
      ids.take(place.id, { service: request.id, vip: place.ip }, request.backends)
      stays.add(place)
    }
  }
  for (const { request, places } of holders) {
    const vips: Vip[] = []
    for (const place of places) {
      const { family } = place.ip
      const id = stays.has(place) ? place.id : ids.lowestFree(family, request.backends)
      if (id === undefined) {
        refusals.set(request.id, dscpExhausted(request, family, ids.holders(family, request.backends)))
        break
      }
      if (!stays.has(place)) ids.take(id, { service: request.id, vip: place.ip }, request.backends)
      vips.push({ ip: place.ip, pool: place.pool.name, dscp: id })
    }
    if (vips.length === places.length) {
      served.set(request.id, vips)
      continue
    }
    // All or nothing: what it did get goes back.
    for (const { ip, dscp } of vips) ids.release(dscp, ip.family, request.backends)
    for (const place of places.slice(vips.length)) {
      if (stays.has(place)) ids.release(place.id, place.ip.family, request.backends)
    }
  }
}

/** The order in which requests choose: what somebody names must not be taken by somebody who takes anything. */
function inTurn(requests: readonly Request[]): readonly Request[] {
  return [
    ...requests.filter(({ addresses }) => addresses.length > 0),
    ...requests.filter(({ addresses }) => addresses.length === 0),
  ]
}

/** Chooses and claims what the request lacks: all of it, or nothing and the reason. */
function add(
  request: Request,
  kept: readonly Place[],
  {
    pools,
    addresses,
    ids,
  }: { readonly pools: readonly Pool[]; readonly addresses: AddressBook; readonly ids: DscpBook },
): readonly Vip[] | Refusal {
  const choice = choose(request, kept, pools, addresses)
  if (choice.kind === 'refused') return choice.refusal
  const vips: Vip[] = []
  for (const { ip, pool } of choice.places) {
    const dscp = ids.lowestFree(ip.family, request.backends)
    if (dscp === undefined) return dscpExhausted(request, ip.family, ids.holders(ip.family, request.backends))
    vips.push({ ip, pool: pool.name, dscp })
  }
  for (const { ip, dscp } of vips) {
    addresses.claim(ip, request.id)
    ids.take(dscp, { service: request.id, vip: ip }, request.backends)
  }
  return vips
}

/** Keeps a refused request's VIP for it, if it is in a pool that gives it out and nobody else's by now. */
function reserve(ip: Ip, id: string, addresses: AddressBook): boolean {
  const pool = addresses.poolOf(ip)
  const owner = addresses.owner(ip)
  if (pool === undefined || !mayGive(pool, ip) || (owner !== undefined && owner !== id)) return false
  addresses.claim(ip, id)
  return true
}

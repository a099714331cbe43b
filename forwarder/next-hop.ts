// Where a frame for a backend goes: the kernel's own decision (longest prefix, metric, ECMP, neighbour), taken from its
// tables as plain values so that the datapath needs no lookup per packet.

import { type Ip, formatIp, sameIp } from '../net/ip.ts'
import { type Prefix, formatPrefix, prefixOf } from '../net/prefix.ts'
import {
  type InterfaceAddress,
  type Link,
  type Neighbour,
  type NextHop,
  type Route,
} from '../system/ports.ts'
import { finalMix } from './maglev-permutation.ts'
import { type ResolvedHop } from './model.ts'

export type HostTables = {
  readonly links: readonly Link[]
  readonly addresses: readonly InterfaceAddress[]
  readonly routes: readonly Route[]
  readonly neighbours: readonly Neighbour[]
}
export type NeighbourKey = { readonly ifindex: number; readonly ip: Ip }
/** A neighbour that has to be resolved, or verified because it is stale, and what the kernel knows of it. */
export type Ask = NeighbourKey & { readonly state: 'absent' | 'incomplete' | 'failed' | 'stale' }

export type Resolution =
  | { readonly kind: 'resolved'; readonly hop: ResolvedHop; readonly asks: readonly Ask[] }
  | { readonly kind: 'unresolved'; readonly reason: string; readonly asks: readonly Ask[] }

/** RT_TABLE_LOCAL, MAIN and DEFAULT in the order of the kernel's default rules. Other rules are not looked at. */
const tablesInOrder = [255, 254, 253]
const usable: ReadonlySet<Neighbour['state']> = new Set([
  'reachable',
  'stale',
  'delay',
  'probe',
  'permanent',
  'noarp',
])

/** The next hop of each address, by its text. */
export function resolveNextHops(reals: readonly Ip[], tables: HostTables): ReadonlyMap<string, Resolution> {
  const lookup = routeLookup(tables.routes)
  const links = new Map(tables.links.map((link) => [link.index, link]))
  const neighbours = new Map(tables.neighbours.map((each) => [neighbourText(each), each]))
  const resolve = (ip: Ip): Resolution => {
    if (tables.addresses.some((own) => sameIp(own.ip, ip))) return unresolved(ownAddress(ip))
    const route = lookup(ip)
    if (route === undefined) return unresolved(`no route to ${formatIp(ip)}`)
    switch (route.kind) {
      case 'local':
        return unresolved(ownAddress(ip))
      case 'unicast':
        return choose(ip, route.nextHops, links, neighbours)
      case 'blackhole':
      case 'unreachable':
      case 'prohibit':
      case 'other':
        return unresolved(
          `the route ${formatPrefix(route.dst)} is ${route.kind === 'other' ? 'no unicast route' : route.kind}`,
        )
    }
  }
  return new Map(reals.map((ip) => [formatIp(ip), resolve(ip)]))
}

export function neighbourText({ ifindex, ip }: NeighbourKey): string {
  return `${ifindex} ${formatIp(ip)}`
}

function ownAddress(ip: Ip): string {
  return `${formatIp(ip)} is an address of this node: a balancer cannot be its own backend`
}

function unresolved(reason: string, asks: readonly Ask[] = []): Resolution {
  return { kind: 'unresolved', reason, asks }
}

type Candidate =
  | { readonly kind: 'known'; readonly hop: ResolvedHop; readonly ask: Ask | undefined }
  | { readonly kind: 'unknown'; readonly reason: string; readonly ask: Ask | undefined }

/** The first of the address's own order of next hops that is usable now; those before it are asked for. */
function choose(
  ip: Ip,
  nextHops: readonly NextHop[],
  links: ReadonlyMap<number, Link>,
  neighbours: ReadonlyMap<string, Neighbour>,
): Resolution {
  const candidates = inOrder(ip, nextHops).map((nextHop) => candidate(ip, nextHop, links, neighbours))
  const asks: Ask[] = []
  for (const each of candidates) {
    if (each.ask !== undefined) asks.push(each.ask)
    if (each.kind === 'known') return { kind: 'resolved', hop: each.hop, asks }
  }
  const reasons = candidates.flatMap((each) => (each.kind === 'known' ? [] : [each.reason]))
  return unresolved([...new Set(reasons)].join('; '), asks)
}

function candidate(
  ip: Ip,
  { ifindex, via }: NextHop,
  links: ReadonlyMap<number, Link>,
  neighbours: ReadonlyMap<string, Neighbour>,
): Candidate {
  const useless = (reason: string): Candidate => ({ kind: 'unknown', reason, ask: undefined })
  const link = links.get(ifindex)
  if (link === undefined) return useless(`interface ${ifindex} is gone`)
  if (!link.up) return useless(`${link.name} is down`)
  if (link.mac === undefined) return useless(`${link.name} is not Ethernet, frames cannot be sent out of it`)
  const key = { ifindex, ip: via ?? ip }
  const neighbour = neighbours.get(neighbourText(key))
  if (neighbour?.mac === undefined || !usable.has(neighbour.state)) {
    const state =
      neighbour?.state === 'failed' || neighbour?.state === 'incomplete' ? neighbour.state : 'absent'
    const words = state === 'failed' ? 'does not answer' : 'is not resolved yet'
    const reason = `next hop ${formatIp(key.ip)} ${words} on ${link.name}`
    return { kind: 'unknown', reason, ask: { ...key, state } }
  }
  return {
    kind: 'known',
    hop: { ifindex, interface: link.name, source: link.mac, destination: neighbour.mac },
    ask: neighbour.state === 'stale' ? { ...key, state: 'stale' } : undefined,
  }
}

/**
 * Weighted rendezvous (highest of weight / -ln(hash)): an address keeps its next hop when others come and go, and
 * addresses spread by weight.
 */
function inOrder(ip: Ip, nextHops: readonly NextHop[]): readonly NextHop[] {
  if (nextHops.length < 2) return nextHops
  const score = ({ ifindex, via, weight }: NextHop): number => {
    const text = `${formatIp(ip)} ${ifindex} ${via === undefined ? '' : formatIp(via)}`
    return weight / -Math.log((textHash(text) + 0.5) / 0x1_0000_0000)
  }
  return nextHops
    .map((nextHop) => ({ nextHop, score: score(nextHop) }))
    .sort((a, b) => b.score - a.score)
    .map(({ nextHop }) => nextHop)
}

// FNV-1a, then a finaliser: texts here differ in few of their last characters.
function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return finalMix(hash) >>> 0
}

/** Longest prefix first, then the lowest metric; a unicast route all of whose next hops are dead does not count. */
function routeLookup(routes: readonly Route[]): (ip: Ip) => Route | undefined {
  const byPrefix = new Map<string, Route>()
  const lengths = new Map<string, Set<number>>()
  for (const route of routes) {
    if (route.kind === 'unicast' && route.nextHops.length === 0) continue
    const slot = `${route.table} ${route.dst.ip.family}`
    const key = prefixKey(route.table, route.dst)
    byPrefix.set(key, better(byPrefix.get(key), route))
    lengths.set(slot, (lengths.get(slot) ?? new Set()).add(route.dst.length))
  }
  const descending = new Map([...lengths].map(([slot, set]) => [slot, [...set].sort((a, b) => b - a)]))
  return (ip) => {
    for (const table of tablesInOrder) {
      for (const length of descending.get(`${table} ${ip.family}`) ?? []) {
        const route = byPrefix.get(prefixKey(table, prefixOf(ip, length)))
        if (route !== undefined) return route
      }
    }
    return undefined
  }
}

/** Of two routes for a prefix: IPv6 knows several of one metric (two routers that advertise), which share the load. */
function better(known: Route | undefined, route: Route): Route {
  if (known === undefined || route.metric < known.metric) return route
  if (route.metric > known.metric || route.kind !== 'unicast' || known.kind !== 'unicast') return known
  return { ...known, nextHops: [...known.nextHops, ...route.nextHops] }
}

function prefixKey(table: number, { ip, length }: Prefix): string {
  return `${table} ${ip.family} ${ip.value} ${length}`
}

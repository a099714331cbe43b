// VIPs that no document asks for any more but that packets may still arrive for: they stay programmed as they last
// were while they are announced, and for the drain time after that (program before announce, withdraw before
// unprogram). Pure.

import { type VirtualService } from '../forwarder/model.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { type Instant, later } from '../net/time.ts'

export type Retired = {
  readonly service: VirtualService
  /** When it was last seen announced. */
  readonly announcedAt: Instant
}

export type Retiring = {
  readonly now: Instant
  readonly drainTimeMs: number
  readonly announced: (vip: Ip) => boolean
}

/** Who is retired now: `before` were programmed or retired until now, `wanted` are the documents' VIPs. */
export function retire(
  before: { readonly services: readonly VirtualService[]; readonly retired: readonly Retired[] },
  wanted: readonly VirtualService[],
  { now, drainTimeMs, announced }: Retiring,
): readonly Retired[] {
  const kept = new Set(wanted.map(({ vip }) => formatIp(vip)))
  // A VIP that leaves in this pass counts as announced until now: it may have been withdrawn a moment ago.
  const leaving = before.services.map((service): Retired => ({ service, announcedAt: now }))
  const candidates = new Map(
    [...leaving, ...before.retired].map((each) => [formatIp(each.service.vip), each] as const),
  )
  return [...candidates]
    .filter(([vip]) => !kept.has(vip))
    .map(([, each]) => (announced(each.service.vip) ? { ...each, announcedAt: now } : each))
    .filter(({ announcedAt }) => now < later(announcedAt, drainTimeMs))
}

/** Milliseconds until the first of them may go; undefined when there is none. */
export function retireDelay(
  retired: readonly Retired[],
  now: Instant,
  drainTimeMs: number,
): number | undefined {
  if (retired.length === 0) return undefined
  return Math.max(0, Math.min(...retired.map(({ announcedAt }) => later(announcedAt, drainTimeMs) - now)))
}

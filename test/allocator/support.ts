// Short ways to say pools and requests, and to read answers.

import { type Allocated, type Allocation, type Pool, type Request } from '../../allocator/model.ts'
import { formatIp, ip } from '../../net/ip.ts'
import { type Range, parsePrefix, rangeOf } from '../../net/prefix.ts'

/** `FIRST-LAST`, a prefix, or one address. */
export function range(text: string): Range {
  const prefix = parsePrefix(text)
  if (prefix !== undefined) return rangeOf(prefix)
  const [first = '', last = first] = text.split('-')
  return { first: ip(first), last: ip(last) }
}

export function pool(name: string, ranges: readonly string[], more: Partial<Pool> = {}): Pool {
  return {
    name,
    ranges: ranges.map(range),
    autoAssign: true,
    avoidBuggyIps: false,
    restriction: undefined,
    ...more,
  }
}

/** Of IPv4, at backends of its own unless told otherwise. */
export function request(id: string, more: Partial<Request> = {}): Request {
  return { id, families: [4], addresses: [], pool: undefined, backends: [], ...more }
}

/** `id` → `ADDRESS` by family. */
export function addresses({ allocations }: Pick<Allocated, 'allocations'>): Record<string, string> {
  return Object.fromEntries(
    allocations.map(({ id, vips }) => [id, vips.map((vip) => formatIp(vip.ip)).join(' ')]),
  )
}

export function dscps({ allocations }: Pick<Allocated, 'allocations'>): Record<string, number[]> {
  return Object.fromEntries(allocations.map(({ id, vips }) => [id, vips.map(({ dscp }) => dscp)]))
}

export function reasons({ refusals }: Pick<Allocated, 'refusals'>): Record<string, string> {
  return Object.fromEntries(refusals.map(({ id, reason }) => [id, reason]))
}

export function held(
  id: string,
  ...vips: readonly (readonly [text: string, pool: string, dscp: number])[]
): Allocation {
  return { id, vips: vips.map(([text, pool, dscp]) => ({ ip: ip(text), pool, dscp })) }
}

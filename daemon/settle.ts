// When a VIP that this node saw no healthy backend of may be announced again: once every backend has had time to
// prove itself. A node that was cut off sees them come back one by one, and until it has seen them all its table is
// unlike the other balancers', which would break the flows that routers move to it. Pure.

import { type HealthTarget } from '../forwarder/health/target.ts'
import { formatIp } from '../net/ip.ts'
import { type Instant, later } from '../net/time.ts'

/** By VIP: until when it is held back; 'settled': not any more. A VIP that is absent has no healthy backend. */
export type Settling = ReadonlyMap<string, Instant | 'settled'>

/** `isUp` of a target is this node's present view. */
export function settle(
  before: Settling,
  targets: readonly HealthTarget[],
  isUp: (target: HealthTarget) => boolean,
  now: Instant,
): Settling {
  const byVip = Map.groupBy(targets, ({ vip }) => formatIp(vip))
  const after = new Map<string, Instant | 'settled'>()
  for (const [vip, mine] of byVip) {
    if (!mine.some(isUp)) continue
    const known = before.get(vip) ?? later(now, Math.max(...mine.map(provingMs)))
    after.set(vip, known === 'settled' || mine.every(isUp) || now >= known ? 'settled' : known)
  }
  return after
}

/** The first of the deadlines; undefined when nothing is held back. */
export function settleDeadline(settling: Settling): Instant | undefined {
  const waiting = [...settling.values()].filter((each) => each !== 'settled')
  return waiting.length === 0 ? undefined : waiting.reduce((a, b) => (a < b ? a : b))
}

/** A working backend is up after `rise` probes, the first of which may be an interval away. */
function provingMs({ check }: HealthTarget): number {
  return check.kind === 'none' ? 0 : check.rise * check.intervalMs + check.timeoutMs
}

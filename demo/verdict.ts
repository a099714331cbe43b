// What a failure under steady traffic cost, from what was recorded, and whether that is within its limits. Pure.

import { type Connection, type SteadyResult } from './client/protocol.ts'

/** All times on the clock of client/monotonic.ts. */
export type Recorded = {
  readonly result: SteadyResult
  readonly failedAtMs: number
  /** When the element was brought back: what is lost from then on is counted apart. */
  readonly returnedAtMs: number
  readonly isOnFailed: (connection: Connection) => boolean
}

export type Cost = {
  readonly sent: number
  readonly lost: number
  /** From the failure to when the last request that was lost had been sent; undefined: none was. */
  readonly lastLostMs: number | undefined
  readonly connections: number
  readonly onFailed: number
  readonly broken: number
  readonly brokenOnFailed: number
  readonly longestStallMs: number
  /** After the return. */
  readonly lostAtReturn: number
  readonly brokenAtReturn: number
  /** What was lost, by its reason. */
  readonly reasons: ReadonlyMap<string, number>
}

export type Limits = {
  readonly lost: number | undefined
  readonly lastLostMs: number
  readonly brokenElsewhere: number
  readonly brokenOnFailed: number | undefined
  readonly lostAtReturn: number | undefined
}

export function costOf({ result, failedAtMs, returnedAtMs, isOnFailed }: Recorded): Cost {
  const lost = result.lost.filter(({ sentAtMs }) => sentAtMs < returnedAtMs)
  const onFailed = result.connections.filter(isOnFailed)
  const brokenBy = (connections: readonly Connection[]): number =>
    connections.filter(({ broken }) => broken !== undefined && broken.atMs < returnedAtMs).length
  const reasons = new Map<string, number>()
  for (const { reason } of result.lost) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
  const broken = brokenBy(result.connections)
  return {
    sent: result.sent,
    lost: lost.length,
    // One that was under way at the moment of the failure had been sent before it.
    lastLostMs:
      lost.length === 0 ? undefined : Math.max(0, ...lost.map(({ sentAtMs }) => sentAtMs - failedAtMs)),
    connections: result.connections.length,
    onFailed: onFailed.length,
    broken,
    brokenOnFailed: brokenBy(onFailed),
    longestStallMs: Math.max(0, ...result.connections.map(({ longestStallMs }) => longestStallMs)),
    lostAtReturn: result.lost.length - lost.length,
    brokenAtReturn: result.connections.filter((each) => each.broken !== undefined).length - broken,
    reasons,
  }
}

/** What went beyond its limit, one sentence each; empty when all held. */
export function complaints(cost: Cost, limits: Limits): readonly string[] {
  const elsewhere = cost.broken - cost.brokenOnFailed
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  const checks: readonly (readonly [boolean, string])[] = [
    [cost.onFailed === 0, 'no connection was on the failed element: nothing was tried'],
    [over(cost.lost, limits.lost), `${cost.lost} requests lost, expected at most ${limits.lost ?? 0}`],
    [
      over(cost.lastLostMs ?? 0, limits.lastLostMs),
      `requests were lost for ${seconds(cost.lastLostMs ?? 0)}, expected at most ${seconds(limits.lastLostMs)}`,
    ],
    [
      over(elsewhere, limits.brokenElsewhere),
      `${elsewhere} connections broke that were not on the failed element, expected ${limits.brokenElsewhere}`,
    ],
    [
      over(cost.brokenOnFailed, limits.brokenOnFailed),
      `${cost.brokenOnFailed} connections on the failed element broke, expected at most ${limits.brokenOnFailed ?? 0}`,
    ],
    [
      over(cost.lostAtReturn, limits.lostAtReturn),
      `${cost.lostAtReturn} requests lost when it came back, expected at most ${limits.lostAtReturn ?? 0}`,
    ],
    [cost.brokenAtReturn > 0, `${cost.brokenAtReturn} connections broke when it came back, expected none`],
  ]
  const why = [...cost.reasons].map(([reason, count]) => `${count} × ${reason}`).join(', ')
  return checks.filter(([wrong]) => wrong).map(([, text]) => (why === '' ? text : `${text} (lost: ${why})`))
}

function over(value: number, limit: number | undefined): boolean {
  return limit !== undefined && value > limit
}

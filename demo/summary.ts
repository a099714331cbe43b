// The last screen: what was sent, what each failure cost, what did not hold and where to look.

import { type Column, renderTable } from '../cli/table.ts'
import { type Played } from './failures.ts'
import { type Outcome } from './step.ts'
import { type Burst } from './traffic.ts'
import { complaints } from './verdict.ts'

export type Results = {
  readonly bursts: readonly Burst[]
  readonly played: readonly Played[]
  readonly outcome: Outcome
  readonly tookMs: number
}

const right = (title: string): Column => ({ title, align: 'right' })

export function renderSummary(
  { bursts, played, outcome, tookMs }: Results,
  stream: NodeJS.WriteStream,
): string {
  const { views, failures } = outcome
  const held = views.filter(({ state }) => state === 'held').length
  const lines = [
    '',
    ...(bursts.length > 0 ? [spreadTable(bursts, stream)] : []),
    ...(played.length > 0 ? [costTable(played, stream)] : []),
    ...failures.flatMap(({ title, message, lookAt }) => [
      `FAILED  ${title}: ${message}`,
      ...lookAt.filter((text) => text !== '').map((text) => `  look at: ${text}`),
    ]),
    `${held} of ${views.length} steps held in ${(tookMs / 1000).toFixed(0)} s`,
    '',
  ]
  return lines.join('\n')
}

function spreadTable(bursts: readonly Burst[], stream: NodeJS.WriteStream): string {
  return renderTable(
    [
      { title: 'REQUESTS' },
      right('SENT'),
      right('LOST'),
      { title: 'BACKEND' },
      right('ANSWERS'),
      right('IDEAL'),
      right('DEVIATION'),
      right('SIGMAS'),
    ],
    bursts.flatMap(({ name, report, rows }) =>
      rows.map((row, index) => [
        ...(index === 0 ? [name, report.sent, report.lost.length] : ['', '', '']),
        row.backend,
        row.count,
        row.expected.toFixed(1),
        `${row.deviation >= 0 ? '+' : ''}${(row.deviation * 100).toFixed(1)} %`,
        row.sigmas.toFixed(1),
      ]),
    ),
    stream,
  )
}

function costTable(played: readonly Played[], stream: NodeJS.WriteStream): string {
  return renderTable(
    [
      { title: 'FAILURE' },
      { title: 'OF' },
      right('REQUESTS'),
      right('LOST'),
      right('LAST LOST'),
      right('LIMIT'),
      right('OPEN'),
      right('BROKEN'),
      right('ON IT'),
      right('OF THEM BROKEN'),
      right('LONGEST STALL'),
      { title: '' },
    ],
    played.map(({ name, element, cost, limits }) => [
      name,
      element,
      cost.sent,
      cost.lost + cost.lostAtReturn,
      cost.lastLostMs === undefined ? 'none' : seconds(cost.lastLostMs),
      limits.lastLostMs === 0 ? 'none' : seconds(limits.lastLostMs),
      cost.connections,
      cost.broken + cost.brokenAtReturn,
      cost.onFailed,
      cost.brokenOnFailed,
      seconds(cost.longestStallMs),
      complaints(cost, limits).length === 0
        ? { text: 'held', tone: 'good' }
        : { text: 'did not hold', tone: 'bad' },
    ]),
    stream,
  )
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`
}

/** For scripts; the shape of `Results` without what only eyes need. */
export function summaryJson({ bursts, played, outcome, tookMs }: Results): string {
  return `${JSON.stringify(
    {
      held: outcome.failures.length === 0,
      tookMs: Math.round(tookMs),
      steps: outcome.views,
      failures: outcome.failures,
      bursts: bursts.map(({ name, report, rows }) => ({
        name,
        sent: report.sent,
        lost: report.lost.length,
        rows,
      })),
      failed: played.map(({ name, element, cost, limits }) => ({
        name,
        element,
        ...cost,
        reasons: Object.fromEntries(cost.reasons),
        limits,
      })),
    },
    null,
    2,
  )}\n`
}

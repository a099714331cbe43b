// Steady traffic to fail things under: `node steady.ts ORDER` (protocol.ts). New requests at a fixed rate and
// long-lived connections together, until a line (`stop`) or the end of stdin.

import { setInterval } from 'node:timers'
import { monotonicMs } from './monotonic.ts'
import { emit, type Lost, steadyOrderSchema, type Target } from './protocol.ts'
import { requestOnce } from './request.ts'
import { openStream, type Stream } from './stream.ts'

const order = steadyOrderSchema.parse(JSON.parse(process.argv[2] ?? ''))
const progressEveryMs = 250
const openAtOnce = 20
const lost: Lost[] = []
const underWay = new Set<Promise<void>>()
let answered: { readonly atMs: number; readonly backend: string }[] = []
let sent = 0

function pick(targets: readonly Target[], serial: number): Target {
  const target = targets[serial % targets.length]
  if (target === undefined) throw new RangeError('no targets')
  return target
}

async function askOnce(target: Target): Promise<void> {
  const outcome = await requestOnce(target, { deadlineMs: order.deadlineMs })
  if (outcome.kind === 'answered') answered.push({ atMs: monotonicMs(), backend: outcome.backend })
  else lost.push({ family: target.family, sentAtMs: outcome.sentAtMs, reason: outcome.reason })
}

/** Paced by the clock, not by the answers: a late timer is made up for, so that an outage loses what it costs. */
function sendRequests(): NodeJS.Timeout {
  const startedAtMs = monotonicMs()
  return setInterval(() => {
    const due = Math.floor(((monotonicMs() - startedAtMs) * order.requestsPerSecond) / 1000)
    for (; sent < due; sent += 1) {
      const request = askOnce(pick(order.http, sent)).finally(() => underWay.delete(request))
      underWay.add(request)
    }
  }, 5)
}

function report(streams: readonly Stream[]): void {
  const now = monotonicMs()
  answered = answered.filter(({ atMs }) => atMs > now - 1000)
  const recent: Record<string, number> = {}
  for (const { backend } of answered) recent[backend] = (recent[backend] ?? 0) + 1
  const broken = streams.filter((each) => each.view().broken !== undefined).length
  const last = lost.length === 0 ? undefined : Math.max(...lost.map(({ sentAtMs }) => sentAtMs))
  emit({
    kind: 'progress',
    atMs: now,
    sent,
    lost: lost.length,
    ...(last === undefined ? {} : { lastLostSentAtMs: last }),
    recent,
    open: streams.length - broken,
    broken,
    stalled: streams.filter((each) => each.stalledMs(now) > order.deadlineMs).length,
  })
}

async function openStreams(): Promise<readonly Stream[]> {
  const streams: Stream[] = []
  while (streams.length < order.connections) {
    const batch = Array.from(
      { length: Math.min(openAtOnce, order.connections - streams.length) },
      (_, index) => openStream(pick(order.stream, streams.length + index), order.messageEveryMs),
    )
    streams.push(...(await Promise.all(batch)))
  }
  return streams
}

async function stopped(): Promise<void> {
  for await (const _ of process.stdin) return
}

async function main(): Promise<void> {
  const streams = await openStreams()
  const requests = sendRequests()
  emit({ kind: 'ready', connections: streams.map((each) => each.view()) })
  const progress = setInterval(() => report(streams), progressEveryMs)
  await stopped()
  clearInterval(requests)
  clearInterval(progress)
  await Promise.all(underWay)
  emit({ kind: 'result', sent, lost, connections: streams.map((each) => each.view()) })
  for (const each of streams) each.close()
  process.stdin.destroy()
}

main().catch((error: unknown) => {
  emit({ kind: 'unready', reason: error instanceof Error ? error.message : String(error) })
  process.exitCode = 1
  process.stdin.destroy()
})

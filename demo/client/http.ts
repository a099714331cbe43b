// A burst of HTTP requests, a new connection each: `node http.ts ORDER` (protocol.ts).

import { monotonicMs } from './monotonic.ts'
import { type Answer, burstOrderSchema, emit, type Lost } from './protocol.ts'
import { requestOnce } from './request.ts'

const order = burstOrderSchema.parse(JSON.parse(process.argv[2] ?? ''))
const startedAtMs = monotonicMs()
const answers: Answer[] = []
const lost: Lost[] = []
let next = 0

async function worker(): Promise<void> {
  while (next < order.requests) {
    const serial = next
    next += 1
    const target = order.targets[serial % order.targets.length]
    if (target === undefined) return
    const localPort = order.localPort === undefined ? undefined : order.localPort + serial
    const outcome = await requestOnce(target, { deadlineMs: order.deadlineMs, localPort })
    const { family } = target
    if (outcome.kind === 'lost') lost.push({ family, sentAtMs: outcome.sentAtMs, reason: outcome.reason })
    else {
      const { localAddress, localPort: port, backend } = outcome
      answers.push({ family, localAddress, localPort: port, backend })
    }
  }
}

await Promise.all(Array.from({ length: order.concurrency }, worker))
emit({ sent: next, foreign: 0, answers, lost, tookMs: monotonicMs() - startedAtMs })

// A burst of UDP requests, a new socket (so a new flow) each: `node udp.ts ORDER` (protocol.ts). The sockets are
// not connected: an answer that does not come from the VIP is seen, and counted as foreign.

import { createSocket } from 'node:dgram'
import { monotonicMs } from './monotonic.ts'
import { type Answer, burstOrderSchema, emit, type Lost, type Target } from './protocol.ts'

const order = burstOrderSchema.parse(JSON.parse(process.argv[2] ?? ''))
const startedAtMs = monotonicMs()
const answers: Answer[] = []
const lost: Lost[] = []
let foreign = 0
let next = 0

function ask(target: Target, serial: number): Promise<void> {
  const { family, address, port } = target
  const sentAtMs = monotonicMs()
  const payload = `torii ${serial}`
  return new Promise((resolve) => {
    const socket = createSocket(family === 'ipv4' ? 'udp4' : 'udp6')
    const finish = (reason: string | undefined): void => {
      clearTimeout(deadline)
      socket.close()
      if (reason !== undefined) lost.push({ family, sentAtMs, reason })
      resolve()
    }
    const deadline = setTimeout(() => finish(`no answer within ${order.deadlineMs} ms`), order.deadlineMs)
    socket.on('error', (error) => finish(error.message))
    socket.on('message', (message, from) => {
      if (from.address !== address || from.port !== port) {
        foreign += 1
        return
      }
      const [backend = '', ...echoed] = message.toString().split(' ')
      if (echoed.join(' ').trim() !== payload) finish(`answered '${message.toString()}' to '${payload}'`)
      else {
        answers.push({ family, localPort: socket.address().port, backend })
        finish(undefined)
      }
    })
    socket.bind(order.localPort === undefined ? 0 : order.localPort + serial, () =>
      socket.send(payload, port, address),
    )
  })
}

async function worker(): Promise<void> {
  while (next < order.requests) {
    const serial = next
    next += 1
    const target = order.targets[serial % order.targets.length]
    if (target !== undefined) await ask(target, serial)
  }
}

await Promise.all(Array.from({ length: order.concurrency }, worker))
emit({ sent: next, foreign, answers, lost, tookMs: monotonicMs() - startedAtMs })

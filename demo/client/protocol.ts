// What the load generators are told (one JSON argument) and what they print (one JSON value a line). Times are
// milliseconds of CLOCK_MONOTONIC (monotonic.ts).

import { z } from 'zod'

export const familySchema = z.enum(['ipv4', 'ipv6'])
export type Family = z.infer<typeof familySchema>

const targetSchema = z.object({ family: familySchema, address: z.string(), port: z.number() })
/** A VIP and a port of it. */
export type Target = z.infer<typeof targetSchema>

export const burstOrderSchema = z.object({
  targets: z.array(targetSchema).min(1),
  /** Over all targets together, in turn. */
  requests: z.number(),
  concurrency: z.number(),
  deadlineMs: z.number(),
  /** From these ports upward, one each; absent: the kernel chooses. */
  localPort: z.number().optional(),
})
/** `http.ts` and `udp.ts`. */
export type BurstOrder = z.infer<typeof burstOrderSchema>

export const steadyOrderSchema = z.object({
  http: z.array(targetSchema).min(1),
  stream: z.array(targetSchema).min(1),
  requestsPerSecond: z.number(),
  deadlineMs: z.number(),
  /** Long-lived connections over all `stream` targets together, in turn. */
  connections: z.number(),
  messageEveryMs: z.number(),
})
/** `steady.ts`. */
export type SteadyOrder = z.infer<typeof steadyOrderSchema>

const answerSchema = z.object({
  family: familySchema,
  /** Absent where the socket was not connected. */
  localAddress: z.string().optional(),
  localPort: z.number(),
  backend: z.string(),
})
const lostSchema = z.object({ family: familySchema, sentAtMs: z.number(), reason: z.string() })
export type Answer = z.infer<typeof answerSchema>
export type Lost = z.infer<typeof lostSchema>

export const burstReportSchema = z.object({
  sent: z.number(),
  /** Answers that came from another address than the VIP that was asked. */
  foreign: z.number(),
  answers: z.array(answerSchema),
  lost: z.array(lostSchema),
  tookMs: z.number(),
})
export type BurstReport = z.infer<typeof burstReportSchema>

const connectionSchema = z.object({
  family: familySchema,
  localAddress: z.string(),
  localPort: z.number(),
  /** By its first answer. */
  backend: z.string(),
  broken: z.object({ atMs: z.number(), reason: z.string() }).optional(),
  longestStallMs: z.number(),
})
export type Connection = z.infer<typeof connectionSchema>

export const steadyLineSchema = z.discriminatedUnion('kind', [
  /** All long-lived connections are open and have been answered. */
  z.object({ kind: z.literal('ready'), connections: z.array(connectionSchema) }),
  z.object({
    kind: z.literal('progress'),
    atMs: z.number(),
    sent: z.number(),
    lost: z.number(),
    lastLostSentAtMs: z.number().optional(),
    /** Requests of the last second by the backend that answered. */
    recent: z.record(z.string(), z.number()),
    open: z.number(),
    broken: z.number(),
    /** Open, but without an answer for longer than `deadlineMs`. */
    stalled: z.number(),
  }),
  /** Answer to `stop` on stdin; the last line. */
  z.object({
    kind: z.literal('result'),
    sent: z.number(),
    lost: z.array(lostSchema),
    connections: z.array(connectionSchema),
  }),
  /** The long-lived connections could not be opened; the last line. */
  z.object({ kind: z.literal('unready'), reason: z.string() }),
])
export type SteadyLine = z.infer<typeof steadyLineSchema>
export type Progress = Extract<SteadyLine, { kind: 'progress' }>
export type SteadyResult = Extract<SteadyLine, { kind: 'result' }>

/** One line on stdout. */
export function emit(value: BurstReport | SteadyLine): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

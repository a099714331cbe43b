// Runs the load generators of demo/client inside the client node and reads what they print.

import { type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type FabricNode } from '../test/fabric/fabric.ts'
import {
  type BurstOrder,
  type BurstReport,
  burstReportSchema,
  type Connection,
  type Progress,
  steadyLineSchema,
  type SteadyOrder,
  type SteadyResult,
} from './client/protocol.ts'
import { StepFailure } from './until.ts'

const scripts = join(import.meta.dirname, 'client')
const readyWithinMs = 20_000
const resultWithinMs = 15_000

function start(client: FabricNode, script: string, order: unknown): ChildProcess {
  return client.spawn([process.execPath, join(scripts, script), JSON.stringify(order)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** Sends the burst and waits for its report. */
export async function burst(
  client: FabricNode,
  kind: 'http' | 'udp',
  order: BurstOrder,
  signal: AbortSignal,
): Promise<BurstReport> {
  const child = start(client, `${kind}.ts`, order)
  const kill = (): boolean => child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  try {
    const [stdout, stderr] = await Promise.all([textOf(child.stdout), textOf(child.stderr)])
    signal.throwIfAborted()
    if (stdout.trim() === '') throw new StepFailure(`the ${kind} generator died: ${stderr.trim()}`)
    return burstReportSchema.parse(JSON.parse(stdout))
  } finally {
    signal.removeEventListener('abort', kill)
  }
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = ''
  for await (const chunk of stream ?? []) text += String(chunk)
  return text
}

export type Steady = {
  /** As they were when all had been answered. */
  readonly connections: readonly Connection[]
  /** The last that was reported. */
  progress(): Progress | undefined
  /** Ends the traffic and tells all of it. */
  stop(): Promise<SteadyResult>
  /** Ends it without waiting for anything. */
  kill(): void
}

/** Resolves once all long-lived connections are open and requests flow. */
export async function startSteady(
  client: FabricNode,
  order: SteadyOrder,
  signal: AbortSignal,
): Promise<Steady> {
  const child = start(client, 'steady.ts', order)
  const kill = (): void => void child.kill('SIGKILL')
  signal.addEventListener('abort', kill)
  const stderr = textOf(child.stderr)
  const exited = once(child, 'exit').finally(() => signal.removeEventListener('abort', kill))

  let latest: Progress | undefined
  const ready = Promise.withResolvers<readonly Connection[]>()
  const result = Promise.withResolvers<SteadyResult>()
  // Whoever waits sees the rejection; nobody waiting is no reason to crash.
  result.promise.catch(() => undefined)
  if (child.stdout === null) throw new StepFailure('the load generator has no output')
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = steadyLineSchema.parse(JSON.parse(text))
    if (line.kind === 'progress') latest = line
    else if (line.kind === 'ready') ready.resolve(line.connections)
    else if (line.kind === 'result') result.resolve(line)
    else ready.reject(new StepFailure(`steady traffic does not start: ${line.reason}`))
  })
  const gone = (why: string): void => {
    const failure = new StepFailure(why)
    ready.reject(failure)
    result.reject(failure)
  }
  void exited.then(async () => gone(`the load generator ended: ${(await stderr).trim()}`))

  return {
    connections: await within(ready.promise, readyWithinMs, 'steady traffic does not start'),
    progress: () => latest,
    stop: async () => {
      child.stdin?.end('stop\n')
      return within(result.promise, resultWithinMs, 'the load generator does not stop')
    },
    kill,
  }
}

async function within<T>(promise: Promise<T>, ms: number, why: string): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new StepFailure(`${why}: not within ${ms / 1000} s`)), ms)
  try {
    return await Promise.race([promise, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

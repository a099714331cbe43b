// Processes inside a node. `nsenter` stays outside as their parent and takes over how they end; signals are therefore
// sent to its child, which is the process that was asked for.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

export type Entry = {
  /** The node's first process. */
  readonly pid: number
  readonly env: Readonly<Record<string, string>>
}

export type ExecOptions = { readonly input?: string | Uint8Array; readonly timeoutMs?: number }
export type ExecResult = {
  /** As a shell has it: 128 + the signal's number after a signal, 124 after a timeout. */
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

const defaultTimeoutMs = 30_000
const timedOut = 124

/** The variables of `options.env` come over the node's. `kill` reaches the process inside, `pid` is its parent's. */
export function spawnInside(
  { pid, env }: Entry,
  argv: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  const namespaces = ['--net', '--mount', '--uts', '--ipc', '--pid']
  const child = spawn('nsenter', [`--target=${pid}`, ...namespaces, '--', ...argv], {
    ...options,
    env: { ...env, ...options.env },
    // Ctrl-C at the runner's terminal is for the runner alone.
    detached: true,
  })
  const killOutside = child.kill.bind(child)
  child.kill = (signal = 'SIGTERM') => {
    const inside = insidePid(child)
    // Before nsenter has forked there is nobody else to kill.
    if (inside === undefined) return killOutside(signal)
    // nsenter stops with its child, and has to go on before its child does.
    if (signal === 'SIGCONT') killOutside(signal)
    try {
      return process.kill(inside, signal)
    } catch {
      return false
    }
  }
  return child
}

/** The process itself, by its number outside; undefined before it is there and after it has ended. */
export function insidePid({ pid, exitCode, signalCode }: ChildProcess): number | undefined {
  if (pid === undefined || exitCode !== null || signalCode !== null) return undefined
  return childrenOf(pid)[0]
}

/** Of the main thread of `pid`. */
export function childrenOf(pid: number): readonly number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    return list
      .split(' ')
      .filter((each) => each !== '')
      .map(Number)
  } catch {
    return []
  }
}

/** Never rejects for what the program does; rejects if it cannot be started at all. */
export function execInside(
  entry: Entry,
  argv: readonly string[],
  { input, timeoutMs = defaultTimeoutMs }: ExecOptions = {},
): Promise<ExecResult> {
  const child = spawnInside(entry, argv, { stdio: ['pipe', 'pipe', 'pipe'] })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', (text: string) => (output[name] += text))
  }
  // A program may end without reading all of it.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(input ?? '')
  return new Promise((resolve, reject) => {
    let late = false
    const timer = setTimeout(() => {
      late = true
      child.kill('SIGKILL')
    }, timeoutMs)
    child.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    // What it left running may hold its pipes open for ever: they are given a moment after its end.
    let grace: NodeJS.Timeout | undefined
    const finish = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(timer)
      clearTimeout(grace)
      const status = late ? timedOut : (code ?? 128 + (signal === null ? 0 : signalNumber(signal)))
      if (late) output.stderr += `\nno end within ${timeoutMs} ms: ${argv.join(' ')}`
      resolve({ status, ...output })
    }
    child.on('close', finish)
    child.on('exit', (code, signal) => {
      grace = setTimeout(() => {
        child.stdout?.destroy()
        child.stderr?.destroy()
        finish(code, signal)
      }, 500)
    })
  })
}

function signalNumber(signal: NodeJS.Signals): number {
  return constants.signals[signal]
}

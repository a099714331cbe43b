// A daemon that runs in the foreground inside of a namespace, with its output kept for the failing test.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type Namespace } from '../../system/namespace.ts'

export type Daemon = { readonly output: () => string; readonly stop: () => Promise<void> }

export function startDaemon(namespace: Namespace, command: readonly string[]): Daemon {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace.name}`, ...command], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return { output: () => output, stop: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), 5_000)
  await ended
  clearTimeout(killer)
}

/** What a daemon's own client program prints. */
export function ask(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })
}

/** As `ask`, for programs whose exit status also tells that there is nothing to show. */
export function askAnything(program: string, ...args: readonly string[]): string {
  return spawnSync(program, args, { encoding: 'utf8' }).stdout
}

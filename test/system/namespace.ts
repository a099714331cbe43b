// Network namespaces for the tests of this folder, and processes of ours inside of them.

import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { ended, type Remote, startRemote } from '../support/remote-calls.ts'
// As a type only: importing the module runs it.
import type { Calls } from './inside.ts'

export type Namespace = {
  readonly name: string
  /** Runs a program in it, returns what it printed. */
  readonly run: (command: string) => string
  readonly input: (command: string, stdin: string) => string
  readonly delete: () => void
}

let counter = 0

export function createNamespace(): Namespace {
  counter += 1
  const name = `tsys${process.pid}x${counter}`
  execFileSync('ip', ['netns', 'add', name])
  const run = (command: string, input?: string): string =>
    execFileSync('nsenter', [`--net=/run/netns/${name}`, ...command.split(' ')], {
      encoding: 'utf8',
      stdio: 'pipe',
      ...(input === undefined ? {} : { input }),
    })
  run('ip link set lo up')
  // Link-local addresses that are usable at once.
  run('sysctl -qw net.ipv6.conf.default.accept_dad=0')
  return {
    name,
    run: (command) => run(command),
    input: run,
    delete: () => execFileSync('ip', ['netns', 'del', name]),
  }
}

/** A veth link between two namespaces, both ends up. */
export function connectNamespaces(a: Namespace, b: Namespace, device = 'eth0'): void {
  a.run(`ip link add ${device} type veth peer name ${device} netns ${b.name}`)
  for (const each of [a, b]) {
    each.run(`ip link set ${device} up`)
  }
}

export type Inside = Remote<Calls> & { readonly stop: () => Promise<void> }

/** A process in the namespace that answers the calls of inside.ts. */
export function startInside(namespace: Namespace): Promise<Inside> {
  return startRemote<Inside>(namespace.name, [join(import.meta.dirname, 'inside.ts')], (child) => ({
    stop: () => ended(child, () => child.disconnect()),
  }))
}

/** Waits until `condition` gives something other than false or undefined. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + 10_000
  for (;;) {
    const value = await condition()
    if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

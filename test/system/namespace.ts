// Network namespaces for the tests of this folder, and processes of ours inside of them.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Call, type Calls, type Reply } from './inside.ts'

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

export type Inside = Calls & { readonly stop: () => Promise<void> }

/** A process in the namespace that answers the calls of inside.ts. */
export async function startInside(namespace: Namespace): Promise<Inside> {
  const script = join(import.meta.dirname, 'inside.ts')
  const child = spawn('nsenter', [`--net=/run/netns/${namespace.name}`, process.execPath, script], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const waiting = new Map<number, (reply: Reply) => void>()
  child.on('message', (reply: Reply) => {
    waiting.get(reply.id)?.(reply)
    waiting.delete(reply.id)
  })
  await once(child, 'message')
  let serial = 0
  const call = (name: Call['name'], args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = (serial += 1)
      waiting.set(id, (reply) => {
        if (reply.error === undefined) resolve(reply.value)
        else reject(Object.assign(new Error(reply.error.message), reply.error))
      })
      child.send({ id, name, args })
    })
  const stop = async (): Promise<void> => {
    if (hasEnded(child)) return
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  }
  return new Proxy({ stop } as Inside, {
    get: (target, name) => {
      if (name === 'stop') return target.stop
      // Awaiting the proxy must not look like a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined
      return (...args: unknown[]) => call(name as Call['name'], args)
    },
  })
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null
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

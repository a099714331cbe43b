// A speaker of ours in a namespace, as the tests hold it.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type Namespace } from '../../system/namespace.ts'
import { type Call, type Calls, type Reply } from './inside.ts'

type Asynchronous<T> = {
  readonly [name in keyof T]: T[name] extends (...args: infer A) => infer R
    ? (...args: A) => Promise<Awaited<R>>
    : never
}

export type Torii = Asynchronous<Calls> & {
  /** Stands still, as a machine that hangs; its sockets stay open. */
  readonly freeze: () => void
  readonly thaw: () => void
  readonly stop: () => Promise<void>
}

export async function startTorii(namespace: Namespace): Promise<Torii> {
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
      waiting.set(id, (reply) =>
        reply.error === undefined ? resolve(reply.value) : reject(new Error(reply.error)),
      )
      child.send({ id, name, args })
    })
  const own = {
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: () => stop(child),
  }
  return new Proxy(own as Torii, {
    get: (target, name) => {
      if (typeof name === 'symbol' || name === 'then') return undefined
      if (name in own) return Reflect.get(target, name) as unknown
      return (...args: unknown[]) => call(name as Call['name'], args)
    },
  })
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGCONT')
  if (child.connected) child.disconnect()
  await ended
}

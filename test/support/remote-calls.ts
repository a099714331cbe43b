// Functions of a process in another network namespace, called as if they were here: both ends of its IPC channel.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

type Call = { readonly id: number; readonly name: string; readonly args: readonly unknown[] }
type Failure = {
  readonly name: string
  readonly message: string
  readonly stack: string | undefined
  readonly code: unknown
}
type Reply = { readonly id: number; readonly value?: unknown; readonly error?: Failure }

export type Functions = Readonly<Record<string, (...args: never[]) => unknown>>
/** `T` from the other end: everything is a promise there. */
export type Remote<T extends Functions> = {
  readonly [name in keyof T]: (...args: Parameters<T[name]>) => Promise<Awaited<ReturnType<T[name]>>>
}

/** In the process: answers calls of `functions` until the channel ends, and the process with it. */
export function serveCalls(functions: Functions): void {
  const answer = async ({ id, name, args }: Call): Promise<Reply> => {
    try {
      const call = functions[name] as (...values: readonly unknown[]) => unknown
      return { id, value: await call(...args) }
    } catch (error) {
      const { name: kind, message, stack } = error instanceof Error ? error : new Error(String(error))
      const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
      return { id, error: { name: kind, message, stack, code } }
    }
  }
  process.on('message', (call: Call) => void answer(call).then((reply) => process.send?.(reply)))
  process.once('disconnect', () => process.exit(0))
  process.send?.({ id: 0 })
}

/**
 * Starts `argv` (a script that calls `serveCalls`) in a network namespace. `T` is a `Remote` of its functions and
 * what `own` adds to them.
 */
export async function startRemote<T extends object>(
  namespace: string,
  argv: readonly string[],
  own: (child: ChildProcess) => Partial<T>,
): Promise<T> {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace}`, process.execPath, ...argv], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const waiting = new Map<number, (reply: Reply) => void>()
  child.on('message', (reply: Reply) => {
    waiting.get(reply.id)?.(reply)
    waiting.delete(reply.id)
  })
  child.once('exit', () => {
    const error = { name: 'Error', message: 'the process has ended', stack: undefined, code: undefined }
    for (const [id, settle] of waiting) settle({ id, error })
  })
  await once(child, 'message')
  let serial = 0
  const call = (name: string, args: readonly unknown[]): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = (serial += 1)
      waiting.set(id, ({ value, error }) => {
        if (error === undefined) resolve(value)
        else reject(Object.assign(new Error(error.message), error))
      })
      child.send({ id, name, args })
    })
  return new Proxy(own(child) as T, {
    get: (target, name) => {
      if (name in target) return Reflect.get(target, name) as unknown
      // Awaiting the proxy must not look like a promise.
      if (typeof name === 'symbol' || name === 'then') return undefined
      return (...args: unknown[]) => call(name, args)
    },
  })
}

/** Does `end` to a child and waits until it has ended; at once if it has. */
export async function ended(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  end()
  await exit
}

// Waiting for a condition with a deadline, never for a time.

import { setTimeout as pause } from 'node:timers/promises'

/** A step that did not hold: what was found, and where to look. */
export class StepFailure extends Error {
  readonly lookAt: readonly string[]

  constructor(message: string, lookAt: readonly string[] = []) {
    super(message)
    this.name = 'StepFailure'
    this.lookAt = lookAt
  }
}

/** `done: false` says, in words, how far it is. */
export type Found<T> =
  { readonly done: true; readonly value: T } | { readonly done: false; readonly so: string }

export function found<T>(value: T): Found<T> {
  return { done: true, value }
}

export function notYet(so: string): { readonly done: false; readonly so: string } {
  return { done: false, so }
}

export type Patience = {
  /** What is waited for, for the message of the failure. */
  readonly what: string
  readonly withinMs: number
  readonly everyMs?: number
  readonly signal: AbortSignal
  readonly lookAt?: readonly string[] | (() => readonly string[])
  /** Told how far it is. */
  readonly progress?: (so: string) => void
}

/** Asks `look` until it is done; rejects with `StepFailure` once `withinMs` are over, at once when aborted. */
export async function until<T>(look: () => Promise<Found<T>> | Found<T>, patience: Patience): Promise<T> {
  const { what, withinMs, everyMs = 150, signal, lookAt, progress } = patience
  const deadline = performance.now() + withinMs
  for (;;) {
    signal.throwIfAborted()
    const answer = await look()
    if (answer.done) return answer.value
    progress?.(answer.so)
    if (performance.now() > deadline) {
      const where = typeof lookAt === 'function' ? lookAt() : lookAt
      throw new StepFailure(`${what}: not within ${(withinMs / 1000).toFixed(0)} s: ${answer.so}`, where)
    }
    await pause(everyMs, undefined, { signal })
  }
}

// A demo is a list of steps that become true one after the other; this runs them and keeps what became of each.

import { StepFailure } from './until.ts'

export type StepState = 'waiting' | 'running' | 'held' | 'failed' | 'skipped'

export type StepView = {
  readonly title: string
  readonly state: StepState
  readonly detail: string
  /** When it ended, since the start. */
  readonly atMs: number | undefined
}

export type Step = {
  readonly title: string
  /** The steps after it make no sense without it. */
  readonly needed: boolean
  /** Resolves with what held, in words; rejects with `StepFailure` when it did not. */
  readonly run: (progress: (so: string) => void) => Promise<string>
}

export type Failure = { readonly title: string; readonly message: string; readonly lookAt: readonly string[] }

export type Outcome = { readonly views: readonly StepView[]; readonly failures: readonly Failure[] }

/** Runs all; after a needed step that failed, or an abort, the rest is skipped. */
export async function runSteps(
  steps: readonly Step[],
  {
    signal,
    nowMs,
    show,
  }: {
    readonly signal: AbortSignal
    /** Since the start. */
    readonly nowMs: () => number
    readonly show: (views: readonly StepView[]) => void
  },
): Promise<Outcome> {
  const views: StepView[] = steps.map(({ title }) => ({
    title,
    state: 'waiting',
    detail: '',
    atMs: undefined,
  }))
  const failures: Failure[] = []
  const put = (index: number, change: Partial<StepView>): void => {
    const before = views[index]
    if (before === undefined) return
    views[index] = { ...before, ...change }
    show([...views])
  }
  let lost = false
  for (const [index, step] of steps.entries()) {
    if (lost || signal.aborted) {
      put(index, { state: 'skipped' })
      continue
    }
    put(index, { state: 'running' })
    try {
      const detail = await step.run((so) => put(index, { detail: so }))
      put(index, { state: 'held', detail, atMs: nowMs() })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      put(index, { state: 'failed', detail: message, atMs: nowMs() })
      const lookAt = error instanceof StepFailure ? error.lookAt : []
      failures.push({ title: step.title, message, lookAt })
      lost = step.needed
    }
  }
  return { views, failures }
}

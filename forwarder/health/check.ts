// One backend's health as a pure machine: when to probe, what a result means.
//
//            dueAt                 slot free             result, or deadline
//   waiting ───────► due: probe! ───────────► probing ────────────────────────► waiting
//
// A target begins as down and undecided, and its first result decides at once: a starting balancer neither sends to
// backends it knows nothing of, nor waits `rise` intervals for those that work. From then on `rise` good results in
// a row bring it up and `fall` bad ones take it down.

import { later, type Instant } from '../../net/time.ts'

export type Timing = {
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
}

type Phase =
  | { readonly kind: 'waiting'; readonly dueAt: Instant }
  | { readonly kind: 'due' }
  | {
      readonly kind: 'probing'
      readonly startedAt: Instant
      readonly deadline: Instant
      readonly jitter: number
    }

export type Check = {
  readonly timing: Timing
  readonly phase: Phase
  readonly up: boolean
  readonly since: Instant
  /** Undefined until the first result. */
  readonly last: { readonly good: boolean; readonly detail: string } | undefined
  readonly consecutive: number
}

/** `begun`: the probe that was asked for has a slot; `jitter` in [0, 1) spreads the probes of many targets. */
export type CheckInput =
  | { readonly kind: 'tick' }
  | { readonly kind: 'begun'; readonly jitter: number }
  | { readonly kind: 'result'; readonly good: boolean; readonly detail: string }

/** `abandon`: the probe under way has run out of time. */
export type CheckOutput =
  | { readonly kind: 'probe' }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'changed'; readonly up: boolean; readonly detail: string }

export type Stepped = { readonly check: Check; readonly outputs: readonly CheckOutput[] }

/** A new target's check: its first probe is due now. */
export function startCheck(timing: Timing, now: Instant): Check {
  return {
    timing,
    phase: { kind: 'waiting', dueAt: now },
    up: false,
    since: now,
    last: undefined,
    consecutive: 0,
  }
}

/** New timing for a running check: counts from the next probe on, the state stays. */
export function retime(check: Check, timing: Timing, now: Instant): Check {
  const soonest = later(now, timing.intervalMs)
  const phase: Phase =
    check.phase.kind === 'waiting' && check.phase.dueAt > soonest
      ? { kind: 'waiting', dueAt: soonest }
      : check.phase
  return { ...check, timing, phase }
}

/** When `tick` is next wanted; undefined while a probe waits for its slot. */
export function nextDeadline(check: Check): Instant | undefined {
  switch (check.phase.kind) {
    case 'waiting':
      return check.phase.dueAt
    case 'probing':
      return check.phase.deadline
    case 'due':
      return undefined
  }
}

export function step(check: Check, input: CheckInput, now: Instant): Stepped {
  const { phase, timing } = check
  switch (input.kind) {
    case 'begun':
      if (phase.kind !== 'due') return { check, outputs: [] }
      return {
        check: {
          ...check,
          phase: {
            kind: 'probing',
            startedAt: now,
            deadline: later(now, timing.timeoutMs),
            jitter: input.jitter,
          },
        },
        outputs: [],
      }
    case 'result':
      return phase.kind === 'probing' ? conclude(check, phase, input, now) : { check, outputs: [] }
    case 'tick':
      if (phase.kind === 'waiting' && now >= phase.dueAt) {
        return { check: { ...check, phase: { kind: 'due' } }, outputs: [{ kind: 'probe' }] }
      }
      if (phase.kind === 'probing' && now >= phase.deadline) {
        const bad = { good: false, detail: `no answer within ${timing.timeoutMs} ms` }
        const { check: concluded, outputs } = conclude(check, phase, bad, now)
        return { check: concluded, outputs: [{ kind: 'abandon' }, ...outputs] }
      }
      return { check, outputs: [] }
  }
}

function conclude(
  check: Check,
  probing: Extract<Phase, { kind: 'probing' }>,
  { good, detail }: { readonly good: boolean; readonly detail: string },
  now: Instant,
): Stepped {
  const { timing, last } = check
  const consecutive = last?.good === good ? check.consecutive + 1 : 1
  const enough = last === undefined || consecutive >= (good ? timing.rise : timing.fall)
  const up = enough ? good : check.up
  const turned = up !== check.up
  // The first word on a target is news even if it confirms what was assumed.
  const news = turned || last === undefined
  // Measured from start to start, a tenth to either side, so that a slow answer does not slow the checking.
  const dueAt = later(probing.startedAt, timing.intervalMs * (0.9 + 0.2 * probing.jitter))
  return {
    check: {
      timing,
      phase: { kind: 'waiting', dueAt: dueAt > now ? dueAt : now },
      up,
      since: turned ? now : check.since,
      last: { good, detail },
      consecutive,
    },
    outputs: news ? [{ kind: 'changed', up, detail }] : [],
  }
}

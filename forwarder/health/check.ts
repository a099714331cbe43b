// One backend's health as a pure machine: when to probe, what a result means.
//
//            dueAt               begun              result, or deadline
//   waiting ───────► due: probe! ───────────► probing ────────────────────────► waiting
//
// A target begins as down and undecided, and its first result decides at once: a starting balancer neither sends to
// backends it knows nothing of, nor waits `rise` intervals for those that work. From then on `rise` good results in
// a row bring it up and `fall` bad ones take it down.
//
// Probes follow a schedule of exact intervals, whose place in time is drawn once for each target: targets and nodes
// do not probe in step, nothing drifts, and a backend that dies is out within `fall` intervals and one timeout.

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
  | { readonly kind: 'probing'; readonly deadline: Instant }

export type Check = {
  readonly timing: Timing
  readonly phase: Phase
  /** The probe's place in the schedule; the next one's is an interval later. */
  readonly slot: Instant
  readonly up: boolean
  readonly since: Instant
  /** Undefined until the first result. */
  readonly last: { readonly good: boolean; readonly detail: string } | undefined
  readonly consecutive: number
}

/** `begun`: the probe that was asked for is under way. */
export type CheckInput =
  | { readonly kind: 'tick' }
  | { readonly kind: 'begun' }
  | { readonly kind: 'result'; readonly good: boolean; readonly detail: string }

/** `abandon`: the probe under way has run out of time. */
export type CheckOutput =
  | { readonly kind: 'probe' }
  | { readonly kind: 'abandon' }
  | { readonly kind: 'changed'; readonly up: boolean; readonly detail: string }

export type Stepped = { readonly check: Check; readonly outputs: readonly CheckOutput[] }

/** A new target's check: its first probe is due now, the second after `spread` (0 to 1) of an interval. */
export function startCheck(timing: Timing, now: Instant, spread: number): Check {
  return {
    timing,
    phase: { kind: 'waiting', dueAt: now },
    slot: later(now, timing.intervalMs * (spread - 1)),
    up: false,
    since: now,
    last: undefined,
    consecutive: 0,
  }
}

/** New timing for a running check: counts from the next probe on, the state stays. */
export function retime(check: Check, timing: Timing, now: Instant): Check {
  const soonest = later(now, timing.intervalMs)
  return check.phase.kind === 'waiting' && check.phase.dueAt > soonest
    ? { ...check, timing, phase: { kind: 'waiting', dueAt: soonest }, slot: soonest }
    : { ...check, timing }
}

/** When `tick` is next wanted; undefined while a probe waits to begin. */
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
        check: { ...check, phase: { kind: 'probing', deadline: later(now, timing.timeoutMs) } },
        outputs: [],
      }
    case 'result':
      return phase.kind === 'probing' ? conclude(check, input, now) : { check, outputs: [] }
    case 'tick':
      if (phase.kind === 'waiting' && now >= phase.dueAt) {
        return { check: { ...check, phase: { kind: 'due' } }, outputs: [{ kind: 'probe' }] }
      }
      if (phase.kind === 'probing' && now >= phase.deadline) {
        const bad = { good: false, detail: `no answer within ${timing.timeoutMs} ms: ${silence}` }
        const { check: concluded, outputs } = conclude(check, bad, now)
        return { check: concluded, outputs: [{ kind: 'abandon' }, ...outputs] }
      }
      return { check, outputs: [] }
  }
}

const silence = 'the host is down, or its VIP on lo or L3DSR rule is missing (there: torii backend check)'

function conclude(
  check: Check,
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
  // Behind by an interval or more: too slow answers or too many probes. What was missed is not made up for.
  const next = later(check.slot, timing.intervalMs)
  const slot = next > now ? next : now
  return {
    check: {
      timing,
      phase: { kind: 'waiting', dueAt: slot },
      slot,
      up,
      since: turned ? now : check.since,
      last: { good, detail },
      consecutive,
    },
    outputs: news ? [{ kind: 'changed', up, detail }] : [],
  }
}

// Time as the protocol cores see it: passed in, never read.

import { type Brand } from './brand.ts'

/** Monotonic milliseconds; only differences mean anything. */
export type Instant = Brand<number, 'Instant'>

export function instant(milliseconds: number): Instant {
  return milliseconds as Instant
}

/** The instant `milliseconds` later. */
export function later(from: Instant, milliseconds: number): Instant {
  return (from + milliseconds) as Instant
}

// Virtual time: nothing happens until the test lets it.

import { instant } from '../../net/time.ts'
import { type Clock } from '../../system/ports.ts'

export type FakeClock = Clock & {
  /** Lets `ms` pass; what falls due fires in order, at its own time. */
  advance(ms: number): void
  /** Timers that wait. */
  readonly pending: number
}

export function fakeClock(startMs = 1_000_000): FakeClock {
  let now = startMs
  let serial = 0
  const timers = new Map<number, { readonly at: number; readonly fire: () => void }>()
  return {
    now: () => instant(now),
    wall: () => new Date(1_700_000_000_000 + now),
    after: (delayMs, fire) => {
      const id = (serial += 1)
      timers.set(id, { at: now + Math.max(0, delayMs), fire })
      return () => timers.delete(id)
    },
    advance: (ms) => {
      const end = now + ms
      for (;;) {
        const due = [...timers]
          .filter(([, timer]) => timer.at <= end)
          .sort((a, b) => a[1].at - b[1].at || a[0] - b[0])[0]
        if (due === undefined) break
        timers.delete(due[0])
        now = due[1].at
        due[1].fire()
      }
      now = end
    },
    get pending() {
      return timers.size
    },
  }
}

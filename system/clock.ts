// Real time.

import { performance } from 'node:perf_hooks'
import { instant } from '../net/time.ts'
import { type Clock } from './ports.ts'

export const systemClock: Clock = {
  now: () => instant(performance.now()),
  wall: () => new Date(),
  after: (delayMs, fire) => {
    const timer = setTimeout(fire, Math.max(0, delayMs))
    return () => clearTimeout(timer)
  },
}

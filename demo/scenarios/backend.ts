// (c) A backend dies: cut off without warning. Its connections are lost, nobody else's; new flows avoid it as soon as
// the health check has failed as often as the document says, and it gets its part again when it is back.

import { type HealthCheck } from '../../config/model.ts'
import { type FabricNode } from '../../test/fabric/fabric.ts'
import { type Limits } from '../verdict.ts'
import { type Element, type Setting } from './failure.ts'
import { backendIs } from './observe.ts'

/** Probes are up to a tenth of the interval late, so that those of many targets spread. */
const jitter = 0.1

/** The check's own: from the death to the last of `fall` bad results, when a probe had just been answered. */
export function fallTimeMs(check: HealthCheck): number {
  if (check.kind === 'none') return Infinity
  const { intervalMs, timeoutMs, fall } = check
  return fall * Math.max(intervalMs * (1 + jitter), timeoutMs) + timeoutMs
}

export function backendLimits(fallMs: number, toleranceMs: number): Limits {
  return {
    lost: undefined,
    lastLostMs: fallMs + toleranceMs,
    brokenElsewhere: 0,
    brokenOnFailed: undefined,
    // Its rows come back to it at one moment: a request that is under way then loses its backend.
    lostAtReturn: undefined,
  }
}

export function backendDeath(backend: FabricNode, { lab }: Setting): Element {
  return {
    name: backend.name,
    carries: 'backend',
    fail: () => backend.cutOff(),
    noticed: () => backendIs(lab, backend.name, false),
    bringBack: () => backend.restore(),
    returned: () => backendIs(lab, backend.name, true),
    lookAt: [`torii status on a balancer: why ${backend.name} is up or down`],
  }
}

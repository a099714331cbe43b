// (b) A balancer is cut off without warning, its links still up: the routers go on sending to it until the BGP hold
// time is over. Requests through it are lost until then, and no longer; connections live through it, since the
// other balancers hold the same table.

import { type FabricNode } from '../../test/fabric/fabric.ts'
import { mustStatus } from '../lab.ts'
import { StepFailure } from '../until.ts'
import { type Limits } from '../verdict.ts'
import { type Element, type Setting } from './failure.ts'
import { routedTo } from './observe.ts'

/** The longest hold time that the balancer agreed on with its routers. Must be asked before the cut. */
export async function holdTimeMs(balancer: FabricNode): Promise<number> {
  const { peers } = await mustStatus(balancer)
  const seconds = peers.flatMap(({ holdTimeSeconds }) => holdTimeSeconds ?? [])
  if (seconds.length === 0) throw new StepFailure(`${balancer.name} has no session`)
  return Math.max(...seconds) * 1000
}

/** `toleranceMs`: what taking the route out of the kernel and measuring may add. */
export function cutLimits(holdMs: number, toleranceMs: number): Limits {
  return {
    lost: undefined,
    lastLostMs: holdMs + toleranceMs,
    brokenElsewhere: 0,
    brokenOnFailed: 0,
    lostAtReturn: 0,
  }
}

export function cut(balancer: FabricNode, { lab, services }: Setting): Element {
  const others = lab.balancers.filter(({ name }) => name !== balancer.name)
  return {
    name: balancer.name,
    carries: 'balancer',
    fail: () => balancer.cutOff(),
    noticed: () => routedTo(lab, services.vips, others),
    bringBack: () => balancer.restore(),
    returned: () => routedTo(lab, services.vips, lab.balancers),
    lookAt: [`torii status on ${balancer.name}`, 'vtysh -c "show bgp summary" on the routers'],
  }
}

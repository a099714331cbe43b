// (a) A balancer is told to leave by SIGTERM: it withdraws, forwards on for its drain time, and goes. Nothing may be
// lost, neither then nor when it is started again.

import { type FabricNode } from '../../test/fabric/fabric.ts'
import { statusOf } from '../lab.ts'
import { found, notYet, StepFailure } from '../until.ts'
import { type Limits } from '../verdict.ts'
import { type Element, type Setting } from './failure.ts'
import { routedTo } from './observe.ts'

export const drainLimits: Limits = {
  lost: 0,
  lastLostMs: 0,
  brokenElsewhere: 0,
  brokenOnFailed: 0,
  lostAtReturn: 0,
}

export function drain(balancer: FabricNode, { lab, services }: Setting): Element {
  const others = lab.balancers.filter(({ name }) => name !== balancer.name)
  let exited = false
  return {
    name: balancer.name,
    carries: 'balancer',
    fail: () => {
      if (balancer.main === undefined) throw new StepFailure(`${balancer.name} runs nothing to drain`)
      void balancer.main.exited.then(() => (exited = true))
      balancer.signalMain('SIGTERM')
      return Promise.resolve()
    },
    noticed: async () => {
      const routed = await routedTo(lab, services.vips, others)
      if (!routed.done) return routed
      return exited ? found('left') : notYet('torii has not left yet')
    },
    bringBack: async () => {
      await balancer.startMain()
    },
    returned: async () => {
      const status = await statusOf(balancer)
      if (status === undefined) return notYet('torii does not answer yet')
      return routedTo(lab, services.vips, lab.balancers)
    },
    lookAt: [`torii status on ${balancer.name}`, 'vtysh -c "show bgp summary" on the routers'],
  }
}

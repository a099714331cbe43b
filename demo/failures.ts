// The steps that fail things under steady traffic, and what each cost.

import { type HealthCheck } from '../config/model.ts'
import { backendDeath, backendLimits, fallTimeMs } from './scenarios/backend.ts'
import { cut, cutLimits, holdTimeMs } from './scenarios/cut.ts'
import { drain, drainLimits } from './scenarios/drain.ts'
import { type Element, failUnderTraffic, type Setting } from './scenarios/failure.ts'
import { type ScenarioName } from './options.ts'
import { type Step } from './step.ts'
import { StepFailure } from './until.ts'
import { complaints, type Cost, costOf, type Limits } from './verdict.ts'

/** What reading clocks, moving routes and writing tables on a busy machine may add to a protocol's bound. */
export const toleranceMs = 750

export type Played = {
  readonly name: ScenarioName
  readonly element: string
  readonly cost: Cost
  readonly limits: Limits
}

/** Who fails in which scenario. */
const victims: Readonly<Record<ScenarioName, string>> = { drain: 'lb1', cut: 'lb2', backend: 'be3' }
const titles: Readonly<Record<ScenarioName, string>> = {
  drain: 'lb1 leaves by SIGTERM, and returns',
  cut: 'lb2 is cut off without warning, and returns',
  backend: 'be3 dies, and returns',
}

/** Plays one scenario. Rejects with `StepFailure` where the fabric did not do its part. */
export async function play(
  name: ScenarioName,
  setting: Setting,
  check: () => Promise<HealthCheck>,
): Promise<Played> {
  const node = setting.lab.fabric.node(victims[name])
  const plan = async (): Promise<{ readonly element: Element; readonly limits: Limits }> => {
    switch (name) {
      case 'drain':
        return { element: drain(node, setting), limits: drainLimits }
      case 'cut':
        return { element: cut(node, setting), limits: cutLimits(await holdTimeMs(node), toleranceMs) }
      case 'backend':
        return {
          element: backendDeath(node, setting),
          limits: backendLimits(fallTimeMs(await check()), toleranceMs),
        }
    }
  }
  const { element, limits } = await plan()
  const cost = costOf(await failUnderTraffic(element, setting))
  return { name, element: node.name, cost, limits }
}

export function failureStep(
  name: ScenarioName,
  setting: () => Omit<Setting, 'progress'>,
  { check, done }: { readonly check: () => Promise<HealthCheck>; readonly done: (played: Played) => void },
): Step {
  return {
    title: titles[name],
    needed: false,
    run: async (progress) => {
      const played = await play(name, { ...setting(), progress }, check)
      done(played)
      const wrong = complaints(played.cost, played.limits)
      if (wrong.length > 0) {
        throw new StepFailure([...wrong, describeCost(played)].join('\n'), [
          'torii status on every balancer, and its log',
          'vtysh -c "show bgp summary" on the routers',
        ])
      }
      return describeCost(played)
    },
  }
}

/** The four numbers of a failure, in words. */
export function describeCost({ element, cost, limits }: Played): string {
  const { sent, lost, lastLostMs, connections, broken, brokenOnFailed, onFailed, lostAtReturn } = cost
  const limit = limits.lastLostMs > 0 ? ` (limit ${(limits.lastLostMs / 1000).toFixed(1)} s)` : ''
  const until =
    lastLostMs === undefined ? 'none lost' : `last one lost after ${(lastLostMs / 1000).toFixed(1)} s${limit}`
  return [
    `${lost} of ${sent} requests lost, ${until}; ${lostAtReturn} lost at the return`,
    `${broken} of ${connections} open connections broke; ${brokenOnFailed} of the ${onFailed} on ${element} did`,
  ].join('\n')
}

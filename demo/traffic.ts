// The steps that send real requests and look at where they went.

import { type BurstReport, type Target } from './client/protocol.ts'
import { type Lab, mustStatus } from './lab.ts'
import { burst } from './load.ts'
import { type Services, sharesOf } from './services.ts'
import { formatSpreadRow, type Observed, type SpreadRow, spreadOf, worstSigmas } from './spread.ts'
import { type Step } from './step.ts'
import { StepFailure } from './until.ts'

export type TrafficStage = {
  readonly lab: () => Lab
  readonly services: () => Services
  readonly signal: AbortSignal
}

export type Burst = {
  readonly name: string
  readonly report: BurstReport
  readonly rows: readonly SpreadRow[]
}

const httpRequests = 2000
const udpRequests = 1000
const concurrency = 16
const deadlineMs = 2000
/** Of one backend's count. By chance alone, one run in 200,000 goes beyond it. */
const sigmaLimit = 5

export function trafficSteps(stage: TrafficStage, done: (burst: Burst) => void): readonly Step[] {
  const { lab, services } = stage
  return [
    burstStep('HTTP', 'http', httpRequests, () => services().http),
    burstStep('UDP', 'udp', udpRequests, () => services().echo),
  ]

  function burstStep(
    name: string,
    kind: 'http' | 'udp',
    requests: number,
    targets: () => readonly Target[],
  ): Step {
    return {
      title: `${requests.toLocaleString('en')} ${name} requests, both families`,
      needed: false,
      run: async () => {
        const order = { targets: [...targets()], requests, concurrency, deadlineMs }
        const report = await burst(lab().client, kind, order, stage.signal)
        const rows = spreadOf(await observed(lab(), targets(), report))
        done({ name, report, rows })
        return judge(report, rows)
      },
    }
  }
}

/** Two words for two things: who answered, and how the tables would have it. */
async function observed(
  { balancers }: Lab,
  targets: readonly Target[],
  { answers }: BurstReport,
): Promise<readonly Observed[]> {
  const [first] = balancers
  if (first === undefined) throw new StepFailure('the fabric has no balancer')
  const { vips } = await mustStatus(first)
  return targets.map(({ address, family }) => {
    const vip = vips.find((each) => each.vip === address)
    if (vip === undefined) throw new StepFailure(`${address} is no VIP any more`)
    const counts = new Map<string, number>()
    for (const { backend } of answers.filter((each) => each.family === family)) {
      counts.set(backend, (counts.get(backend) ?? 0) + 1)
    }
    return { shares: sharesOf(vip), counts }
  })
}

function judge({ sent, answers, lost, foreign, tookMs }: BurstReport, rows: readonly SpreadRow[]): string {
  const lookAt = ['torii status on the balancers', 'torii trace SRC:PORT VIP:PORT/PROTO on a balancer']
  if (lost.length > 0) {
    const reasons = [...new Set(lost.map(({ reason }) => reason))].slice(0, 3).join('; ')
    throw new StepFailure(`${lost.length} of ${sent} lost: ${reasons}`, lookAt)
  }
  if (foreign > 0) throw new StepFailure(`${foreign} answers did not come from the VIP`, lookAt)
  const spread = rows.map(formatSpreadRow).join(', ')
  if (worstSigmas(rows) > sigmaLimit) {
    throw new StepFailure(`the spread is more than ${sigmaLimit}σ off the tables' shares: ${spread}`, lookAt)
  }
  const rate = Math.round((answers.length / tookMs) * 1000)
  return `all answered, ${rate} a second\nspread: ${spread}`
}

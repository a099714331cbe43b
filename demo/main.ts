// `npm run demo`: the fabric of deploy/containerlab up, every step shown as it becomes true, requests through the
// VIPs, three failures under steady traffic, a summary. Cleans up after itself whatever happens.

import { join } from 'node:path'
import { parseDocuments } from '../config/config.ts'
import { type HealthCheck } from '../config/model.ts'
import { readSources } from '../config/read-driver.ts'
import { deployFabric, type Fabric } from '../test/fabric/fabric.ts'
import { createBoard } from './board.ts'
import { bringUp, missing } from './bring-up.ts'
import { type Played, failureStep } from './failures.ts'
import { keepText } from './keep.ts'
import { type Lab, labOf } from './lab.ts'
import { help, type Options, parseOptions } from './options.ts'
import { type Services } from './services.ts'
import { runSteps } from './step.ts'
import { renderSummary, type Results, summaryJson } from './summary.ts'
import { type Burst, trafficSteps } from './traffic.ts'
import { StepFailure } from './until.ts'

const containerlab = join(import.meta.dirname, '../deploy/containerlab')
const topology = join(containerlab, 'l3dsr.clab.yml')
const documents = join(containerlab, 'torii')
const interruptedCode = 130

async function demo(options: Options): Promise<number> {
  const startedAtMs = performance.now()
  const nowMs = (): number => performance.now() - startedAtMs
  const stream = options.json ? process.stderr : process.stdout
  const interrupt = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (interrupt.signal.aborted) return
      interrupt.abort(new StepFailure('interrupted'))
      stream.write('\ncleaning up\n')
    })
  }

  let fabric: Fabric | undefined
  let lab: Lab | undefined
  let services: Services | undefined
  const bursts: Burst[] = []
  const played: Played[] = []
  const stage = {
    signal: interrupt.signal,
    lab: () => lab ?? missing('the fabric'),
    services: () => services ?? missing('a VIP'),
    learned: (learned: Services) => (services = learned),
    deploy: async () => {
      fabric = await deployFabric({ topology, ...(options.lab === undefined ? {} : { lab: options.lab }) })
      lab = labOf(fabric)
      return lab
    },
  }
  const setting = (): { lab: Lab; services: Services; signal: AbortSignal } => ({
    lab: stage.lab(),
    services: stage.services(),
    signal: interrupt.signal,
  })
  const steps = [
    ...bringUp(stage),
    ...trafficSteps(stage, (burst) => bursts.push(burst)),
    ...options.scenarios.map((name) =>
      failureStep(name, setting, { check: healthCheck, done: (each) => played.push(each) }),
    ),
  ]

  const board = createBoard(stream, nowMs)
  let kept = false
  try {
    const outcome = await runSteps(steps, {
      signal: interrupt.signal,
      nowMs,
      show: (...args) => board.show(...args),
    })
    board.close()
    if (interrupt.signal.aborted) return interruptedCode
    const results: Results = { bursts, played, outcome, tookMs: nowMs() }
    stream.write(renderSummary(results, stream))
    if (options.json) process.stdout.write(summaryJson(results))
    if (options.keep && lab !== undefined) {
      kept = true
      lab.fabric.keep()
      stream.write(keepText(lab, services, topology))
    }
    return outcome.failures.length === 0 ? 0 : 1
  } finally {
    board.close()
    if (!kept) await fabric?.destroy()
  }
}

/** As the first service's document has it: the demo's fall time is computed from it. */
async function healthCheck(): Promise<HealthCheck> {
  const read = await readSources([documents])
  const parsed = read.kind === 'refused' ? read : parseDocuments(read.sources)
  const [service] = parsed.kind === 'refused' ? [] : parsed.config.loadBalancers
  if (service === undefined) throw new StepFailure(`no LoadBalancer in ${documents}`)
  return service.healthCheck
}

const parsed = parseOptions(process.argv.slice(2))
switch (parsed.kind) {
  case 'help':
    process.stdout.write(help)
    break
  case 'wrong':
    process.stderr.write(`demo: ${parsed.message}\n${help}`)
    process.exitCode = 2
    break
  case 'run':
    process.exit(await demo(parsed.options))
}

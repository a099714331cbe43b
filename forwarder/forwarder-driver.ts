// The forwarder's door: brings the datapath to the services that it was last given and to where the kernel's routes and
// neighbours lead, one pass after the other, again after every change and, ever more slowly, after every failure.

import { type BpfBinding } from '../native/bpf.ts'
import { type Ip, formatIp } from '../net/ip.ts'
import { later } from '../net/time.ts'
import { SystemError } from '../system/errors.ts'
import { type Cancel, type Clock, type Log, type Netlink } from '../system/ports.ts'
import { type RowMemo, type TabledService, buildImage } from './build-image.ts'
import { explainFlow } from './explain.ts'
import { namesFor } from './flow-names.ts'
import { type HopView, createHopFollower } from './hop-driver.ts'
import { type DatapathImage } from './image.ts'
import { type DatapathOptions, type Forwarder, type InterfaceState, type VirtualService } from './model.ts'
import { describeStatus, statusText } from './status.ts'
import { createTableCache } from './table-cache.ts'
import { type Datapath, openDatapath } from './xdp/datapath.ts'
import { maps } from './xdp/layout.ts'

export type ForwarderOptions = {
  /** A directory of this instance's own below a mounted bpffs; it need not exist. */
  readonly bpffs: string
  /** Instead of the BPF object that comes with the package. */
  readonly objectPath?: string
}
export type ForwarderPorts = {
  readonly netlink: Netlink
  readonly bpf: BpfBinding
  readonly clock: Clock
  readonly log: Log
  /** The status is different, packet counters aside. */
  readonly onChange: () => void
}

type Target = { readonly services: readonly VirtualService[]; readonly options: DatapathOptions }
/** What the last successful pass put in force. */
type Applied = { readonly image: DatapathImage; readonly services: readonly TabledService[] }

const capacity = {
  vips: maps.vips.maxEntries,
  tables: maps.tables.maxEntries,
  reals: maps.reals.maxEntries,
}
const firstRetryMs = 1000
const lastRetryMs = 30_000
/** Between passes that the kernel's changes cause: a burst of them is one, and most of the time is for others. */
const gapMs = 20
const longestGapMs = 500
const longestTurnMs = 5

/** Never throws for the environment's sake: what fails is in `status().problems`, and is tried again. */
export function createForwarder(options: ForwarderOptions, ports: ForwarderPorts): Forwarder {
  const { bpf, clock, log, onChange } = ports
  const tables = createTableCache()
  const memo: RowMemo = new WeakMap()
  const place = { directory: options.bpffs, objectPath: options.objectPath }
  let target: Target | undefined
  let serial = 0
  let tried = 0
  let waiting: { readonly serial: number; readonly resolve: () => void }[] = []
  let datapath: Datapath | undefined
  let applied: Applied | undefined
  let view: HopView | undefined
  let interfaces: readonly InterfaceState[] = []
  let problems: readonly string[] = []
  let running: Promise<void> | undefined
  let due = false
  let lastPass = { endedAt: clock.now(), tookMs: 0 }
  let failures = 0
  let cancelGap: Cancel | undefined
  let cancelRetry: Cancel = () => undefined
  let closed = false
  let told = ''

  const hops = createHopFollower({ ...ports, onChange: () => soon() })

  const run = (): void => {
    due = true
    if (!closed) running ??= loop()
  }

  const loop = async (): Promise<void> => {
    // Whoever called goes on first: a pass takes a while.
    await turn()
    while (due && !closed) {
      due = false
      await pass()
    }
    running = undefined
  }

  const soon = (): void => {
    if (cancelGap !== undefined || closed) return
    const wait =
      later(lastPass.endedAt, Math.min(longestGapMs, Math.max(gapMs, 4 * lastPass.tookMs))) - clock.now()
    cancelGap = clock.after(Math.max(0, wait), () => {
      cancelGap = undefined
      run()
    })
  }

  const pass = async (): Promise<void> => {
    cancelRetry()
    const mine = serial
    const startedAt = clock.now()
    const found: string[] = []
    try {
      datapath ??= openDatapath(place, { bpf, log })
      if (target !== undefined) await apply(datapath, target, found)
    } catch (error) {
      if (!(error instanceof SystemError)) log.error({ error }, 'datapath pass failed')
      else if (error.cause !== undefined) log.debug({ error: error.cause }, 'datapath pass failed')
      found.push(error instanceof Error ? error.message : String(error))
    }
    const endedAt = clock.now()
    lastPass = { endedAt, tookMs: endedAt - startedAt }
    found.push(...interfaces.flatMap(({ problem }) => (problem === undefined ? [] : [problem])))
    finish(mine, [...new Set(found)])
  }

  const apply = async (into: Datapath, wanted: Target, found: string[]): Promise<void> => {
    const tabled = await layOut(wanted, found)
    try {
      view = await hops.look(addressesOf(wanted.services))
    } catch (error) {
      // Next hops of before are better than none, but interfaces have to be known.
      if (view === undefined) throw error
      found.push(error instanceof Error ? error.message : String(error))
    }
    const { hopOf, links } = view
    const { hashKey, tableSize, interfaces: names, xdpMode } = wanted.options
    const built = buildImage(into.held(), tabled, { hashKey, tableSize, hopOf, capacity, memo })
    found.push(...built.problems)
    interfaces = await into.apply({ image: built.image, interfaces: names, xdpMode, links })
    applied = { image: built.image, services: tabled }
  }

  const layOut = async (
    { services, options }: Target,
    found: string[],
  ): Promise<readonly TabledService[]> => {
    tables.retain(services)
    let turnedAt = clock.now()
    const tabled: TabledService[] = []
    for (const service of services) {
      try {
        const table = tables.tableOf(service, options)
        tabled.push({ service, table })
        if (table.slotsExceeded)
          found.push(
            `${service.service}: more than ${options.slots} backends, the table's slots: shares are uneven`,
          )
        // Laying a table out takes a millisecond or two: sessions and timers get their turn in between.
        if (clock.now() - turnedAt > longestTurnMs) {
          await turn()
          turnedAt = clock.now()
        }
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
        found.push(`${service.service}: ${error.message}`)
      }
    }
    return tabled
  }

  const finish = (mine: number, found: readonly string[]): void => {
    for (const problem of found) if (!problems.includes(problem)) log.warn({ problem }, 'datapath problem')
    if (found.length === 0 && problems.length > 0) log.info({}, 'datapath is as wanted')
    problems = found
    failures = found.length === 0 ? 0 : failures + 1
    if (failures > 0 && !closed)
      cancelRetry = clock.after(Math.min(lastRetryMs, firstRetryMs * 2 ** (failures - 1)), run)
    tried = mine
    const done = waiting.filter((each) => each.serial <= tried)
    waiting = waiting.filter((each) => each.serial > tried)
    for (const { resolve } of done) resolve()
    const now = statusText(describe())
    if (now !== told) {
      told = now
      onChange()
    }
  }

  const describe = (): ReturnType<typeof describeStatus> =>
    describeStatus({ services: target?.services ?? [], applied, view, interfaces, problems })

  run()
  return {
    set: (services, wanted) => {
      target = { services, options: wanted }
      serial += 1
      failures = 0
      run()
    },
    settled: () =>
      tried === serial || closed
        ? Promise.resolve()
        : new Promise((resolve) => waiting.push({ serial, resolve })),
    status: () => ({ ...describe(), packets: datapath?.counters() ?? {} }),
    trace: (flow) => {
      if (applied === undefined)
        return { ...untraced, why: ['nothing is known of the datapath yet: this node has just started'] }
      const services = applied.services.map(({ service }) => service)
      const name = (ifindex: number): string | undefined =>
        view?.links.find(({ index }) => index === ifindex)?.name
      return explainFlow(flow, applied.image, namesFor(flow, services, applied.image.reals, name))
    },
    close: async ({ detach }) => {
      closed = true
      cancelGap?.()
      cancelRetry()
      hops.close()
      await running
      cancelRetry()
      datapath?.close({ detach })
      datapath = undefined
      for (const { resolve } of waiting) resolve()
    },
  }
}

const untraced = {
  verdict: 'pass',
  service: undefined,
  row: undefined,
  tableSize: undefined,
  real: undefined,
  dscp: undefined,
  hop: undefined,
} as const

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

function addressesOf(services: readonly VirtualService[]): readonly Ip[] {
  return [...new Map(services.flatMap(({ reals }) => reals.map(({ ip }) => [formatIp(ip), ip]))).values()]
}

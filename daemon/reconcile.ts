// The reconcile loop: computes everything desired from documents, allocations and observations again whenever
// something marked the state dirty, and hands each plane its whole part. Level-triggered: triggers carry no data.

import { type Allocator } from '../allocator/allocator.ts'
import { type Allocated } from '../allocator/model.ts'
import { type Config } from '../config/model.ts'
import { selects } from '../config/selector.ts'
import { type Health } from '../forwarder/health/target.ts'
import { type Forwarder, type VirtualService } from '../forwarder/model.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { hostPrefix } from '../net/prefix.ts'
import { type Instant, later } from '../net/time.ts'
import { type Speaker } from '../speaker/speaker.ts'
import { type Cancel, type Clock, type Log } from '../system/ports.ts'
import {
  allocatorPools,
  allocatorRequests,
  announcementsOf,
  datapathOptions,
  healthTargets,
  obstacle,
  peerConfigs,
  type Self,
  type Served,
  servedVips,
  virtualServices,
} from './desired.ts'
import { retire, retireDelay, type Retired } from './retire.ts'
import { settle, settleDeadline, type Settling } from './settle.ts'

export type Planes = {
  readonly allocator: Allocator
  readonly forwarder: Forwarder
  readonly health: Health
  readonly speaker: Speaker
}

/** What the last pass came to. */
export type Pass = {
  readonly config: Config
  readonly self: Self
  readonly allocated: Allocated
  readonly served: readonly Served[]
  /** Those of the documents, then those on their way out. */
  readonly services: readonly VirtualService[]
  /** Why a VIP is not announced, by its text. */
  readonly obstacles: ReadonlyMap<string, string>
  /** What kept the pass from being complete. */
  readonly problems: readonly string[]
}

export type Reconciler = {
  /** Look again, in the next turn of the event loop. */
  dirty(): void
  last(): Pass | undefined
  /** Announces nothing from now on. */
  drain(): void
  close(): void
}

export type ReconcilerPorts = {
  readonly clock: Clock
  readonly log: Log
  readonly config: () => { readonly config: Config; readonly revision: string } | undefined
  readonly self: (config: Config) => Self
}

/** A full pass without any trigger: whatever was missed is found by then. */
const fullPassMs = 30_000
const retryMs = 1000

export function createReconciler(planes: Planes, ports: ReconcilerPorts): Reconciler {
  const { clock, log } = ports
  let scheduled = false
  let closed = false
  let draining = false
  let last: Pass | undefined
  let allocated: { readonly revision: string; readonly result: Allocated } | undefined
  let allocationProblem: string | undefined
  let retired: readonly Retired[] = []
  let wanted: readonly VirtualService[] = []
  let warmUntil: Instant | undefined
  let settling: Settling = new Map()
  /** Settled VIPs whose tables of that moment are in the datapath. */
  let ready: ReadonlySet<string> = new Set()
  let cancelTimer: Cancel = () => undefined

  const dirty = (): void => {
    if (scheduled || closed) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      if (!closed) pass()
    })
  }

  /** Allocation depends on the documents alone: it is asked for once a revision, again if the store failed. */
  const allocate = (config: Config, revision: string): Allocated | undefined => {
    if (allocated?.revision === revision) return allocated.result
    try {
      const result = planes.allocator.update({
        pools: allocatorPools(config),
        requests: allocatorRequests(config),
        dscpIds: config.datapath.dscpIds,
      })
      for (const { id, reason, message } of result.refusals)
        log.warn({ service: id, reason, message }, 'service has no VIP')
      allocated = { revision, result }
      allocationProblem = undefined
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      if (message !== allocationProblem) log.error({ message }, 'allocations not kept: the last ones stay')
      allocationProblem = message
    }
    return allocated?.result
  }

  const pass = (): void => {
    cancelTimer()
    const inForce = ports.config()
    if (inForce === undefined) return
    const { config, revision } = inForce
    const now = clock.now()
    const self = ports.self(config)
    const result = allocate(config, revision)
    if (result === undefined) {
      cancelTimer = clock.after(retryMs, dirty)
      return
    }
    const served = servedVips(config, result.allocations)
    const { drainTimeMs } = config.datapath
    const isUp = (vip: Ip, backend: string): boolean => planes.health.isUp(vip, backend)

    const targets = healthTargets(served)
    const vips = [...served.map(({ vip }) => vip.ip), ...retired.map(({ service }) => service.vip)]
    planes.health.set(targets, vips)

    // The tables of a former run go on until every backend has had a first word: a start must not empty them.
    warmUntil ??= later(now, 500 + Math.max(0, ...targets.map(({ check }) => timeoutOf(check))))
    const warming =
      now < warmUntil && planes.health.status().some(({ consecutive, up }) => !up && consecutive === 0)
    const next = virtualServices(served, isUp)
    if (!warming) {
      warmUntil = now
      retired = retire({ services: wanted, retired }, next, {
        now,
        drainTimeMs,
        announced: (vip) => planes.speaker.advertisedBy(hostPrefix(vip)).length > 0,
      })
      wanted = next
      planes.forwarder.set([...wanted, ...retired.map(({ service }) => service)], datapathOptions(config))
    }

    settling = settle(settling, targets, ({ vip, backend }) => isUp(vip, backend.name), now)
    followSettled()

    const states = new Map(planes.forwarder.status().vips.map((each) => [formatIp(each.vip), each]))
    const programmed = (vip: Ip): boolean => states.get(formatIp(vip))?.programmed ?? false
    const obstacles = new Map<string, string>()
    const peers = peerConfigs(config, self)
    const peerNames = peers.map(({ name }) => name)
    planes.speaker.setPeers(peers)
    const announcements = served.flatMap((each) => {
      const reason = obstacle(each, config, self, {
        draining,
        programmed,
        isUp,
        settled: (vip) => ready.has(formatIp(vip)),
      })
      if (reason === undefined) return announcementsOf(each.vip, config, self, peerNames)
      obstacles.set(formatIp(each.vip.ip), reason)
      return []
    })
    planes.speaker.announce(announcements)

    const problems = allocationProblem === undefined ? [] : [allocationProblem]
    // Also while it warms up: an agent that asked meanwhile must not be told to take its VIPs down.
    const services = [...next, ...retired.map(({ service }) => service)]
    last = { config, self, allocated: result, served, services, obstacles, problems }
    const settleAt = settleDeadline(settling)
    const delays = [
      fullPassMs,
      retireDelay(retired, now, drainTimeMs),
      warming ? 100 : undefined,
      settleAt === undefined ? undefined : settleAt - now,
    ]
    const retry = allocationProblem === undefined ? undefined : retryMs
    cancelTimer = clock.after(Math.min(...[...delays, retry].filter((each) => each !== undefined)), dirty)
  }

  /** What has just settled waits for the datapath to hold the table that it settled with. */
  const followSettled = (): void => {
    const isSettled = (vip: string): boolean => settling.get(vip) === 'settled'
    ready = new Set([...ready].filter(isSettled))
    const fresh = [...settling.keys()].filter((vip) => isSettled(vip) && !ready.has(vip))
    if (fresh.length === 0) return
    const then = (): void => {
      ready = new Set([...ready, ...fresh.filter(isSettled)])
      dirty()
    }
    planes.forwarder.settled().then(then, then)
  }

  return {
    dirty,
    last: () => last,
    drain: () => {
      draining = true
      dirty()
    },
    close: () => {
      closed = true
      cancelTimer()
    },
  }
}

function timeoutOf(
  check: { readonly kind: 'tcp'; readonly timeoutMs: number } | { readonly kind: 'none' },
): number {
  return check.kind === 'tcp' ? check.timeoutMs : 0
}

/** This node's labels: its Node document's, else only its name. */
export function selfOf(config: Config, node: string, routerId: string): Self {
  const labels = config.nodes.find(({ name }) => name === node)?.labels
  return { labels: labels ?? { 'kubernetes.io/hostname': node }, routerId }
}

/** Whether any document could match this node only by labels that it does not have. */
export function nodeWarning(config: Config, node: string): string | undefined {
  const selective = [...config.peers, ...config.advertisements].some(
    ({ nodeSelectors }) => !selects(nodeSelectors, {}),
  )
  if (!selective || config.nodes.some(({ name }) => name === node)) return undefined
  return `no Node document is named '${node}': node selectors see only its host name; name this node with --node`
}

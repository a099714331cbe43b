// The health checker's door: runs the checks of all targets, a bounded number at a time, and tells what changed.
// What a result means is decided in check.ts; how a probe gets to its backend, in marks.ts.

import { formatIp, type Ip } from '../../net/ip.ts'
import { type Instant } from '../../net/time.ts'
import { type Cancel, type Tcp } from '../../system/ports.ts'
import { nextDeadline, retime, startCheck, step, type Check, type CheckInput } from './check.ts'
import { assignMarks, renderHealthRules, steeredKey, type Marks, type Steered } from './marks.ts'
import { createProbePath, type PathPorts } from './path-driver.ts'
import { type Health, type HealthCheck, type HealthTarget, type TargetStatus } from './target.ts'

export type { Health, HealthCheck, HealthTarget, TargetStatus } from './target.ts'

export type HealthOptions = {
  /** Interfaces that answers may arrive on: strict reverse path filtering there is loosened. */
  readonly interfaces?: readonly string[]
  /** Probes under way at once. Further ones wait their turn: with most backends dead, checks come less often. */
  readonly maxProbes?: number
  /** How often the rules are compared with what was loaded. */
  readonly driftCheckMs?: number
}
export type HealthPorts = PathPorts & {
  readonly tcp: Tcp
  /** In [0, 1). */
  readonly random: () => number
  /** Some `isUp` may have changed. */
  readonly onChange: () => void
}

type Watched = {
  target: HealthTarget
  readonly addedAt: Instant
  /** Undefined: not to be probed, always up. */
  check: Check | undefined
  cancelTimer: Cancel
  cancelProbe: Cancel
  /** A probe of a former parameter set answers to a number that is no longer this one. */
  probe: number
  /** The rules for it are in the kernel. */
  steered: boolean
  trouble: string | undefined
}

/** Nothing is probed before the rules that steer the probe are in the kernel; until then a target is down. */
export function createHealth(options: HealthOptions, ports: HealthPorts): Health {
  const { tcp, clock, random, log, onChange } = ports
  const maxProbes = options.maxProbes ?? 512
  const path = createProbePath(
    { interfaces: options.interfaces ?? [], driftCheckMs: options.driftCheckMs ?? 3000 },
    ports,
  )
  let watched = new Map<string, Watched>()
  let byPair = new Map<string, Watched[]>()
  let marks: Marks = new Map()
  let probing = 0
  let closed = false
  const waiting = new Set<Watched>()

  const feed = (each: Watched, input: CheckInput): void => {
    if (each.check === undefined || closed) return
    const { check, outputs } = step(each.check, input, clock.now())
    each.check = check
    for (const output of outputs) {
      if (output.kind === 'probe') waiting.add(each)
      else if (output.kind === 'abandon') each.cancelProbe()
      else told(each, output.up, output.detail)
    }
    arm(each)
  }

  const arm = (each: Watched): void => {
    each.cancelTimer()
    const at = each.check === undefined ? undefined : nextDeadline(each.check)
    if (at === undefined) return
    each.cancelTimer = clock.after(at - clock.now(), () => {
      feed(each, { kind: 'tick' })
      serve()
    })
  }

  const told = ({ target }: Watched, up: boolean, detail: string): void => {
    const fields = {
      service: target.service,
      vip: formatIp(target.vip),
      backend: target.backend.name,
      address: formatIp(target.backend.ip),
      detail,
    }
    if (up) log.info(fields, 'backend up')
    else log.warn(fields, 'backend down')
    onChange()
  }

  const serve = (): void => {
    for (const each of waiting) {
      if (probing >= maxProbes) return
      waiting.delete(each)
      begin(each)
    }
  }

  const begin = (each: Watched): void => {
    const { check, vip } = each.target
    if (check.kind !== 'tcp') return
    probing += 1
    const probe = (each.probe += 1)
    feed(each, { kind: 'begun' })
    const startedAt = clock.now()
    const mark = marks.get(steeredKey(steeredOf(each.target)))
    const attempt = tcp.connect({
      remote: { ip: vip, port: check.port },
      // The check's own deadline decides; this one only bounds the socket's life.
      timeoutMs: check.timeoutMs + 1000,
      // All backends of a VIP share its address and port: ports in TIME_WAIT would run out at a few hundred.
      resetOnClose: true,
      ...(mark === undefined ? {} : { mark }),
    })
    each.cancelProbe = () => attempt.cancel()
    const done = (good: boolean, detail: string): void => {
      probing -= 1
      if (each.probe === probe) {
        each.cancelProbe = () => undefined
        feed(each, { kind: 'result', good, detail })
      }
      serve()
    }
    attempt.connection.then(
      (connection) => {
        const tookMs = (clock.now() - startedAt).toFixed(1)
        connection.destroy()
        done(true, `connected in ${tookMs} ms`)
      },
      (error: unknown) => done(false, explain(error, vip)),
    )
  }

  const start = (each: Watched): void => {
    each.steered = true
    each.trouble = undefined
    arm(each)
  }

  const stop = (each: Watched): void => {
    each.cancelTimer()
    each.probe += 1
    each.cancelProbe()
    waiting.delete(each)
  }

  return {
    set: (targets, vips = []) => {
      if (closed) return
      const next = new Map<string, Watched>()
      for (const target of targets) {
        const key = keyOf(target)
        next.set(key, take(watched.get(key), target))
      }
      for (const [key, each] of watched) if (next.get(key) !== each) stop(each)
      watched = next
      byPair = Map.groupBy(watched.values(), ({ target }) => pairOf(target.vip, target.backend.name))
      const steered = targets.filter((target) => target.check.kind === 'tcp').map(steeredOf)
      marks = assignMarks(marks, steered)
      const all = [...vips, ...targets.map((target) => target.vip)]
      const fresh = [...watched.values()].filter((each) => !each.steered)
      path.load(
        renderHealthRules(steered, marks, all),
        () => {
          for (const each of fresh.splice(0)) if (watched.get(keyOf(each.target)) === each) start(each)
        },
        (reason) => {
          for (const each of fresh) each.trouble = reason
        },
      )
    },
    status: () => [...watched.values()].map(statusOf),
    isUp: (vip, backendName) => {
      const mine = byPair.get(pairOf(vip, backendName)) ?? []
      return mine.length > 0 && mine.every((each) => each.check?.up ?? true)
    },
    close: async () => {
      closed = true
      for (const each of watched.values()) stop(each)
      await path.close()
    },
  }

  /** The same pair keeps its state under a new check of the same kind; anything else starts anew. */
  function take(before: Watched | undefined, target: HealthTarget): Watched {
    const timing = target.check.kind === 'tcp' ? target.check : undefined
    if (before !== undefined && compatible(before.target, target)) {
      before.target = target
      if (before.check !== undefined && timing !== undefined) {
        before.check = retime(before.check, timing, clock.now())
        if (before.steered) arm(before)
      }
      return before
    }
    return {
      target,
      addedAt: clock.now(),
      check: timing === undefined ? undefined : startCheck(timing, clock.now(), random()),
      cancelTimer: () => undefined,
      cancelProbe: () => undefined,
      probe: 0,
      steered: false,
      trouble: undefined,
    }
  }

  function statusOf({ target, check, trouble, addedAt }: Watched): TargetStatus {
    if (check === undefined) {
      return { target, up: true, since: addedAt, lastResult: 'not checked', consecutive: 0 }
    }
    const lastResult = trouble ?? check.last?.detail ?? 'no result yet'
    return { target, up: check.up, since: check.since, lastResult, consecutive: check.consecutive }
  }
}

function keyOf({ service, vip, backend }: HealthTarget): string {
  return `${service} ${formatIp(vip)} ${backend.name}`
}

function pairOf(vip: Ip, backendName: string): string {
  return `${formatIp(vip)} ${backendName}`
}

function steeredOf({ vip, dscp, backend }: HealthTarget): Steered {
  return { vip, dscp, backend: backend.ip }
}

function compatible(a: HealthTarget, b: HealthTarget): boolean {
  return (
    a.check.kind === b.check.kind &&
    steeredKey(steeredOf(a)) === steeredKey(steeredOf(b)) &&
    portOf(a.check) === portOf(b.check)
  )
}

function portOf(check: HealthCheck): number | undefined {
  return check.kind === 'tcp' ? check.port : undefined
}

function explain(error: unknown, vip: Ip): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  switch (code) {
    case 'ECONNREFUSED':
      return 'connection refused: nothing listens there'
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
    case 'EINVAL':
    case 'EACCES':
      // The rules steer a packet that a route has let out; the last two are what a blackhole or prohibit route says.
      return `this node has no usable route to ${formatIp(vip)} (${code}): probes need one, a default route will do`
    default:
      return error instanceof Error ? error.message : String(error)
  }
}

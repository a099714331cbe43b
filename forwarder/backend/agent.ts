// The backend host's agent: keeps the host as its bindings want it, whoever changes it meanwhile, and puts it back
// when it leaves. Killed, it leaves everything in place; the next one goes on from the undo record.

import { formatIp } from '../../net/ip.ts'
import { type Cancel, type Clock, type Log } from '../../system/ports.ts'
import { type Binding } from './bindings.ts'
import { observeHost, type Host, type HostPorts } from './observe-driver.ts'
import { describeAction, plan, type Action } from './plan.ts'
import { type UndoStore } from './stores/undo.ts'

export type AgentOptions = {
  /** How often the host is compared with the bindings when nothing happens. */
  readonly driftCheckMs: number
}
export type AgentPorts = HostPorts & { readonly clock: Clock; readonly log: Log; readonly store: UndoStore }

export interface BackendAgent {
  /** The whole set, every time. Until the first call nothing is touched. Throws `RangeError` on conflicts. */
  set(bindings: readonly Binding[]): void
  /** Resolves once the last set is in force; rejects with what stood in the way of the latest attempt. */
  settled(): Promise<void>
  /** Ends the watch. Unless `stay`, undoes all that was done. */
  close(options: { readonly stay: boolean }): Promise<void>
}

// Neighbour tables change often; a burst of changes costs one comparison.
const eventDelayMs = 200

export function createBackendAgent(options: AgentOptions, ports: AgentPorts): BackendAgent {
  const { clock, log, netlink } = ports
  let wanted: readonly Binding[] | undefined
  let fresh = false
  let running: Promise<void> = Promise.resolve()
  let cancelTimer: Cancel = () => undefined
  let timerAt = Infinity
  let closed = false
  let lastTrouble = ''

  const arm = (delayMs: number): void => {
    const at = clock.now() + delayMs
    if (closed || at >= timerAt) return
    cancelTimer()
    timerAt = at
    cancelTimer = clock.after(delayMs, () => {
      timerAt = Infinity
      void pass().catch(() => undefined)
    })
  }

  const pass = (): Promise<void> => {
    const next = running.catch(() => undefined).then(reconcile)
    running = next
    return next
  }

  const reconcile = async (): Promise<void> => {
    if (wanted === undefined) return
    const changed = fresh
    fresh = false
    try {
      const { host, actions, problems } = await converge(wanted, ports)
      report(actions, changed)
      trouble(problems)
      log.debug({ addresses: host.loopback.map(formatIp) }, 'host compared')
    } catch (error) {
      trouble([error instanceof Error ? error.message : String(error)])
      throw error
    } finally {
      arm(options.driftCheckMs)
    }
  }

  const report = (actions: readonly Action[], changed: boolean): void => {
    if (actions.length === 0) return
    const differences = actions.flatMap(describeAction)
    if (changed)
      log.info({ vips: wanted?.map((each) => formatIp(each.vip)), differences }, 'host brought into line')
    else log.warn({ differences }, 'drift repaired')
  }

  const trouble = (problems: readonly string[]): void => {
    const text = problems.join('; ')
    if (text !== '' && text !== lastTrouble) log.error({ problems }, 'host cannot be brought into line')
    if (text === '' && lastTrouble !== '') log.info({}, 'host is in line again')
    lastTrouble = text
  }

  const unwatch = netlink.watch(() => arm(eventDelayMs))
  return {
    set: (bindings) => {
      wanted = bindings
      fresh = true
      void pass().catch(() => undefined)
    },
    settled: () => running,
    close: async ({ stay }) => {
      if (closed) return
      closed = true
      unwatch()
      cancelTimer()
      await running.catch(() => undefined)
      if (stay) return
      const { actions } = await converge([], ports)
      log.info({ differences: actions.flatMap(describeAction) }, 'host put back')
    },
  }
}

/** One comparison and its cure. Rejects with `SystemError`; what was done by then is in the record. */
async function converge(
  bindings: readonly Binding[],
  ports: HostPorts & { readonly store: UndoStore },
): Promise<{ host: Host; actions: readonly Action[]; problems: readonly string[] }> {
  const { store } = ports
  const host = await observeHost(ports)
  const before = store.load()
  const { actions, record, problems } = plan(bindings, host, before)
  if (actions.length > 0) {
    // While the actions run, both what is still to be undone and what is about to be done must be known.
    store.save({
      addresses: [...new Set([...before.addresses, ...record.addresses])],
      sysctls: { ...record.sysctls, ...before.sysctls },
    })
    for (const action of actions) await perform(action, host, ports)
  }
  if (JSON.stringify(record) !== JSON.stringify(store.load())) store.save(record)
  return { host, actions, problems }
}

async function perform(action: Action, host: Host, { netlink, nftables, sysctl }: HostPorts): Promise<void> {
  switch (action.kind) {
    case 'setSysctl':
    case 'restoreSysctl':
      sysctl.write(action.key, action.value)
      return
    case 'addAddress':
      return netlink.addAddress(host.loopbackIndex, action.ip)
    case 'removeAddress':
      return netlink.removeAddress(host.loopbackIndex, action.ip)
    case 'applyRuleset':
      return nftables.apply(action.ruleset)
  }
}

/** What `set(bindings)` would have to do now, in words; changes nothing. Rejects with `SystemError`. */
export async function differences(
  bindings: readonly Binding[],
  ports: HostPorts & { readonly store: UndoStore },
): Promise<readonly string[]> {
  const { actions, problems } = plan(bindings, await observeHost(ports), ports.store.load())
  return [...actions.flatMap(describeAction), ...problems]
}

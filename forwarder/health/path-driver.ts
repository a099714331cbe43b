// Keeps the rules that steer probes in the kernel: loads them, loads them again when somebody removed them (an
// unsteered probe could be answered by another backend), and loosens reverse path filtering for the answers.

import { type Cancel, type Clock, type Log, type Nftables, type Sysctl } from '../../system/ports.ts'
import { guardTable, steeringTable } from './marks.ts'

export type PathPorts = {
  readonly nftables: Nftables
  readonly sysctl: Sysctl
  readonly clock: Clock
  readonly log: Log
}
export type PathOptions = {
  /** Interfaces that answers may arrive on. */
  readonly interfaces: readonly string[]
  readonly driftCheckMs: number
}

export interface ProbePath {
  /** Calls `onReady` once the rules are in force; retries until they are, or until other rules are wanted. */
  load(ruleset: string, onReady: () => void, onFailure: (reason: string) => void): void
  close(): Promise<void>
}

const retryMs = 1000
const tables = [
  ['ip', steeringTable],
  ['ip6', steeringTable],
  ['inet', guardTable],
] as const

export function createProbePath(
  options: PathOptions,
  { nftables, sysctl, clock, log }: PathPorts,
): ProbePath {
  let wanted: { readonly ruleset: string; onReady(): void; onFailure(reason: string): void } | undefined
  let loaded: { readonly ruleset: string; readonly listing: string } | undefined
  let cancelTimer: Cancel = () => undefined
  let queue: Promise<void> = Promise.resolve()
  let closed = false
  const loosened = new Map<string, string>()

  const listing = async (): Promise<string> => {
    const texts = await Promise.all(tables.map(([family, table]) => nftables.list(family, table)))
    // Counters move; everything else of a listing changes only when somebody changes the rules.
    return texts.join('\n').replace(/counter packets \d+ bytes \d+/g, 'counter')
  }

  const pass = async (): Promise<void> => {
    cancelTimer()
    const target = wanted
    if (target === undefined || closed) return
    try {
      loosen()
      const drifted =
        loaded !== undefined && loaded.ruleset === target.ruleset && loaded.listing !== (await listing())
      if (drifted) log.warn({}, 'health rules were changed by somebody: loaded again')
      if (drifted || loaded?.ruleset !== target.ruleset) {
        await nftables.apply(target.ruleset)
        loaded = { ruleset: target.ruleset, listing: await listing() }
      }
      target.onReady()
      again(options.driftCheckMs)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      loaded = undefined
      log.error({ reason }, 'health rules not loaded')
      target.onFailure(reason)
      again(retryMs)
    }
  }

  const again = (delayMs: number): void => {
    cancelTimer()
    if (!closed) cancelTimer = clock.after(delayMs, enqueue)
  }
  const enqueue = (): void => {
    queue = queue.then(pass)
  }

  // An answer comes from the VIP, to which this node's own route may lead elsewhere: strict reverse path filtering
  // (RFC 3704 §2.2) drops it. The kernel takes the greater of `all` and the interface's value.
  const loosen = (): void => {
    for (const name of ['all', ...options.interfaces.map((each) => each.replaceAll('.', '/'))]) {
      const key = `net.ipv4.conf.${name}.rp_filter`
      const found = sysctl.read(key)
      if (found !== '1') continue
      sysctl.write(key, '2')
      if (!loosened.has(key)) loosened.set(key, found)
      log.info({ key, from: found, to: '2' }, 'reverse path filtering loosened')
    }
  }

  return {
    load: (ruleset, onReady, onFailure) => {
      const known = loaded?.ruleset === ruleset
      wanted = { ruleset, onReady, onFailure }
      if (known) onReady()
      else enqueue()
    },
    close: async () => {
      if (closed) return
      closed = true
      cancelTimer()
      await queue
      const removal = tables.map(
        ([family, table]) => `table ${family} ${table}\ndelete table ${family} ${table}\n`,
      )
      if (wanted !== undefined) await nftables.apply(removal.join(''))
      for (const [key, before] of loosened) if (sysctl.read(key) === '2') sysctl.write(key, before)
    },
  }
}

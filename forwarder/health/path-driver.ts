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
  /** Removes the rules and puts sysctls back; what of it fails is logged. */
  close(): Promise<void>
}

const retryMs = 1000
const tables = [
  ['ip', steeringTable],
  ['ip6', steeringTable],
  ['inet', guardTable],
] as const
// `table` before `delete table`: deleting one that is not there would fail the transaction.
const removal = tables
  .map(([family, table]) => `table ${family} ${table}\ndelete table ${family} ${table}\n`)
  .join('')

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
      const same = loaded?.ruleset === target.ruleset ? loaded : undefined
      if (same === undefined || same.listing !== (await listing())) {
        if (same !== undefined) log.warn({}, 'health rules were changed by somebody: loaded again')
        await nftables.apply(target.ruleset)
        // The first listing of a ruleset is what it is held against from now on: damage must not get into it.
        loaded = same ?? { ruleset: target.ruleset, listing: complete(await listing(), target.ruleset) }
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
  // (RFC 3704 §2.2) drops it. The kernel takes the greater of `all` and the interface's value, so that the interface's
  // alone is enough.
  const loosen = (): void => {
    for (const name of options.interfaces) {
      const key = `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`
      const found = sysctl.read(key)
      const effective = Math.max(Number(found ?? 0), Number(sysctl.read('net.ipv4.conf.all.rp_filter') ?? 0))
      if (found === undefined || effective !== 1) continue
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
      try {
        if (wanted !== undefined) await nftables.apply(removal)
        for (const [key, before] of loosened) if (sysctl.read(key) === '2') sysctl.write(key, before)
      } catch (error) {
        // Whoever closes goes on to take down the rest, which this must not prevent.
        log.error(
          { reason: error instanceof Error ? error.message : String(error) },
          'health rules not removed',
        )
      }
    },
  }
}

/** Every rule has one counter. */
function complete(listing: string, ruleset: string): string {
  const rulesIn = (text: string): number => text.split(/\bcounter\b/).length
  if (rulesIn(listing) === rulesIn(ruleset)) return listing
  throw new Error('somebody changed the rules while they were loaded: nft list ruleset shows them')
}

// Follows the next hops of a set of addresses in the kernel's tables, and keeps their neighbours resolved.

import { type Ip, formatIp } from '../net/ip.ts'
import { type Instant } from '../net/time.ts'
import { type Cancel, type Clock, type Link, type Log, type Netlink } from '../system/ports.ts'
import { type KeptHops, keepHops, noHops } from './hop-keeper.ts'
import { type ResolvedHop } from './model.ts'
import { type HostTables, resolveNextHops } from './next-hop.ts'

export type HopFollower = {
  /** Looks at what is known now. Rejects with `SystemError` when the kernel's tables cannot be read. */
  look(reals: readonly Ip[]): Promise<HopView>
  close(): void
}
export type HopView = {
  readonly links: readonly Link[]
  readonly hopOf: (real: Ip) => ResolvedHop | undefined
  /** Why there is no next hop. */
  readonly whyNot: (real: Ip) => string | undefined
}

/** Events may be lost unnoticed, and neighbours age: the tables are read again at the latest after this. */
const rereadMs = 30_000

export function createHopFollower(ports: {
  readonly netlink: Netlink
  readonly clock: Clock
  readonly log: Log
  /** Something may be different: time to `look` again. */
  readonly onChange: () => void
}): HopFollower {
  const { netlink, clock, log, onChange } = ports
  let tables: HostTables | undefined
  let readAt: Instant | undefined
  let state = noHops
  let cancelTimer: Cancel = () => undefined
  let closed = false
  const unwatch = netlink.watch(() => {
    readAt = undefined
    onChange()
  })

  const read = async (): Promise<HostTables> => {
    const now = clock.now()
    if (tables !== undefined && readAt !== undefined && now - readAt < rereadMs) return tables
    // Changes from here on mark it unread again.
    readAt = now
    try {
      const [links, addresses, routes, neighbours] = await Promise.all([
        netlink.links(),
        netlink.addresses(),
        netlink.routes(),
        netlink.neighbours(),
      ])
      tables = { links, addresses, routes, neighbours }
      return tables
    } catch (error) {
      readAt = undefined
      throw error
    }
  }

  const solicit = ({ solicit }: KeptHops): void => {
    for (const { ifindex, ip } of solicit) {
      netlink.resolveNeighbour(ifindex, ip).catch((error: unknown) => {
        log.debug({ error, ifindex, neighbour: formatIp(ip) }, 'neighbour not asked for')
      })
    }
  }

  return {
    look: async (reals) => {
      const host = await read()
      const now = clock.now()
      const kept = keepHops(state, resolveNextHops(reals, host), now)
      state = kept.state
      if (!closed) {
        solicit(kept)
        cancelTimer()
        cancelTimer = clock.after(Math.min(rereadMs, (kept.nextAt ?? Infinity) - now), onChange)
      }
      return {
        links: host.links,
        hopOf: (real) => kept.hops.get(formatIp(real)),
        whyNot: (real) => kept.unresolved.get(formatIp(real)),
      }
    },
    close: () => {
      closed = true
      cancelTimer()
      unwatch()
    },
  }
}

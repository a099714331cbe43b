// What becomes of next hops over time. A backend's last next hop is kept for a moment while a neighbour is not known,
// because entries vanish and come back (a flush, a changed route) faster than packets should be lost for. Neighbours
// that have to be resolved or verified are asked for at once and then ever less often: the kernel does not see the
// packets that XDP sends, so nobody else keeps their entries alive.

import { type Instant, later } from '../net/time.ts'
import { type ResolvedHop } from './model.ts'
import { type NeighbourKey, type Resolution, neighbourText } from './next-hop.ts'

type Held = { readonly hop: ResolvedHop; readonly until: Instant | undefined }
type Asked = { readonly times: number; readonly dueAt: Instant }

export type HopState = {
  /** By the backend's address; `until` is set while the hop outlives its neighbour entry. */
  readonly held: ReadonlyMap<string, Held>
  /** By `neighbourText`. */
  readonly asked: ReadonlyMap<string, Asked>
}

export const noHops: HopState = { held: new Map(), asked: new Map() }

export type KeptHops = {
  readonly state: HopState
  /** By the backend's address. */
  readonly hops: ReadonlyMap<string, ResolvedHop>
  /** Why there is none, by the backend's address. */
  readonly unresolved: ReadonlyMap<string, string>
  /** To be resolved by the kernel now. */
  readonly solicit: readonly NeighbourKey[]
  /** When to look again though nothing changed. */
  readonly nextAt: Instant | undefined
}

const holdMs = 3000
const firstAskMs = 1000
const lastAskMs = 30_000

/** Takes in what the host's tables say now. */
export function keepHops(
  before: HopState,
  resolutions: ReadonlyMap<string, Resolution>,
  now: Instant,
): KeptHops {
  const held = new Map<string, Held>()
  const unresolved = new Map<string, string>()
  for (const [address, resolution] of resolutions) {
    if (resolution.kind === 'resolved') {
      held.set(address, { hop: resolution.hop, until: undefined })
      continue
    }
    const last = before.held.get(address)
    const until = last?.until ?? later(now, holdMs)
    if (last !== undefined && resolution.asks.length > 0 && until > now)
      held.set(address, { hop: last.hop, until })
    else unresolved.set(address, resolution.reason)
  }

  const asks = new Map(
    [...resolutions.values()].flatMap(({ asks }) => asks.map((key) => [neighbourText(key), key])),
  )
  const asked = new Map<string, Asked>()
  const solicit: NeighbourKey[] = []
  for (const [text, key] of asks) {
    const last = before.asked.get(text)
    if (last !== undefined && last.dueAt > now) {
      asked.set(text, last)
      continue
    }
    const times = (last?.times ?? 0) + 1
    asked.set(text, { times, dueAt: later(now, Math.min(lastAskMs, firstAskMs * 2 ** (times - 1))) })
    solicit.push(key)
  }

  const deadlines = [...held.values(), ...asked.values()].flatMap((each) => {
    const at = 'dueAt' in each ? each.dueAt : each.until
    return at === undefined ? [] : [at]
  })
  return {
    state: { held, asked },
    hops: new Map([...held].map(([address, { hop }]) => [address, hop])),
    unresolved,
    solicit,
    nextAt: deadlines.length === 0 ? undefined : deadlines.reduce((a, b) => (a < b ? a : b)),
  }
}

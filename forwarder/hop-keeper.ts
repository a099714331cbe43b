// What becomes of next hops over time. A backend's last next hop is kept for a moment while a neighbour is not known,
// because entries vanish and come back (a flush, a changed route) faster than packets should be lost for. Neighbours
// that have to be resolved or verified are asked for at once, and ever less often if they do not answer: the kernel does
// not see the packets that XDP sends, so nobody else keeps their entries alive.

import { type Instant, later } from '../net/time.ts'
import { type ResolvedHop } from './model.ts'
import { type Ask, type NeighbourKey, type Resolution, neighbourText } from './next-hop.ts'

type Held = { readonly hop: ResolvedHop; readonly until: Instant | undefined }
type Asked = { readonly times: number; readonly at: Instant; readonly dueAt: Instant }

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
/** Of neighbours that do not answer. */
const firstAskMs = 1000
const lastAskMs = 30_000
/** Of those that the kernel has no entry for: it tries for seconds itself once it has one. */
const absentAskMs = 100

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
    [...resolutions.values()].flatMap(({ asks }) => asks.map((ask) => [neighbourText(ask), ask])),
  )
  const asked = new Map<string, Asked>()
  const solicit: NeighbourKey[] = []
  for (const [text, ask] of asks) {
    const next = nextAsk(before.asked.get(text), ask, now)
    if (next === undefined) continue
    asked.set(text, next)
    if (next.at === now) solicit.push({ ifindex: ask.ifindex, ip: ask.ip })
  }

  const deadlines = [
    ...[...held.values()].map(({ until }) => until),
    ...[...asked.values()].map(({ dueAt }) => dueAt),
  ].filter((at): at is Instant => at !== undefined && at > now)
  return {
    state: { held, asked },
    hops: new Map([...held].map(([address, { hop }]) => [address, hop])),
    unresolved,
    solicit,
    nextAt: deadlines.sort((a, b) => a - b)[0],
  }
}

/** When it is asked for, `at` being now if it is now; undefined while the kernel is at it by itself. */
function nextAsk(last: Asked | undefined, { state }: Ask, now: Instant): Asked | undefined {
  if (state === 'incomplete') return last
  if (state === 'absent') {
    if (last !== undefined && now - last.at < absentAskMs)
      return { ...last, dueAt: later(last.at, absentAskMs) }
    return { times: 0, at: now, dueAt: later(now, absentAskMs) }
  }
  if (last !== undefined && last.dueAt > now) return last
  const times = last?.times ?? 0
  return { times: times + 1, at: now, dueAt: later(now, Math.min(lastAskMs, firstAskMs * 2 ** times)) }
}

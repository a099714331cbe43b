// A failure under steady traffic: traffic flows, an element goes, what that costs is waited out, the element comes
// back and takes its part again. What goes, and how, is the scenario's own.

import { monotonicMs } from '../client/monotonic.ts'
import { type Connection, type Progress } from '../client/protocol.ts'
import { type Lab } from '../lab.ts'
import { flowKey, openLedger } from '../ledger.ts'
import { startSteady } from '../load.ts'
import { type Services, steadyOrder } from '../services.ts'
import { type Found, found, notYet, until } from '../until.ts'
import { type Recorded } from '../verdict.ts'

export type Element = {
  readonly name: string
  /** How a connection is told to be on it. */
  readonly carries: 'balancer' | 'backend'
  readonly fail: () => Promise<void>
  /** Whether everybody has noticed. */
  readonly noticed: () => Promise<Found<unknown>>
  readonly bringBack: () => Promise<void>
  /** Whether it takes its part again, but for traffic through it, which is looked for anyway. */
  readonly returned: () => Promise<Found<unknown>>
  readonly lookAt: readonly string[]
}

export type Setting = {
  readonly lab: Lab
  readonly services: Services
  readonly signal: AbortSignal
  readonly progress: (so: string) => void
}

/** Loss must have ended that long before a phase counts as over: a request takes its deadline to be called lost. */
const calmMs = 1500
const noticeWithinMs = 30_000
const returnWithinMs = 40_000

/** Rejects with `StepFailure` where the fabric does not do its part; whether the cost is in its limits is not judged here. */
export async function failUnderTraffic(element: Element, setting: Setting): Promise<Recorded> {
  const { lab, services, signal, progress } = setting
  const { name, lookAt } = element
  progress('opening long-lived connections')
  const ledger = await openLedger(lab, services.vips)
  try {
    const steady = await startSteady(lab.client, steadyOrder(services), signal)
    try {
      const waitFor = (
        what: string,
        withinMs: number,
        look: () => Promise<Found<unknown>>,
      ): Promise<unknown> =>
        until(look, { what, withinMs, signal, lookAt, progress: (so) => progress(`${what}: ${so}`) })
      const calm = (what: string, since: number): Promise<unknown> =>
        waitFor(what, noticeWithinMs, () => Promise.resolve(isCalm(steady.progress(), since)))

      const carriers = await carriersOf(steady.connections)
      const isOnFailed = (connection: Connection): boolean =>
        element.carries === 'backend'
          ? connection.backend === name
          : (carriers.get(keyOf(connection))?.has(name) ?? false)
      await calm('steady traffic', monotonicMs())

      const failedAtMs = monotonicMs()
      await element.fail()
      await waitFor(`${name} gone`, noticeWithinMs, element.noticed)
      await calm('loss over', monotonicMs())

      const returnedAtMs = monotonicMs()
      await element.bringBack()
      await waitFor(`${name} back`, returnWithinMs, element.returned)
      await ledger.clear()
      await waitFor(`traffic on ${name} again`, noticeWithinMs, async () => {
        const takes = element.carries === 'backend' ? backendTakes() : await balancerTakes()
        return takes > 0 ? found(takes) : notYet('none yet')
      })
      await calm('calm after the return', monotonicMs())
      return { result: await steady.stop(), failedAtMs, returnedAtMs, isOnFailed }

      function backendTakes(): number {
        return steady.progress()?.recent[name] ?? 0
      }
    } finally {
      steady.kill()
    }
  } finally {
    await ledger.close()
  }

  async function balancerTakes(): Promise<number> {
    return [...(await ledger.read()).values()].filter((carriers) => carriers.has(name)).length
  }

  /** What the routers noted since a moment ago: the connections speak every 100 ms, so each was seen. */
  async function carriersOf(
    connections: readonly Connection[],
  ): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    await ledger.clear()
    return until(
      async () => {
        const flows = await ledger.read()
        const unseen = connections.filter((each) => !flows.has(keyOf(each))).length
        return unseen === 0 ? found(flows) : notYet(`${unseen} connections not seen yet`)
      },
      { what: 'the routers saw every connection', withinMs: 10_000, signal },
    )
  }
}

function keyOf({ localAddress, localPort }: Connection): string {
  return flowKey(localAddress, localPort)
}

/** Every open connection answers, and no request was lost that was sent in the last `calmMs` or since `since`. */
function isCalm(progress: Progress | undefined, since: number): Found<unknown> {
  if (progress === undefined) return notYet('no report yet')
  const { atMs, lost, lastLostSentAtMs = 0, open, broken, stalled } = progress
  const so = `${lost} requests lost, ${broken} of ${open + broken} connections broken, ${stalled} wait for an answer`
  const quietFor = atMs - Math.max(since, lastLostSentAtMs)
  return stalled === 0 && quietFor >= calmMs ? found(so) : notYet(so)
}

// Follows the balancers' word on what this host must do: polls one, turns to the next when it does not answer, and
// keeps the last good answer when none does.

import { type Cancel, type Clock, type Log } from '../../system/ports.ts'
import { type Binding } from './bindings.ts'
import { decodeBindings } from './decode.ts'

export type SourceOptions = {
  /** Base URLs, tried in turn. */
  readonly balancers: readonly string[]
  /** This host's name among the backends. */
  readonly name: string
  readonly pollMs: number
  readonly timeoutMs: number
}
export type SourcePorts = { readonly fetch: typeof fetch; readonly clock: Clock; readonly log: Log }
export type Answer = {
  readonly balancer: string
  readonly revision: string
  readonly bindings: readonly Binding[]
}

/** Asks each balancer in turn, beginning with `first`. Rejects with an `Error` that names what each one said. */
export async function askBalancers(
  options: SourceOptions,
  ports: Pick<SourcePorts, 'fetch'>,
  first = 0,
): Promise<Answer> {
  const failures: string[] = []
  for (let turn = 0; turn < options.balancers.length; turn += 1) {
    const balancer = options.balancers[(first + turn) % options.balancers.length] ?? ''
    try {
      return await ask(balancer, options, ports)
    } catch (error) {
      failures.push(`${balancer}: ${reasonOf(error)}`)
    }
  }
  throw new Error(failures.join('; '))
}

/** Calls `onBindings` with the first answer and with every one that differs from the last. */
export function followBalancers(
  options: SourceOptions,
  ports: SourcePorts,
  onBindings: (bindings: readonly Binding[]) => void,
): { close(): void } {
  const { clock, log } = ports
  const { balancers } = options
  let cancel: Cancel = () => undefined
  let closed = false
  let current = 0
  let last: string | undefined
  let silence = ''

  const poll = async (): Promise<void> => {
    try {
      const answer = await askBalancers(options, ports, current)
      if (closed) return
      if (silence !== '') log.info({ balancer: answer.balancer }, 'balancer answers again')
      silence = ''
      current = Math.max(0, balancers.indexOf(answer.balancer))
      const content = answer.bindings
        .map((each) => `${each.vip.value}/${each.dscp}/${each.address.value}`)
        .join()
      if (content !== last) {
        last = content
        log.info({ balancer: answer.balancer, revision: answer.revision }, 'bindings received')
        onBindings(answer.bindings)
      }
    } catch (error) {
      const reason = reasonOf(error)
      if (!closed && reason !== silence) log.warn({ reason }, 'no balancer answers: the last bindings stay')
      silence = reason
    }
    if (!closed) cancel = clock.after(options.pollMs, () => void poll())
  }
  void poll()
  return {
    close: () => {
      closed = true
      cancel()
    },
  }
}

async function ask(
  balancer: string,
  { name, timeoutMs }: SourceOptions,
  ports: Pick<SourcePorts, 'fetch'>,
): Promise<Answer> {
  const url = new URL(`/v1/backends/${encodeURIComponent(name)}`, balancer)
  const response = await ports.fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
  const body = await response.text()
  if (!response.ok) throw new Error(`HTTP ${response.status} ${body.slice(0, 200).trim()}`)
  const decoded = decodeBindings(parseJson(body))
  if (decoded.kind === 'refused') throw new Error(`answer refused: ${decoded.problems.join('; ')}`)
  return { balancer, revision: decoded.revision, bindings: decoded.bindings }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  // fetch says only "fetch failed"; what failed is its cause.
  return error.cause instanceof Error ? error.cause.message : error.message
}

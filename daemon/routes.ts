// What the daemon answers: everything on its unix socket, only what backends and scrapers need over TCP.

import { type Reply, type Route, type Routes } from '../api/server.ts'
import { type Bindings, flowQuerySchema, type Reload, type Status, type Trace } from '../api/types.ts'
import { type Binding } from '../forwarder/backend/bindings.ts'
import { type Flow, type FlowTrace } from '../forwarder/model.ts'
import { formatIp, parseIp } from '../net/ip.ts'
import { renderMetrics } from './metrics.ts'

export type Answers = {
  readonly status: () => Status
  readonly trace: (flow: Flow) => FlowTrace
  readonly reload: () => Promise<Reload>
  /** Undefined bindings: no document names such a backend. Undefined: not known yet. */
  readonly bindings: (
    backend: string,
  ) => { readonly revision: string; readonly bindings: readonly Binding[] | undefined } | undefined
}

export function localRoutes(answers: Answers): Routes {
  return {
    ...remoteRoutes(answers),
    'GET /v1/status': () => json(answers.status()),
    'GET /v1/trace': (query) => {
      const flow = flowOf(query)
      return 'problem' in flow ? problem(400, flow.problem) : json(traceReply(flow, answers.trace(flow)))
    },
    'POST /v1/reload': async () => json(await answers.reload()),
  }
}

export function remoteRoutes(answers: Answers): Routes {
  const backend: Route = (_query, [name, ...more]) => {
    if (name === undefined || more.length > 0) return problem(400, 'expected /v1/backends/NAME')
    const found = answers.bindings(name)
    if (found === undefined) return problem(503, 'starting: the first pass is not done')
    if (found.bindings === undefined) return problem(404, `no LoadBalancer has a backend named '${name}'`)
    return json(bindingsReply(found.revision, found.bindings))
  }
  return {
    'GET /v1/backends': backend,
    'GET /metrics': async () => ({
      kind: 'text',
      body: await renderMetrics(answers.status()),
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
    }),
  }
}

/** The flow that a query names, or why it names none. */
export function flowOf(query: Readonly<Record<string, unknown>>): Flow | { readonly problem: string } {
  const parsed = flowQuerySchema.safeParse(query)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { problem: `${issue?.path.join('.') ?? 'query'}: ${issue?.message ?? 'not a flow'}` }
  }
  const { sourcePort, destinationPort, protocol } = parsed.data
  const source = parseIp(parsed.data.source)
  const destination = parseIp(parsed.data.destination)
  if (source === undefined || destination === undefined || source.family !== destination.family)
    return { problem: 'source and destination: expected two IP addresses of one family' }
  return { family: source.family, source, sourcePort, destination, destinationPort, protocol }
}

export function traceReply(flow: Flow, trace: FlowTrace): Trace {
  const end = (ip: Flow['source'], port: number): string =>
    ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`
  const { service, row, tableSize, real, dscp, hop } = trace
  return {
    flow: `${end(flow.source, flow.sourcePort)} → ${end(flow.destination, flow.destinationPort)}/${flow.protocol}`,
    verdict: trace.verdict,
    ...(service === undefined ? {} : { service, vip: formatIp(flow.destination) }),
    ...(row === undefined ? {} : { row }),
    ...(tableSize === undefined ? {} : { tableSize }),
    ...(real === undefined ? {} : { backend: { name: real.name, address: formatIp(real.ip) } }),
    ...(dscp === undefined ? {} : { dscp }),
    ...(hop === undefined ? {} : { nextHop: { interface: hop.interface, mac: hop.destination } }),
    why: [...trace.why],
  }
}

function bindingsReply(revision: string, bindings: readonly Binding[]): Bindings {
  return {
    revision,
    bindings: bindings.map(({ vip, dscp, address }) => ({
      vip: formatIp(vip),
      dscp,
      address: formatIp(address),
    })),
  }
}

function json(body: unknown): Reply {
  return { kind: 'json', body }
}

function problem(status: 400 | 404 | 503, message: string): Reply {
  return { kind: 'problem', status, message }
}

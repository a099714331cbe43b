// What can be told of documents without a daemon: are they right, where would a flow go, what would a backend have to
// do. Allocations are those that an empty store would get.

import { allocate } from '../allocator/allocate.ts'
import { type Allocated } from '../allocator/model.ts'
import { type FlowQuery, type Trace } from '../api/types.ts'
import { type Config, parseDocuments } from '../config/config.ts'
import { formatProblem, type Problem } from '../config/problem.ts'
import { readSources } from '../config/read-driver.ts'
import { type Binding } from '../forwarder/backend/bindings.ts'
import { offlineTrace } from '../forwarder/offline.ts'
import { SystemError } from '../system/errors.ts'
import {
  allocatorPools,
  allocatorRequests,
  bindingsOf,
  datapathOptions,
  servedVips,
  virtualServices,
} from './desired.ts'
import { flowOf, traceReply } from './routes.ts'

export type CheckLine = Problem & { readonly text: string }
export type CheckReport = {
  readonly accepted: boolean
  readonly problems: readonly CheckLine[]
  readonly warnings: readonly CheckLine[]
  readonly summary: string
}

type Loaded =
  | { readonly kind: 'ok'; readonly config: Config; readonly warnings: readonly Problem[] }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] }

async function load(paths: readonly string[]): Promise<Loaded> {
  const read = await readSources(paths)
  return read.kind === 'refused'
    ? { kind: 'refused', problems: read.problems, warnings: [] }
    : parseDocuments(read.sources)
}

/** Every problem and warning of the documents at `paths`, those of allocation included. */
export async function checkDocuments(paths: readonly string[]): Promise<CheckReport> {
  const loaded = await load(paths)
  if (loaded.kind === 'refused') {
    const count = loaded.problems.length
    return {
      accepted: false,
      problems: loaded.problems.map(lineOf),
      warnings: loaded.warnings.map(lineOf),
      summary: `refused: ${count} problem${count === 1 ? '' : 's'}`,
    }
  }
  const { config } = loaded
  const { allocations, refusals } = allocateFresh(config)
  const withoutVip = refusals.flatMap(({ id, message }): Problem[] => {
    const place = config.loadBalancers.find((each) => each.id === id)?.place
    return place === undefined ? [] : [{ place, document: `LoadBalancer ${id}`, field: '', message }]
  })
  const counted = [
    [config.pools.length, 'pool'],
    [config.loadBalancers.length, 'load balancer'],
    [allocations.reduce((sum, { vips }) => sum + vips.length, 0), 'VIP'],
    [config.peers.length, 'peer'],
    [config.advertisements.length, 'advertisement'],
  ] as const
  return {
    accepted: true,
    problems: [],
    warnings: [...loaded.warnings, ...withoutVip].map(lineOf),
    summary: `accepted: ${counted.map(([count, word]) => `${count} ${word}${count === 1 ? '' : 's'}`).join(', ')}`,
  }
}

/** Rejects with `SystemError` that names every problem if the documents are refused. */
export async function traceOffline(paths: readonly string[], query: FlowQuery): Promise<Trace> {
  const config = await accepted(paths)
  const served = servedVips(config, allocateFresh(config).allocations)
  const services = virtualServices(served, () => true)
  const flow = flowOf(query)
  if ('problem' in flow) throw new RangeError(flow.problem)
  return traceReply(flow, offlineTrace(services, datapathOptions(config), flow))
}

/** What the backend of that name restores. Rejects with `SystemError` if no document names it, or they are refused. */
export async function bindingsFromConfig(
  paths: readonly string[],
  backend: string,
): Promise<readonly Binding[]> {
  const config = await accepted(paths)
  const served = servedVips(config, allocateFresh(config).allocations)
  const bindings = bindingsOf(
    backend,
    config,
    virtualServices(served, () => true),
  )
  if (bindings !== undefined) return bindings
  const names = [
    ...new Set(config.loadBalancers.flatMap((each) => each.backends.map(({ name }) => name))),
  ].sort()
  throw new SystemError({
    op: 'read',
    code: 'ENOENT',
    target: paths.join(' '),
    message: `no LoadBalancer has a backend named '${backend}', expected one of: ${names.join(', ')}`,
    remedy: 'name this host with --name',
  })
}

async function accepted(paths: readonly string[]): Promise<Config> {
  const loaded = await load(paths)
  if (loaded.kind === 'ok') return loaded.config
  throw new SystemError({
    op: 'read',
    code: 'EINVAL',
    target: paths.join(' '),
    message: `documents refused\n${loaded.problems.map(formatProblem).join('\n')}`,
  })
}

function allocateFresh(config: Config): Allocated {
  return allocate({
    pools: allocatorPools(config),
    requests: allocatorRequests(config),
    held: [],
    dscpIds: config.datapath.dscpIds,
  })
}

function lineOf(problem: Problem): CheckLine {
  return { ...problem, text: formatProblem(problem) }
}

// A flow's way by the documents alone, for a node that is not running: next hops are not known here.

import { sameIp } from '../net/ip.ts'
import { buildImage, emptyMaps } from './build-image.ts'
import { explainFlow } from './explain.ts'
import { namesFor } from './flow-names.ts'
import { type DatapathOptions, type Flow, type FlowTrace, type VirtualService } from './model.ts'
import { buildTable } from './table.ts'

const unlimited = { vips: Infinity, tables: Infinity, reals: Infinity }

/** What a node that runs these services would do with the flow. Throws `RangeError` as `configuredTable` does. */
export function offlineTrace(
  services: readonly VirtualService[],
  options: DatapathOptions,
  flow: Flow,
): FlowTrace {
  const concerned = services.filter(({ vip }) => sameIp(vip, flow.destination))
  const { image } = buildImage(
    emptyMaps,
    concerned.map((service) => ({ service, table: buildTable(service.reals, options) })),
    {
      hashKey: options.hashKey,
      tableSize: options.tableSize,
      hopOf: () => undefined,
      capacity: unlimited,
      memo: new WeakMap(),
    },
  )
  const trace = explainFlow(
    flow,
    image,
    namesFor(flow, concerned, image.reals, () => undefined),
  )
  if (trace.real === undefined) return trace
  const why = trace.why.slice(0, -1)
  return { ...trace, verdict: 'forward', why: [...why, 'the next hop is known on the running node only'] }
}

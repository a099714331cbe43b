// The door of this folder: documents in, `Config` or every problem out. Pure.
//
//   text ─ yaml.ts ─► values with places ─ document.ts ─► documents ─ resources.ts ─► one resource each
//        ─ check-*.ts: what they say of each other ─► Config
//
// Nothing stops at the first problem, and one problem makes the whole refused.

import { checkAdvertisements } from './check-advertisements.ts'
import { checkDatapath } from './check-datapath.ts'
import { checkNames } from './check-names.ts'
import { checkPeers } from './check-peers.ts'
import { checkPools } from './check-pools.ts'
import { checkServices } from './check-services.ts'
import { defaultDatapath } from './datapath.ts'
import { documentsOf } from './document.ts'
import { createFindings } from './findings.ts'
import { type Config } from './model.ts'
import { indexPools } from './pool-index.ts'
import { type Problem } from './problem.ts'
import { readResources, type Resource } from './resources.ts'
import { readYaml, type Source } from './yaml.ts'

export type * from './model.ts'
export type { Place, Problem } from './problem.ts'
export type { Source } from './yaml.ts'

export type Parsed =
  | { readonly kind: 'ok'; readonly config: Config; readonly warnings: readonly Problem[] }
  | {
      readonly kind: 'refused'
      /** At least one; in the order of the sources and of the lines in them. */
      readonly problems: readonly Problem[]
      readonly warnings: readonly Problem[]
    }

/** Reads all documents of all sources together. Never throws: whatever is wrong with them is a `Problem`. */
export function parseDocuments(sources: readonly Source[]): Parsed {
  const findings = createFindings(sources.map(({ file }) => file))
  const documents = sources
    .flatMap((source) => readYaml(source, findings))
    .flatMap((located) => documentsOf(located, findings))
  const resources = readResources(documents, findings)
  const { pools, peers, advertisements, loadBalancers, nodes, datapaths } = resources

  const index = indexPools(pools)
  const poolDocuments = resources.documents.filter(({ kind }) => kind === 'IPAddressPool')
  checkNames(resources.documents, findings)
  checkPools(index, findings)
  checkServices(resources, { ...index, complete: pools.length === poolDocuments.length }, findings)
  checkAdvertisements(resources, findings)
  checkPeers(resources, findings)
  checkDatapath(resources, findings)

  const { problems, warnings } = findings.collected()
  if (problems.length > 0) return { kind: 'refused', problems, warnings }
  const config: Config = {
    pools: values(pools),
    peers: values(peers),
    advertisements: values(advertisements),
    loadBalancers: values(loadBalancers),
    nodes: values(nodes),
    datapath: values(datapaths)[0] ?? defaultDatapath,
  }
  return { kind: 'ok', config, warnings }
}

function values<T>(resources: readonly Resource<T>[]): readonly T[] {
  return resources.map(({ value }) => value)
}

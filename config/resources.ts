// From documents to resources: which kinds there are, and what is said to those that are not.

import { readAdvertisement } from './bgp-advertisement.ts'
import { readPeer } from './bgp-peer.ts'
import { readDatapath } from './datapath.ts'
import { type Document } from './document.ts'
import { type Findings } from './findings.ts'
import { readPool } from './ip-address-pool.ts'
import { readLoadBalancer } from './load-balancer.ts'
import {
  type BgpAdvertisement,
  type BgpPeer,
  type Datapath,
  type LoadBalancer,
  type Node,
  type Pool,
} from './model.ts'
import { readNode } from './node.ts'
import { nearest } from './suggest.ts'

/** A value and where it came from. */
export type Resource<T> = { readonly document: Document; readonly value: T }

export type Resources = {
  readonly pools: readonly Resource<Pool>[]
  readonly peers: readonly Resource<BgpPeer>[]
  readonly advertisements: readonly Resource<BgpAdvertisement>[]
  readonly loadBalancers: readonly Resource<LoadBalancer>[]
  readonly nodes: readonly Resource<Node>[]
  readonly datapaths: readonly Resource<Datapath>[]
  /** All documents of known kinds, those that could not be read too. */
  readonly documents: readonly Document[]
}

/** The names of a kind, of documents that could not be read too. */
export function namesOf(kind: KindName, { documents }: Resources): ReadonlySet<string> {
  return new Set(
    documents.flatMap((each) => (each.kind === kind && each.name !== undefined ? [each.name] : [])),
  )
}

const versions = {
  IPAddressPool: ['metallb.io/v1beta1'],
  BGPPeer: ['metallb.io/v1beta2', 'metallb.io/v1beta1', 'torii.dev/v1alpha1'],
  BGPAdvertisement: ['metallb.io/v1beta1'],
  LoadBalancer: ['torii.dev/v1alpha1'],
  Node: ['torii.dev/v1alpha1'],
  Datapath: ['torii.dev/v1alpha1'],
} as const
type KindName = keyof typeof versions

const kindNames = Object.keys(versions) as readonly KindName[]
const kindsNotYet = [
  'metallb.io L2Advertisement',
  'metallb.io BFDProfile',
  'metallb.io Community',
  'v1 Service',
  'discovery.k8s.io EndpointSlice',
]

/** Reads every document of a known kind and refuses the others. */
export function readResources(documents: readonly Document[], findings: Findings): Resources {
  const pools: Resource<Pool>[] = []
  const peers: Resource<BgpPeer>[] = []
  const advertisements: Resource<BgpAdvertisement>[] = []
  const loadBalancers: Resource<LoadBalancer>[] = []
  const nodes: Resource<Node>[] = []
  const datapaths: Resource<Datapath>[] = []
  const known = documents.filter((document) => {
    const kind = kindOf(document, findings)
    if (kind === undefined) return false
    switch (kind) {
      case 'IPAddressPool':
        return keep(pools, document, readPool(document, findings))
      case 'BGPPeer':
        return keep(peers, document, readPeer(versionOf(kind, document), document, findings))
      case 'BGPAdvertisement':
        return keep(advertisements, document, readAdvertisement(document, findings))
      case 'LoadBalancer':
        return keep(loadBalancers, document, readLoadBalancer(document, findings))
      case 'Node':
        return keep(nodes, document, readNode(document, findings))
      case 'Datapath':
        return keep(datapaths, document, readDatapath(document, findings))
    }
  })
  return { pools, peers, advertisements, loadBalancers, nodes, datapaths, documents: known }
}

function keep<T>(list: Resource<T>[], document: Document, value: T | undefined): true {
  if (value !== undefined) list.push({ document, value })
  return true
}

function versionOf<K extends KindName>(kind: K, { apiVersion }: Document): (typeof versions)[K][number] {
  return versions[kind].find((each) => each === apiVersion) ?? versions[kind][0]
}

/** The document's kind if it is read here, whatever its problems; undefined after a problem was reported. */
function kindOf(document: Document, findings: Findings): KindName | undefined {
  const { kind, apiVersion } = document
  const known = kindNames.find((name) => name === kind)
  const group = apiVersion.split('/')[0] ?? ''
  if (known !== undefined) {
    const right: readonly string[] = versions[known]
    if (right.includes(apiVersion)) return known
    // Kubernetes has a Node too.
    findings.problem({
      ...document.at(['apiVersion']),
      message: `found '${apiVersion}', expected ${right.join(' or ')} for the kind ${kind}`,
    })
    return undefined
  }
  const head = document.at(['kind'])
  if (kindsNotYet.includes(`${group} ${kind}`))
    findings.problem({
      ...head,
      message: `Torii does not support the kind ${kind} (${apiVersion}) yet`,
      remedy: 'remove the document',
    })
  else {
    const meant = nearest(kind, kindNames)
    findings.problem({
      ...head,
      message: `found the kind '${kind}' (${apiVersion}), expected one of: ${kindNames.join(', ')}`,
      remedy: meant === undefined ? undefined : `did you mean '${meant}'?`,
    })
  }
  return undefined
}

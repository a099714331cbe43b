// MetalLB's BGPAdvertisement (metallb.io/v1beta1).

import { community, communityKey } from './community.ts'
import { refuseRepeats } from './distinct.ts'
import { type Document } from './document.ts'
import { fields, integer, listOf, notYet, text } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { metadata, served } from './metadata.ts'
import { type BgpAdvertisement } from './model.ts'
import { labelSelectors, selectorKey } from './selector.ts'

// MetalLB's limit, so that a document means the same there.
const communitiesMax = 63

const spec = fields({
  aggregationLength: integer(1, 32).default(32),
  aggregationLengthV6: integer(1, 128).default(128),
  localPref: integer(0, 0xffffffff).default(0),
  communities: listOf(community)
    .max(communitiesMax, { error: `at most ${communitiesMax} communities` })
    .default([]),
  ipAddressPools: listOf(text('the name of an IPAddressPool')).default([]),
  ipAddressPoolSelectors: labelSelectors,
  nodeSelectors: labelSelectors,
  peers: listOf(text('the name of a BGPPeer')).default([]),
  serviceSelectors: notYet,
})
const schema = fields({ ...served, metadata: metadata(), spec: spec.prefault({}) })

/** Undefined after its problems were reported. */
export function readAdvertisement(document: Document, findings: Findings): BgpAdvertisement | undefined {
  const read = conform(schema, document, findings)
  if (read === undefined) return undefined
  const { communities, ipAddressPools, ipAddressPoolSelectors = [], nodeSelectors = [], peers } = read.spec
  const lists = {
    communities: communities.map(communityKey),
    ipAddressPools,
    ipAddressPoolSelectors: ipAddressPoolSelectors.map(selectorKey),
    nodeSelectors: nodeSelectors.map(selectorKey),
    peers,
  }
  for (const [name, keys] of Object.entries(lists)) refuseRepeats(keys, ['spec', name], document, findings)
  return {
    name: read.metadata.name,
    pools: ipAddressPools,
    poolSelectors: ipAddressPoolSelectors,
    nodeSelectors,
    peers,
    aggregationLength: read.spec.aggregationLength,
    aggregationLengthV6: read.spec.aggregationLengthV6,
    // 0 is how Go writes that there is none.
    localPref: read.spec.localPref === 0 ? undefined : read.spec.localPref,
    communities: communities.flatMap((each) => (each.kind === 'standard' ? [each.value] : [])),
    largeCommunities: communities.flatMap((each) => (each.kind === 'large' ? [each.value] : [])),
    place: document.place,
  }
}

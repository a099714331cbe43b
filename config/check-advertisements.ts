// BGPAdvertisements against pools and against each other, by MetalLB's rules.

import { bitsOf } from '../net/ip.ts'
import { type Range, rangeToPrefixes } from '../net/prefix.ts'
import { formatRange } from './addresses.ts'
import { type Document } from './document.ts'
import { type Findings, formatLine, type Path } from './findings.ts'
import { type BgpAdvertisement, type Node, type Pool } from './model.ts'
import { namesOf, type Resource, type Resources } from './resources.ts'
import { selects } from './selector.ts'
import { nearest } from './suggest.ts'

/** Reports unknown names (as warnings), aggregates wider than a pool's block, and preferences that contradict. */
export function checkAdvertisements(resources: Resources, findings: Findings): void {
  const { advertisements } = resources
  const pools = namesOf('IPAddressPool', resources)
  const peers = namesOf('BGPPeer', resources)
  const selected = advertisements.map(({ value }) => poolsOf(value, resources.pools))
  for (const [index, advertisement] of advertisements.entries()) {
    const { document, value } = advertisement
    warnOfUnknown(value.pools, pools, 'IPAddressPool', ['spec', 'ipAddressPools'], document, findings)
    warnOfUnknown(value.peers, peers, 'BGPPeer', ['spec', 'peers'], document, findings)
    checkAggregation(advertisement, selected[index] ?? [], findings)
  }
  const nodes = resources.nodes.map(({ value }) => value)
  for (const [index, later] of advertisements.entries()) {
    const earlier = advertisements.find(
      ({ value }, position) =>
        position < index &&
        value.localPref !== later.value.localPref &&
        meet(value.peers, later.value.peers) &&
        shareNode(value, later.value, nodes) &&
        (selected[position] ?? []).some(
          (pool) => selected[index]?.includes(pool) === true && sameAggregate(value, later.value, pool),
        ),
    )
    if (earlier !== undefined)
      findings.problem({
        ...later.document.at(['spec', 'localPref']),
        message: `found a localPref of ${later.value.localPref ?? 0} for what ${earlier.document.at([]).document} (${formatLine(earlier.document.place)}) announces with ${earlier.value.localPref ?? 0}, expected one for the same prefix and peer`,
        remedy: 'use the same, or other peers, nodes, pools or aggregation lengths',
      })
  }
}

function poolsOf(advertisement: BgpAdvertisement, pools: readonly Resource<Pool>[]): readonly Pool[] {
  const { pools: names, poolSelectors } = advertisement
  const all = names.length === 0 && poolSelectors.length === 0
  return pools
    .map(({ value }) => value)
    .filter(
      ({ name, labels }) =>
        all || names.includes(name) || (poolSelectors.length > 0 && selects(poolSelectors, labels)),
    )
}

// MetalLB passes over such names in silence.
function warnOfUnknown(
  names: readonly string[],
  known: ReadonlySet<string>,
  kind: string,
  path: Path,
  document: Document,
  findings: Findings,
): void {
  for (const [index, name] of names.entries()) {
    if (known.has(name)) continue
    const meant = nearest(name, [...known])
    findings.warning({
      ...document.at([...path, index]),
      message: `found '${name}', but there is no ${kind} of that name`,
      remedy: meant === undefined ? undefined : `did you mean '${meant}'?`,
    })
  }
}

function checkAggregation(
  { document, value }: Resource<BgpAdvertisement>,
  pools: readonly Pool[],
  findings: Findings,
): void {
  for (const { name, ranges } of pools) {
    for (const range of ranges) {
      const field = range.first.family === 4 ? 'aggregationLength' : 'aggregationLengthV6'
      const length = value[field]
      if (length === bitsOf(range.first.family)) continue
      const widest = widestBlock(range)
      if (length >= widest) continue
      findings.problem({
        ...document.at(['spec', field]),
        message: `found ${length}, wider than ${formatRange(range)} of the pool ${name}, expected ${widest} or more`,
        remedy: 'an announced prefix must not hold addresses of others',
      })
    }
  }
}

// A range is many blocks; as in MetalLB the widest decides.
function widestBlock(range: Range): number {
  return Math.min(...rangeToPrefixes(range).map(({ length }) => length))
}

/** Empty lists mean all. */
function meet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some((name) => b.includes(name))
}

/** Where no Node is known, any two may. */
function shareNode(a: BgpAdvertisement, b: BgpAdvertisement, nodes: readonly Node[]): boolean {
  return (
    nodes.length === 0 ||
    nodes.some(({ labels }) => selects(a.nodeSelectors, labels) && selects(b.nodeSelectors, labels))
  )
}

function sameAggregate(a: BgpAdvertisement, b: BgpAdvertisement, { ranges }: Pool): boolean {
  return ranges.some(({ first }) =>
    first.family === 4
      ? a.aggregationLength === b.aggregationLength
      : a.aggregationLengthV6 === b.aggregationLengthV6,
  )
}

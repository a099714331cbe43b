// BGPAdvertisements against pools and against each other, by MetalLB's rules.

import { rangeToPrefixes } from '../net/prefix.ts'
import { formatRange } from './addresses.ts'
import { type Findings, formatLine } from './findings.ts'
import { type BgpAdvertisement, type Node, type Pool } from './model.ts'
import { type Resource, type Resources } from './resources.ts'
import { selects } from './selector.ts'
import { nearest } from './suggest.ts'

/** Reports unknown names (as warnings), aggregates wider than a pool's block, and preferences that contradict. */
export function checkAdvertisements(resources: Resources, findings: Findings): void {
  const { advertisements } = resources
  const selected = advertisements.map(({ value }) => poolsOf(value, resources.pools))
  for (const [index, advertisement] of advertisements.entries()) {
    checkReferences(advertisement, resources, findings)
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

function checkReferences(
  { document, value }: Resource<BgpAdvertisement>,
  { documents }: Resources,
  findings: Findings,
): void {
  const check = (field: string, names: readonly string[], kind: string): void => {
    const known = documents
      .filter((each) => each.kind === kind)
      .flatMap(({ name }) => (name === undefined ? [] : [name]))
    for (const [index, name] of names.entries()) {
      if (known.includes(name)) continue
      const meant = nearest(name, known)
      findings.warning({
        ...document.at(['spec', field, index]),
        message: `found '${name}', but there is no ${kind} of that name`,
        remedy: meant === undefined ? undefined : `did you mean '${meant}'?`,
      })
    }
  }
  check('ipAddressPools', value.pools, 'IPAddressPool')
  check('peers', value.peers, 'BGPPeer')
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
      // A range is many blocks: the widest decides.
      const widest = Math.min(...rangeToPrefixes(range).map((block) => block.length))
      if (length >= widest) continue
      findings.problem({
        ...document.at(['spec', field]),
        message: `found ${length}, wider than ${formatRange(range)} of the pool ${name}, expected ${widest} or more`,
        remedy: 'an announced prefix must not hold addresses of others',
      })
    }
  }
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

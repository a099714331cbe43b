// BGPPeers among each other: one session for each neighbour of a node.

import { formatIp } from '../net/ip.ts'
import { type Findings, formatLine } from './findings.ts'
import { type BgpPeer, type Node } from './model.ts'
import { type Resource, type Resources } from './resources.ts'
import { selects } from './selector.ts'

/** Reports peers of one address that a node would have both. */
export function checkPeers({ peers, nodes }: Resources, findings: Findings): void {
  const byAddress = new Map<string, Resource<BgpPeer>[]>()
  for (const peer of peers) {
    const address = formatIp(peer.value.address)
    const others = byAddress.get(address) ?? []
    const rival = others.find(({ value }) => shareNode(value, peer.value, nodes))
    if (rival !== undefined)
      findings.problem({
        ...peer.document.at(['spec', 'peerAddress']),
        message: `found ${address}, which is also the address of ${rival.document.at([]).document} (${formatLine(rival.document.place)}), expected one BGPPeer for each neighbour of a node`,
        remedy: 'remove one, or give them node selectors that no Node matches both of',
      })
    byAddress.set(address, [...others, peer])
  }
}

function shareNode(a: BgpPeer, b: BgpPeer, nodes: readonly Resource<Node>[]): boolean {
  if (nodes.length === 0) return true
  return nodes.some(
    ({ value: { labels } }) => selects(a.nodeSelectors, labels) && selects(b.nodeSelectors, labels),
  )
}

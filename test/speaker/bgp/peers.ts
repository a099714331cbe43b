// Peers and OPENs for the tests of what two speakers make of each other.

import { ip } from '../../../net/ip.ts'
import { type Capability } from '../../../speaker/bgp/capabilities.ts'
import { type Open } from '../../../speaker/bgp/open.ts'
import { normalisePeer, type Peer, type PeerConfig } from '../../../speaker/bgp/peer-config.ts'

/** We are AS 65001 with identifier 10.0.0.1, the neighbour is AS 65002 at 10.0.0.2. */
export const peerConfig: PeerConfig = {
  name: 'tor',
  localAsn: 65001,
  peerAsn: 65002,
  address: ip('10.0.0.2'),
  routerId: '10.0.0.1',
  holdTimeMs: 90_000,
  connectTimeMs: 5_000,
  ebgpMultiHop: false,
  passive: false,
  families: [4, 6],
}

export function peerWith(changes: Partial<PeerConfig> = {}): Peer {
  return normalisePeer({ ...peerConfig, ...changes })
}

export const neighbourCapabilities: readonly Capability[] = [
  { kind: 'multiprotocol', afi: 1, safi: 1 },
  { kind: 'multiprotocol', afi: 2, safi: 1 },
  { kind: 'routeRefresh' },
  { kind: 'fourOctetAs', asn: 65002 },
]

/** The neighbour's OPEN: identifier 10.0.0.2, higher than ours. */
export function openWith(changes: Partial<Open> = {}): Open {
  return {
    kind: 'open',
    myAs: 65002,
    holdTimeSeconds: 30,
    routerId: 0x0a000002,
    capabilities: neighbourCapabilities,
    ...changes,
  }
}

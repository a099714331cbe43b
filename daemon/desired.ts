// From documents, allocations and what is observed, to what each plane is to do. Pure: the same inputs give the
// same answer, and each plane's part is a function of what the others report, which makes the order safe:
// a VIP is announced once the datapath reports it programmed, and stays programmed while it is announced.

import { type Allocation, type Pool as AllocatorPool, type Request, type Vip } from '../allocator/model.ts'
import { type BgpAdvertisement, type Config, type LoadBalancer } from '../config/model.ts'
import { selects } from '../config/selector.ts'
import { type Binding } from '../forwarder/backend/bindings.ts'
import { type HealthTarget } from '../forwarder/health/target.ts'
import { type DatapathOptions, type VirtualService } from '../forwarder/model.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { prefixOf } from '../net/prefix.ts'
import { type Announcement, type PeerConfig } from '../speaker/speaker.ts'

/** This machine among the balancers. */
export type Self = {
  readonly labels: Readonly<Record<string, string>>
  /** BGP Identifier for peers whose document names none. */
  readonly routerId: string
}

/** A VIP of a service that the documents ask for. */
export type Served = { readonly loadBalancer: LoadBalancer; readonly vip: Vip }

export function allocatorPools(config: Config): readonly AllocatorPool[] {
  const byId = new Map(config.loadBalancers.map((each) => [each.id, each]))
  return config.pools.map(({ name, ranges, autoAssign, avoidBuggyIps, serviceAllocation }) => ({
    name,
    ranges,
    autoAssign,
    avoidBuggyIps,
    restriction:
      serviceAllocation === undefined
        ? undefined
        : {
            priority: serviceAllocation.priority,
            admits: ({ id }) => {
              const service = byId.get(id)
              const { namespaces, serviceSelectors } = serviceAllocation
              return (
                service !== undefined &&
                (namespaces.length === 0 || namespaces.includes(service.namespace)) &&
                selects(serviceSelectors, service.labels)
              )
            },
          },
  }))
}

export function allocatorRequests(config: Config): readonly Request[] {
  return config.loadBalancers.map(({ id, families, addresses, pool, backends }) => ({
    id,
    families,
    addresses,
    pool,
    backends: backends.flatMap((backend) => backend.addresses),
  }))
}

/** In the order of the documents. */
export function servedVips(config: Config, allocations: readonly Allocation[]): readonly Served[] {
  const byId = new Map(allocations.map((each) => [each.id, each.vips]))
  return config.loadBalancers.flatMap((loadBalancer) =>
    (byId.get(loadBalancer.id) ?? []).map((vip) => ({ loadBalancer, vip })),
  )
}

export function virtualServices(
  served: readonly Served[],
  isUp: (vip: Ip, backend: string) => boolean,
): readonly VirtualService[] {
  return served.map(({ loadBalancer, vip }) => ({
    service: loadBalancer.id,
    vip: vip.ip,
    ports: loadBalancer.ports,
    dscp: vip.dscp,
    reals: loadBalancer.backends.flatMap(({ name, addresses, weight, state }) =>
      addresses
        .filter((ip) => ip.family === vip.ip.family)
        .map((ip) => ({ name, ip, weight, up: state === 'active' && isUp(vip.ip, name) })),
    ),
  }))
}

export function datapathOptions({ datapath }: Config): DatapathOptions {
  const { xdpMode, tableSize, slots, hashKey } = datapath
  return { interfaces: datapath.interfaces.map(({ name }) => name), xdpMode, tableSize, slots, hashKey }
}

/** Backends that an operator took out are not probed. */
export function healthTargets(served: readonly Served[]): readonly HealthTarget[] {
  return served.flatMap(({ loadBalancer, vip }) =>
    loadBalancer.backends
      .filter(({ state }) => state === 'active')
      .flatMap(({ name, addresses }) =>
        addresses
          .filter((ip) => ip.family === vip.ip.family)
          .map((ip) => ({
            service: loadBalancer.id,
            vip: vip.ip,
            dscp: vip.dscp,
            backend: { name, ip },
            check: loadBalancer.healthCheck,
          })),
      ),
  )
}

export function peerConfigs(config: Config, self: Self): readonly PeerConfig[] {
  return config.peers
    .filter(({ nodeSelectors }) => selects(nodeSelectors, self.labels))
    .map((peer) => ({
      name: peer.name,
      localAsn: peer.myAsn,
      peerAsn: peer.peerAsn,
      address: peer.address,
      routerId: peer.routerId ?? self.routerId,
      ebgpMultiHop: peer.ebgpMultiHop,
      passive: peer.passive,
      families: peer.dualStackAddressFamily ? [4, 6] : [peer.address.family],
      ...defined('port', peer.port),
      ...defined('sourceAddress', peer.sourceAddress),
      ...defined('holdTimeMs', peer.holdTimeMs),
      ...defined('keepaliveTimeMs', peer.keepaliveTimeMs),
      ...defined('connectTimeMs', peer.connectTimeMs),
      ...defined('md5Password', peer.password),
      ...defined('listenPort', peer.listenPort),
    }))
}

/** The documents' advertisements of a pool that hold for this node. */
export function advertisementsOf(pool: string, config: Config, self: Self): readonly BgpAdvertisement[] {
  const labels = config.pools.find(({ name }) => name === pool)?.labels ?? {}
  return config.advertisements.filter(({ pools, poolSelectors, nodeSelectors }) => {
    const everyPool = pools.length === 0 && poolSelectors.length === 0
    const selected = poolSelectors.length > 0 && selects(poolSelectors, labels)
    return (everyPool || pools.includes(pool) || selected) && selects(nodeSelectors, self.labels)
  })
}

/** Why a VIP is not to be announced now; undefined if it is. */
export function obstacle(
  { loadBalancer, vip }: Served,
  config: Config,
  self: Self,
  observed: {
    readonly draining: boolean
    readonly programmed: (vip: Ip) => boolean
    readonly isUp: (vip: Ip, backend: string) => boolean
    /** Every backend has had time to prove itself (settle.ts). */
    readonly settled: (vip: Ip) => boolean
  },
): string | undefined {
  if (observed.draining) return 'this node is draining'
  if (!observed.programmed(vip.ip)) return 'the datapath does not hold it yet'
  const usable = loadBalancer.backends.some(
    ({ name, weight, state }) => state === 'active' && weight > 0 && observed.isUp(vip.ip, name),
  )
  if (!usable) return 'no backend is healthy'
  if (!observed.settled(vip.ip)) return 'waiting for the health of all backends'
  if (advertisementsOf(vip.pool, config, self).length === 0)
    return `no BGPAdvertisement selects the pool ${vip.pool} on this node`
  return undefined
}

/** One announcement for each advertisement of the VIP's pool (docs/config.md). */
export function announcementsOf(
  vip: Vip,
  config: Config,
  self: Self,
  peerNames: readonly string[],
): readonly Announcement[] {
  return advertisementsOf(vip.pool, config, self).map((advertisement) => ({
    prefix: prefixOf(
      vip.ip,
      vip.ip.family === 4 ? advertisement.aggregationLength : advertisement.aggregationLengthV6,
    ),
    communities: advertisement.communities,
    largeCommunities: advertisement.largeCommunities,
    ...(advertisement.localPref === undefined ? {} : { localPref: advertisement.localPref }),
    ...(advertisement.peers.length === 0
      ? {}
      : { peers: advertisement.peers.filter((name) => peerNames.includes(name)) }),
  }))
}

/** What the agent on a backend is to restore, of the VIPs in force and those on their way out. Undefined: no document names such a backend. */
export function bindingsOf(
  backend: string,
  config: Config,
  services: readonly VirtualService[],
): readonly Binding[] | undefined {
  const known = config.loadBalancers.some(({ backends }) => backends.some(({ name }) => name === backend))
  const bindings = services.flatMap(({ vip, dscp, reals }) =>
    reals.filter(({ name }) => name === backend).map(({ ip }) => ({ vip, dscp, address: ip })),
  )
  // A VIP on its way out may have left its id to a new one: the first in order is the one in force.
  const byPlace = new Map<string, Binding>()
  for (const binding of bindings) {
    const place = `${formatIp(binding.address)} ${binding.dscp}`
    if (!byPlace.has(place)) byPlace.set(place, binding)
  }
  return known || byPlace.size > 0 ? [...byPlace.values()] : undefined
}

function defined<K extends string, T>(key: K, value: T | undefined): { readonly [key in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [key in K]?: T })
}

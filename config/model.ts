// The documents after parsing, defaults and checks: what the rest of Torii is told. Plain values, no YAML words.

import { type Family, type Ip } from '../net/ip.ts'
import { type Range } from '../net/prefix.ts'
import { type ServicePort } from '../net/service.ts'
import { type Place } from './problem.ts'

/** Kubernetes' LabelSelector (`matchLabels` become `In` expressions of one value). */
export type LabelSelector = readonly {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}[]
export type Labels = Readonly<Record<string, string>>

/** IPAddressPool. */
export type Pool = {
  readonly name: string
  readonly labels: Labels
  /** In the order written, one for each entry of `spec.addresses`. */
  readonly ranges: readonly Range[]
  readonly autoAssign: boolean
  readonly avoidBuggyIps: boolean
  /** Absent: the pool is open to every service. */
  readonly serviceAllocation:
    | {
        /** Lower first; 0 = last. */
        readonly priority: number
        /** Empty: all. */
        readonly namespaces: readonly string[]
        /** One must match; empty: all. */
        readonly serviceSelectors: readonly LabelSelector[]
      }
    | undefined
  readonly place: Place
}

/** BGPPeer. Times in milliseconds, undefined = the speaker's default. */
export type BgpPeer = {
  readonly name: string
  readonly nodeSelectors: readonly LabelSelector[]
  readonly myAsn: number
  readonly peerAsn: number | 'external' | 'internal'
  readonly address: Ip
  readonly port: number | undefined
  readonly sourceAddress: Ip | undefined
  readonly routerId: string | undefined
  readonly holdTimeMs: number | undefined
  readonly keepaliveTimeMs: number | undefined
  readonly connectTimeMs: number | undefined
  readonly password: string | undefined
  readonly ebgpMultiHop: boolean
  /** Both families over this one session; otherwise only the peer address's own. */
  readonly dualStackAddressFamily: boolean
  /** Torii's own additions (apiVersion torii.dev/v1alpha1). */
  readonly passive: boolean
  readonly listenPort: number | undefined
  readonly place: Place
}

/** BGPAdvertisement. */
export type BgpAdvertisement = {
  readonly name: string
  /** Names and selectors; both empty: all pools. */
  readonly pools: readonly string[]
  readonly poolSelectors: readonly LabelSelector[]
  /** One must match; empty: all nodes. */
  readonly nodeSelectors: readonly LabelSelector[]
  /** Empty: all peers. */
  readonly peers: readonly string[]
  readonly aggregationLength: number
  readonly aggregationLengthV6: number
  readonly localPref: number | undefined
  /** RFC 1997. */
  readonly communities: readonly number[]
  /** RFC 8092. */
  readonly largeCommunities: readonly {
    readonly global: number
    readonly local1: number
    readonly local2: number
  }[]
  readonly place: Place
}

export type Backend = {
  readonly name: string
  /** At most one of each family, at least the families in use. */
  readonly addresses: readonly Ip[]
  readonly weight: number
  readonly state: 'active' | 'down'
}

export type HealthCheck =
  | {
      readonly kind: 'tcp'
      readonly port: number
      readonly intervalMs: number
      readonly timeoutMs: number
      readonly rise: number
      readonly fall: number
    }
  | { readonly kind: 'none' }

/** LoadBalancer. */
export type LoadBalancer = {
  /** `namespace/name`. */
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly labels: Labels
  readonly pool: string | undefined
  readonly addresses: readonly Ip[]
  /** In the order of preference, without repeats. */
  readonly families: readonly Family[]
  readonly ports: readonly ServicePort[]
  readonly backends: readonly Backend[]
  readonly healthCheck: HealthCheck
  readonly place: Place
}

/** Node: a balancer. `labels` always hold `kubernetes.io/hostname`. */
export type Node = {
  readonly name: string
  readonly labels: Labels
  readonly addresses: readonly Ip[]
  readonly place: Place
}

export type Datapath = {
  readonly interfaces: readonly { readonly name: string; readonly place: Place }[]
  readonly xdpMode: 'auto' | 'native' | 'generic'
  readonly tableSize: number
  /** Backends a table is laid out for; undefined: as many as there are. */
  readonly slots: number | undefined
  /** 16 bytes. */
  readonly hashKey: Uint8Array
  /** Ascending, each 1 to 63. */
  readonly dscpIds: readonly number[]
  readonly drainTimeMs: number
  /** Undefined where no Datapath document says any of this: all defaults, and no interfaces. */
  readonly place: Place | undefined
}

export type Config = {
  readonly pools: readonly Pool[]
  readonly peers: readonly BgpPeer[]
  readonly advertisements: readonly BgpAdvertisement[]
  readonly loadBalancers: readonly LoadBalancer[]
  readonly nodes: readonly Node[]
  readonly datapath: Datapath
}

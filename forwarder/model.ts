// What the forwarder is told and what it tells, in its own words. The door is forwarder-driver.ts.

import { type Family, type Ip } from '../net/ip.ts'
import { type Mac } from '../net/mac.ts'
import { type ServicePort } from '../net/service.ts'

/** One backend of a VIP; `ip` is of the VIP's family. */
export type Real = {
  readonly name: string
  readonly ip: Ip
  /** 0 to 256; 0 gets no flows. */
  readonly weight: number
  readonly up: boolean
}

/** One VIP: its ports, its DSCP id and the backends that serve it, configured and healthy. */
export type VirtualService = {
  /** `namespace/name` of the service. */
  readonly service: string
  readonly vip: Ip
  readonly ports: readonly ServicePort[]
  readonly dscp: number
  readonly reals: readonly Real[]
}

export type DatapathOptions = {
  readonly interfaces: readonly string[]
  readonly xdpMode: 'auto' | 'native' | 'generic'
  /** Prime. */
  readonly tableSize: number
  readonly slots: number | undefined
  /** 16 bytes, the same on all nodes. */
  readonly hashKey: Uint8Array
}

/** Where a frame for an address goes: out of which interface, to whose MAC, from which. */
export type ResolvedHop = {
  readonly ifindex: number
  readonly interface: string
  readonly source: Mac
  readonly destination: Mac
}

export type VipState = {
  readonly service: string
  readonly vip: Ip
  /** A running program's maps hold this VIP: as last `set`, or as before while a change of it is under way. */
  readonly programmed: boolean
  /** Hex digest of the Maglev table: equal wherever the same facts are seen. */
  readonly digest: string
  /** Rows of each real in the table, by name. */
  readonly rows: ReadonlyMap<string, number>
  readonly tableSize: number
  /** Reals, by name, whose next hop is not known now, and why. */
  readonly unresolved: ReadonlyMap<string, string>
}

export type InterfaceState = {
  readonly name: string
  readonly mode: 'native' | 'generic' | 'none'
  readonly problem: string | undefined
}

export type ForwarderStatus = {
  readonly vips: readonly VipState[]
  readonly interfaces: readonly InterfaceState[]
  /** Packets by what became of them (forwarded, and one for each reason of a drop), summed over CPUs. */
  readonly packets: Readonly<Record<string, number>>
  /** What keeps the datapath from being what was wanted; empty when all is well. */
  readonly problems: readonly string[]
}

export type Flow = {
  readonly family: Family
  readonly source: Ip
  readonly sourcePort: number
  readonly destination: Ip
  readonly destinationPort: number
  readonly protocol: 'tcp' | 'udp'
}

/** What becomes of a flow's packets, and why, in the order in which the datapath decides. */
export type FlowTrace = {
  readonly verdict: 'forward' | 'pass' | 'drop'
  readonly service: string | undefined
  readonly row: number | undefined
  readonly tableSize: number | undefined
  readonly real: { readonly name: string; readonly ip: Ip } | undefined
  readonly dscp: number | undefined
  readonly hop: ResolvedHop | undefined
  readonly why: readonly string[]
}

export type Forwarder = {
  /**
   * The whole desired state, every time. Tables and maps follow in the background, additions before removals and
   * each VIP's table as a whole; `onChange` tells when something became different.
   */
  set(services: readonly VirtualService[], options: DatapathOptions): void
  /** Resolves once the last `set` has been tried as a whole. */
  settled(): Promise<void>
  status(): ForwarderStatus
  trace(flow: Flow): FlowTrace
  /** `detach`: unload and unpin everything; otherwise leave it forwarding for the next start. */
  close(options: { readonly detach: boolean }): Promise<void>
}

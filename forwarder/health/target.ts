// What the health checker is asked to watch, and what it tells. The door is driver.ts.

import { type Ip } from '../../net/ip.ts'
import { type Instant } from '../../net/time.ts'

/** `none`: taken as up, never probed. */
export type HealthCheck =
  | {
      readonly kind: 'tcp'
      readonly port: number
      readonly intervalMs: number
      readonly timeoutMs: number
      /** Good results in a row until a dead backend is up. */
      readonly rise: number
      /** Bad results in a row until an up backend is down. */
      readonly fall: number
    }
  | { readonly kind: 'none' }

/** One backend of one VIP; `dscp` is the VIP's id at that backend, `backend.ip` of the VIP's family. */
export type HealthTarget = {
  readonly service: string
  readonly vip: Ip
  readonly dscp: number
  readonly backend: { readonly name: string; readonly ip: Ip }
  readonly check: HealthCheck
}

export type TargetStatus = {
  readonly target: HealthTarget
  readonly up: boolean
  /** When `up` became what it is; when the target was added, until the first result. */
  readonly since: Instant
  /** The last result in words. */
  readonly lastResult: string
  /** Results in a row that said the same as the last one. */
  readonly consecutive: number
}

export interface Health {
  /**
   * The whole set of targets, every time; what stays keeps its state. `vips` are further VIPs of this node that have
   * no target: packets for them are kept from being routed on as well.
   */
  set(targets: readonly HealthTarget[], vips?: readonly Ip[]): void
  /** In the order of `set`. */
  status(): readonly TargetStatus[]
  /** False for a pair that is not a target, or has no result yet. Several services at one VIP: all must be up. */
  isUp(vip: Ip, backendName: string): boolean
  /** Ends all checks, removes the nftables tables, puts sysctls back. */
  close(): Promise<void>
}

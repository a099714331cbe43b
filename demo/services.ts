// What the balancers serve, as the load generators need it: the VIPs, what to send to them, what share of the flows
// each backend is to get.

import { type Status, type VipStatus } from '../api/types.ts'
import { type SteadyOrder, type Target } from './client/protocol.ts'
import { StepFailure } from './until.ts'

/** What the backends of deploy/containerlab serve (its server.mjs). */
const httpPort = 80
const echoPort = 5353
const streamPort = 8080

export type Services = {
  readonly vips: readonly string[]
  readonly http: readonly Target[]
  readonly echo: readonly Target[]
  readonly stream: readonly Target[]
}

/** Throws `StepFailure` unless HTTP, echo and stream are served in both families. */
export function servicesOf({ vips }: Status): Services {
  const serving = (port: number, protocol: 'tcp' | 'udp'): readonly Target[] => {
    const targets = vips
      .filter(({ ports }) => ports.includes(`${port}/${protocol}`))
      .map(({ family, vip }) => ({ family, address: vip, port }))
    for (const family of ['ipv4', 'ipv6']) {
      if (targets.some((each) => each.family === family)) continue
      throw new StepFailure(`no ${family} VIP serves ${port}/${protocol}`)
    }
    return targets
  }
  return {
    vips: vips.map(({ vip }) => vip),
    http: serving(httpPort, 'tcp'),
    echo: serving(echoPort, 'udp'),
    stream: serving(streamPort, 'tcp'),
  }
}

/** Each backend's share of the rows of a VIP's table. */
export function sharesOf(vip: VipStatus): ReadonlyMap<string, number> {
  return new Map(vip.backends.list.map(({ name, share }) => [name, share]))
}

/** 200 new requests a second, 200 long-lived connections with a message every 100 ms, in both families. */
export function steadyOrder({ http, stream }: Services): SteadyOrder {
  return {
    http: [...http],
    stream: [...stream],
    requestsPerSecond: 200,
    deadlineMs: 1000,
    connections: 200,
    messageEveryMs: 100,
  }
}

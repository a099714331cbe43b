// What the forwarder says of itself: of each VIP that it was last given, how far the datapath is with it.

import { type Ip, formatIp, sameIp } from '../net/ip.ts'
import { type TabledService } from './build-image.ts'
import { type DatapathImage, vipId } from './image.ts'
import { type ForwarderStatus, type InterfaceState, type VipState, type VirtualService } from './model.ts'

export type StatusParts = {
  /** As last given. */
  readonly services: readonly VirtualService[]
  /** As last put in force. */
  readonly applied: { readonly image: DatapathImage; readonly services: readonly TabledService[] } | undefined
  readonly view: { readonly whyNot: (real: Ip) => string | undefined } | undefined
  readonly interfaces: readonly InterfaceState[]
  readonly problems: readonly string[]
}

/** All but the packets. */
export function describeStatus(parts: StatusParts): Omit<ForwarderStatus, 'packets'> {
  const { interfaces, problems } = parts
  return { vips: parts.services.map((service) => describeVip(service, parts)), interfaces, problems }
}

function describeVip(service: VirtualService, { applied, view, interfaces }: StatusParts): VipState {
  const { vip } = service
  const known = applied?.services.find(
    (each) => each.service.service === service.service && sameIp(each.service.vip, vip),
  )
  const attached = interfaces.some(({ mode }) => mode !== 'none')
  const inMaps = applied?.image.vips.has(vipId({ ip: vip, port: 0, protocol: 0 })) ?? false
  const { names = [], counts = new Uint32Array(), digest = '' } = known?.table ?? {}
  return {
    service: service.service,
    vip,
    programmed: known !== undefined && attached && inMaps,
    digest,
    rows: new Map(names.map((name, index) => [name, counts[index] ?? 0])),
    tableSize: applied?.image.tableSize ?? 0,
    unresolved: new Map(
      service.reals.flatMap(({ name, ip }) => {
        const reason = view === undefined ? `next hop of ${formatIp(ip)} not looked up yet` : view.whyNot(ip)
        return reason === undefined ? [] : [[name, reason]]
      }),
    ),
  }
}

/** Equal for equal statuses; the rows of a VIP follow from its digest. */
export function statusText({ vips, interfaces, problems }: Omit<ForwarderStatus, 'packets'>): string {
  return JSON.stringify([
    vips.map(({ service, vip, programmed, digest, unresolved }) => [
      ...[service, formatIp(vip), programmed, digest],
      ...unresolved,
    ]),
    interfaces,
    problems,
  ])
}

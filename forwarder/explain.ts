// One flow's way through the datapath in words, found by the functions that forward packets.

import { formatIp, sameIp, type Ip } from '../net/ip.ts'
import { protocolNumber } from '../net/service.ts'
import { type Tuple, flowHash } from './hash.ts'
import { type DatapathImage } from './image.ts'
import { type Flow, type FlowTrace } from './model.ts'
import { selectReal, servedEntry } from './reference.ts'

/** What the image's numbers are called. */
export type Names = {
  readonly service: (vip: Ip) => string | undefined
  /** By index into the image's reals. */
  readonly real: (index: number) => string | undefined
  readonly interface: (ifindex: number) => string | undefined
}

/** What becomes of a flow's intact packets of sufficient TTL, and why, in the order in which the datapath decides. */
export function explainFlow(flow: Flow, image: DatapathImage, names: Names): FlowTrace {
  const tuple: Tuple = {
    ...flow,
    protocol: flow.protocol === 'tcp' ? protocolNumber.TCP : protocolNumber.UDP,
  }
  const vip = formatIp(flow.destination)
  const port = `${flow.destinationPort}/${flow.protocol}`
  const entry = servedEntry(image, tuple)
  if (entry === 'notVip') {
    return { ...nothing, verdict: 'pass', why: [`${vip} is no VIP here: the host gets the packet`] }
  }
  const service = names.service(flow.destination)
  if (entry === 'portNotServed') {
    return {
      ...nothing,
      service,
      why: [`${vip} is a VIP${service === undefined ? '' : ` of ${service}`}`, `it does not serve ${port}`],
    }
  }

  const why = [
    `${vip} serves ${port} for ${service ?? 'a service without a name'}: table ${entry.table}, DSCP ${entry.dscp}`,
  ]
  if (sameIp(flow.source, flow.destination)) {
    return { ...nothing, service, why: [...why, `source and destination are both ${vip}`] }
  }
  const { row, index, real } = selectReal(image, entry, tuple)
  const { tableSize } = image
  const hash = flowHash(tuple, image.hashKey).toString(16).padStart(8, '0')
  const found = { ...nothing, service, row, tableSize, dscp: entry.dscp }
  why.push(`hash 0x${hash} of the 5-tuple is row ${row} of ${tableSize}`)
  if (real === undefined || index === undefined) {
    return { ...found, why: [...why, `no backend holds row ${row}: none is up`] }
  }

  const name = names.real(index) ?? `real ${index}`
  const chosen = { ...found, real: { name, ip: real.ip } }
  why.push(`row ${row} belongs to ${name}, ${formatIp(real.ip)}`)
  if (real.hop === undefined) {
    return { ...chosen, why: [...why, `the next hop to ${formatIp(real.ip)} is not known`] }
  }
  const hop = { ...real.hop, interface: names.interface(real.hop.ifindex) ?? `interface ${real.hop.ifindex}` }
  why.push(`next hop ${hop.destination} out of ${hop.interface}`)
  return { ...chosen, verdict: 'forward', hop, why }
}

const nothing = {
  verdict: 'drop',
  service: undefined,
  row: undefined,
  tableSize: undefined,
  real: undefined,
  dscp: undefined,
  hop: undefined,
} as const

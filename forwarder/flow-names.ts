// What the numbers that a flow meets in the datapath are called, for explain.ts.

import { sameIp } from '../net/ip.ts'
import { type Names } from './explain.ts'
import { type DatapathImage } from './image.ts'
import { type Flow, type VirtualService } from './model.ts'

/** Names as the flow's own service has them: others may call the same backend differently. */
export function namesFor(
  flow: Flow,
  services: readonly VirtualService[],
  reals: DatapathImage['reals'],
  interfaceName: Names['interface'],
): Names {
  const onAddress = services.filter(({ vip }) => sameIp(vip, flow.destination))
  const service =
    onAddress.find(({ ports }) =>
      ports.some(
        ({ port, protocol }) => port === flow.destinationPort && protocol.toLowerCase() === flow.protocol,
      ),
    ) ?? onAddress[0]
  return {
    service: () => service?.service,
    real: (index) => {
      const ip = reals.get(index)?.ip
      return ip === undefined ? undefined : service?.reals.find((real) => sameIp(real.ip, ip))?.name
    },
    interface: interfaceName,
  }
}

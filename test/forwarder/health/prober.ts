// Runs in a balancer's network namespace: the health checker with the real ports, told what to do over IPC.

import { createHealth } from '../../../forwarder/health/driver.ts'
import { type HealthTarget, type TargetStatus } from '../../../forwarder/health/target.ts'
import { type Ip } from '../../../net/ip.ts'
import { systemClock } from '../../../system/clock.ts'
import { createLog } from '../../../system/log.ts'
import { systemNftables } from '../../../system/nftables.ts'
import { systemSysctl } from '../../../system/sysctl.ts'
import { systemTcp } from '../../../system/tcp.ts'

export type Order =
  | { readonly kind: 'set'; readonly targets: readonly HealthTarget[]; readonly vips: readonly Ip[] }
  | { readonly kind: 'status' }
  | { readonly kind: 'close' }
export type Report = { readonly status: readonly TargetStatus[]; readonly up: readonly boolean[] }

const [interfaces = '', driftCheckMs = '100'] = process.argv.slice(2)
const health = createHealth(
  { interfaces: interfaces.split(','), driftCheckMs: Number(driftCheckMs) },
  {
    tcp: systemTcp,
    nftables: systemNftables,
    sysctl: systemSysctl,
    clock: systemClock,
    random: Math.random,
    log: createLog(process.env['TORII_TEST_LOG'] === undefined ? 'error' : 'debug', {}),
    onChange: () => undefined,
  },
)

process.on('message', (order: Order) => {
  void obey(order).then(() => {
    const status = health.status()
    const up = status.map(({ target }) => health.isUp(target.vip, target.backend.name))
    process.send?.({ status, up } satisfies Report)
  })
})
process.once('disconnect', () => process.exit(0))

async function obey(order: Order): Promise<void> {
  if (order.kind === 'set') health.set(order.targets, order.vips)
  else if (order.kind === 'close') await health.close()
}

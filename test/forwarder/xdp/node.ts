// A balancer's forwarder on the real kernel of the namespace it runs in. Does what the test on the other end of the IPC
// channel asks, and ends when the channel does, leaving the datapath as it is.

import { loadAddon } from '../../../native/binding.ts'
import { createForwarder } from '../../../forwarder/forwarder-driver.ts'
import { type DatapathOptions, type Flow, type VirtualService } from '../../../forwarder/model.ts'
import { systemClock } from '../../../system/clock.ts'
import { createLog } from '../../../system/log.ts'
import { createNetlink } from '../../../system/netlink.ts'
import { serveCalls } from '../../support/remote-calls.ts'

const netlink = createNetlink()
let changes = 0
const forwarder = createForwarder(
  { bpffs: process.argv[2]!, ...(process.argv[3] === undefined ? {} : { objectPath: process.argv[3] }) },
  {
    netlink,
    bpf: loadAddon(),
    clock: systemClock,
    log: createLog('error', {}),
    onChange: () => (changes += 1),
  },
)

const calls = {
  set: (services: readonly VirtualService[], options: DatapathOptions) => {
    forwarder.set(services, options)
    return forwarder.settled()
  },
  /** Without waiting. */
  begin: (services: readonly VirtualService[], options: DatapathOptions) => forwarder.set(services, options),
  settled: () => forwarder.settled(),
  status: () => forwarder.status(),
  trace: (flow: Flow) => forwarder.trace(flow),
  changes: () => changes,
  close: async (options: { readonly detach: boolean }) => {
    await forwarder.close(options)
    netlink.close()
  },
}

export type Calls = typeof calls

serveCalls(calls)

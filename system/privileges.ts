// Which of the capabilities that Torii needs (capabilities(7)) this process has.

import { readFileSync } from 'node:fs'

export const capabilities = ['CAP_NET_BIND_SERVICE', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_BPF'] as const
export type Capability = (typeof capabilities)[number]

const CAP_SYS_ADMIN = 21n
const bits: Readonly<Record<Capability, readonly bigint[]>> = {
  CAP_NET_BIND_SERVICE: [10n],
  CAP_NET_ADMIN: [12n],
  CAP_NET_RAW: [13n],
  // The kernel takes CAP_SYS_ADMIN for it, which was all there was before Linux 5.8.
  CAP_BPF: [39n, CAP_SYS_ADMIN],
}

/** The effective ones among `capabilities`; `status` is /proc/self/status unless given. */
export function effectiveCapabilities(
  status = readFileSync('/proc/self/status', 'utf8'),
): ReadonlySet<Capability> {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const has = (bit: bigint): boolean => ((effective >> bit) & 1n) === 1n
  return new Set(capabilities.filter((capability) => bits[capability].some(has)))
}

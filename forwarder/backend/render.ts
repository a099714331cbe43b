// The backend side as a file, for those who manage hosts with other tools: the nftables rules, and as comments the
// addresses and kernel settings that go with them.

import { formatIp } from '../../net/ip.ts'
import { renderRuleset, vipsOf, type Binding } from './bindings.ts'

/** Loads as it is with `nft -f`. Throws `RangeError` on conflicting bindings. */
export function renderHost(bindings: readonly Binding[]): string {
  const ruleset = renderRuleset(bindings)
  const vips = vipsOf(bindings)
  if (vips.length === 0) return ruleset
  const addresses = vips.map((vip) =>
    vip.family === 4
      ? `#   ip addr add ${formatIp(vip)}/32 dev lo`
      : `#   ip addr add ${formatIp(vip)}/128 dev lo nodad`,
  )
  const sysctls = vips.some((vip) => vip.family === 4)
    ? [
        '# Kernel settings (the VIP must not be answered for on a shared segment; requests may come in elsewhere than',
        '# replies go out: strict reverse path filtering, 1, must be loosened on the interfaces they arrive on):',
        '#   sysctl -w net.ipv4.conf.all.arp_ignore=1',
        '#   sysctl -w net.ipv4.conf.all.arp_announce=2',
        '#   sysctl -w net.ipv4.conf.INTERFACE.rp_filter=2',
      ]
    : []
  return [ruleset + '# The VIPs belong on lo:', ...addresses, ...sysctls, ''].join('\n')
}

// What a backend host is now: addresses, routes, kernel settings and rules, read from the kernel every time.

import { type Netlink, type Nftables, type Sysctl } from '../../system/ports.ts'
import { backendTable } from './bindings.ts'
import { type Observed } from './plan.ts'

export type HostPorts = { readonly netlink: Netlink; readonly nftables: Nftables; readonly sysctl: Sysctl }
export type Host = Observed & { readonly loopbackIndex: number }

/** Rejects with `SystemError` if the kernel cannot be asked. */
export async function observeHost({ netlink, nftables, sysctl }: HostPorts): Promise<Host> {
  const [links, addresses, routes, ip, ip6] = await Promise.all([
    netlink.links(),
    netlink.addresses(),
    netlink.routes(),
    nftables.list('ip', backendTable),
    nftables.list('ip6', backendTable),
  ])
  const names = new Map(links.map((link) => [link.index, link.name]))
  // Every network namespace has it, and its index is always 1.
  const loopback = links.find((link) => link.name === 'lo')
  const loopbackIndex = loopback?.index ?? 1
  const defaultHops = routes
    .filter((route) => route.kind === 'unicast' && route.dst.length === 0 && route.dst.ip.family === 4)
    .flatMap((route) => route.nextHops.map((hop) => names.get(hop.ifindex)))
  return {
    loopbackIndex,
    loopbackUp: loopback?.up ?? false,
    loopback: addresses.filter((each) => each.ifindex === loopbackIndex).map((each) => each.ip),
    addresses: addresses
      .filter((each) => each.ifindex !== loopbackIndex)
      .map((each) => ({ ip: each.ip, interface: names.get(each.ifindex) ?? `${each.ifindex}` })),
    uplinks: defaultHops.filter((name) => name !== undefined),
    sysctl: (key) => sysctl.read(key),
    listings: { ip, ip6 },
  }
}

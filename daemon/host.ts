// What the daemon must know of its host beside the tables that the forwarder follows itself: addresses for next hops
// and for a default router id, interfaces that documents name.

import { createHash } from 'node:crypto'
import { type Config } from '../config/model.ts'
import { type Problem } from '../config/problem.ts'
import { compareIp, type Family, formatIp, type Ip, ipFromBytes, sameIp } from '../net/ip.ts'
import { type InterfaceAddress, type Netlink } from '../system/ports.ts'

export type HostView = {
  /** Reads the addresses again. Rejects with `SystemError`. */
  refresh(): Promise<void>
  /** A global address of `family` on the interface that has `local`. */
  nextHopFor(local: Ip, family: Family): Ip | undefined
  /** Stable while the addresses are: the lowest global IPv4 address, else one made from the node's name. */
  routerId(node: string): string
}

export function createHostView(netlink: Netlink): HostView {
  let addresses: readonly InterfaceAddress[] = []
  return {
    refresh: async () => {
      addresses = await netlink.addresses()
    },
    nextHopFor: (local, family) => {
      const here = addresses.find(({ ip }) => sameIp(ip, local))
      return addresses.find(
        ({ ip, ifindex, scope }) => ifindex === here?.ifindex && ip.family === family && scope === 'global',
      )?.ip
    },
    routerId: (node) => {
      const loopback = 1
      const usable = addresses
        .filter(({ ip, scope, ifindex }) => ip.family === 4 && scope === 'global' && ifindex !== loopback)
        .map(({ ip }) => ip)
        .sort(compareIp)
      return formatIp(usable[0] ?? namedId(node))
    },
  }
}

// RFC 6286 asks only that it is unique and not zero.
function namedId(node: string): Ip {
  const digest = createHash('sha256').update(node).digest().subarray(0, 4)
  digest[0] = (digest[0] ?? 0) | 1
  return ipFromBytes(digest)
}

/** Interfaces of the Datapath document that this host does not have; those of `inForce` were there when it came. */
export async function checkInterfaces(
  netlink: Netlink,
  config: Config,
  inForce: Config | undefined,
): Promise<readonly Problem[]> {
  const names = (await netlink.links()).map(({ name }) => name)
  const known = new Set([...names, ...(inForce?.datapath.interfaces.map(({ name }) => name) ?? [])])
  return config.datapath.interfaces
    .map((each, index) => ({ ...each, index }))
    .filter(({ name }) => !known.has(name))
    .map(({ name, place, index }) => ({
      place,
      document: 'Datapath',
      field: `spec.interfaces[${index}]`,
      message: `found '${name}', expected an interface of this host: ${names.filter((each) => each !== 'lo').join(', ')}`,
    }))
}

// The kernel's links, addresses, routes and neighbours (rtnetlink(7)) of the network namespace this process is in.

import { type Ip, formatIp } from '../net/ip.ts'
import { SystemError } from './errors.ts'
import { messageFlag, type NetlinkMessage } from './netlink-message.ts'
import { openRequestSocket, type Request } from './netlink-request.ts'
import { openChangeSocket } from './netlink-socket.ts'
import { type Netlink } from './ports.ts'
import { decodeRoute } from './rtnetlink-route.ts'
import {
  decodeAddress,
  decodeLink,
  decodeNeighbour,
  encodeHostAddress,
  encodeUseNeighbour,
  fixedLength,
  rtm,
} from './rtnetlink.ts'

/** RTNLGRP_LINK, NEIGH, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE, NEXTHOP as bits. */
const changeGroups = [1, 3, 5, 7, 9, 11, 32].reduce((bits, group) => (bits | (1 << (group - 1))) >>> 0, 0)
const AF_BRIDGE = 7
const requestBufferBytes = 1 << 20
const changeBufferBytes = 1 << 23

export type NetlinkOptions = {
  /** Of the socket that hears of changes: small ones lose events sooner, which costs a full look each time. */
  readonly changeBufferBytes?: number
}

/** Throws `SystemError`. */
export function createNetlink(options: NetlinkOptions = {}): Netlink {
  const socket = openRequestSocket(requestBufferBytes)
  const listeners = new Set<() => void>()
  let changes: { readonly close: () => void } | undefined

  const dump = <T>(
    what: keyof typeof fixedLength,
    type: number,
    decode: (message: NetlinkMessage) => T | undefined,
  ): Promise<readonly T[]> =>
    socket.request(
      {
        op: 'netlink dump',
        target: what,
        type,
        flags: messageFlag.request | messageFlag.dump,
        body: new Uint8Array(fixedLength[what]),
      },
      decode,
    )
  const change = async (request: Request, harmless: readonly string[]): Promise<void> => {
    try {
      await socket.request(request, () => undefined)
    } catch (error) {
      if (!(error instanceof SystemError) || !harmless.includes(error.code)) throw error
    }
  }
  const acknowledged = messageFlag.request | messageFlag.ack

  return {
    links: () => dump('link', rtm.getLink, decodeLink),
    addresses: () => dump('address', rtm.getAddress, decodeAddress),
    routes: () => dump('route', rtm.getRoute, decodeRoute),
    neighbours: () => dump('neighbour', rtm.getNeighbour, decodeNeighbour),
    resolveNeighbour: (ifindex, ip) =>
      change(
        {
          op: 'resolve neighbour',
          target: describe(ip, ifindex),
          type: rtm.newNeighbour,
          flags: acknowledged | messageFlag.create,
          body: encodeUseNeighbour(ifindex, ip),
        },
        [],
      ),
    addAddress: (ifindex, ip) =>
      change(
        {
          op: 'add address',
          target: describe(ip, ifindex),
          type: rtm.newAddress,
          flags: acknowledged | messageFlag.create,
          body: encodeHostAddress(ifindex, ip),
        },
        ['EEXIST'],
      ),
    removeAddress: (ifindex, ip) =>
      change(
        {
          op: 'remove address',
          target: describe(ip, ifindex),
          type: rtm.deleteAddress,
          flags: acknowledged,
          body: encodeHostAddress(ifindex, ip),
        },
        ['EADDRNOTAVAIL', 'ENODEV'],
      ),
    watch: (onChange) => {
      const listener = (): void => onChange()
      listeners.add(listener)
      changes ??= openChangeSocket(
        { groups: changeGroups, receiveBufferBytes: options.changeBufferBytes ?? changeBufferBytes },
        concerns,
        () => listeners.forEach((each) => each()),
      )
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        changes?.close()
        changes = undefined
      }
    },
    close: () => {
      listeners.clear()
      changes?.close()
      changes = undefined
      socket.close()
    },
  }
}

/** Bridges report their ports and forwarding tables in the same groups. */
function concerns(message: NetlinkMessage): boolean {
  return message.payload[0] !== AF_BRIDGE
}

function describe(ip: Ip, ifindex: number): string {
  return `${formatIp(ip)} (interface ${ifindex})`
}

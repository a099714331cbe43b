// A listening socket of our own, so that keys (RFC 2385) can be set and taken away while it listens.

import { loadAddon } from '../native/binding.ts'
import { readiness } from '../native/fd.ts'
import { formatIp } from '../net/ip.ts'
import { SystemError } from './errors.ts'
import { type Endpoint, type TcpConnection, type TcpListener, type TcpSocketOptions } from './ports.ts'
import { addressFamily, encodeSockaddr, formatEndpoint } from './sockaddr.ts'
import { socketError } from './socket-errors.ts'
import { setListenOptions, setMd5Key, setSocketOptions } from './socket-options.ts'
import { adoptConnection, endpointOf } from './tcp-connection.ts'

const SOCK_STREAM = 1
const backlog = 128
/** How long to leave callers waiting when this process has no descriptor left for them. */
const exhaustedPauseMs = 100

export type ListenOptions = TcpSocketOptions & { readonly local: Endpoint }

/** Throws `SystemError`. */
export function openListener(
  options: ListenOptions,
  onConnection: (connection: TcpConnection) => void,
): TcpListener {
  const addon = loadAddon()
  const target = formatEndpoint(options.local)
  const { family } = options.local.ip
  const fd = openSocket(options, target)
  let open = true
  const handle = addon.watch(fd, readiness.readable, () => {
    while (open) {
      let accepted: number
      try {
        accepted = addon.accept(fd)
      } catch {
        // Out of descriptors or memory: the callers stay in the backlog, which stays readable.
        addon.modify(handle, 0)
        setTimeout(() => open && addon.modify(handle, readiness.readable), exhaustedPauseMs)
        return
      }
      if (accepted < 0) return
      const connection = adoptOrClose(accepted)
      if (connection !== undefined) onConnection(connection)
    }
  })
  const keyed = new Set<string>()
  return {
    local: endpointOf(addon.getsockname, fd),
    setMd5Key: ({ peer, password }) => {
      const name = formatIp(peer)
      if (peer.family !== family) {
        throw new SystemError({
          op: 'setsockopt',
          code: 'EAFNOSUPPORT',
          target: name,
          message: `the listener at ${target} is of the other address family`,
        })
      }
      // The kernel calls the removal of a key that it does not have an error.
      if (password === undefined && !keyed.has(name)) return
      try {
        setMd5Key(addon.setsockopt, fd, peer, password ?? '')
      } catch (error) {
        throw socketError(error, name)
      }
      if (password === undefined) keyed.delete(name)
      else keyed.add(name)
    },
    close: () => {
      if (!open) return
      open = false
      addon.unwatch(handle)
      setImmediate(() => addon.close(fd))
    },
  }
}

function openSocket(options: ListenOptions, target: string): number {
  const addon = loadAddon()
  const { ip } = options.local
  if (options.md5Password !== undefined) {
    throw new SystemError({
      op: 'listen',
      code: 'EINVAL',
      target,
      message: 'a listening socket has an MD5 key for each peer, none of its own',
      remedy: 'use setMd5Key',
    })
  }
  let fd = -1
  try {
    fd = addon.socket(addressFamily(ip), SOCK_STREAM, 0)
    setListenOptions(addon.setsockopt, fd, ip.family)
    setSocketOptions(addon.setsockopt, fd, ip.family, options)
    addon.bind(fd, encodeSockaddr(options.local))
    addon.listen(fd, backlog)
    return fd
  } catch (error) {
    if (fd >= 0) addon.close(fd)
    throw socketError(error, target)
  }
}

/** Undefined where the peer was gone before its name could be read: there is nobody to tell. */
function adoptOrClose(fd: number): TcpConnection | undefined {
  const addon = loadAddon()
  try {
    return adoptConnection(addon, fd)
  } catch {
    addon.close(fd)
    return undefined
  }
}

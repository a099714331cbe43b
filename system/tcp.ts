// TCP with what routers ask for: source address, MD5 keys (RFC 2385), GTSM (RFC 5082), device, mark. Sockets are
// made and connected natively; once connected, Node's own net module carries the bytes.

import { loadAddon } from '../native/binding.ts'
import { readiness } from '../native/fd.ts'
import { type Tcp, type TcpConnection, type TcpConnectOptions } from './ports.ts'
import { addressFamily, encodeSockaddr, formatEndpoint, isLinkLocal } from './sockaddr.ts'
import { errnoError, socketError } from './socket-errors.ts'
import { setMd5Key, setResetOnClose, setSocketOptions, takeSocketError } from './socket-options.ts'
import { adoptConnection } from './tcp-connection.ts'
import { openListener } from './tcp-listener.ts'

const SOCK_STREAM = 1
const ETIMEDOUT = 110
const ECANCELED = 125

export const systemTcp: Tcp = {
  connect: (options) => {
    let cancel = (): void => undefined
    const connection = new Promise<TcpConnection>((resolve, reject) => {
      cancel = startConnect(options, resolve, reject)
    })
    return { connection, cancel: () => cancel() }
  },
  listen: (options, onConnection) => new Promise((resolve) => resolve(openListener(options, onConnection))),
}

/** Settles once, by `resolve` or `reject`; what it returns cancels, without effect when it is settled. */
function startConnect(
  options: TcpConnectOptions,
  resolve: (connection: TcpConnection) => void,
  reject: (error: Error) => void,
): () => void {
  const addon = loadAddon()
  const target = formatEndpoint(options.remote)
  let fd: number
  try {
    fd = startSocket(options)
  } catch (error) {
    reject(socketError(error, target))
    return () => undefined
  }
  let settled = false
  const settle = (errno: number): void => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    addon.unwatch(handle)
    // A tick between giving up the watch and handing the descriptor on or closing it: libuv still holds it.
    setImmediate(() => {
      if (errno === 0) {
        try {
          resolve(adoptConnection(addon, fd))
          return
        } catch (error) {
          reject(socketError(error, target))
        }
      } else {
        reject(errnoError('connect', errno, target, silenceRemedy(errno, options)))
      }
      addon.close(fd)
    })
  }
  const handle = addon.watch(fd, readiness.writable, () => settle(takeSocketError(addon.getsockopt, fd)))
  const timer = setTimeout(() => settle(ETIMEDOUT), options.timeoutMs)
  return () => settle(ECANCELED)
}

/** A descriptor on its way to be connected. */
function startSocket(options: TcpConnectOptions): number {
  const addon = loadAddon()
  const { remote, local, device, md5Password } = options
  const fd = addon.socket(addressFamily(remote.ip), SOCK_STREAM, 0)
  try {
    setSocketOptions(addon.setsockopt, fd, remote.ip.family, options)
    if (options.resetOnClose === true) setResetOnClose(addon.setsockopt, fd)
    if (md5Password !== undefined) setMd5Key(addon.setsockopt, fd, remote.ip, md5Password)
    const scopeOf = (ip: typeof remote.ip): number =>
      device !== undefined && isLinkLocal(ip) ? addon.ifindex(device) : 0
    if (local !== undefined) addon.bind(fd, encodeSockaddr({ ip: local, port: 0 }, scopeOf(local)))
    addon.connect(fd, encodeSockaddr(remote, scopeOf(remote.ip)))
    return fd
  } catch (error) {
    addon.close(fd)
    throw error
  }
}

/** Kernels drop segments with a wrong key or too low a TTL without a word: say that this may be why nobody answered. */
function silenceRemedy(errno: number, options: TcpConnectOptions): string | undefined {
  if (errno !== ETIMEDOUT) return undefined
  if (options.md5Password !== undefined) return 'the other end is silent also when its MD5 password differs'
  if (options.minTtl !== undefined || options.ttl !== undefined)
    return 'the other end is silent also when it is more hops away than the TTL limits allow'
  return undefined
}

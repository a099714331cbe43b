// TCP with what routers ask for: source address, MD5 keys (RFC 2385), GTSM (RFC 5082), device, mark. Sockets are
// made natively; once connected, Node's own net module carries the bytes.

import { Socket } from 'node:net'
import { loadAddon } from '../native/binding.ts'
import { type AddonError, readiness } from '../native/fd.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { SystemError } from './errors.ts'
import {
  type Endpoint,
  type Md5Key,
  type Tcp,
  type TcpConnection,
  type TcpConnectOptions,
  type TcpListener,
  type TcpSocketOptions,
} from './ports.ts'
import { addressFamily, AF_INET, decodeSockaddr, encodeSockaddr, intOption } from './sockaddr.ts'

const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_BINDTODEVICE = 25
const SO_MARK = 36
const IPPROTO_IP = 0
const IP_TTL = 2
const IP_MINTTL = 21
const IPPROTO_IPV6 = 41
const IPV6_UNICAST_HOPS = 16
const IPV6_V6ONLY = 26
const IPV6_MINHOPCOUNT = 73
const IPPROTO_TCP = 6
const TCP_MD5SIG = 14
const SOCK_STREAM = 1
const md5KeyMax = 80

function isAddonError(error: unknown): error is AddonError {
  return error instanceof Error && 'code' in error && 'syscall' in error
}

function formatEndpoint({ ip, port }: Endpoint): string {
  return ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`
}

function remedyFor(code: string, op: string): string | undefined {
  if (code === 'EADDRINUSE') return 'another program listens there: stop it or choose another port'
  if (code === 'EADDRNOTAVAIL') return 'this machine does not have that address'
  if (code === 'EACCES' && op === 'bind') return 'a port below 1024 needs CAP_NET_BIND_SERVICE: run as root'
  if (code === 'EPERM' || code === 'EACCES') return 'needs CAP_NET_ADMIN and CAP_NET_RAW: run as root'
  return undefined
}

function systemError(error: unknown, target: string): Error {
  if (!isAddonError(error)) return error instanceof Error ? error : new Error(String(error))
  const { code, syscall: op, message } = error
  return new SystemError({ op, code, target, message, remedy: remedyFor(code, op) })
}

/** struct tcp_md5sig: sockaddr_storage, flags, prefix length, key length, interface, key. */
function md5Signature(peer: Ip, password: string): Uint8Array {
  const key = Buffer.from(password)
  if (key.length > md5KeyMax) {
    throw new SystemError({
      op: 'setsockopt',
      code: 'EINVAL',
      target: formatIp(peer),
      message: `the TCP MD5 password has ${key.length} bytes, at most ${md5KeyMax} are possible`,
    })
  }
  const bytes = Buffer.alloc(216)
  bytes.set(encodeSockaddr({ ip: peer, port: 0 }), 0)
  bytes.writeUInt16LE(key.length, 130)
  bytes.set(key, 136)
  return bytes
}

function applyOptions(fd: number, ip: Ip, options: TcpSocketOptions): void {
  const { setsockopt } = loadAddon()
  const [level, ttl, minTtl] =
    ip.family === 4 ? [IPPROTO_IP, IP_TTL, IP_MINTTL] : [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT]
  if (options.device !== undefined)
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${options.device}\0`))
  if (options.mark !== undefined) setsockopt(fd, SOL_SOCKET, SO_MARK, intOption(options.mark | 0))
  if (options.ttl !== undefined) setsockopt(fd, level, ttl, intOption(options.ttl))
  if (options.minTtl !== undefined) setsockopt(fd, level, minTtl, intOption(options.minTtl))
}

function nameOf(get: (fd: number, name: Uint8Array) => number, fd: number): Endpoint {
  const name = new Uint8Array(28)
  return decodeSockaddr(name.subarray(0, get(fd, name)))
}

/** Wraps a connected descriptor, which it owns from now on. */
function adopt(fd: number): TcpConnection {
  const addon = loadAddon()
  const local = nameOf(addon.getsockname, fd)
  const remote = nameOf(addon.getpeername, fd)
  const socket = new Socket({ fd, readable: true, writable: true })
  socket.setNoDelay(true)
  let failure: Error | undefined
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = new SystemError({
      op: error.syscall ?? 'socket',
      code: error.code ?? 'EIO',
      target: formatEndpoint(remote),
      message: error.message,
    })
  })
  return {
    local,
    remote,
    onData: (listener) => void socket.on('data', listener),
    onClose: (listener) => void socket.once('close', () => listener(failure)),
    write: (bytes) => socket.write(bytes),
    onDrain: (listener) => void socket.on('drain', listener),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

function connect(options: TcpConnectOptions): {
  readonly connection: Promise<TcpConnection>
  cancel(): void
} {
  const addon = loadAddon()
  const target = formatEndpoint(options.remote)
  let cancel = (): void => undefined
  const connection = new Promise<TcpConnection>((resolve, reject) => {
    const fd = addon.socket(addressFamily(options.remote.ip), SOCK_STREAM, 0)
    try {
      applyOptions(fd, options.remote.ip, options)
      if (options.md5Password !== undefined)
        addon.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, md5Signature(options.remote.ip, options.md5Password))
      if (options.local !== undefined) addon.bind(fd, encodeSockaddr({ ip: options.local, port: 0 }))
      addon.connect(fd, encodeSockaddr(options.remote))
    } catch (error) {
      addon.close(fd)
      reject(systemError(error, target))
      return
    }
    const handle = addon.watch(fd, readiness.writable, () => {
      const value = Buffer.alloc(4)
      addon.getsockopt(fd, SOL_SOCKET, SO_ERROR, value)
      settle(value.readInt32LE())
    })
    // A tick between giving up the watch and handing the descriptor on or closing it: libuv still holds it.
    const settle = (errno: number): void => {
      clearTimeout(timer)
      cancel = () => undefined
      addon.unwatch(handle)
      setImmediate(() => {
        if (errno === 0) {
          try {
            resolve(adopt(fd))
          } catch (error) {
            addon.close(fd)
            reject(systemError(error, target))
          }
          return
        }
        addon.close(fd)
        const code = errorName(errno)
        reject(new SystemError({ op: 'connect', code, target, message: describe[code] ?? code }))
      })
    }
    const timer = setTimeout(() => settle(ETIMEDOUT), options.timeoutMs)
    cancel = () => settle(ECANCELED)
  })
  return { connection, cancel: () => cancel() }
}

const ETIMEDOUT = 110
const ECANCELED = 125
const names: Readonly<Record<number, string>> = {
  101: 'ENETUNREACH',
  104: 'ECONNRESET',
  110: 'ETIMEDOUT',
  111: 'ECONNREFUSED',
  113: 'EHOSTUNREACH',
  125: 'ECANCELED',
}
const describe: Readonly<Record<string, string>> = {
  ENETUNREACH: 'network unreachable',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'no answer in time',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to host',
  ECANCELED: 'cancelled',
}

function errorName(errno: number): string {
  return names[errno] ?? `errno ${errno}`
}

function listen(
  options: TcpSocketOptions & { readonly local: Endpoint },
  onConnection: (connection: TcpConnection) => void,
): Promise<TcpListener> {
  const addon = loadAddon()
  const target = formatEndpoint(options.local)
  const { ip } = options.local
  const fd = addon.socket(addressFamily(ip), SOCK_STREAM, 0)
  try {
    addon.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, intOption(1))
    // Otherwise `::` would take IPv4's port too, and 0.0.0.0 beside it be refused.
    if (addressFamily(ip) !== AF_INET) addon.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, intOption(1))
    applyOptions(fd, ip, options)
    addon.bind(fd, encodeSockaddr(options.local))
    addon.listen(fd, 128)
  } catch (error) {
    addon.close(fd)
    return Promise.reject(systemError(error, target))
  }
  const handle = addon.watch(fd, readiness.readable, () => {
    for (let accepted = addon.accept(fd); accepted >= 0; accepted = addon.accept(fd)) {
      try {
        onConnection(adopt(accepted))
      } catch {
        // The peer was gone before its name could be read: there is nobody to tell.
        addon.close(accepted)
      }
    }
  })
  const keyed = new Set<string>()
  let open = true
  return Promise.resolve({
    local: nameOf(addon.getsockname, fd),
    setMd5Key: ({ peer, password }: Md5Key) => {
      if (peer.family !== ip.family) return
      // Deleting a key that is not there is an error of the kernel's (ENOENT).
      if (password === undefined && !keyed.delete(formatIp(peer))) return
      if (password !== undefined) keyed.add(formatIp(peer))
      try {
        addon.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, md5Signature(peer, password ?? ''))
      } catch (error) {
        throw systemError(error, target)
      }
    },
    close: () => {
      if (!open) return
      open = false
      addon.unwatch(handle)
      setImmediate(() => addon.close(fd))
    },
  })
}

export const systemTcp: Tcp = { connect, listen }

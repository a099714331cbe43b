// Socket options that Node's net module cannot set: TCP MD5 keys, TTL limits, device, mark.

import { type FdBinding } from '../native/fd.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { SystemError } from './errors.ts'
import { type TcpSocketOptions } from './ports.ts'
import { encodeSockaddr } from './sockaddr.ts'

// Numbers of the Linux socket API (asm-generic/socket.h, linux/in.h, linux/in6.h, linux/tcp.h).
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ERROR = 4
const SO_LINGER = 13
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
const md5KeyMax = 80

type Setsockopt = FdBinding['setsockopt']

/** An `int` option value. */
export function intOption(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value | 0)
  return bytes
}

/** What both ends of a connection may have; not the MD5 key, which belongs to a peer. */
export function setSocketOptions(
  setsockopt: Setsockopt,
  fd: number,
  family: Ip['family'],
  options: TcpSocketOptions,
): void {
  const [level, ttl, minTtl] =
    family === 4 ? [IPPROTO_IP, IP_TTL, IP_MINTTL] : [IPPROTO_IPV6, IPV6_UNICAST_HOPS, IPV6_MINHOPCOUNT]
  if (options.device !== undefined)
    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${options.device}\0`))
  if (options.mark !== undefined) setsockopt(fd, SOL_SOCKET, SO_MARK, intOption(options.mark))
  if (options.ttl !== undefined) setsockopt(fd, level, ttl, intOption(options.ttl))
  if (options.minTtl !== undefined) setsockopt(fd, level, minTtl, intOption(options.minTtl))
}

/** Makes `close` send RST. */
export function setResetOnClose(setsockopt: Setsockopt, fd: number): void {
  // struct linger: on, for no time.
  setsockopt(fd, SOL_SOCKET, SO_LINGER, Buffer.concat([intOption(1), intOption(0)]))
}

/** What a listening socket needs before `bind`. */
export function setListenOptions(setsockopt: Setsockopt, fd: number, family: Ip['family']): void {
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, intOption(1))
  // Otherwise `::` would take IPv4's port too, and 0.0.0.0 beside it be refused.
  if (family === 6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, intOption(1))
}

/**
 * RFC 2385 key for one peer, on a socket that will connect to it or listens for it; an empty password removes it.
 * Throws `SystemError` where the key is longer than the kernel's 80 bytes.
 */
export function setMd5Key(setsockopt: Setsockopt, fd: number, peer: Ip, password: string): void {
  const key = Buffer.from(password)
  if (key.length > md5KeyMax) {
    throw new SystemError({
      op: 'setsockopt',
      code: 'EINVAL',
      target: formatIp(peer),
      message: `the TCP MD5 password has ${key.length} bytes, the kernel takes at most ${md5KeyMax}`,
      remedy: 'choose a shorter one on both routers',
    })
  }
  // struct tcp_md5sig: sockaddr_storage (128), flags, prefix length, key length (u16), interface (u32), key (80).
  const bytes = Buffer.alloc(216)
  bytes.set(encodeSockaddr({ ip: peer, port: 0 }), 0)
  bytes.writeUInt16LE(key.length, 130)
  bytes.set(key, 136)
  setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, bytes)
}

/** The error an asynchronous operation left on the socket, as a positive errno, and clears it; 0 if there is none. */
export function takeSocketError(getsockopt: FdBinding['getsockopt'], fd: number): number {
  const value = Buffer.alloc(4)
  getsockopt(fd, SOL_SOCKET, SO_ERROR, value)
  return value.readInt32LE()
}

// sockaddr_in and sockaddr_in6 as bytes (little-endian hosts), and how endpoints read in messages.

import { endianness } from 'node:os'
import { formatIp, type Ip, ipFromBytes, ipToBytes } from '../net/ip.ts'
import { type Endpoint } from './ports.ts'

if (endianness() !== 'LE') throw new Error('torii supports little-endian machines only')

export const AF_INET = 2
export const AF_INET6 = 10

export function addressFamily(ip: Ip): number {
  return ip.family === 4 ? AF_INET : AF_INET6
}

/** fe80::/10, which means something only together with an interface. */
export function isLinkLocal(ip: Ip): boolean {
  return ip.family === 6 && ip.value >> 118n === 0xfe80n >> 6n
}

/** 16 or 28 bytes; `scopeId` is the interface of a link-local address. */
export function encodeSockaddr({ ip, port }: Endpoint, scopeId = 0): Uint8Array {
  const bytes = Buffer.alloc(ip.family === 4 ? 16 : 28)
  bytes.writeUInt16LE(addressFamily(ip), 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(ipToBytes(ip), ip.family === 4 ? 4 : 8)
  if (ip.family === 6) bytes.writeUInt32LE(scopeId, 24)
  return bytes
}

export function decodeSockaddr(bytes: Uint8Array): Endpoint {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ip = view.readUInt16LE(0) === AF_INET ? view.subarray(4, 8) : view.subarray(8, 24)
  return { ip: ipFromBytes(ip), port: view.readUInt16BE(2) }
}

/** `192.0.2.1:179`, `[2001:db8::1]:179`. */
export function formatEndpoint({ ip, port }: Endpoint): string {
  return ip.family === 4 ? `${formatIp(ip)}:${port}` : `[${formatIp(ip)}]:${port}`
}

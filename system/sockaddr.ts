// sockaddr_in and sockaddr_in6 as bytes (little-endian hosts), and integer socket options.

import { endianness } from 'node:os'
import { type Ip, ipFromBytes, ipToBytes } from '../net/ip.ts'
import { type Endpoint } from './ports.ts'

if (endianness() !== 'LE') throw new Error('torii supports little-endian machines only')

export const AF_INET = 2
export const AF_INET6 = 10

export function addressFamily(ip: Ip): number {
  return ip.family === 4 ? AF_INET : AF_INET6
}

/** 16 or 28 bytes; `scopeId` matters for link-local IPv6 alone. */
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

/** An `int` option value. */
export function intOption(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

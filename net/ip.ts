// IPv4 and IPv6 addresses: strict text form (RFC 4291 §2.2 in, RFC 5952 out), bytes, and BigInt arithmetic
// for pools of any size. IPv4-mapped IPv6 addresses stay IPv6: they are never equal to the IPv4 address.

import { parseIp as toNumber, stringifyIp } from 'ip-bigint'

export type Family = 4 | 6

/** An address without zone. Immutable; compare with `sameIp`, use `formatIp` as a map key. */
export type Ip = { readonly family: Family; readonly value: bigint }

const octet = '(?:0|[1-9]\\d{0,2})'
const ipv4Text = new RegExp(`^${octet}(?:\\.${octet}){3}$`)
const hextet = /^[0-9a-fA-F]{1,4}$/

function isIpv4Text(text: string): boolean {
  return ipv4Text.test(text) && text.split('.').every((part) => Number(part) <= 255)
}

function isIpv6Text(text: string): boolean {
  const halves = text.split('::')
  if (halves.length > 2) return false
  let groups = 0
  for (const [position, half] of halves.entries()) {
    if (half === '') continue
    const parts = half.split(':')
    for (const [index, part] of parts.entries()) {
      const last = position === halves.length - 1 && index === parts.length - 1
      if (hextet.test(part)) groups += 1
      else if (last && isIpv4Text(part)) groups += 2
      else return false
    }
  }
  // RFC 5952 §4.2.2 forbids writing '::' for one group but RFC 4291 allows reading it; eight groups leave it no room.
  return halves.length === 2 ? groups <= 7 : groups === 8
}

/** Reads an address; undefined unless the text is exactly one (no zone, no prefix length, no leading zeros in IPv4). */
export function parseIp(text: string): Ip | undefined {
  if (isIpv4Text(text)) return { family: 4, value: toNumber(text).number }
  if (text.includes(':') && isIpv6Text(text)) return { family: 6, value: toNumber(text).number }
  return undefined
}

/** As `parseIp`, for literals and already validated text. Throws `TypeError`. */
export function ip(text: string): Ip {
  const parsed = parseIp(text)
  if (parsed === undefined) throw new TypeError(`not an IP address: '${text}'`)
  return parsed
}

/** Canonical text, RFC 5952 for IPv6. */
export function formatIp(address: Ip): string {
  return stringifyIp({ number: address.value, version: address.family })
}

/** Address length in bits. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128
}

/** Network byte order, 4 or 16 bytes. */
export function ipToBytes(address: Ip): Uint8Array {
  const bytes = new Uint8Array(bitsOf(address.family) / 8)
  let rest = address.value
  for (let i = bytes.length - 1; i >= 0; i -= 1) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return bytes
}

/** Reads 4 or 16 bytes in network byte order. Throws `RangeError` on any other length. */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) throw new RangeError(`address of ${bytes.length} bytes`)
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return { family: bytes.length === 4 ? 4 : 6, value }
}

export function sameIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.value === b.value
}

/** Orders IPv4 before IPv6, then by value. */
export function compareIp(a: Ip, b: Ip): number {
  if (a.family !== b.family) return a.family - b.family
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0
}

// Prefixes (CIDR, RFC 4632) and inclusive address ranges.

import { type Ip, bitsOf, compareIp, formatIp, parseIp } from './ip.ts'

/** An address block; host bits of `ip` are always zero. */
export type Prefix = { readonly ip: Ip; readonly length: number }

/** Inclusive, both ends of one family, `first <= last`. */
export type Range = { readonly first: Ip; readonly last: Ip }

function hostBits(prefix: Prefix): bigint {
  return BigInt(bitsOf(prefix.ip.family) - prefix.length)
}

/** The block of `length` bits that holds `ip`; host bits are dropped. */
export function prefixOf(ip: Ip, length: number): Prefix {
  const shift = BigInt(bitsOf(ip.family) - length)
  return { ip: { family: ip.family, value: (ip.value >> shift) << shift }, length }
}

/** The host route of an address: /32 or /128. */
export function hostPrefix(ip: Ip): Prefix {
  return { ip, length: bitsOf(ip.family) }
}

/** Reads `ADDRESS/LENGTH`; host bits are dropped. Undefined if it is not one. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = parseIp(text.slice(0, slash))
  const digits = text.slice(slash + 1)
  if (address === undefined || !/^(?:0|[1-9]\d{0,2})$/.test(digits)) return undefined
  const length = Number(digits)
  return length <= bitsOf(address.family) ? prefixOf(address, length) : undefined
}

/** As `parsePrefix`, for literals. Throws `TypeError`. */
export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text)
  if (parsed === undefined) throw new TypeError(`not a prefix: '${text}'`)
  return parsed
}

export function formatPrefix(p: Prefix): string {
  return `${formatIp(p.ip)}/${p.length}`
}

export function rangeOf(p: Prefix): Range {
  return { first: p.ip, last: { family: p.ip.family, value: p.ip.value | ((1n << hostBits(p)) - 1n) } }
}

/** How many addresses a range holds. */
export function rangeSize(range: Range): bigint {
  return range.last.value - range.first.value + 1n
}

export function rangeContains(range: Range, ip: Ip): boolean {
  return compareIp(range.first, ip) <= 0 && compareIp(ip, range.last) <= 0
}

export function rangesOverlap(a: Range, b: Range): boolean {
  return (
    a.first.family === b.first.family && compareIp(a.first, b.last) <= 0 && compareIp(b.first, a.last) <= 0
  )
}

export function prefixContains(p: Prefix, ip: Ip): boolean {
  return ip.family === p.ip.family && ip.value >> hostBits(p) === p.ip.value >> hostBits(p)
}

/** The fewest prefixes that cover exactly the range, in ascending order. */
export function rangeToPrefixes(range: Range): readonly Prefix[] {
  const { family } = range.first
  const bits = bitsOf(family)
  const prefixes: Prefix[] = []
  let next = range.first.value
  while (next <= range.last.value) {
    let size = 0
    // Grow while the block stays aligned and inside the range.
    while (size < bits) {
      const grown = 1n << BigInt(size + 1)
      if (next % grown !== 0n || next + grown - 1n > range.last.value) break
      size += 1
    }
    prefixes.push({ ip: { family, value: next }, length: bits - size })
    next += 1n << BigInt(size)
  }
  return prefixes
}

// Addresses and ranges in documents.

import { type z } from 'zod'
import { type Family, formatIp, type Ip, parseIp } from '../net/ip.ts'
import {
  formatPrefix,
  parsePrefix,
  prefixContains,
  prefix,
  type Range,
  rangeOf,
  rangeToPrefixes,
} from '../net/prefix.ts'
import { parsed } from './fields.ts'

const special = [
  ['the unspecified address', '0.0.0.0/32', '::/128'],
  ['a loopback address', '127.0.0.0/8', '::1/128'],
  ['a link-local address', '169.254.0.0/16', 'fe80::/10'],
  ['a multicast address', '224.0.0.0/4', 'ff00::/8'],
  ['the broadcast address', '255.255.255.255/32'],
  ['an IPv4-mapped address', '::ffff:0:0/96'],
] as const
const specialBlocks = special.flatMap(([what, ...blocks]) =>
  blocks.map((block) => ({ what, block: prefix(block) })),
)

/** What an address is, if it is none that a host can have for others to reach: `a multicast address`. */
export function specialAddress(ip: Ip): string | undefined {
  return specialBlocks.find(({ block }) => prefixContains(block, ip))?.what
}

export const ipAddress: z.ZodType<Ip> = parsed('an IP address', parseIp)

/** An address that others can reach, in routed networks. */
export const hostAddress: z.ZodType<Ip> = parsed('the IP address of a host', (text, expect) => {
  const ip = parseIp(text)
  const what = ip === undefined ? undefined : specialAddress(ip)
  return what === undefined ? ip : expect(`the IP address of a host, not ${what}`)
})

/** An entry of a pool: `ADDRESS/LENGTH`, whose host bits are dropped, or `FIRST-LAST`, blanks around `-` allowed. */
export const poolRange: z.ZodType<Range> = parsed('ADDRESS/LENGTH or FIRST-LAST', (text, expect) => {
  const dash = text.indexOf('-')
  if (dash < 0) {
    const block = parsePrefix(text)
    if (block !== undefined) return rangeOf(block)
    const single = parseIp(text)
    return (
      single && expect(`a prefix or a range; the address alone is ${text}/${single.family === 4 ? 32 : 128}`)
    )
  }
  const first = parseIp(text.slice(0, dash).trim())
  const last = parseIp(text.slice(dash + 1).trim())
  if (first === undefined || last === undefined)
    return expect(`an IP address ${first === undefined ? 'before' : 'after'} the -`)
  if (first.family !== last.family) return expect('a range whose ends are of one family')
  return first.value <= last.value
    ? { first, last }
    : expect('a range whose first address is not after its last')
})

/** As an operator writes it: the prefix if it is one. */
export function formatRange(range: Range): string {
  const [block, ...more] = rangeToPrefixes(range)
  return block !== undefined && more.length === 0
    ? formatPrefix(block)
    : `${formatIp(range.first)}-${formatIp(range.last)}`
}

export function formatFamily(family: Family): 'IPv4' | 'IPv6' {
  return family === 4 ? 'IPv4' : 'IPv6'
}

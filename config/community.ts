// BGP communities as MetalLB's BGPAdvertisement writes them: `65535:65281` (RFC 1997), `large:64512:1:2` (RFC 8092).

import { type z } from 'zod'
import { parsed } from './fields.ts'

export type Community =
  | { readonly kind: 'standard'; readonly value: number }
  | {
      readonly kind: 'large'
      readonly value: { readonly global: number; readonly local1: number; readonly local2: number }
    }

// Aliases come from Community documents in MetalLB; people name them after these.
const wellKnown: Readonly<Record<string, string>> = {
  'graceful-shutdown': '65535:0', // RFC 8326
  blackhole: '65535:666', // RFC 7999
  'no-export': '65535:65281', // RFC 1997
  'no-advertise': '65535:65282',
  'no-export-subconfed': '65535:65283',
}

const expected = 'A:B or large:A:B:C'

export const community: z.ZodType<Community> = parsed(expected, (text, expect) => {
  const parts = text.split(':')
  const large = parts[0] === 'large'
  const numbers = (large ? parts.slice(1) : parts).map((part) => (/^\d+$/.test(part) ? Number(part) : NaN))
  if (numbers.length !== (large ? 3 : 2) || numbers.some(Number.isNaN)) {
    const known = wellKnown[text.toLowerCase().replaceAll('_', '-')]
    return expect(known === undefined ? `${expected}; aliases are not supported yet` : `its number, ${known}`)
  }
  if (numbers.some((number) => number > (large ? 0xffffffff : 0xffff)))
    return expect(`numbers up to ${large ? 0xffffffff : 0xffff} in ${large ? 'large:A:B:C' : 'A:B'}`)
  const [a = 0, b = 0, c = 0] = numbers
  return large
    ? { kind: 'large', value: { global: a, local1: b, local2: c } }
    : { kind: 'standard', value: a * 0x10000 + b }
})

/** Equal for equal communities. */
export function communityKey({ kind, value }: Community): string {
  return kind === 'standard' ? String(value) : `${value.global}:${value.local1}:${value.local2}`
}

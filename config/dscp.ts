// Which of the 63 DSCP values may stand for a VIP.

import { type z } from 'zod'
import { parsed } from './fields.ts'

const idMax = 63

// Code points that networks give a meaning: class selectors (RFC 2474), AF (RFC 2597), EF (RFC 3246), VA (RFC 5865),
// LE (RFC 8622).
const usedForQos = new Set([
  1, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 44, 46, 48, 56,
])

/** The 41 ids that mean nothing elsewhere. */
export const defaultDscpIds: readonly number[] = Array.from({ length: idMax }, (_, i) => i + 1).filter(
  (id) => !usedForQos.has(id),
)

/** `2-7,9,11`: ids and ranges, ascending when read. 0 is what unmarked packets have. */
export const dscpIds: z.ZodType<readonly number[]> = parsed(
  `ids and ranges from 1 to ${idMax}, such as "2-7,9,11"`,
  (text, expect) => {
    const ids = new Set<number>()
    for (const part of text.split(',')) {
      const [, from = '', to = from] = /^\s*(\d{1,2})(?:\s*-\s*(\d{1,2}))?\s*$/.exec(part) ?? []
      const [first, last] = [Number(from), Number(to)]
      if (from === '' || first < 1 || last > idMax || first > last) return undefined
      for (let id = first; id <= last; id += 1) {
        if (ids.has(id)) return expect(`each id once, ${id} is there twice`)
        ids.add(id)
      }
    }
    return [...ids].sort((a, b) => a - b)
  },
)

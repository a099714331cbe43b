// Durations as Go writes and Kubernetes' documents have them: `90s`, `1m30s`, `1.5h`, `0`.

import { type z } from 'zod'
import { parsed } from './fields.ts'

const units: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
}
const part = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g

/** Milliseconds, undefined if it is not a duration. Signs are allowed, as in Go. */
export function parseDuration(text: string): number | undefined {
  const sign = text.startsWith('-') ? -1 : 1
  const body = text.replace(/^[-+]/, '')
  if (body === '0') return 0
  const parts = [...body.matchAll(part)]
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== body) return undefined
  return sign * parts.reduce((sum, [, amount, unit = '']) => sum + Number(amount) * (units[unit] ?? 0), 0)
}

/** Milliseconds for messages: `1500ms`, `3s`. */
export function formatDuration(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000}s` : `${milliseconds}ms`
}

/** Any duration, in milliseconds. */
export const anyDuration: z.ZodType<number> = parsed('a duration such as 90s or 1m30s', parseDuration)

/** A duration in milliseconds, both ends inclusive. */
export function duration(min: number, max: number): z.ZodType<number> {
  const expected = `a duration from ${formatDuration(min)} to ${formatDuration(max)}`
  return parsed(expected, (text, expect) => {
    const value = parseDuration(text)
    if (value === undefined) return expect(`${expected}, such as 90s or 1m30s`)
    return value >= min && value <= max ? value : undefined
  })
}

// The words that the schemas of all kinds are made of. Every zod message here is the end of a sentence that begins
// with "found …, expected": issues.ts makes the whole of it.

import { z } from 'zod'

/**
 * A field that MetalLB has and Torii does not serve: refused by name, unless its value says the same as its absence
 * (the API server writes such values out).
 */
export const notYet = z
  .unknown()
  .refine(saysNothing, { error: 'notYet', params: { notYet: true } })
  .optional()

function saysNothing(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0
  return value === '' || value === false || value === 0
}

/** A mapping with these fields and no others; its message for unknown ones lists the known ones. */
export function fields<S extends z.ZodRawShape>(shape: S): z.ZodObject<S, z.core.$strict> {
  const known = Object.keys(shape).filter((name) => shape[name] !== notYet)
  return z.strictObject(shape, {
    error: ({ code }) => (code === 'unrecognized_keys' ? known.join(' ') : 'a mapping'),
  })
}

export function listOf<T extends z.ZodType>(item: T, expected = 'a list'): z.ZodArray<T> {
  return z.array(item, { error: expected })
}

/** As `listOf`, of at least one. */
export function someOf<T extends z.ZodType>(item: T, expected: string): z.ZodArray<T> {
  return listOf(item, expected).min(1, { error: expected })
}

/** Both ends inclusive. */
export function integer(min: number, max: number): z.ZodNumber {
  const error = `a whole number from ${min} to ${max}`
  return z.int({ error }).min(min, { error }).max(max, { error })
}

export const flag = z.boolean({ error: 'true or false' })

export function text(expected = 'text'): z.ZodString {
  return quotable(expected, () => true)
}

/** Text that matches the whole of `pattern`. */
export function word(pattern: RegExp, expected: string): z.ZodString {
  return quotable(expected, (written) => pattern.test(written)).regex(pattern, { error: expected })
}

// YAML takes `80` for a number and `true` for a flag: quotes are all that a text is short of.
function quotable(expected: string, accepts: (written: string) => boolean): z.ZodString {
  return z.string({
    error: ({ input }) =>
      (typeof input === 'number' || typeof input === 'boolean') && accepts(String(input))
        ? `${expected}, in quotes`
        : expected,
  })
}

export function oneOf<const V extends readonly [string, ...string[]]>(...values: V): z.ZodType<V[number]> {
  return z.enum(values, { error: values.length === 1 ? values[0] : `one of: ${values.join(', ')}` })
}

/**
 * Text that `read` understands. `read` may call `expect` with a phrase that fits the case better than `expected`
 * before it gives up with undefined.
 */
export function parsed<T>(
  expected: string,
  read: (text: string, expect: (phrase: string) => T | undefined) => T | undefined,
): z.ZodType<T> {
  const accepts = (written: string): boolean => read(written, () => undefined) !== undefined
  return quotable(expected, accepts).transform((written, context) => {
    let phrase = expected
    const value = read(written, (better) => {
      phrase = better
      return undefined
    })
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: phrase })
    return z.NEVER
  })
}

// Bindings from outside, checked: a balancer's answer or a file of the same shape.

import { z } from 'zod'
import { parseIp } from '../../net/ip.ts'
import { conflictsIn, type Binding } from './bindings.ts'

const address = z.string().transform((text, context) => {
  const parsed = parseIp(text)
  if (parsed !== undefined) return parsed
  context.addIssue({ code: 'custom', message: `found '${text}', expected an IP address` })
  return z.NEVER
})

const bindingsSchema = z.object({
  revision: z.string().default(''),
  bindings: z.array(z.object({ vip: address, dscp: z.int().min(1).max(63), address })),
})

export type Decoded =
  | { readonly kind: 'bindings'; readonly revision: string; readonly bindings: readonly Binding[] }
  | { readonly kind: 'refused'; readonly problems: readonly string[] }

/** `{revision, bindings: [{vip, dscp, address}]}`; unknown fields are passed over, as newer balancers may send some. */
export function decodeBindings(value: unknown): Decoded {
  const parsed = bindingsSchema.safeParse(value)
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`)
    return { kind: 'refused', problems }
  }
  const conflicts = conflictsIn(parsed.data.bindings)
  return conflicts.length > 0
    ? { kind: 'refused', problems: conflicts }
    : { kind: 'bindings', revision: parsed.data.revision, bindings: parsed.data.bindings }
}

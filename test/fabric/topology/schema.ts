// The subset of containerlab's schema that the runner has. Whatever is not here is refused by name: a key that were
// ignored would make the file mean one thing with containerlab and another here.

import { z } from 'zod'

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'expected letters, digits, and . _ - inside')
const interfaceName = z
  .string()
  .regex(/^[^\s/:]{1,15}$/, 'expected 1 to 15 characters without blank, / and :')
const mac = z.string().regex(/^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/, 'expected a MAC address')

const definition = z.strictObject({
  kind: z.enum(['linux', 'bridge']).optional(),
  group: z.string().optional(),
  // Taken and without effect: a node's files are the host's own, and it may do what the runner may.
  image: z.string().optional(),
  'cap-add': z.array(z.string()).optional(),
  privileged: z.boolean().optional(),
  labels: z.record(z.string(), scalar).optional(),
  cmd: z.string().optional(),
  entrypoint: z.string().optional(),
  exec: z.array(z.string()).optional(),
  binds: z.array(z.string()).optional(),
  env: z.record(z.string(), scalar).optional(),
  sysctls: z.record(z.string(), scalar).optional(),
  'network-mode': z.literal('none').optional(),
})
export type NodeDefinition = z.infer<typeof definition>

// An empty value (`lb1:`) is an empty definition.
const maybe = definition.nullable().transform((each): NodeDefinition => each ?? {})

const briefEnd = z.string().regex(/^[^\s/:]+:[^\s/:]{1,15}$/, 'expected node:interface')
const longEnd = z.strictObject({ node: name, interface: interfaceName, mac: mac.optional() })

const link = z.strictObject({
  type: z.literal('veth').optional(),
  endpoints: z.tuple([z.union([briefEnd, longEnd]), z.union([briefEnd, longEnd])]),
  mtu: z.int().min(68).max(65535).optional(),
  labels: z.record(z.string(), scalar).optional(),
})
export type LinkDefinition = z.infer<typeof link>

export const fileSchema = z.strictObject({
  name,
  prefix: z.string().optional(),
  topology: z.strictObject({
    defaults: maybe.optional(),
    kinds: z.record(z.string(), maybe).optional(),
    groups: z.record(z.string(), maybe).optional(),
    nodes: z.record(name, maybe),
    links: z.array(link).optional(),
  }),
})
export type TopologyFile = z.infer<typeof fileSchema>

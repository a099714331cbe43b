// The subset of containerlab's topology schema that the runner understands. Every other key is refused by name: what
// is ignored here would behave otherwise under containerlab.

import { isMap, LineCounter, type Node, parseDocument } from 'yaml'
import { z } from 'zod'
import { substituteEnv, TopologyError } from './words.ts'

const text = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const texts = z.record(z.string(), text)

const nodeSchema = z.strictObject({
  kind: z.enum(['linux', 'bridge']).optional(),
  group: z.string().optional(),
  /** Of no meaning here: the host's own files are used. */
  image: z.string().optional(),
  cmd: z.string().optional(),
  entrypoint: z.string().optional(),
  exec: z.array(z.string()).optional(),
  binds: z.array(z.string()).optional(),
  env: texts.optional(),
  sysctls: texts.optional(),
  labels: texts.optional(),
  /** Nodes run with the runner's own privileges. */
  privileged: z.boolean().optional(),
  'cap-add': z.array(z.string()).optional(),
  'network-mode': z.literal('none').optional(),
})
export type NodeDefinition = z.infer<typeof nodeSchema>

const endpointSchema = z.strictObject({ node: z.string(), interface: z.string(), mac: z.string().optional() })
const linkSchema = z.union([
  z.strictObject({
    endpoints: z.tuple([z.string(), z.string()]),
    mtu: z.int().optional(),
    labels: texts.optional(),
  }),
  z.strictObject({
    type: z.literal('veth'),
    endpoints: z.tuple([endpointSchema, endpointSchema]),
    mtu: z.int().optional(),
    labels: texts.optional(),
  }),
])

const fileSchema = z.strictObject({
  name: z.string().regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/),
  prefix: z.string().optional(),
  topology: z.strictObject({
    defaults: nodeSchema.omit({ group: true }).optional(),
    kinds: z.record(z.string(), nodeSchema.omit({ group: true, kind: true })).optional(),
    groups: z.record(z.string(), nodeSchema.omit({ group: true })).optional(),
    nodes: z.record(
      z.string(),
      nodeSchema.nullable().transform((node) => node ?? {}),
    ),
    links: z.array(linkSchema).optional(),
  }),
})
export type TopologyFile = z.infer<typeof fileSchema>

/** Throws `TopologyError` naming every key and value that is not understood, each with its line. */
export function readTopology(
  source: string,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): TopologyFile {
  const lines = new LineCounter()
  const document = parseDocument(substituteEnv(source, env), { lineCounter: lines })
  const [broken] = document.errors
  if (broken !== undefined) throw new TopologyError(`${file}: ${broken.message}`)
  const parsed = fileSchema.safeParse(document.toJS())
  if (parsed.success) return parsed.data
  const lineOf = (path: readonly PropertyKey[]): number => {
    for (let length = path.length; length >= 0; length -= 1) {
      const start = keyStart(document.contents, path.slice(0, length))
      if (start !== undefined) return lines.linePos(start).line
    }
    return 1
  }
  const problems = flatten(parsed.error.issues).map(({ path, message }) => {
    return `${file}:${lineOf(path)}: ${path.map(String).join('.')}: ${message}`
  })
  throw new TopologyError([...new Set(problems)].join('\n'))
}

type Found = { readonly path: readonly PropertyKey[]; readonly message: string }

function flatten(issues: readonly z.core.$ZodIssue[], base: readonly PropertyKey[] = []): readonly Found[] {
  return issues.flatMap((issue): readonly Found[] => {
    const path = [...base, ...issue.path]
    if (issue.code === 'unrecognized_keys')
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: 'this runner does not understand it',
      }))
    if (issue.code === 'invalid_union') {
      // Of the alternatives the one that came furthest says best what is wrong.
      const furthest = issue.errors.toSorted((a, b) => a.length - b.length)[0] ?? []
      return flatten(furthest, path)
    }
    return [{ path, message: issue.message }]
  })
}

/** Where the key of `path` stands; of a list item, where it begins. */
function keyStart(root: unknown, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = root
  let start: number | undefined
  for (const step of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => String((item.key as Node | null) ?? '') === String(step))
      if (pair === undefined) return undefined
      start = (pair.key as Node).range?.[0]
      node = pair.value
    } else {
      const items: unknown =
        typeof node === 'object' && node !== null && 'items' in node ? node.items : undefined
      const item: unknown = Array.isArray(items) ? items[Number(step)] : undefined
      if (item === undefined) return undefined
      start = (item as Node).range?.[0]
      node = item
    }
  }
  return path.length === 0 ? 0 : start
}

// How a node gets its settings: defaults, then its kind's, then its group's, then its own. Scalars: the most specific
// wins. env, sysctls, labels: maps merged. binds, exec, cap-add: one list after the other, repeats dropped, and of
// binds with one target the most specific.

import { type NodeDefinition } from './schema.ts'

/** From the least specific to the most. */
export function mergeDefinitions(layers: readonly NodeDefinition[]): NodeDefinition {
  return layers.reduce<NodeDefinition>(
    (below, above) => ({
      ...below,
      ...above,
      env: { ...below.env, ...above.env },
      sysctls: { ...below.sysctls, ...above.sysctls },
      labels: { ...below.labels, ...above.labels },
      exec: unique([...(below.exec ?? []), ...(above.exec ?? [])]),
      'cap-add': unique([...(below['cap-add'] ?? []), ...(above['cap-add'] ?? [])]),
      binds: mergeBinds(below.binds ?? [], above.binds ?? []),
    }),
    {},
  )
}

function unique(values: readonly string[]): string[] {
  return [...new Set(values)]
}

function mergeBinds(below: readonly string[], above: readonly string[]): string[] {
  const targets = new Set(above.map(bindTarget))
  return unique([...below.filter((bind) => !targets.has(bindTarget(bind))), ...above])
}

function bindTarget(bind: string): string {
  return bind.split(':')[1] ?? bind
}

// The door of this folder: a containerlab file to what the runner does with it. Pure.
//
//   text ─ envsubst ─ YAML ─ schema (read.ts) ─ merge.ts ─ words split, magic words and paths expanded ─► Topology

import { homedir } from 'node:os'
import { dirname, resolve } from 'node:path'
import { mergeDefinitions } from './merge.ts'
import {
  type Bind,
  type LinkEnd,
  type LinkSpec,
  type NodeSpec,
  type Topology,
  TopologyError,
} from './model.ts'
import { type Path } from './places.ts'
import { at, readTopologyFile, type ReadFile, type Source } from './read.ts'
import { type LinkDefinition, type NodeDefinition } from './schema.ts'
import { splitWords } from './shlex.ts'

export type { Bind, LinkEnd, LinkSpec, NodeSpec, Place, Topology } from './model.ts'
export { TopologyError } from './model.ts'

/** containerlab's, for links that do not say. Native XDP on veth needs less: its topologies write `mtu:`. */
const defaultMtu = 9500

export type TopologyOptions = {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Instead of the file's `name`. */
  readonly lab?: string | undefined
}

/** Throws `TopologyError` with every problem found. */
export function parseTopology(source: Source, { env, lab }: TopologyOptions): Topology {
  const read = readTopologyFile(source, env)
  const { name, prefix, topology } = read.content
  const problems: string[] = []
  const context: Context = {
    read,
    lab: lab ?? name,
    directory: dirname(resolve(source.file)),
    refuse: (path, message) => problems.push(at(read.placeOf(path), path, message)),
  }

  const merged = new Map(
    Object.entries(topology.nodes).map(([node, own]) => [node, layered(node, own, context)]),
  )
  const links = (topology.links ?? []).map((link, index) => linkOf(link, index, merged, context))
  const nodes = [...merged]
    .filter(([, { kind }]) => kind !== 'bridge')
    .map(([node, each]) => nodeOf(node, each, interfacesOf(node, links), context))
  checkRepeats(links, context)
  if (problems.length > 0) throw new TopologyError(problems)
  return { lab: context.lab, containerName: namer(prefix, context.lab), nodes, links }
}

type Context = {
  readonly read: ReadFile
  readonly lab: string
  readonly directory: string
  readonly refuse: (path: Path, message: string) => void
}

function namer(prefix: string | undefined, lab: string): (node: string) => string {
  switch (prefix) {
    case undefined:
      return (node) => `clab-${lab}-${node}`
    case '':
      return (node) => node
    case '__lab-name':
      return (node) => `${lab}-${node}`
    default:
      return (node) => `${prefix}-${lab}-${node}`
  }
}

function layered(node: string, own: NodeDefinition, { read, refuse }: Context): NodeDefinition {
  const { defaults = {}, kinds = {}, groups = {} } = read.content.topology
  const path = ['topology', 'nodes', node]
  const group = own.group ?? defaults.group
  if (group !== undefined && groups[group] === undefined) {
    refuse([...path, 'group'], `found '${group}', expected one of topology.groups`)
  }
  const ofGroup = group === undefined ? {} : (groups[group] ?? {})
  const kind = own.kind ?? ofGroup.kind ?? defaults.kind
  if (kind === undefined) refuse(path, 'has no kind: expected linux or bridge')
  const ofKind = kind === undefined ? {} : (kinds[kind] ?? {})
  return { ...mergeDefinitions([defaults, ofKind, ofGroup, own]), ...(kind === undefined ? {} : { kind }) }
}

function nodeOf(
  name: string,
  merged: NodeDefinition,
  interfaces: readonly string[],
  context: Context,
): NodeSpec {
  const { lab, refuse } = context
  const path = ['topology', 'nodes', name]
  if (merged['network-mode'] === undefined) {
    refuse(path, "has no network-mode: expected 'none', since the runner has no management network")
  }
  const words = (text: string, key: string): readonly string[] => {
    const split = splitWords(text)
    if (split.kind === 'words') return split.words
    refuse([...path, key], `'${text}' ${split.reason}`)
    return []
  }
  const magic = (text: string, key: string): string => {
    const unknown = /__clab(?:NodeDir|Dir)__/.exec(text)?.[0]
    if (unknown !== undefined) refuse([...path, key], `${unknown}: the runner makes no lab directory`)
    return text.replaceAll('__clabNodeName__', name).replaceAll('__clabLabName__', lab)
  }
  for (const key of Object.keys(merged.sysctls ?? {})) {
    // Others are the host's own.
    if (!key.startsWith('net.'))
      refuse([...path, 'sysctls', key], 'expected one of net.*: others are not of a node')
  }
  const command = [...words(merged.entrypoint ?? '', 'entrypoint'), ...words(merged.cmd ?? '', 'cmd')]
  return {
    name,
    command: command.length === 0 ? undefined : command,
    exec: (merged.exec ?? []).map((line) => words(magic(line, 'exec'), 'exec')),
    binds: (merged.binds ?? []).flatMap((bind) => bindOf(magic(bind, 'binds'), bind, path, context)),
    env: {
      ...labelVariables({ ...merged.labels, 'clab-node-name': name, containerlab: lab }),
      CLAB_INTFS: String(interfaces.length),
      ...merged.env,
    },
    sysctls: merged.sysctls ?? {},
  }
}

/** As containerlab hands labels to a node. */
function labelVariables(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(labels).map(([label, value]) => [
      `CLAB_LABEL_${label.toUpperCase().replace(/[^A-Z0-9]/g, '_')}`,
      value,
    ]),
  )
}

function bindOf(
  text: string,
  written: string,
  path: Path,
  { directory, read, refuse }: Context,
): readonly Bind[] {
  const [source = '', target = '', mode = 'rw', ...more] = text.split(':')
  if (source === '' || !target.startsWith('/') || !['ro', 'rw'].includes(mode) || more.length > 0) {
    refuse([...path, 'binds'], `found '${text}', expected source:/target or source:/target:ro`)
    return []
  }
  const expanded = source.replace(/^~(?=\/|$)/, homedir())
  const place = read.placeOf(placeOfBind(written, path, read))
  return [{ source: resolve(directory, expanded), target, readOnly: mode === 'ro', place }]
}

/** The layer that a bind came from: the node's own list, or that of its group, kind or the defaults. */
function placeOfBind(bind: string, path: Path, { content: { topology } }: ReadFile): Path {
  const name = String(path.at(-1))
  const layers: [Path, NodeDefinition | undefined][] = [
    [path, topology.nodes[name]],
    ...Object.entries(topology.groups ?? {}).map(([group, each]): [Path, NodeDefinition] => [
      ['topology', 'groups', group],
      each,
    ]),
    ...Object.entries(topology.kinds ?? {}).map(([kind, each]): [Path, NodeDefinition] => [
      ['topology', 'kinds', kind],
      each,
    ]),
    [['topology', 'defaults'], topology.defaults],
  ]
  for (const [where, each] of layers) {
    const index = each?.binds?.indexOf(bind) ?? -1
    if (index >= 0) return [...where, 'binds', index]
  }
  return path
}

function linkOf(
  link: LinkDefinition,
  index: number,
  nodes: ReadonlyMap<string, NodeDefinition>,
  { refuse }: Context,
): LinkSpec {
  const path = ['topology', 'links', index, 'endpoints']
  const end = (side: 0 | 1): LinkEnd => {
    const each = link.endpoints[side]
    const long = typeof each !== 'string'
    if (long !== (link.type !== undefined)) {
      refuse(path, "expected 'node:interface' twice, or type: veth and {node, interface} twice")
    }
    const [node = '', name = ''] = long ? [each.node, each.interface] : each.split(':')
    const kind = nodes.get(node)?.kind === 'bridge' ? 'bridge' : 'node'
    if (!nodes.has(node)) refuse([...path, side], `found node '${node}', expected one of topology.nodes`)
    return { at: { kind, name: node }, interface: name, mac: long ? each.mac : undefined }
  }
  return { ends: [end(0), end(1)], mtu: link.mtu ?? defaultMtu }
}

function interfacesOf(node: string, links: readonly LinkSpec[]): readonly string[] {
  return links
    .flatMap(({ ends }) => ends)
    .filter(({ at: { name } }) => name === node)
    .map((end) => end.interface)
}

function checkRepeats(links: readonly LinkSpec[], { refuse }: Context): void {
  const seen = new Set<string>()
  for (const [index, { ends }] of links.entries()) {
    for (const [
      side,
      {
        at: { name },
        interface: port,
      },
    ] of ends.entries()) {
      const key = `${name}:${port}`
      if (seen.has(key)) refuse(['topology', 'links', index, 'endpoints', side], `${key} has a link already`)
      seen.add(key)
    }
  }
}

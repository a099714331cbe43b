// A topology file made plain: every node with what its defaults, kind and group add to it (containerlab's rules), and
// every link with both ends named.

import { basename, dirname, resolve } from 'node:path'
import { type NodeDefinition, readTopology, type TopologyFile } from './schema.ts'
import { splitWords, substituteMagic, TopologyError } from './words.ts'

export type Bind = { readonly source: string; readonly target: string; readonly readOnly: boolean }
export type TopologyNode = {
  readonly name: string
  readonly kind: 'linux' | 'bridge'
  /** What the node runs, `entrypoint` first; empty: nothing. */
  readonly command: readonly string[]
  readonly exec: readonly (readonly string[])[]
  readonly binds: readonly Bind[]
  readonly env: Readonly<Record<string, string>>
  readonly sysctls: Readonly<Record<string, string>>
}
export type LinkEnd = { readonly node: string; readonly interface: string; readonly mac: string | undefined }
export type Link = { readonly ends: readonly [LinkEnd, LinkEnd]; readonly mtu: number }
export type Topology = {
  readonly name: string
  readonly nodes: readonly TopologyNode[]
  readonly links: readonly Link[]
}

/** As containerlab sets it where a link does not. */
const defaultMtu = 9500

/** Throws `TopologyError`. `labName` is for the magic words: what this instance of the lab is called. */
export function parseTopology(
  source: string,
  file: string,
  { env, labName }: { readonly env: Readonly<Record<string, string | undefined>>; readonly labName?: string },
): Topology {
  const read = readTopology(source, file, env)
  const { topology, name } = read
  const links = (topology.links ?? []).map((link): Link => {
    const ends =
      'type' in link
        ? ([end(link.endpoints[0]), end(link.endpoints[1])] as const)
        : parseEnds(link.endpoints, file)
    return { ends, mtu: link.mtu ?? defaultMtu }
  })
  checkLinks(links, Object.keys(topology.nodes), file)
  const nodes = Object.entries(topology.nodes).map(([nodeName, own]) =>
    resolveNode(nodeName, own, read, { file, lab: labName ?? name, links }),
  )
  return { name, nodes, links }
}

function resolveNode(
  name: string,
  own: NodeDefinition,
  { topology }: TopologyFile,
  { file, lab, links }: { readonly file: string; readonly lab: string; readonly links: readonly Link[] },
): TopologyNode {
  const { group: groupName } = own
  const group = groupName === undefined ? undefined : topology.groups?.[groupName]
  if (groupName !== undefined && group === undefined)
    throw new TopologyError(`${file}: topology.nodes.${name}.group: there is no group '${groupName}'`)
  const defaults = topology.defaults ?? {}
  const kind = own.kind ?? group?.kind ?? defaults.kind
  if (kind === undefined) throw new TopologyError(`${file}: topology.nodes.${name}.kind: missing`)
  // From the least to the most specific.
  const layers: readonly NodeDefinition[] = [defaults, topology.kinds?.[kind] ?? {}, group ?? {}, own]
  const scalar = (key: 'cmd' | 'entrypoint'): string | undefined =>
    layers.map((layer) => layer[key]).findLast((value) => value !== undefined)
  const merged = (key: 'env' | 'sysctls'): Record<string, string> =>
    Object.assign({}, ...layers.map((layer) => layer[key] ?? {})) as Record<string, string>
  const listed = (key: 'exec' | 'binds'): readonly string[] => [
    ...new Set(layers.flatMap((layer) => layer[key] ?? [])),
  ]
  const labDir = resolve(dirname(file), `clab-${lab}`)
  const magic = (text: string): string =>
    substituteMagic(text, { node: name, nodeDir: `${labDir}/${name}`, lab, labDir })
  return {
    name,
    kind,
    command: [scalar('entrypoint'), scalar('cmd')].flatMap((line) => splitWords(line ?? '')),
    exec: listed('exec').map(magic).map(splitWords),
    binds: distinctTargets(listed('binds').map((bind) => parseBind(magic(bind), file))),
    env: {
      CLAB_LABEL_CLAB_NODE_NAME: name,
      CLAB_INTFS: String(links.flatMap(({ ends }) => ends).filter((each) => each.node === name).length),
      ...merged('env'),
    },
    sysctls: merged('sysctls'),
  }
}

function parseBind(text: string, file: string): Bind {
  const [source = '', target = '', ...options] = text.split(':')
  if (!target.startsWith('/'))
    throw new TopologyError(`${file}: bind '${text}': expected SOURCE:/ABSOLUTE/TARGET[:ro]`)
  for (const option of options)
    if (!['ro', 'rw', ''].includes(option))
      throw new TopologyError(`${file}: bind '${text}': option '${option}' is not understood, only ro`)
  const home = source.replace(/^~(?=\/|$)/, process.env['HOME'] ?? '~')
  return { source: resolve(dirname(file), home), target, readOnly: options.includes('ro') }
}

/** Of two binds on one target the more specific, which comes later, counts. */
function distinctTargets(binds: readonly Bind[]): readonly Bind[] {
  return [...new Map(binds.map((bind) => [bind.target, bind])).values()]
}

function end(endpoint: {
  readonly node: string
  readonly interface: string
  readonly mac?: string | undefined
}): LinkEnd {
  return { node: endpoint.node, interface: endpoint.interface, mac: endpoint.mac }
}

function parseEnds(endpoints: readonly [string, string], file: string): readonly [LinkEnd, LinkEnd] {
  const parse = (text: string): LinkEnd => {
    const [node = '', name = '', ...more] = text.split(':')
    if (node === '' || name === '' || more.length > 0)
      throw new TopologyError(`${file}: endpoint '${text}': expected NODE:INTERFACE`)
    return { node, interface: name, mac: undefined }
  }
  return [parse(endpoints[0]), parse(endpoints[1])]
}

function checkLinks(links: readonly Link[], nodes: readonly string[], file: string): void {
  const seen = new Set<string>()
  for (const { node, interface: name } of links.flatMap(({ ends }) => ends)) {
    const text = `${node}:${name}`
    if (!nodes.includes(node))
      throw new TopologyError(
        `${file}: endpoint '${text}': there is no node '${node}' (in ${basename(file)})`,
      )
    if (name.length > 15) throw new TopologyError(`${file}: endpoint '${text}': longer than 15 characters`)
    if (seen.has(text)) throw new TopologyError(`${file}: endpoint '${text}' is used twice`)
    seen.add(text)
  }
}

// Runs a containerlab topology without Docker: a set of namespaces for each node, veth pairs between them, the same
// order of events (links, then cmd, then exec). What a topology asks beyond that is refused (schema.ts).

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { openLabFolder } from './lab-folder.ts'
import { type FabricNode, startNode } from './node.ts'
import { mustRun } from './shell.ts'
import { type Link, parseTopology, type Topology, type TopologyNode } from './topology.ts'

export type { FabricNode, MainProcess } from './node.ts'

export type Fabric = {
  readonly lab: string
  readonly nodes: readonly FabricNode[]
  /** Throws `RangeError` if there is none of that name. */
  node(name: string): FabricNode
  /** Leaves it up when this process ends; the next deployment of that name takes its place. */
  keep(): void
  /** Ends everything in it and removes it. May be called again. */
  destroy(): Promise<void>
}

export type DeployOptions = {
  readonly topology: string
  /** Instead of the topology's own name, so that several can be up at once. */
  readonly lab?: string
  /** For `${NAME}` in the topology. */
  readonly env?: Readonly<Record<string, string>>
  /** Run nothing in the nodes but `exec`. */
  readonly withoutCommands?: boolean
  readonly log?: (line: string) => void
}

/** Rejects with `TopologyError` for what the file asks and cannot be had, and leaves nothing behind then. */
export async function deployFabric(options: DeployOptions): Promise<Fabric> {
  const source = readFileSync(options.topology, 'utf8')
  const env = { ...process.env, ...options.env }
  const parsed = parseTopology(source, options.topology, {
    env,
    ...(options.lab === undefined ? {} : { labName: options.lab }),
  })
  const lab = options.lab ?? parsed.name
  const folder = openLabFolder(lab)
  const release = clearOnExit(() => folder.clear())
  const log = options.log ?? (() => undefined)
  try {
    const namespaces = new Map(parsed.nodes.map(({ name }) => [name, `clab-${lab}-${name}`]))
    const namespaceOf = (name: string): string => namespaces.get(name) ?? ''
    for (const namespace of namespaces.values()) folder.addNamespace(namespace)
    await mustRun(['ip', '-batch', '-'], {
      input: [...namespaces.values()].map((namespace) => `netns add ${namespace}\n`).join(''),
    })
    const nodes = await Promise.all(
      parsed.nodes.map(async (definition) => {
        const node = await startNode(definition, {
          namespace: namespaceOf(definition.name),
          folder: join(folder.path, definition.name),
          neighbours: neighboursOf(definition.name, parsed, namespaceOf),
        })
        folder.addInit(node.pid)
        return node
      }),
    )
    await link(parsed, namespaceOf)
    const byName = new Map(nodes.map((node) => [node.name, node]))
    if (options.withoutCommands !== true) await Promise.all(nodes.map((node) => node.startMain()))
    await Promise.all(parsed.nodes.map((definition) => configure(definition, byName, log)))
    return {
      lab,
      nodes,
      node: (name) => {
        const found = byName.get(name)
        if (found === undefined)
          throw new RangeError(
            `no node '${name}' in ${basename(options.topology)}: ${[...byName.keys()].join(', ')}`,
          )
        return found
      },
      keep: () => {
        release()
        folder.disown()
      },
      destroy: () => {
        release()
        folder.clear()
        return Promise.resolve()
      },
    }
  } catch (error) {
    release()
    folder.clear()
    throw error
  }
}

/** As containerlab: a command that fails is told and does not stop the others. */
async function configure(
  { name, exec }: TopologyNode,
  nodes: ReadonlyMap<string, FabricNode>,
  log: (line: string) => void,
): Promise<void> {
  for (const argv of exec) {
    const outcome = await nodes.get(name)?.exec(argv, { timeoutMs: 20_000 })
    if (outcome !== undefined && outcome.status !== 0)
      log(
        `${name}: ${argv.join(' ')}: exit code ${outcome.status}: ${(outcome.stderr || outcome.stdout).trim()}`,
      )
  }
}

/** All links in one go; checksum offload off at both ends, as containerlab does: checksums on the wire are real. */
async function link({ nodes, links }: Topology, namespaceOf: (name: string) => string): Promise<void> {
  for (const each of links) {
    const [a, b] = each.ends
    const mac = (text: string | undefined): readonly string[] => (text === undefined ? [] : ['address', text])
    await mustRun([
      ...['ip', '-n', namespaceOf(a.node), 'link', 'add', a.interface, ...mac(a.mac)],
      ...['mtu', String(each.mtu), 'type', 'veth', 'peer', 'name', b.interface, ...mac(b.mac)],
      ...['mtu', String(each.mtu), 'netns', namespaceOf(b.node)],
    ])
  }
  const ends = links.flatMap((each) => each.ends)
  await Promise.all(
    nodes.map(async ({ name, kind }) => {
      const namespace = namespaceOf(name)
      const mine = ends.filter((each) => each.node === name).map((each) => each.interface)
      for (const each of mine)
        await mustRun(['nsenter', `--net=/run/netns/${namespace}`, 'ethtool', '-K', each, 'tx', 'off'])
      const bridge = kind === 'bridge' ? [`link add ${name} type bridge`, `link set ${name} up`] : []
      const lines = mine.flatMap((each) => [
        ...(kind === 'bridge' ? [`link set ${each} master ${name}`] : []),
        `link set ${each} up`,
      ])
      await mustRun(['ip', '-n', namespace, '-batch', '-'], { input: [...bridge, ...lines, ''].join('\n') })
    }),
  )
}

function neighboursOf(
  name: string,
  { links }: Topology,
  namespaceOf: (name: string) => string,
): readonly { readonly namespace: string; readonly interface: string }[] {
  const others = (each: Link): readonly (typeof each.ends)[number][] => {
    const [a, b] = each.ends
    return [...(a.node === name ? [b] : []), ...(b.node === name ? [a] : [])]
  }
  return links.flatMap(others).map((end) => ({ namespace: namespaceOf(end.node), interface: end.interface }))
}

/** However this process ends, short of SIGKILL; a signal that somebody else listens to is left to them. */
function clearOnExit(clear: () => void): () => void {
  const signals = (['SIGINT', 'SIGTERM', 'SIGHUP'] as const).filter(
    (signal) => process.listenerCount(signal) === 0,
  )
  const onSignal = (signal: NodeJS.Signals): void => {
    release()
    clear()
    process.kill(process.pid, signal)
  }
  const release = (): void => {
    process.off('exit', clear)
    for (const signal of signals) process.off(signal, onSignal)
  }
  process.once('exit', clear)
  for (const signal of signals) process.once(signal, onSignal)
  return release
}

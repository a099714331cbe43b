// A containerlab topology as the runner sees it: merged, expanded, every word checked.

/** Where something was written. */
export type Place = { readonly file: string; readonly line: number }

export type Bind = {
  /** Absolute. */
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  readonly place: Place
}

/** Kind `linux`: a container there, a set of namespaces here. */
export type NodeSpec = {
  readonly name: string
  /** Entrypoint and cmd together; undefined: only the node's namespaces live. */
  readonly command: readonly string[] | undefined
  /** One after the other, once links and command are there. No shell. */
  readonly exec: readonly (readonly string[])[]
  readonly binds: readonly Bind[]
  readonly env: Readonly<Record<string, string>>
  readonly sysctls: Readonly<Record<string, string>>
}

/** An end without a node is a port of a bridge that the host has (kind `bridge`). */
export type LinkEnd = {
  readonly at: { readonly kind: 'node' | 'bridge'; readonly name: string }
  readonly interface: string
  readonly mac: string | undefined
}

/** A veth pair. */
export type LinkSpec = { readonly ends: readonly [LinkEnd, LinkEnd]; readonly mtu: number }

export type Topology = {
  readonly lab: string
  /** How the namespaces are called: as containerlab's containers. */
  readonly containerName: (node: string) => string
  readonly nodes: readonly NodeSpec[]
  readonly links: readonly LinkSpec[]
}

/** What is wrong with a file, one line each: `file:line: field: what was found, what was expected`. */
export class TopologyError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'TopologyError'
    this.problems = problems
  }
}

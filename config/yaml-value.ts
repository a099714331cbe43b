// From YAML nodes to plain values, with what the YAML library lets pass and an operator would regret: a key given
// twice, aliases that multiply, numbers that readers of other YAML versions take for something else.
//
// Mappings become objects without prototype, a key without value keeps its key with `undefined`.

import { type Alias, isAlias, isMap, isScalar, isSeq, type Node, type Pair, type Scalar } from 'yaml'

export type Trap = (node: Node, message: string, remedy?: string) => void

export type Plain = {
  readonly value: unknown
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Alias, Node>
  /** False if part of the value is missing: a check of it would only repeat what is reported already. */
  readonly whole: boolean
}

const depthMax = 100
// Nodes that aliases may stand for in one document: far more than any honest one, far less than a bomb.
const expansionMax = 10_000

/** Never throws: what is wrong is told to `trap`. */
export function plainValue(root: Node | null, lineOf: (node: Node) => number, trap: Trap): Plain {
  const anchors = new Map<string, Node>()
  const targets = new Map<Alias, Node>()
  const open = new Set<Node>()
  let expanded = 0
  let whole = true
  const refuse = (node: Node, message: string, remedy?: string): unknown => {
    if (whole) trap(node, message, remedy)
    whole = false
    return undefined
  }

  const read = (node: Node | null, depth: number, inAlias: boolean): unknown => {
    if (node === null || !whole) return undefined
    if (depth > depthMax) return refuse(node, `nested more than ${depthMax} deep`)
    if (inAlias && (expanded += 1) > expansionMax)
      return refuse(node, `aliases stand for more than ${expansionMax} nodes`, 'write it out')
    if (isAlias(node)) {
      const target = anchors.get(node.source)
      if (target === undefined) return refuse(node, `no anchor &${node.source} before this alias`)
      if (open.has(target)) return refuse(node, `the alias *${node.source} is inside what it stands for`)
      targets.set(node, target)
      return read(target, depth + 1, true)
    }
    if (node.anchor !== undefined) anchors.set(node.anchor, node)
    if (isScalar(node)) return readScalar(node, inAlias ? undefined : trap)
    open.add(node)
    let value: unknown
    if (isMap<Node, Node | null>(node)) value = readMap(node.items, depth, inAlias)
    // In a list an entry without value is an entry.
    else if (isSeq<Node | null>(node))
      value = node.items.map((item) => read(item, depth + 1, inAlias) ?? null)
    open.delete(node)
    return value
  }

  const readMap = (items: readonly Pair<Node, Node | null>[], depth: number, inAlias: boolean): unknown => {
    const object = Object.create(null) as Record<string, unknown>
    const seen = new Map<string, Node>()
    for (const { key, value } of items) {
      if (!isScalar(key)) {
        refuse(key, 'found a key that is not plain text')
        continue
      }
      if (key.anchor !== undefined) anchors.set(key.anchor, key)
      const name = keyText(key)
      const first = seen.get(name)
      // The schemas cannot see it.
      if (name === '__proto__') trap(key, `found the key '${name}', which is no field of anything`)
      else if (first === undefined) {
        seen.set(name, key)
        object[name] = read(value, depth + 1, inAlias) ?? undefined
      } else if (!inAlias) {
        trap(key, `the key '${name}' is there twice, the first in line ${lineOf(first)}`, 'remove one')
      }
    }
    return object
  }

  return { value: read(root, 0, false), targets, whole }
}

/** A key as it is written: `80` and `"80"` are the same field. */
export function keyText(key: Scalar): string {
  return typeof key.value === 'string' ? key.value : (key.source ?? String(key.value))
}

function readScalar(node: Scalar, trap: Trap | undefined): unknown {
  const { value, source = '' } = node
  if (typeof value === 'number' && node.type === 'PLAIN' && /^[-+]?0[0-9]/.test(source)) {
    const text = `"${source}" if it is text`
    trap?.(
      node,
      `found ${source}, which some readers of YAML take for octal and others for decimal`,
      Number.isSafeInteger(value) ? `write ${value}, or ${text}` : `write ${text}`,
    )
  }
  return value
}

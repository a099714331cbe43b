// From a path in a YAML document to the line where it stands.

import { type Document, isMap, isNode, isScalar, isSeq, type LineCounter, type Node } from 'yaml'

export type Path = readonly PropertyKey[]

/** The line of the key or the item at `path`; of the nearest there is, if that does not exist. */
export function lineOf(document: Document, lines: LineCounter, path: Path): number {
  let node: unknown = document.contents
  let offset = 0
  for (const step of path) {
    const [mark, next] = into(node, step)
    offset = mark?.range?.[0] ?? offset
    if (mark === undefined) break
    node = next
  }
  return lines.linePos(offset).line
}

function into(node: unknown, step: PropertyKey): readonly [Node | undefined, unknown] {
  if (isMap(node)) {
    const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
    return [isNode(pair?.key) ? pair.key : undefined, pair?.value]
  }
  if (isSeq(node)) {
    const item = node.items[Number(step)]
    return [isNode(item) ? item : undefined, item]
  }
  return [undefined, undefined]
}

/** `topology.nodes.lb1.binds[0]` */
export function formatPath(path: Path): string {
  return path.reduce<string>(
    (text, step) =>
      typeof step === 'number' ? `${text}[${step}]` : `${text}${text === '' ? '' : '.'}${String(step)}`,
    '',
  )
}

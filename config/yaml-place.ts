// Where in a YAML tree the value at a path stands, and how to speak of it.

import { isAlias, isMap, isScalar, isSeq, type Node } from 'yaml'
import { parseIp } from '../net/ip.ts'
import { type Path } from './findings.ts'
import { type Place } from './problem.ts'
import { keyText, type Plain } from './yaml-value.ts'

/** One YAML document of a file. */
export type Located = {
  readonly file: string
  readonly value: unknown
  /** Where the value at `path` begins, or its key; the nearest value around it if there is none. */
  placeOf(path: Path, what: 'value' | 'key'): Place
  /** The value at `path` as an operator would say it: `'text'`, `80`, `a list`, `nothing`; undefined if there is none. */
  describe(path: Path): string | undefined
  /** The text that an unquoted value was meant to be, where YAML made a mapping of it: `2001:db8::`. */
  unquoted(path: Path): string | undefined
}

const textShown = 60

type Child = { readonly key: Node | undefined; readonly value: Node | undefined }

/** `placeOf` tells where a node begins. */
export function locate(
  file: string,
  root: Node,
  { value, targets }: Plain,
  placeOf: (node: Node) => Place,
): Located {
  const resolve = (node: Node | undefined): Node | undefined => (isAlias(node) ? targets.get(node) : node)
  const childOf = (parent: Node | undefined, step: string | number): Child | undefined => {
    const node = resolve(parent)
    if (isSeq<Node | null>(node) && typeof step === 'number')
      return { key: undefined, value: node.items[step] ?? undefined }
    if (!isMap<Node, Node | null>(node)) return undefined
    const pair = node.items.find(({ key }) => isScalar(key) && keyText(key) === step)
    return pair === undefined ? undefined : { key: pair.key, value: pair.value ?? undefined }
  }
  const find = (path: Path): Child | undefined =>
    path.reduce<Child | undefined>(
      (found, step) => (found === undefined ? undefined : childOf(found.value, step)),
      { key: undefined, value: root },
    )

  const place = (path: Path, what: 'value' | 'key'): Place => {
    const found = find(path)
    const node = what === 'key' || isNothing(found?.value) ? (found?.key ?? found?.value) : found.value
    if (node !== undefined) return placeOf(node)
    return path.length === 0 ? placeOf(root) : place(path.slice(0, -1), 'value')
  }

  return {
    file,
    value,
    placeOf: place,
    describe(path) {
      const found = find(path)
      if (found === undefined) return undefined
      const node = resolve(found.value)
      if (isMap(node)) return node.items.length === 0 ? 'an empty mapping' : 'a mapping'
      if (isSeq(node)) return node.items.length === 0 ? 'an empty list' : 'a list'
      if (!isScalar(node) || node.value === null) return 'nothing'
      if (typeof node.value !== 'string') return node.source ?? JSON.stringify(node.value)
      const shown = node.value.length > textShown ? `${node.value.slice(0, textShown)}…` : node.value
      return `'${shown.replace(/\s+/g, ' ')}'`
    },
    unquoted(path) {
      const node = resolve(find(path)?.value)
      if (!isMap<Node, Node | null>(node) || node.items.length !== 1) return undefined
      const [pair] = node.items
      return pair !== undefined && isScalar(pair.key) && isNothing(pair.value)
        ? ipv6Text(`${keyText(pair.key)}:`)
        : undefined
    },
  }
}

/** Whether there is no value: a key alone, or an empty document. */
export function isNothing(node: unknown): node is null | undefined {
  return node === null || node === undefined || (isScalar(node) && node.value === null && node.source === '')
}

/** The text if it is an IPv6 address that YAML would take for a key. */
export function ipv6Text(text: string): string | undefined {
  return text.endsWith(':') && parseIp(text)?.family === 6 ? text : undefined
}

// YAML text → values that know where they stand: the only file (with yaml-value.ts) that knows the YAML library.

import {
  type Document as YamlTree,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  parseAllDocuments,
  type YAMLParseError,
} from 'yaml'
import { parseIp } from '../net/ip.ts'
import { type Findings, type Path } from './findings.ts'
import { type Place } from './problem.ts'
import { keyText, type Plain, plainValue } from './yaml-value.ts'

export type Source = { readonly file: string; readonly text: string }

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

/** The documents of a file that are well-formed YAML; empty ones are left out. Never throws. */
export function readYaml({ file, text }: Source, findings: Findings): readonly Located[] {
  const start: Place = { file, line: 1, column: 1 }
  const placeAt = placesIn(file, text)
  const refuse = (place: Place, message: string, remedy?: string): void =>
    findings.problem({ place, document: '', field: '', message, remedy })

  if (text.trim() === '') {
    refuse(start, 'the file is empty, expected at least one document', 'remove the file if nothing is meant')
    return []
  }
  const trees = parse(text)
  if (trees.every(({ contents, errors }) => isNothing(contents) && errors.length === 0))
    findings.warning({ place: start, document: '', field: '', message: 'no document in this file' })

  return trees.flatMap((tree): Located[] => {
    const wrong = [...tree.errors, ...tree.warnings]
    let reported = 0
    for (const error of wrong) {
      const place = placeAt(error.pos[0])
      // What follows in the same line is a consequence.
      if (place.line === reported) continue
      reported = place.line
      refuse(place, `not YAML: ${sentence(error)}`, quoteHint(text.slice(error.pos[0], error.pos[0] + 64)))
    }
    if (wrong.length > 0 || isNothing(tree.contents)) return []
    const offsetOf = (node: Node): number => node.range?.[0] ?? 0
    const plain = plainValue(
      tree.contents,
      (node) => placeAt(offsetOf(node)).line,
      (node, message, remedy) => refuse(placeAt(offsetOf(node)), message, remedy),
    )
    return plain.whole ? [locate(file, tree.contents, plain, (node) => placeAt(offsetOf(node)))] : []
  })
}

// The schema is YAML 1.2's, whatever a directive in the file says: `yes` is text, `1:30` is text.
function parse(text: string): readonly YamlTree.Parsed[] {
  const options = { uniqueKeys: false, prettyErrors: false, schema: 'core', logLevel: 'silent' } as const
  return [...parseAllDocuments(text, options)]
}

// The library's own counter misses the line ends inside what it could not read.
function placesIn(file: string, text: string): (offset: number) => Place {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (offset) => {
    const position = Math.min(offset, text.length)
    let line = 0
    for (let step = 1 << Math.floor(Math.log2(starts.length)); step > 0; step >>= 1)
      if ((starts[line + step] ?? Infinity) <= position) line += step
    return { file, line: line + 1, column: position - (starts[line] ?? 0) + 1 }
  }
}

function locate(
  file: string,
  root: Node,
  { value, targets }: Plain,
  placeOf: (node: Node) => Place,
): Located {
  const resolve = (node: Node | undefined): Node | undefined => (isAlias(node) ? targets.get(node) : node)
  const childOf = (parent: Node | undefined, step: string | number): Child | undefined => {
    const node = resolve(parent)
    if (isSeq(node) && typeof step === 'number') {
      const item = node.items[step]
      return isPair(item)
        ? { key: undefined, value: item.key as Node }
        : { key: undefined, value: asNode(item) }
    }
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

type Child = { readonly key: Node | undefined; readonly value: Node | undefined }

function asNode(item: unknown): Node | undefined {
  return isScalar(item) || isMap(item) || isSeq(item) || isAlias(item) ? item : undefined
}

function isNothing(node: unknown): node is null | undefined {
  return node === null || node === undefined || (isScalar(node) && node.value === null && node.source === '')
}

function sentence({ message, code }: Pick<YAMLParseError, 'message' | 'code'>): string {
  // The library recurses with the nesting.
  if (code === 'RESOURCE_EXHAUSTION') return 'nested too deep to read'
  return message.charAt(0).toLowerCase() + message.slice(1)
}

/** An address that ends in `::` is a mapping's key to YAML. */
function quoteHint(rest: string): string | undefined {
  const address = ipv6Text(/^[0-9A-Fa-f:.]*/.exec(rest)?.[0] ?? '')
  return address === undefined ? undefined : `put the address in quotes: "${address}"`
}

function ipv6Text(text: string): string | undefined {
  return text.endsWith(':') && parseIp(text)?.family === 6 ? text : undefined
}

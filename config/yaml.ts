// YAML text → values that know where they stand. Only the yaml*.ts files know the YAML library.

import { type Document as YamlTree, type Node, parseAllDocuments, type YAMLParseError } from 'yaml'
import { type Findings } from './findings.ts'
import { type Place } from './problem.ts'
import { ipv6Text, isNothing, locate, type Located } from './yaml-place.ts'
import { plainValue } from './yaml-value.ts'

export type Source = { readonly file: string; readonly text: string }

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

// Text to a checked topology file: envsubst, YAML, schema; every problem with its line.

import { type Document, LineCounter, parseDocument } from 'yaml'
import { type z } from 'zod'
import { envsubst } from './envsubst.ts'
import { type Place, TopologyError } from './model.ts'
import { formatPath, lineOf, type Path } from './places.ts'
import { fileSchema, type TopologyFile } from './schema.ts'

export type Source = { readonly file: string; readonly text: string }
export type ReadFile = {
  readonly content: TopologyFile
  readonly placeOf: (path: Path) => Place
}

/** Throws `TopologyError` with all problems of the first step that has any. */
export function readTopologyFile(
  { file, text }: Source,
  env: Readonly<Record<string, string | undefined>>,
): ReadFile {
  const substituted = envsubst(text, env)
  if (substituted.kind === 'refused') {
    throw new TopologyError(substituted.problems.map(({ line, reason }) => `${file}:${line}: ${reason}`))
  }
  const lines = new LineCounter()
  const document: Document = parseDocument(substituted.text, { lineCounter: lines, merge: true })
  if (document.errors.length > 0) {
    throw new TopologyError(
      document.errors.map(
        ({ pos, message }) => `${file}:${lines.linePos(pos[0]).line}: ${message.split('\n')[0] ?? ''}`,
      ),
    )
  }
  const placeOf = (path: Path): Place => ({ file, line: lineOf(document, lines, path) })
  const parsed = fileSchema.safeParse(document.toJS())
  if (!parsed.success) {
    throw new TopologyError(
      parsed.error.issues.flatMap(explain).map(({ path, message }) => at(placeOf(path), path, message)),
    )
  }
  return { content: parsed.data, placeOf }
}

/** One line of a `TopologyError`. */
export function at({ file, line }: Place, path: Path, message: string): string {
  return `${file}:${line}: ${formatPath(path)}: ${message}`
}

type Explained = { readonly path: Path; readonly message: string }

function explain(issue: z.core.$ZodIssue): readonly Explained[] {
  const { path } = issue
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({
        path: [...path, key],
        message: 'this runner does not have that key',
      }))
    case 'invalid_union': {
      // What was meant is the alternative that went furthest: its problem is inside, not "wrong type" at the top.
      const inner = issue.errors
        .flat()
        .filter(({ path: below, code }) => below.length > 0 || code !== 'invalid_type')
      const all = inner.length > 0 ? inner : issue.errors.flat()
      return all.flatMap(explain).map((each) => ({ ...each, path: [...path, ...each.path] }))
    }
    default:
      return [{ path, message: issue.message }]
  }
}

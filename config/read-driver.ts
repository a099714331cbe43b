// Reads documents from disk: files as named, and in directories every *.yaml and *.yml, not deeper.

import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Problem } from './problem.ts'
import { type Source } from './yaml.ts'

export type Read =
  | { readonly kind: 'ok'; readonly sources: readonly Source[] }
  | { readonly kind: 'refused'; readonly problems: readonly Problem[] }

/** In the order of `paths`, directories by name. Never rejects: what cannot be read is a `Problem`. */
export async function readSources(paths: readonly string[]): Promise<Read> {
  const read = await Promise.all(paths.map(readPath))
  const problems = read.flat().flatMap((each) => ('problem' in each ? [each.problem] : []))
  if (problems.length > 0) return { kind: 'refused', problems }
  const sources = read.flat().flatMap((each) => ('source' in each ? [each.source] : []))
  // A file named twice, or beside its directory, is one file.
  return { kind: 'ok', sources: [...new Map(sources.map((each) => [each.file, each])).values()] }
}

type Result = { readonly source: Source } | { readonly problem: Problem }

async function readPath(path: string): Promise<readonly Result[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [await readOne(path)]
    const names = (await readdir(path)).filter((name) => /^[^.].*\.ya?ml$/.test(name)).sort()
    if (names.length === 0)
      return [refused(path, 'no *.yaml or *.yml in this directory, expected at least one')]
    return await Promise.all(names.map((name) => readOne(join(path, name))))
  } catch (error) {
    return [refused(path, reasonOf(error))]
  }
}

async function readOne(file: string): Promise<Result> {
  try {
    const bytes = await readFile(file)
    return { source: { file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) } }
  } catch (error) {
    return refused(file, reasonOf(error))
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'not readable: permission denied',
  EISDIR: 'is a directory, expected a file',
  ELOOP: 'symbolic links go in a circle',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'not UTF-8 text',
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? `cannot be read: ${error instanceof Error ? error.message : String(error)}`
}

function refused(file: string, message: string): Result {
  return { problem: { place: { file, line: 0, column: 0 }, document: '', field: '', message } }
}

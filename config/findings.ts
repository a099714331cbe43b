// What reading documents turned up: everything is collected, nothing stops at the first problem.

import { type Place, type Problem } from './problem.ts'

/** From a document's root to a field; numbers are positions in lists. */
export type Path = readonly (string | number)[]

export type Findings = {
  /** The documents are refused for it. */
  problem(problem: Problem): void
  /** Accepted, but probably not what was meant. */
  warning(problem: Problem): void
}

export type Collected = { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] }

/** `collected` gives all, in the order of `files` and of the places in them. */
export function createFindings(files: readonly string[]): Findings & { collected(): Collected } {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const order = new Map(files.map((file, index) => [file, index]))
  const byPlace = ({ place: a }: Problem, { place: b }: Problem): number =>
    (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column
  return {
    problem: (each) => void problems.push(each),
    warning: (each) => void warnings.push(each),
    collected: () => ({ problems: problems.toSorted(byPlace), warnings: warnings.toSorted(byPlace) }),
  }
}

/** `spec.ports[0].port`; keys that are no identifiers in quotes: `metadata.labels["a/b"]`. */
export function formatPath(path: Path): string {
  return path
    .map((step, index) => {
      if (typeof step === 'number') return `[${step}]`
      if (!/^[A-Za-z_]\w*$/.test(step)) return `[${JSON.stringify(step)}]`
      return index === 0 ? step : `.${step}`
    })
    .join('')
}

/** `FILE:LINE`, for pointing from one problem to another place. */
export function formatLine({ file, line }: Place): string {
  return `${file}:${line}`
}

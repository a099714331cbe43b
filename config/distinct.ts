// Lists whose entries may not repeat.

import { type Document } from './document.ts'
import { type Findings, formatPath, type Path } from './findings.ts'

/** Reports each entry of the list at `path` whose key was there before; `keys` are in the list's order. */
export function refuseRepeats(
  keys: readonly string[],
  path: Path,
  document: Document,
  findings: Findings,
  place: (index: number) => Path = (index) => [...path, index],
): void {
  const first = new Map<string, number>()
  for (const [index, key] of keys.entries()) {
    const before = first.get(key)
    if (before === undefined) {
      first.set(key, index)
      continue
    }
    const found = document.describe(place(index)) ?? 'this'
    const shown = found.startsWith('a ') ? `the same as ${formatPath(place(before))}` : `${found} again`
    findings.problem({
      ...document.at(place(index)),
      message: `found ${shown}, expected each only once`,
      remedy: 'remove one',
    })
  }
}

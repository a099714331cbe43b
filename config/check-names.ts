// Names: one document of each, and one Datapath in all.

import { type Document } from './document.ts'
import { type Findings, formatLine } from './findings.ts'

/** Reports documents of one kind and name; `documents` are all of known kinds. */
export function checkNames(documents: readonly Document[], findings: Findings): void {
  const first = new Map<string, Document>()
  for (const document of documents) {
    if (document.name === undefined) continue
    // The head of the document's problems is its kind and name, with the namespace where that counts.
    const { document: label } = document.at([])
    const before = first.get(label)
    if (before === undefined) {
      first.set(label, document)
      continue
    }
    findings.problem({
      ...document.at(['metadata', 'name']),
      message: `found the name '${document.name}' again, first in ${formatLine(before.place)}, expected each ${document.kind} only once`,
      remedy: 'rename or remove one',
    })
  }
  const [datapath, ...more] = documents.filter(({ kind }) => kind === 'Datapath')
  for (const document of more) {
    if (datapath === undefined || document.name === datapath.name) continue
    findings.problem({
      ...document.at([]),
      message: `found another Datapath beside that in ${formatLine(datapath.place)}, expected one for all nodes`,
      remedy: 'make one of them',
    })
  }
}

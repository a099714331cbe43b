// Torii's Node (torii.dev/v1alpha1): a balancer and its labels.

import { type Document } from './document.ts'
import { hostAddress } from './addresses.ts'
import { fields, listOf } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { header, host, metadata } from './metadata.ts'
import { type Node } from './model.ts'

const schema = fields({
  ...header,
  metadata: metadata(host),
  spec: fields({ addresses: listOf(hostAddress).default([]) }).prefault({}),
})

/** Undefined after its problems were reported. */
export function readNode(document: Document, findings: Findings): Node | undefined {
  const read = conform(schema, document, findings)
  if (read === undefined) return undefined
  const { name, labels } = read.metadata
  return {
    name,
    labels: { 'kubernetes.io/hostname': name, ...labels },
    addresses: read.spec.addresses,
    place: document.place,
  }
}

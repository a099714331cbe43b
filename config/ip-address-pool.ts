// MetalLB's IPAddressPool (metallb.io/v1beta1), with its defaults and refusals.

import { poolRange } from './addresses.ts'
import { refuseRepeats } from './distinct.ts'
import { type Document } from './document.ts'
import { fields, flag, integer, listOf, notYet, someOf } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { metadata, namespace, served } from './metadata.ts'
import { type Pool } from './model.ts'
import { labelSelectors, selectorKey } from './selector.ts'

const schema = fields({
  ...served,
  metadata: metadata(),
  spec: fields({
    addresses: someOf(poolRange, 'a list of at least one prefix or range'),
    autoAssign: flag.default(true),
    avoidBuggyIPs: flag.default(false),
    serviceAllocation: fields({
      priority: integer(-0x80000000, 0x7fffffff).default(0),
      namespaces: listOf(namespace).default([]),
      namespaceSelectors: notYet,
      serviceSelectors: labelSelectors,
    }).optional(),
  }),
})

/** Undefined after its problems were reported. */
export function readPool(document: Document, findings: Findings): Pool | undefined {
  const read = conform(schema, document, findings)
  if (read === undefined) return undefined
  const { addresses, autoAssign, avoidBuggyIPs, serviceAllocation } = read.spec
  const { priority = 0, namespaces = [], serviceSelectors = [] } = serviceAllocation ?? {}
  const path = ['spec', 'serviceAllocation']
  refuseRepeats(namespaces, [...path, 'namespaces'], document, findings)
  refuseRepeats(serviceSelectors.map(selectorKey), [...path, 'serviceSelectors'], document, findings)
  return {
    name: read.metadata.name,
    labels: read.metadata.labels ?? {},
    ranges: addresses,
    autoAssign,
    avoidBuggyIps: avoidBuggyIPs,
    serviceAllocation: serviceAllocation && { priority, namespaces, serviceSelectors },
    place: document.place,
  }
}

// The Datapath against the services it is to carry. Only warnings: a machine that is no balancer reads the same.

import { type Findings } from './findings.ts'
import { defaultDatapath } from './datapath.ts'
import { type Resources } from './resources.ts'

/** Warns of services that nothing forwards for, and of backends that get no part of a table. */
export function checkDatapath({ loadBalancers, datapaths, documents }: Resources, findings: Findings): void {
  const written = documents.some(({ kind }) => kind === 'Datapath')
  // One that could not be read may well have said it.
  if (written && datapaths.length === 0) return
  const [datapath] = datapaths
  const { interfaces, tableSize, slots } = datapath?.value ?? defaultDatapath
  const [first] = loadBalancers
  if (interfaces.length === 0 && first !== undefined)
    findings.warning({
      ...(datapath?.document.at(['spec', 'interfaces']) ?? first.document.at([])),
      message: `${datapath === undefined ? 'there is no Datapath' : 'no interfaces'}: nothing is forwarded to any backend`,
      remedy: 'name the interfaces where packets for VIPs arrive in a Datapath',
    })
  for (const { document, value } of loadBalancers) {
    const count = value.backends.filter(({ weight }) => weight > 0).length
    const head = document.at(['spec', 'backends'])
    if (count > tableSize)
      findings.warning({
        ...head,
        message: `found ${count} backends for a table of ${tableSize} rows: some get no flows`,
        remedy: "raise the Datapath's tableSize to a hundred times as many",
      })
    else if (slots !== undefined && count > slots)
      findings.warning({
        ...head,
        message: `found ${count} backends for ${slots} slots: shares are less even`,
        remedy: "raise the Datapath's slots",
      })
  }
}

// Pools among each other: no address belongs to two entries.

import { formatRange } from './addresses.ts'
import { type Findings, formatLine } from './findings.ts'
import { type PoolIndex } from './pool-index.ts'

/** Reports overlapping ranges at the one that is written later. */
export function checkPools({ overlaps }: PoolIndex, findings: Findings): void {
  for (const pair of overlaps) {
    const [before, after] = pair.toSorted((a, b) => a.order - b.order)
    if (before === undefined || after === undefined) continue
    const at = (each: typeof before): readonly (string | number)[] => ['spec', 'addresses', each.index]
    const other = before.pool.document
    findings.problem({
      ...after.pool.document.at(at(after)),
      message: `found ${formatRange(after.range)}, which overlaps with ${formatRange(before.range)} of the pool ${before.pool.value.name} (${formatLine(other.at(at(before)).place)}), expected each address in one pool only`,
    })
  }
}

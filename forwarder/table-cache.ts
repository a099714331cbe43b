// Keeps the Maglev tables between changes: laying one out costs milliseconds, refilling it for a health change much
// less, and most changes concern one VIP.

import { formatIp } from '../net/ip.ts'
import { type DatapathOptions, type VirtualService } from './model.ts'
import { type ConfiguredTable, type Table, configuredTable, withHealth } from './table.ts'

export type TableCache = {
  /** The table of a service. Throws `RangeError` as `configuredTable` does. */
  tableOf(service: VirtualService, options: Pick<DatapathOptions, 'tableSize' | 'slots'>): Table
  /** Forgets the tables of all other services. */
  retain(services: readonly VirtualService[]): void
}

type Entry = {
  readonly shape: string
  readonly configured: ConfiguredTable
  ups: readonly boolean[]
  table: Table
}

export function createTableCache(): TableCache {
  const entries = new Map<string, Entry>()
  return {
    tableOf: (service, { tableSize, slots }) => {
      const key = keyOf(service)
      const shape = JSON.stringify([
        tableSize,
        slots,
        service.reals.map(({ name, weight }) => [name, weight]),
      ])
      const ups = service.reals.map(({ up }) => up)
      const known = entries.get(key)
      if (known?.shape !== shape) {
        const configured = configuredTable(service.reals, { tableSize, slots })
        const table = withHealth(configured, ups)
        entries.set(key, { shape, configured, ups, table })
        return table
      }
      if (ups.some((up, position) => up !== known.ups[position])) {
        known.ups = ups
        known.table = withHealth(known.configured, ups)
      }
      return known.table
    },
    retain: (services) => {
      const kept = new Set(services.map(keyOf))
      for (const key of entries.keys()) if (!kept.has(key)) entries.delete(key)
    },
  }
}

function keyOf({ service, vip }: VirtualService): string {
  return `${service} ${formatIp(vip)}`
}

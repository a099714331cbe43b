// Run by sqlite.test.ts as a process of its own to be killed: saves one history after another and says each number
// on stdout as soon as `save` has returned.

import { writeSync } from 'node:fs'
import { openAllocationStore } from '../../allocator/stores/sqlite.ts'
import { type Allocation } from '../../allocator/model.ts'

/** The `n`-th state: services come, go and change, so that every save inserts, deletes and updates. */
export function history(n: number): readonly Allocation[] {
  return Array.from({ length: 40 }, (_, i) => ({
    id: `default/s${n + i}`,
    vips: [
      { ip: { family: 4, value: BigInt(1000 + n + i) }, pool: 'p', dscp: 1 + ((n >> 2) % 63) },
      { ip: { family: 6, value: BigInt(n + i) }, pool: `p${i % 3}`, dscp: 1 + (n % 63) },
    ],
  }))
}

const [path, first] = process.argv.slice(2)
if (import.meta.main && path !== undefined) {
  const store = openAllocationStore(path)
  for (let n = Number(first); ; n += 1) {
    store.save(history(n))
    writeSync(1, `${n}\n`)
  }
}

// What keeps allocations over restarts.

import { type Allocation } from './model.ts'

export interface AllocationStore {
  /** As last saved, in the same order; empty if nothing was. Throws `SystemError`. */
  load(): readonly Allocation[]
  /** Replaces what is kept, as a whole or not at all: it is durable on return. Throws `SystemError`. */
  save(allocations: readonly Allocation[]): void
  close(): void
}

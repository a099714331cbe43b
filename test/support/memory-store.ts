// An allocation store that keeps nothing over a restart, and fails when told to.

import { type AllocationStore } from '../../allocator/store.ts'
import { type Allocation } from '../../allocator/model.ts'

export type MemoryStore = AllocationStore & {
  /** Saves that went through. */
  readonly saves: number
  /** What `save` throws from now on; undefined: nothing. */
  failWith(error: Error | undefined): void
}

export function memoryStore(initial: readonly Allocation[] = []): MemoryStore {
  let kept = initial
  let saves = 0
  let failure: Error | undefined
  return {
    load: () => kept,
    save: (allocations) => {
      if (failure !== undefined) throw failure
      kept = structuredClone(allocations)
      saves += 1
    },
    close: () => undefined,
    get saves() {
      return saves
    },
    failWith: (error) => {
      failure = error
    },
  }
}

// The door of the allocator: allocates against what is held, and lets nobody see an answer that could be forgotten.

import { allocate, heldBy, sameAllocations } from './allocate.ts'
import { type Allocated, type Allocation, type Pool, type Request } from './model.ts'
import { type AllocationStore } from './store.ts'

export type { AllocationStore } from './store.ts'

export type Allocator = {
  /**
   * The full set of pools and requests, every time: what is no longer requested is released. On return the answer is
   * stored. Throws `SystemError` when it cannot be: then all is as before.
   */
  update(input: {
    readonly pools: readonly Pool[]
    readonly requests: readonly Request[]
    readonly dscpIds: readonly number[]
  }): Allocated
}

/** Starts with what the store has kept. Throws `SystemError` if that cannot be read. */
export function createAllocator({ store }: { readonly store: AllocationStore }): Allocator {
  let held: readonly Allocation[] = store.load()
  return {
    update: (input) => {
      const result = allocate({ ...input, held })
      const next = heldBy(result)
      if (!sameAllocations(held, next)) store.save(next)
      held = next
      return result
    },
  }
}

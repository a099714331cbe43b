// The door: what it answers is stored, and what cannot be stored is not answered.

import assert from 'node:assert/strict'
import { createAllocator } from '../../allocator/allocator.ts'
import { SystemError } from '../../system/errors.ts'
import { memoryStore } from '../support/memory-store.ts'
import { addresses, held, pool, request } from './support.ts'

const pools = [pool('p', ['192.0.2.1-192.0.2.9'])]
const dscpIds = [2, 3]

describe('the allocator', () => {
  it('starts from what the store has kept', () => {
    const allocator = createAllocator({ store: memoryStore([held('a', ['192.0.2.7', 'p', 3])]) })
    const result = allocator.update({ pools, requests: [request('a')], dscpIds })
    assert.deepEqual(result.allocations, [held('a', ['192.0.2.7', 'p', 3])])
  })

  it('stores what it answers, and nothing when nothing changed', () => {
    const store = memoryStore()
    const allocator = createAllocator({ store })
    const result = allocator.update({ pools, requests: [request('a'), request('b')], dscpIds })
    assert.deepEqual(store.load(), result.allocations)
    assert.deepEqual(allocator.update({ pools, requests: [request('b'), request('a')], dscpIds }), result)
    assert.equal(store.saves, 1)
  })

  it('stores what is reserved for refused services, behind what is served', () => {
    const store = memoryStore()
    const allocator = createAllocator({ store })
    allocator.update({ pools, requests: [request('a'), request('b')], dscpIds })
    const typo = { pools, requests: [request('a', { pool: 'typo' }), request('b')], dscpIds }
    assert.deepEqual(addresses(allocator.update(typo)), { b: '192.0.2.2' })
    const restarted = createAllocator({ store })
    assert.deepEqual(
      store.load().map(({ id }) => id),
      ['b', 'a'],
    )
    const right = { pools, requests: [request('a'), request('b')], dscpIds }
    assert.deepEqual(addresses(restarted.update(right)), { a: '192.0.2.1', b: '192.0.2.2' })
  })

  it('releases what is no longer requested', () => {
    const store = memoryStore()
    const allocator = createAllocator({ store })
    allocator.update({ pools, requests: [request('a')], dscpIds })
    allocator.update({ pools, requests: [], dscpIds })
    assert.deepEqual(store.load(), [])
    assert.deepEqual(addresses(allocator.update({ pools, requests: [request('b')], dscpIds })), {
      b: '192.0.2.1',
    })
  })

  it('answers nothing that the store refused, and then goes on from what was before', () => {
    const store = memoryStore()
    const allocator = createAllocator({ store })
    allocator.update({ pools, requests: [request('a'), request('b')], dscpIds })
    store.failWith(new SystemError({ op: 'write', code: 'ENOSPC', target: 'store' }))
    assert.throws(
      () => allocator.update({ pools, requests: [request('b'), request('c')], dscpIds }),
      SystemError,
    )
    store.failWith(undefined)
    const after = allocator.update({ pools, requests: [request('c'), request('b'), request('a')], dscpIds })
    assert.deepEqual(addresses(after), { a: '192.0.2.1', b: '192.0.2.2', c: '192.0.2.3' })
  })
})

// DSCP ids: different wherever a backend is shared, kept while they can be, refused with who has them.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocate, heldBy } from '../../allocator/allocate.ts'
import { type Allocated, type Allocation, type Request } from '../../allocator/model.ts'
import { ip } from '../../net/ip.ts'
import { addresses, dscps, held, pool, reasons, request } from './support.ts'

const pools = [pool('p', ['192.0.2.0/24', '2001:db8::/64'])]

function run(requests: readonly Request[], before: readonly Allocation[] = [], dscpIds = [2, 3]): Allocated {
  return allocate({ pools, requests, held: before, dscpIds })
}

function at(id: string, ...backends: readonly string[]): Request {
  const ips = backends.map((text) => ip(text))
  return request(id, { backends: ips, families: [...new Set(ips.map(({ family }) => family))] })
}

describe('DSCP ids', () => {
  it('are the lowest free ones, and shared by services that share no backend', () => {
    const result = run([
      at('a', '10.0.0.1', '10.0.0.2'),
      at('b', '10.0.0.2', '10.0.0.3'),
      at('c', '10.0.0.3'),
      at('d', '10.0.0.4'),
    ])
    assert.deepEqual(dscps(result), { a: [2], b: [3], c: [2], d: [2] })
  })

  it('of the two families do not meet', () => {
    const result = run([at('a', '10.0.0.1'), at('b', 'fd00::1'), at('c', '10.0.0.1', 'fd00::1')])
    assert.deepEqual(dscps(result), { a: [2], b: [2], c: [3, 3] })
    const sharedIn6 = run([at('a', '10.0.0.1', 'fd00::1'), at('b', '10.0.0.2', 'fd00::1')])
    assert.deepEqual(dscps(sharedIn6), { a: [2, 2], b: [2, 3] })
  })

  it('stay when others come and go', () => {
    const before = [held('b', ['192.0.2.7', 'p', 3])]
    const result = run([at('a', '10.0.0.1'), at('b', '10.0.0.1')], before)
    assert.deepEqual(dscps(result), { b: [3], a: [2] })
    assert.deepEqual(dscps(run([at('b', '10.0.0.1')], heldBy(result))), { b: [3] })
  })

  it('move when backends come to be shared: the one held earlier keeps its id, whatever the order of requests', () => {
    const before = [
      held('a', ['192.0.2.1', 'p', 2]),
      held('b', ['192.0.2.2', 'p', 2]),
      held('c', ['192.0.2.3', 'p', 3]),
    ]
    const requests = [at('c', '10.0.0.3'), at('b', '10.0.0.1'), at('a', '10.0.0.1')]
    assert.deepEqual(dscps(run(requests, before)), { a: [2], b: [3], c: [3] })
  })

  it('that move leave alone ids that later holders keep', () => {
    const before = [
      held('a', ['192.0.2.1', 'p', 2]),
      held('b', ['192.0.2.2', 'p', 2]),
      held('c', ['192.0.2.3', 'p', 3]),
    ]
    const requests = ['a', 'b', 'c'].map((id) => at(id, '10.0.0.1'))
    assert.deepEqual(dscps(run(requests, before, [2, 3, 4])), { a: [2], b: [4], c: [3] })
  })

  it('move when they are no longer to be used', () => {
    assert.deepEqual(dscps(run([at('a', '10.0.0.1')], [held('a', ['192.0.2.1', 'p', 9])])), { a: [2] })
  })

  it('run out with the list of who has them and what to do', () => {
    const result = run(['a', 'b', 'c'].map((id) => at(id, '10.0.0.1')))
    assert.deepEqual(reasons(result), { c: 'dscpExhausted' })
    assert.equal(
      result.refusals[0]!.message,
      'all 2 DSCP ids are in use at its IPv4 backends: 2 by a (192.0.2.0), 3 by b (192.0.2.1): ' +
        'allow more ids in the Datapath document, or use other backends',
    )
    assert.deepEqual(addresses(result), { a: '192.0.2.0', b: '192.0.2.1' })
    assert.match(run([at('a', '10.0.0.1')], [], []).refusals[0]!.message, /no DSCP id may be used/)
  })

  it('are all or none for a service of two families, and leave nothing behind when none', () => {
    const before = [
      held('a', ['2001:db8::1', 'p', 2]),
      held('b', ['2001:db8::2', 'p', 3]),
      held('both', ['192.0.2.3', 'p', 2], ['2001:db8::3', 'p', 2]),
    ]
    const requests = [
      at('a', 'fd00::1'),
      at('b', 'fd00::1'),
      at('both', '10.0.0.1', 'fd00::1'),
      at('c', '10.0.0.1'),
    ]
    const result = run(requests, before)
    assert.deepEqual(reasons(result), { both: 'dscpExhausted' })
    assert.deepEqual(dscps(result), { a: [2], b: [3], c: [2] })
    assert.deepEqual(result.reserved, [before[2]])
  })

  it('of 63 ids serve 63 VIPs at one backend and any number at others', () => {
    const all = Array.from({ length: 63 }, (_, i) => i + 1)
    const full = run(
      Array.from({ length: 64 }, (_, i) => at(`s${i}`, '10.0.0.1')),
      [],
      all,
    )
    assert.deepEqual(reasons(full), { s63: 'dscpExhausted' })
    const apart = run(
      Array.from({ length: 200 }, (_, i) => at(`s${i}`, `10.0.0.${i}`)),
      [],
      [7],
    )
    assert.deepEqual(apart.refusals, [])
  })

  it('never clash, whatever is held and asked', () => {
    const backend = fc.integer({ min: 1, max: 6 }).map((i) => `10.0.0.${i}`)
    const service = fc.record({
      id: fc.integer({ min: 0, max: 12 }).map((i) => `s${i}`),
      backends: fc.uniqueArray(backend, { minLength: 1, maxLength: 3 }),
    })
    const services = fc.uniqueArray(service, { selector: ({ id }) => id })
    fc.assert(
      fc.property(services, services, (earlier, later) => {
        const before = run(
          earlier.map(({ id, backends }) => at(id, ...backends)),
          [],
          [2, 3, 5],
        )
        const after = run(
          later.map(({ id, backends }) => at(id, ...backends)),
          heldBy(before),
          [2, 3, 5],
        )
        const seen = new Set<string>()
        for (const { id, vips } of after.allocations) {
          const { backends } = later.find((each) => each.id === id)!
          for (const at of backends) {
            const key = `${at} ${vips[0]!.dscp}`
            assert.ok(!seen.has(key), key)
            seen.add(key)
          }
        }
        assert.equal(after.allocations.length + after.refusals.length, later.length)
      }),
    )
  })
})

// What holds for any pools, requests and history: nobody shares, nobody loses, the same question the same answer.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { allocate, heldBy } from '../../allocator/allocate.ts'
import { type Allocation, type Pool, type Request } from '../../allocator/model.ts'
import { type Family, type Ip, formatIp, ip, sameIp } from '../../net/ip.ts'
import { rangeContains } from '../../net/prefix.ts'
import { pool, request } from './support.ts'

// A small world, so that everything collides: three pools of a few addresses each, in any combination.
const ranges: Readonly<Record<string, readonly string[]>> = {
  a: ['192.0.2.0-192.0.2.3', '2001:db8::0-2001:db8::3'],
  b: ['192.0.2.254-192.0.3.1'],
  c: ['198.51.100.1-198.51.100.2', '2001:db8:1::1-2001:db8:1::2'],
}
const ids = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7']

const somePool = fc
  .record({
    name: fc.constantFrom(...Object.keys(ranges)),
    autoAssign: fc.boolean(),
    avoidBuggyIps: fc.boolean(),
    priority: fc.option(fc.nat(3), { nil: undefined }),
    admitted: fc.subarray(ids, { minLength: 3 }),
    half: fc.boolean(),
  })
  .map(({ name, priority, admitted, half, ...more }) =>
    pool(name, half ? ranges[name]!.slice(0, 1) : ranges[name]!, {
      ...more,
      restriction:
        priority === undefined ? undefined : { priority, admits: ({ id }: Request) => admitted.includes(id) },
    }),
  )
const somePools = fc.uniqueArray(somePool, { selector: ({ name }) => name })

const v4 = fc.constantFrom('192.0.2.0', '192.0.2.1', '192.0.3.0', '198.51.100.1', '10.0.0.1').map(ip)
const v6 = fc.constantFrom('2001:db8::1', '2001:db8:1::1').map(ip)
const someAddresses: fc.Arbitrary<readonly Ip[]> = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.tuple(v4) },
  { weight: 1, arbitrary: fc.tuple(v4, v6) },
)
const someRequest = fc
  .record({
    id: fc.constantFrom(...ids),
    families: fc.constantFrom<readonly Family[]>([4], [6], [4, 6], [6, 4]),
    addresses: someAddresses,
    pool: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { nil: undefined, freq: 4 }),
    backends: fc.subarray(['10.1.0.1', '10.1.0.2', 'fd00::1', 'fd00::2']).map((texts) => texts.map(ip)),
  })
  .map(({ id, ...more }) => request(id, more))
const someRequests = fc.uniqueArray(someRequest, { selector: ({ id }) => id })
const someVip = fc.record({
  ip: fc.oneof(v4, v6),
  pool: fc.constantFrom('a', 'b', 'c', 'gone'),
  dscp: fc.constantFrom(2, 3, 9),
})
const someHeld = fc.array(
  fc.record({
    id: fc.constantFrom(...ids),
    vips: fc.uniqueArray(someVip, { selector: (vip) => vip.ip.family, minLength: 1, maxLength: 2 }),
  }),
  { maxLength: 8 },
)
const world = fc.record({
  pools: somePools,
  requests: someRequests,
  held: someHeld,
  dscpIds: fc.subarray([2, 3, 4]),
})

const runs = { numRuns: 1000 }

function mayHave(pools: readonly Pool[], each: Request, address: Ip): boolean {
  const home = pools.find(({ ranges }) => ranges.some((range) => rangeContains(range, address)))
  const last = address.value & 0xffn
  return (
    home !== undefined &&
    (each.pool === undefined || each.pool === home.name) &&
    (home.restriction === undefined || home.restriction.admits(each)) &&
    !(home.avoidBuggyIps && address.family === 4 && (last === 0n || last === 0xffn)) &&
    (each.addresses.length > 0
      ? each.addresses.some((asked) => sameIp(asked, address))
      : each.families.includes(address.family))
  )
}

function textOf(held: readonly Allocation[]): string[] {
  return held.flatMap(({ id, vips }) => vips.map((vip) => `${id} ${formatIp(vip.ip)}`))
}

describe('an allocation', () => {
  it('gives an address to one only, reserved ones included', () => {
    fc.assert(
      fc.property(world, (input) => {
        const all = heldBy(allocate(input)).flatMap(({ vips }) => vips.map((vip) => formatIp(vip.ip)))
        assert.equal(new Set(all).size, all.length)
      }),
      runs,
    )
  })

  it('gives only what pools, request and ids allow, and the pool it came from', () => {
    fc.assert(
      fc.property(world, (input) => {
        for (const { id, vips } of allocate(input).allocations) {
          const each = input.requests.find((one) => one.id === id)!
          const families = vips.map((vip) => vip.ip.family)
          assert.equal(new Set(families).size, families.length)
          for (const vip of vips) {
            assert.ok(mayHave(input.pools, each, vip.ip), `${id} ${formatIp(vip.ip)}`)
            const home = input.pools.find(({ name }) => name === vip.pool)!
            assert.ok(home.ranges.some((range) => rangeContains(range, vip.ip)))
            assert.ok(input.dscpIds.includes(vip.dscp))
          }
        }
      }),
      runs,
    )
  })

  it('answers every request: in full, or with a refusal; serves a part only of what was held', () => {
    fc.assert(
      fc.property(world, (input) => {
        const { allocations, refusals } = allocate(input)
        assert.deepEqual(
          refusals.map(({ id }) => id),
          input.requests.map(({ id }) => id).filter((id) => refusals.some((refusal) => refusal.id === id)),
        )
        for (const each of input.requests) {
          const vips = allocations.find(({ id }) => id === each.id)?.vips ?? []
          const wanted = each.addresses.length > 0 ? each.addresses.length : each.families.length
          const refused = refusals.some(({ id }) => id === each.id)
          assert.equal(vips.length < wanted, refused, each.id)
          const before = input.held.filter(({ id }) => id === each.id).flatMap((one) => one.vips)
          if (refused) assert.ok(vips.every((vip) => before.some((one) => sameIp(one.ip, vip.ip))))
        }
      }),
      runs,
    )
  })

  it('takes no VIP from a service that may have it', () => {
    fc.assert(
      fc.property(world, (input) => {
        // What a first answer gave, under the same pools but any other requests.
        const first = allocate({ ...input, held: [] })
        fc.pre(first.allocations.length > 0)
        const second = allocate({ ...input, held: heldBy(first), dscpIds: [2, 3, 4] })
        assert.deepEqual(
          textOf(first.allocations).filter((text) => !textOf(heldBy(second)).includes(text)),
          [],
        )
      }),
      runs,
    )
    fc.assert(
      fc.property(world, someRequests, (input, others) => {
        const first = allocate({ ...input, held: [] })
        const second = allocate({ ...input, requests: others, held: heldBy(first) })
        const after = textOf(heldBy(second))
        for (const { id, vips } of first.allocations) {
          const each = others.find((one) => one.id === id)
          if (each === undefined) continue
          for (const vip of vips) {
            if (mayHave(input.pools, each, vip.ip)) assert.ok(after.includes(`${id} ${formatIp(vip.ip)}`))
          }
        }
      }),
      runs,
    )
  })

  it('is stable: what it answered, held, gives the same answer', () => {
    fc.assert(
      fc.property(world, (input) => {
        const first = allocate(input)
        assert.deepEqual(allocate({ ...input, held: heldBy(first) }), first)
      }),
      runs,
    )
  })

  it('takes a hundred thousand requests in seconds, from a /64 and from one full pool after another', () => {
    const requests = Array.from({ length: 100_000 }, (_, i) =>
      request(`default/s${i}`, {
        families: [4, 6],
        backends: [ip(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`), { family: 6, value: BigInt(i) }],
      }),
    )
    const pools = [
      pool('small', ['192.0.2.0/24', '2001:db8:1::/64']),
      pool('p', ['10.0.0.0/8', '2001:db8::/64']),
    ]
    const start = process.cpuUsage()
    const first = allocate({ pools, requests, held: [], dscpIds: [2, 3] })
    const fresh = process.cpuUsage(start).user / 1e6
    const second = allocate({ pools, requests, held: heldBy(first), dscpIds: [2, 3] })
    assert.equal(first.allocations.length, 100_000)
    assert.deepEqual(second, first)
    assert.ok(fresh < 10, `${fresh} s of processor time`)
  })
})

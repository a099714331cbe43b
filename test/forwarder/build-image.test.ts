// Numbers in the datapath's maps: whatever is changed, and wherever a change stops, no table that a packet can meet
// points to another backend than it was made for.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { buildImage, type Capacity, emptyMaps, type HeldMaps } from '../../forwarder/build-image.ts'
import { noReal, vipId } from '../../forwarder/image.ts'
import { type VirtualService } from '../../forwarder/model.ts'
import { buildTable } from '../../forwarder/table.ts'
import { mapChanges, vipKeyOf } from '../../forwarder/xdp/changes.ts'
import { ip, type Ip, sameIp } from '../../net/ip.ts'
import { parseMac } from '../../net/mac.ts'

const tableSize = 13
const hashKey = new Uint8Array(16)
const large: Capacity = { vips: 1000, tables: 100, reals: 100 }

function build(
  held: HeldMaps,
  services: readonly VirtualService[],
  capacity = large,
): ReturnType<typeof buildImage> {
  const tabled = services.map((service) => ({
    service,
    table: buildTable(service.reals, { tableSize, slots: undefined }),
  }))
  return buildImage(held, tabled, {
    hashKey,
    tableSize,
    hopOf: () => undefined,
    capacity,
    memo: new WeakMap(),
  })
}

const vip = (number: number): Ip => ip(`192.0.2.${number}`)
const backend = (number: number, family: 4 | 6 = 4): Ip =>
  ip(family === 4 ? `10.0.0.${number}` : `a00:0:${number}::`)

function service(
  number: number,
  backends: readonly number[],
  change: Partial<VirtualService> = {},
): VirtualService {
  return {
    service: `default/s${number}`,
    vip: vip(number),
    ports: [{ protocol: 'TCP', port: 80 }],
    dscp: number,
    reals: backends.map((each) => ({ name: `be${each}`, ip: backend(each), weight: 1, up: true })),
    ...change,
  }
}

const someServices = fc
  .uniqueArray(
    fc.record({
      number: fc.integer({ min: 1, max: 6 }),
      backends: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 5 }),
    }),
    { selector: ({ number }) => number, maxLength: 5 },
  )
  .map((list) => list.map(({ number, backends }) => service(number, backends)))

/** The backends that a VIP's flows can meet. */
function reach(maps: HeldMaps, number: number): readonly Ip[] | undefined {
  const entry = maps.vips.get(vipId({ ip: vip(number), port: 80, protocol: 6 }))
  if (entry === undefined) return undefined
  const rows = maps.tables.get(entry.table)
  assert.ok(rows, 'a VIP without a table')
  return [...new Set(rows)].flatMap((index) => {
    if (index === noReal) return []
    const real = maps.reals.get(index)
    assert.ok(real, 'a row without a real')
    return [real.ip]
  })
}

/** The maps after each of the writes that map-state.ts does, in its order. */
function* writes(held: HeldMaps, wanted: HeldMaps): Generator<HeldMaps> {
  const changes = mapChanges(held, wanted)
  const [vips, tables, reals] = [new Map(held.vips), new Map(held.tables), new Map(held.reals)]
  const now: HeldMaps = { vips, tables, reals }
  const id = (key: ReturnType<typeof vipKeyOf>): string => vipId(key)
  for (const [index, real] of changes.reals) yield (reals.set(index, real), now)
  for (const [index, rows] of changes.tables) yield (tables.set(index, rows), now)
  for (const [key, entry] of changes.vips) yield (vips.set(id(key), entry), now)
  for (const key of changes.removedVips) yield (vips.delete(id(key)), now)
  for (const index of changes.removedTables) yield (tables.delete(index), now)
  for (const index of changes.removedReals) yield (reals.delete(index), now)
  assert.deepEqual(now, { vips: wanted.vips, tables: wanted.tables, reals: wanted.reals })
}

describe('the image of the datapath', () => {
  it('gives each service its entries, its table and its backends', () => {
    const { image, problems } = build(emptyMaps, [service(1, [1, 2]), service(2, [2], { ports: [] })])
    assert.deepEqual(problems, [])
    assert.deepEqual(
      [...image.vips],
      [
        [vipId({ ip: vip(1), port: 80, protocol: 6 }), { table: 0, dscp: 1 }],
        [vipId({ ip: vip(1), port: 0, protocol: 0 }), { table: 0, dscp: 1 }],
        [vipId({ ip: vip(2), port: 0, protocol: 0 }), { table: 1, dscp: 2 }],
      ],
    )
    assert.deepEqual(
      [...image.reals].map(([index, real]) => [index, real.ip]),
      [
        [0, backend(1)],
        [1, backend(2)],
      ],
    )
    assert.deepEqual(new Set(image.tables.get(1)), new Set([1]))
  })

  it('never confuses two backends, at any moment of any sequence of changes', () => {
    fc.assert(
      fc.property(fc.array(someServices, { minLength: 2, maxLength: 6 }), fc.nat(), (sequence, stop) => {
        let held: HeldMaps = emptyMaps
        let before: readonly VirtualService[] = []
        for (const services of sequence) {
          const { image, problems } = build(held, services)
          assert.deepEqual(problems, [])
          const allowed = (number: number): readonly Ip[] =>
            [...before, ...services]
              .filter(({ dscp }) => dscp === number)
              .flatMap(({ reals }) => reals.map((real) => real.ip))
          for (const maps of writes(held, image))
            for (let number = 1; number <= 6; number += 1)
              for (const met of reach(maps, number) ?? [])
                assert.ok(
                  allowed(number).some((each) => sameIp(each, met)),
                  `VIP ${number} met a foreign backend`,
                )
          held = image
          before = services
        }

        // A change that stopped half way: the next one starts from what is there.
        const [first = [], second = []] = sequence
        const half = [...writes(held, build(held, first).image)].length
        let partial: HeldMaps = held
        let step = 0
        for (const maps of writes(held, build(held, first).image)) {
          if (step === stop % (half + 1)) break
          step += 1
          partial = { vips: new Map(maps.vips), tables: new Map(maps.tables), reals: new Map(maps.reals) }
        }
        const { image } = build(partial, second)
        for (const maps of writes(partial, image))
          for (let number = 1; number <= 6; number += 1)
            for (const met of reach(maps, number) ?? [])
              assert.ok(
                [...before, ...first, ...second].some(
                  ({ dscp, reals }) => dscp === number && reals.some((real) => sameIp(real.ip, met)),
                ),
              )
      }),
      { numRuns: 300 },
    )
  })

  it('changes nothing when nothing changed, whatever the order of the services', () => {
    fc.assert(
      fc.property(someServices, (services) => {
        const { image } = build(emptyMaps, services)
        const again = build(image, [...services].reverse()).image
        const changes = mapChanges(image, again)
        assert.ok(Object.values(changes).every((list) => list.length === 0))
      }),
    )
  })

  it('writes a table alone for a health change, and a real alone for a next hop', () => {
    const services = [service(1, [1, 2]), service(2, [2, 3])]
    const { image } = build(emptyMaps, services)
    const [first, second] = services
    const down = { ...first!, reals: first!.reals.map((real, index) => ({ ...real, up: index > 0 })) }
    const changes = mapChanges(image, build(image, [down, second!]).image)
    assert.deepEqual(
      changes.tables.map(([index]) => index),
      [0],
    )
    const { tables, ...rest } = changes
    assert.equal(tables.length, 1)
    assert.ok(Object.values(rest).every((list) => list.length === 0))

    const hop = {
      ifindex: 7,
      source: parseMac('02:00:00:00:00:01')!,
      destination: parseMac('02:00:00:00:00:02')!,
    }
    const moved = {
      ...image,
      reals: new Map([...image.reals].map(([index, real]) => [index, index === 1 ? { ...real, hop } : real])),
    }
    assert.deepEqual(mapChanges(image, moved).reals, [[1, { ip: backend(2), hop }]])
  })

  it('tells an IPv4 backend from an IPv6 one of the same bytes', () => {
    const six = service(2, [], {
      vip: ip('2001:db8::2'),
      reals: [{ name: 'six', ip: ip('a00:1::'), weight: 1, up: true }],
    })
    const { image } = build(emptyMaps, [service(1, [1]), six])
    assert.equal(image.reals.size, 2)
  })

  it('leaves out what does not fit or contradicts, says so, and takes the rest', () => {
    const many = [service(1, [1, 2]), service(2, [3]), service(3, [1])]
    const outcome = (capacity: Partial<Capacity>): readonly string[] => {
      const { image, problems } = build(emptyMaps, many, { ...large, ...capacity })
      assert.ok(image.tables.size < 3)
      return problems
    }
    assert.deepEqual(outcome({ tables: 2 }), ['default/s3: the datapath holds 2 tables, all in use'])
    assert.deepEqual(outcome({ vips: 4 }), ['default/s3: the datapath holds 4 ports of VIPs, all in use'])
    assert.deepEqual(outcome({ reals: 2 }), ['default/s2: the datapath holds 2 backends, all in use'])
    const { problems } = build(emptyMaps, [service(1, [1]), service(1, [2], { service: 'default/x' })])
    assert.deepEqual(problems, ['default/x: 80/tcp of 192.0.2.1 is served by another service'])
  })

  it('lets two services share an address by different ports', () => {
    const dns = service(1, [2], { service: 'default/dns', ports: [{ protocol: 'UDP', port: 53 }] })
    const both = [service(1, [1]), dns]
    const { image, problems } = build(emptyMaps, both)
    assert.deepEqual(problems, [])
    assert.equal(image.vips.get(vipId({ ip: vip(1), port: 53, protocol: 17 }))?.table, 1)
    assert.equal(image.vips.get(vipId({ ip: vip(1), port: 0, protocol: 0 }))?.table, 0)
    assert.deepEqual(build(image, both).image.vips, image.vips)
  })
})

describe('the id of a VIP entry', () => {
  it('is read back', () => {
    for (const key of [
      { ip: ip('0.0.0.1'), port: 80, protocol: 6 },
      { ip: ip('255.255.255.255'), port: 65535, protocol: 17 },
      { ip: ip('::'), port: 0, protocol: 0 },
      { ip: ip('2001:db8::1'), port: 443, protocol: 6 },
    ])
      assert.deepEqual(vipKeyOf(vipId(key)), key)
    assert.throws(() => vipKeyOf('5/0/0/0'), RangeError)
  })
})

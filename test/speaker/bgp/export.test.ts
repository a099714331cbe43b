// Announcements as one neighbour is to see them: which attributes, for whom, and who shares what.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { ip } from '../../../net/ip.ts'
import { formatPrefix, prefix } from '../../../net/prefix.ts'
import { type Announcement } from '../../../speaker/announcement.ts'
import { type AttributeSet, emptyTable, type RouteTable } from '../../../speaker/bgp/adj-rib-out.ts'
import { exporter, exportRoutes, type ExportView } from '../../../speaker/bgp/export.ts'
import { address, prefixIn, record } from './arbitraries.ts'

const external: ExportView = {
  localAsn: 65001,
  internal: false,
  fourOctetAs: true,
  nextHops: { 4: ip('10.0.0.1'), 6: ip('fd00::1') },
}
const internal: ExportView = { ...external, internal: true }

function announcement(text: string, more: Partial<Announcement> = {}): Announcement {
  return { prefix: prefix(text), communities: [], largeCommunities: [], ...more }
}

function prefixes(table: RouteTable): readonly string[] {
  return [...table[4].values(), ...table[6].values()].map((route) => formatPrefix(route.prefix))
}

function attributesOf(desired: readonly Announcement[], view: ExportView): AttributeSet['attributes'] {
  const { table } = exportRoutes(desired, view)
  const [route, ...others] = [...table[4].values(), ...table[6].values()]
  assert.deepEqual(others, [])
  assert.ok(route?.attributes !== undefined)
  return route.attributes.attributes
}

const vip4 = announcement('198.51.100.1/32')
const vip6 = announcement('2001:db8::1/128')

describe('the attributes of an announcement', () => {
  it('to an external neighbour: IGP, our AS, ourselves as next hop', () => {
    assert.deepEqual(attributesOf([vip4], external), [
      { kind: 'origin', origin: 'igp' },
      { kind: 'asPath', path: [{ kind: 'sequence', asns: [65001] }] },
      { kind: 'nextHop', address: ip('10.0.0.1') },
    ])
  })

  it('to an internal neighbour: an empty path and a local preference, 100 unless given (RFC 4271 §5.1)', () => {
    assert.deepEqual(attributesOf([vip4], internal), [
      { kind: 'origin', origin: 'igp' },
      { kind: 'asPath', path: [] },
      { kind: 'nextHop', address: ip('10.0.0.1') },
      { kind: 'localPref', value: 100 },
    ])
    const [, , , localPref] = attributesOf([{ ...vip4, localPref: 0 }], internal)
    assert.deepEqual(localPref, { kind: 'localPref', value: 0 })
  })

  it('of IPv6: MP_REACH_NLRI first, no NEXT_HOP (RFC 7606 §5.1, RFC 4760 §3)', () => {
    assert.deepEqual(attributesOf([vip6], external), [
      { kind: 'mpReach', family: 6, nextHops: [ip('fd00::1')], nlri: [] },
      { kind: 'origin', origin: 'igp' },
      { kind: 'asPath', path: [{ kind: 'sequence', asns: [65001] }] },
    ])
  })

  it('carry communities in order, each once; local preference never to an external neighbour', () => {
    const large = (local2: number): Announcement['largeCommunities'][number] => ({
      global: 1,
      local1: 2,
      local2,
    })
    const desired = announcement('198.51.100.1/32', {
      localPref: 200,
      communities: [7, 5, 7],
      largeCommunities: [large(9), large(3), large(9)],
    })
    assert.deepEqual(attributesOf([desired], external).slice(3), [
      { kind: 'communities', partial: false, values: [5, 7] },
      { kind: 'largeCommunities', partial: false, values: [large(3), large(9)] },
    ])
  })

  it('have AS4_PATH for an old neighbour where our AS does not fit (RFC 6793 §4.2.2)', () => {
    const old: ExportView = { ...external, localAsn: 70_000, fourOctetAs: false }
    const path = [{ kind: 'sequence', asns: [70_000] }] as const
    const kinds = (view: ExportView): readonly string[] => attributesOf([vip4], view).map(({ kind }) => kind)
    assert.deepEqual(attributesOf([vip4], old).slice(1), [
      { kind: 'asPath', path },
      { kind: 'nextHop', address: ip('10.0.0.1') },
      { kind: 'as4Path', partial: false, path },
    ])
    for (const view of [
      { ...old, localAsn: 65001 },
      { ...old, fourOctetAs: true },
      { ...old, internal: true },
    ])
      assert.ok(!kinds(view).includes('as4Path'))
  })
})

describe('what a neighbour is told', () => {
  it('is nothing of a family without a next hop', () => {
    const { table } = exportRoutes([vip4, vip6], {
      ...external,
      nextHops: { 4: ip('10.0.0.1'), 6: undefined },
    })
    assert.deepEqual(prefixes(table), ['198.51.100.1/32'])
  })

  it('is each prefix once: all communities, the highest local preference, absent being 100', () => {
    const both = [
      announcement('198.51.100.1/32', { communities: [1], localPref: 50 }),
      announcement('198.51.100.1/32', {
        communities: [2, 1],
        largeCommunities: [{ global: 1, local1: 1, local2: 1 }],
      }),
    ]
    for (const desired of [both, both.toReversed()])
      assert.deepEqual(attributesOf(desired, internal).slice(3), [
        { kind: 'localPref', value: 100 },
        { kind: 'communities', partial: false, values: [1, 2] },
        { kind: 'largeCommunities', partial: false, values: [{ global: 1, local1: 1, local2: 1 }] },
      ])
  })

  it('is what names it or nobody', () => {
    const view = exporter([
      announcement('198.51.100.1/32'),
      announcement('198.51.100.2/32', { peers: ['a', 'b'] }),
      announcement('198.51.100.3/32', { peers: ['b'] }),
      announcement('198.51.100.4/32', { peers: [] }),
    ])
    const told = (name: string): readonly string[] =>
      prefixes(view(name, external).table).map((text) => text.slice(11, 12))
    assert.deepEqual([told('a'), told('b'), told('c')], [['1', '2'], ['1', '2', '3'], ['1']])
  })

  it('is left out, with the reason, where no UPDATE could carry it', () => {
    const communities = Array.from({ length: 1100 }, (_, index) => index)
    const { table, problems } = exportRoutes(
      [announcement('198.51.100.1/32', { communities }), vip6],
      external,
    )
    assert.deepEqual(prefixes(table), ['2001:db8::1/128'])
    assert.match(problems[4]!, /^198\.51\.100\.1\/32 has more communities/)
    assert.equal(problems[6], undefined)
  })
})

describe('neighbours that are told the same', () => {
  const desired = [vip4, announcement('198.51.100.2/32', { peers: ['a', 'b'] }), vip6]

  it('share one table', () => {
    const view = exporter(desired)
    assert.equal(view('a', external), view('b', { ...external }))
    assert.equal(view('c', external), view('d', external))
  })

  it('do not where anything differs that is seen on the wire', () => {
    const view = exporter(desired)
    const tables = [
      view('a', external),
      view('c', external),
      view('a', internal),
      view('a', { ...external, fourOctetAs: false }),
      view('a', { ...external, localAsn: 65003 }),
      view('a', { ...external, nextHops: { ...external.nextHops, 6: undefined } }),
      view('a', { ...external, nextHops: { ...external.nextHops, 4: ip('10.0.0.9') } }),
    ]
    assert.equal(new Set(tables).size, tables.length)
  })

  it('differ in attribute keys exactly when they differ in attributes', () => {
    const some = record({
      prefix: fc.constant(vip4.prefix),
      communities: fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 3 }),
      largeCommunities: fc.array(
        record({ global: fc.constant(1), local1: fc.constant(1), local2: fc.integer({ min: 1, max: 2 }) }),
        { maxLength: 2 },
      ),
      localPref: fc.constantFrom(99, 100, 101),
    })
    const view = record({
      localAsn: fc.constant(65001),
      internal: fc.boolean(),
      fourOctetAs: fc.constant(true),
      nextHops: address(4).map((hop) => ({ 4: hop, 6: undefined })),
    })
    const setOf = (one: Announcement, seen: ExportView): AttributeSet =>
      [...exportRoutes([one], seen).table[4].values()][0]!.attributes!
    fc.assert(
      fc.property(some, some, view, (a, b, seen) => {
        const [one, two] = [setOf(a, seen), setOf(b, seen)]
        try {
          assert.deepEqual(one.attributes, two.attributes)
        } catch {
          assert.notEqual(one.key, two.key)
          return
        }
        assert.equal(one.key, two.key)
      }),
    )
  })

  it('have no prefix twice, whatever is desired', () => {
    const any = fc.array(
      fc.oneof(prefixIn(4), prefixIn(6)).map((each) => announcement(formatPrefix(each))),
      { maxLength: 30 },
    )
    fc.assert(
      fc.property(any, (all) => {
        const told = prefixes(exportRoutes([...all, ...all], external).table)
        assert.deepEqual([...told].sort(), [...new Set(all.map((each) => formatPrefix(each.prefix)))].sort())
      }),
    )
    assert.deepEqual(exportRoutes([], external).table, emptyTable)
  })
})

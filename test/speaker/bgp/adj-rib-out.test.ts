// Adj-RIB-Out: what a neighbour that applies our UPDATEs ends up with, how few they are, and who shares them.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Family, ip } from '../../../net/ip.ts'
import { formatPrefix, prefix } from '../../../net/prefix.ts'
import { type Announcement } from '../../../speaker/announcement.ts'
import {
  type AdjRibOut,
  advance,
  emptyTable,
  nextUpdate,
  openAdjRibOut,
  pendingIn,
  prefixKey,
  resend,
  type RouteTable,
  sentTable,
  updatesBetween,
  want,
} from '../../../speaker/bgp/adj-rib-out.ts'
import { exporter, exportRoutes, type ExportView } from '../../../speaker/bgp/export.ts'
import { decodeMessage } from '../../../speaker/bgp/message.ts'
import { endOfRibOf, reachabilityOf, type Update } from '../../../speaker/bgp/update.ts'
import { captured } from './captures.ts'

const view: ExportView = {
  localAsn: 65001,
  internal: false,
  fourOctetAs: true,
  nextHops: { 4: ip('10.78.0.1'), 6: ip('fd78::1') },
}

function tableOf(...desired: readonly Announcement[]): RouteTable {
  return exportRoutes(desired, view).table
}

function announcement(text: string, more: Partial<Announcement> = {}): Announcement {
  return { prefix: prefix(text), communities: [], largeCommunities: [], ...more }
}

function decodeUpdate(bytes: Uint8Array): Update {
  const decoded = decodeMessage(bytes, { fourOctetAs: true })
  assert.ok(decoded.ok && decoded.message.kind === 'update')
  assert.deepEqual(decoded.message.problems, [])
  return decoded.message
}

/** A neighbour: prefix → attributes without the prefixes, in words. */
type Neighbour = Map<string, string>

function receive(neighbour: Neighbour, bytes: Uint8Array): void {
  const update = decodeUpdate(bytes)
  const attributes = JSON.stringify(
    update.attributes.map((each) => (each.kind === 'mpReach' ? { ...each, nlri: [] } : each)),
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  )
  for (const { announced, withdrawn } of reachabilityOf(update)) {
    for (const each of withdrawn) {
      assert.ok(neighbour.delete(formatPrefix(each)), `${formatPrefix(each)} was never announced`)
    }
    for (const each of announced) neighbour.set(formatPrefix(each), attributes)
  }
}

/** Writes `count` messages at most. */
function write(rib: AdjRibOut, neighbour: Neighbour, count = Infinity): AdjRibOut {
  let next = rib
  for (let left = count; left > 0; left -= 1) {
    const update = nextUpdate(next)
    if (update === undefined) break
    receive(neighbour, update.bytes)
    next = advance(next)
  }
  return next
}

function fresh(table: RouteTable): Neighbour {
  const neighbour: Neighbour = new Map()
  for (const { bytes } of updatesBetween(emptyTable, table)) receive(neighbour, bytes)
  return neighbour
}

/** Out of few prefixes and attributes, so that they meet. */
const anyTable = fc
  .array(
    fc.record({
      host: fc.integer({ min: 0, max: 12 }),
      six: fc.boolean(),
      community: fc.integer({ min: 0, max: 2 }),
    }),
    { maxLength: 12 },
  )
  .map((all) =>
    tableOf(
      ...all.map(({ host, six, community }) =>
        announcement(six ? `2001:db8::${host.toString(16)}/128` : `198.51.100.${host}/32`, {
          communities: community === 0 ? [] : [community],
        }),
      ),
    ),
  )

describe('Adj-RIB-Out', () => {
  it('sends these bytes for a VIP with communities, IPv4 and IPv6', () => {
    const table = tableOf(
      announcement('198.51.100.1/32', {
        communities: [0xfde90001],
        largeCommunities: [{ global: 1, local1: 2, local2: 3 }],
      }),
      announcement('2001:db8::1/128', { communities: [0xfde90001] }),
    )
    // What tshark 4.0 and FRR 8.4 read as that.
    assert.deepEqual(
      updatesBetween(emptyTable, table).map(({ bytes }) => bytes),
      [
        captured(
          '0046020000002a4001010040020602010000fde94003040a4e0001c00804fde90001c0200c00000001000000020000000320c6336401',
        ),
        captured(
          '0054020000003d800e2600020110fd780000000000000000000000000001008020010db80000000000000000000000014001010040020602010000fde9c00804fde90001',
        ),
      ],
    )
    assert.deepEqual(
      updatesBetween(table, emptyTable).map(({ bytes }) => bytes),
      [
        captured('001c020005' + '20c6336401' + '0000'),
        captured('002e02' + '0000' + '0017' + '800f14' + '000201' + '8020010db8000000000000000000000001'),
      ],
    )
  })

  it('ends the first feed of each family with End-of-RIB, once', () => {
    const neighbour: Neighbour = new Map()
    let rib = want(openAdjRibOut([4, 6]), tableOf(announcement('198.51.100.1/32')))
    const markers: (Family | undefined)[] = []
    for (let next = nextUpdate(rib); next !== undefined; next = nextUpdate(rib)) {
      markers.push(endOfRibOf(decodeUpdate(next.bytes)))
      rib = advance(rib)
    }
    assert.deepEqual(markers, [undefined, 4, 6])
    rib = write(want(rib, tableOf(announcement('198.51.100.2/32'))), neighbour, 1)
    assert.deepEqual([...neighbour.keys()], ['198.51.100.2/32'])
    assert.equal(nextUpdate(rib)?.withdrawn.length, 1)
  })

  it('sends it also for nothing, only for what was negotiated, and after what came meanwhile', () => {
    const endsOf = (rib: AdjRibOut): readonly unknown[] =>
      rib.messages.slice(rib.at).map(({ bytes }) => endOfRibOf(decodeUpdate(bytes)))
    assert.deepEqual(endsOf(openAdjRibOut([6])), [6])
    const half = advance(advance(want(openAdjRibOut([4, 6]), tableOf(announcement('198.51.100.1/32')))))
    assert.deepEqual(endsOf(want(half, tableOf(announcement('198.51.100.2/32')))), [undefined, undefined, 6])
  })

  it('announces before it withdraws', () => {
    const updates = updatesBetween(
      tableOf(announcement('198.51.100.1/32'), announcement('2001:db8::1/128')),
      tableOf(announcement('198.51.100.0/24'), announcement('2001:db8::/64')),
    )
    assert.deepEqual(
      updates.map(({ announced, withdrawn }) => [announced.length, withdrawn.length]),
      [
        [1, 0],
        [1, 0],
        [0, 1],
        [0, 1],
      ],
    )
  })

  it('sends nothing for what stays, and a changed attribute without a withdrawal', () => {
    const stays = announcement('198.51.100.1/32')
    const before = tableOf(stays, announcement('198.51.100.2/32'))
    const after = tableOf(stays, announcement('198.51.100.2/32', { communities: [1] }))
    const updates = updatesBetween(before, after)
    assert.deepEqual(
      updates.map(({ announced, withdrawn }) => [
        announced.map((each) => formatPrefix(each.prefix)),
        withdrawn,
      ]),
      [[['198.51.100.2/32'], []]],
    )
    assert.deepEqual(
      updatesBetween(after, tableOf(stays, announcement('198.51.100.2/32', { communities: [1] }))),
      [],
    )
  })

  it('puts as many prefixes into an UPDATE as fit, and as few UPDATEs as do', () => {
    const hosts = (count: number, six: boolean): readonly Announcement[] =>
      Array.from({ length: count }, (_, index) => ({
        prefix: {
          ip: { family: six ? 6 : 4, value: (six ? 0x20010db8n << 96n : 0x0a000000n) + BigInt(index) },
          length: six ? 128 : 32,
        },
        communities: [],
        largeCommunities: [],
      }))
    // 4096 − 23 − 4 (ORIGIN) − 9 (AS_PATH) − 7 (NEXT_HOP) = 4053 octets, 5 each: 810.
    const four = updatesBetween(emptyTable, tableOf(...hosts(1621, false)))
    assert.deepEqual(
      four.map(({ announced }) => announced.length),
      [810, 810, 1],
    )
    assert.equal(four[0]!.bytes.length, 4093)
    // 4096 − 23 − 13 − 4 (header of MP_REACH_NLRI) − 21 = 4035 octets, 17 each: 237.
    const six = updatesBetween(emptyTable, tableOf(...hosts(475, true)))
    assert.deepEqual(
      six.map(({ announced }) => announced.length),
      [237, 237, 1],
    )
    // 4096 − 23 = 4073 octets, 5 each: 814; 4073 − 4 − 3 = 4066, 17 each: 239.
    const gone = updatesBetween(tableOf(...hosts(1629, false), ...hosts(479, true)), emptyTable)
    assert.deepEqual(
      gone.map(({ withdrawn }) => withdrawn.length),
      [814, 814, 1, 239, 239, 1],
    )
    for (const { bytes } of [...four, ...six, ...gone]) assert.ok(bytes.length <= 4096)
  })

  it('fills an UPDATE to its last octet', () => {
    // The 4035 octets of above: 237 of 17, and 6 more.
    const filling = (length: number): readonly Announcement[] => [
      ...Array.from({ length: 237 }, (_, index) => announcement(`2001:db8::${index.toString(16)}/128`)),
      announcement(`2001:db9::/${length}`),
    ]
    const fits = updatesBetween(emptyTable, tableOf(...filling(40)))
    assert.deepEqual([fits.length, fits[0]!.bytes.length], [1, 4096])
    assert.equal(updatesBetween(emptyTable, tableOf(...filling(48))).length, 2)
    // 4066 octets of withdrawals: 239 of 17, and 3 more; IPv4 has 4073: 814 of 5, and 3 more.
    const six = tableOf(
      ...Array.from({ length: 239 }, (_, index) => announcement(`2001:db8::${index.toString(16)}/128`)),
      announcement('2001::/16'),
    )
    assert.deepEqual(
      updatesBetween(six, emptyTable).map(({ bytes }) => bytes.length),
      [4096],
    )
    const four = tableOf(
      ...Array.from({ length: 814 }, (_, index) => announcement(`198.18.${index >> 8}.${index & 255}/32`)),
      announcement('10.0.0.0/16'),
    )
    assert.deepEqual(
      updatesBetween(four, emptyTable).map(({ bytes }) => bytes.length),
      [4096],
    )
  })

  it('needs 124 UPDATEs for 100,000 host routes', () => {
    const desired = Array.from({ length: 100_000 }, (_, index) => ({
      prefix: { ip: { family: 4 as const, value: 0x0a000000n + BigInt(index) }, length: 32 },
      communities: [],
      largeCommunities: [],
    }))
    assert.equal(updatesBetween(emptyTable, tableOf(...desired)).length, 124)
  }).timeout(60_000)

  it('gives all who are told the same the same bytes', () => {
    const exported = exporter([announcement('198.51.100.1/32')])
    const [a, b] = ['a', 'b'].map((name) => want(openAdjRibOut([4]), exported(name, view).table))
    assert.equal(nextUpdate(a!)!.bytes, nextUpdate(b!)!.bytes)
    const changed = exporter([announcement('198.51.100.2/32')])
    const done = [a!, b!].map((rib) => want(advance(advance(rib)), changed('a', view).table))
    assert.equal(nextUpdate(done[0]!)!.bytes, nextUpdate(done[1]!)!.bytes)
  })

  it('brings the neighbour from any table to any other', () => {
    fc.assert(
      fc.property(anyTable, anyTable, (from, to) => {
        const neighbour = fresh(from)
        for (const { bytes } of updatesBetween(from, to)) receive(neighbour, bytes)
        assert.deepEqual(neighbour, fresh(to), 'differs from a neighbour that was told all at once')
      }),
      { numRuns: 500 },
    )
  })

  it('knows at every moment what the neighbour has, though the wish changes and refreshes come', () => {
    const wish = fc.record({ table: anyTable, writes: fc.nat(4), refresh: fc.constantFrom(undefined, 4, 6) })
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 8 }), (wishes) => {
        const neighbour: Neighbour = new Map()
        let rib = openAdjRibOut([4, 6])
        const check = (): void => {
          const sent = sentTable(rib)
          const known = ([4, 6] as const).flatMap((family) => [...sent[family].values()])
          assert.deepEqual(
            known.map((each) => formatPrefix(each.prefix)).sort(),
            [...neighbour.keys()].sort(),
          )
        }
        for (const { table, writes, refresh } of wishes) {
          rib = want(rib, table)
          if (refresh !== undefined) rib = resend(rib, refresh)
          check()
          rib = write(rib, neighbour, writes)
          check()
        }
        rib = write(rib, neighbour)
        check()
        assert.deepEqual(neighbour, fresh(rib.target))
        assert.deepEqual([pendingIn(rib, 4), pendingIn(rib, 6)], [0, 0])
      }),
      { numRuns: 500 },
    )
  })

  it('forgets what was not sent of a former wish', () => {
    const [a, b] = [tableOf(announcement('198.51.100.1/32')), tableOf(announcement('198.51.100.2/32'))]
    const rib = want(want(openAdjRibOut([4]), a), b)
    assert.deepEqual(
      rib.messages.map(({ announced }) => announced.length),
      [1, 0],
    )
    assert.equal(pendingIn(rib, 4), 1)
    assert.equal(pendingIn(want(rib, emptyTable), 4), 0)
  })

  it('sends the whole family again on a route refresh, the other one not (RFC 2918 §4)', () => {
    const table = tableOf(
      announcement('198.51.100.1/32'),
      announcement('198.51.100.2/32', { communities: [1] }),
      announcement('2001:db8::1/128'),
    )
    const done = write(want(openAdjRibOut([4, 6]), table), new Map())
    const again = resend(done, 4)
    assert.deepEqual([pendingIn(again, 4), pendingIn(again, 6)], [2, 0])
    assert.deepEqual([...sentTable(again)[4].keys()], [...table[4].keys()])
    // A prefix that goes while the refresh is under way is still withdrawn.
    const gone = want(again, tableOf(announcement('198.51.100.1/32')))
    assert.equal(
      gone.messages.reduce((sum, { withdrawn }) => sum + withdrawn.length, 0),
      2,
    )
  })

  it('names prefixes so that no two are alike', () => {
    const texts = ['10.0.0.0/8', '10.0.0.0/9', '10.0.0.0/32', '0.0.0.0/0', '0.0.0.0/32', '0.0.0.1/32']
    assert.equal(new Set(texts.map((text) => prefixKey(prefix(text)))).size, texts.length)
  })
})

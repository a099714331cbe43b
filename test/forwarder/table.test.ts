// Tables as the forwarder uses them: the same on every node, even, and moving only what a change concerns.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { digestSums } from '../../forwarder/table-digest.ts'
import {
  type Table,
  buildTable,
  configuredTable,
  movedRows,
  noReal,
  withHealth,
} from '../../forwarder/table.ts'

type Real = { readonly name: string; readonly weight: number; readonly up: boolean }

const size = 1021
const layouts = [undefined, 64] as const
const layout = fc.constantFrom(...layouts)
const real = fc.record({
  name: fc.string({ minLength: 1, maxLength: 12 }),
  weight: fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 256 })),
  up: fc.boolean(),
})
const reals = fc.uniqueArray(real, { selector: ({ name }) => name, minLength: 1, maxLength: 30 })

function build(given: readonly Real[], slots: number | undefined, tableSize = size): Table {
  return buildTable(given, { tableSize, slots })
}

function namesOf(table: Table): (string | undefined)[] {
  return Array.from(table.rows, (index) => (index === noReal ? undefined : table.names[index]))
}

function backends(count: number, weight = 1): Real[] {
  return Array.from({ length: count }, (_, i) => ({ name: `be${i}`, weight, up: true }))
}

function allUp(given: readonly Real[]): Real[] {
  return given.map((each) => ({ ...each, up: true }))
}

/** -ln(1 - u) / weight on ranks, row by row, with the library's logarithm. */
function slowRendezvous(given: readonly Real[], tableSize: number): (string | undefined)[] {
  const { permutations, order } = configuredTable(given, { tableSize, slots: 1 })
  const scores = Array.from(order, (index, position) => {
    const score = new Map<number, number>()
    let row = permutations.offset[position]!
    for (let rank = 0; rank < tableSize; rank += 1) {
      const u = (rank + permutations.phase[position]!) / tableSize
      score.set(row, given[index]!.up ? -Math.log1p(-u) / given[index]!.weight : Infinity)
      row = (row + permutations.skip[position]!) % tableSize
    }
    return score
  })
  return Array.from({ length: tableSize }, (_, row) => {
    const ranked = scores.map((score, position) => ({ score: score.get(row)!, index: order[position]! }))
    const best = ranked.reduce((a, b) => (b.score < a.score ? b : a), { score: Infinity, index: -1 })
    return given[best.index]?.name
  })
}

describe('a table', () => {
  it('is the same whatever order the backends are given in', () => {
    const input = reals.chain((given) =>
      fc.tuple(fc.constant(given), fc.shuffledSubarray(given, { minLength: given.length }), layout),
    )
    fc.assert(
      fc.property(input, ([given, shuffled, slots]) => {
        const one = build(given, slots)
        const other = build(shuffled, slots)
        assert.deepEqual(namesOf(one), namesOf(other))
        assert.equal(one.digest, other.digest)
      }),
    )
  })

  it('has rows only for backends that are up and have a weight, and for no other reason none', () => {
    fc.assert(
      fc.property(reals, layout, (given, slots) => {
        const table = build(given, slots)
        const serving = given.filter(({ weight, up }) => weight > 0 && up)
        if (serving.length === 0) assert.ok(table.rows.every((index) => index === noReal))
        else assert.ok(table.rows.every((index) => serving.includes(given[index]!)))
        const counted = given.map((_, i) => table.rows.filter((index) => index === i).length)
        assert.deepEqual([...table.counts], counted)
      }),
    )
  })

  it('moves only the rows of those that fail, and gives them back exactly', () => {
    fc.assert(
      fc.property(reals, layout, (given, slots) => {
        const configured = configuredTable(given, { tableSize: size, slots })
        const table = withHealth(
          configured,
          given.map(({ up }) => up),
        )
        for (const [row, index] of configured.rows.entries()) {
          if (index !== noReal && given[index]!.up) assert.equal(table.rows[row], index)
        }
        const back = withHealth(
          configured,
          given.map(() => true),
        )
        assert.deepEqual(back.rows, configured.rows)
        assert.equal(back.digest, build(allUp(given), slots).digest)
      }),
    )
  })

  it('moves no row of the living when one more fails, whoever is down already', () => {
    fc.assert(
      fc.property(reals, layout, fc.nat(), (given, slots, pick) => {
        const victim = pick % given.length
        const before = build(given, slots)
        const after = build(
          given.map((each, i) => (i === victim ? { ...each, up: false } : each)),
          slots,
        )
        for (const [row, index] of before.rows.entries()) {
          if (index !== victim) assert.equal(after.rows[row], index)
        }
      }),
    )
  })

  it('refills by the lowest score, however many rows there are to fill', () => {
    fc.assert(
      fc.property(reals, (given) => {
        const weighted = given.filter(({ weight }) => weight > 0)
        assert.deepEqual(namesOf(build(weighted, 64)), slowRendezvous(weighted, size))
      }),
    )
    // Enough backends down for the walk, at equal and at unequal weights.
    for (const weightOf of [() => 1, (i: number) => 1 + (i % 7) * 40]) {
      const given = Array.from({ length: 40 }, (_, i) => ({
        name: `b${i}`,
        weight: weightOf(i),
        up: i % 2 === 0,
      }))
      const base = configuredTable(given, { tableSize: 4099, slots: undefined })
      const table = namesOf(build(given, undefined, 4099))
      const expected = slowRendezvous(given, 4099)
      const refilled = [...base.rows.keys()].filter((row) => !given[base.rows[row]!]!.up)
      assert.ok(refilled.length > 500)
      for (const row of refilled) assert.equal(table[row], expected[row])
    }
  })
})

describe('with slots, a table', () => {
  it('moves rows only to a backend that is added and only from one that is removed', () => {
    fc.assert(
      fc.property(reals, fc.nat(), (given, pick) => {
        const newcomer = given[pick % given.length]!
        const before = build(
          given.filter((each) => each !== newcomer),
          64,
        )
        const after = namesOf(build(given, 64))
        for (const [row, name] of namesOf(before).entries()) {
          if (after[row] !== name) assert.equal(after[row], newcomer.name)
        }
      }),
    )
  })

  it('moves rows only to a backend whose weight rises and only from one whose weight falls', () => {
    fc.assert(
      fc.property(reals, fc.nat(), fc.integer({ min: 0, max: 256 }), (given, pick, weight) => {
        const changed = given[pick % given.length]!
        const before = namesOf(build(given, 64))
        const after = namesOf(
          build(
            given.map((each) => (each === changed ? { ...each, weight } : each)),
            64,
          ),
        )
        for (const [row, name] of before.entries()) {
          if (after[row] === name) continue
          assert.equal(weight > changed.weight ? after[row] : name, changed.name)
        }
      }),
    )
  })

  it('moves nothing between others from 1 backend to 64 and on, at 65537 rows, and stays even', () => {
    let before = build(backends(1), 64, 65537)
    for (let count = 2; count <= 80; count += 1) {
      const after = build(backends(count), 64, 65537)
      assert.equal(movedRows(before, after).between, 0)
      assert.ok(Math.max(...after.counts) <= (1.1 * 65537) / count, `${count}: ${Math.max(...after.counts)}`)
      assert.equal(after.slotsExceeded, count > 64)
      before = after
    }
  })

  it('follows weights', () => {
    const table = build([...backends(1, 1), { name: 'x', weight: 2, up: true }], 8, 65537)
    const ratio = table.counts[1]! / table.counts[0]!
    assert.ok(Math.abs(ratio - 2) < 0.05, String(ratio))
  })
})

describe('balance', () => {
  it('is within 1 % of even where there are a hundred rows for each backend', () => {
    for (const count of [3, 10, 100, 655]) {
      const { counts } = build(backends(count), undefined, 65537)
      const mean = 65537 / count
      assert.ok(Math.max(...counts) <= 1.01 * mean, `${count}: ${Math.max(...counts)} of ${mean}`)
      assert.ok(Math.min(...counts) >= 0.99 * mean, `${count}: ${Math.min(...counts)} of ${mean}`)
    }
  })

  it('stays within 10 % of even after failures', () => {
    for (const [count, failed] of [
      [3, 1],
      [10, 1],
      [10, 5],
      [100, 1],
      [100, 50],
      [600, 30],
    ] as const) {
      const given = backends(count).map((each, i) => ({ ...each, up: (i * 7) % count >= failed }))
      assert.equal(given.filter(({ up }) => !up).length, failed)
      const most = Math.max(...build(given, undefined, 65537).counts)
      const mean = 65537 / (count - failed)
      assert.ok(most <= 1.1 * mean, `${failed} of ${count}: ${most} of ${mean}`)
    }
  })
})

describe('a digest', () => {
  it('is adjusted by a failure to what the rows as they are give', () => {
    fc.assert(
      fc.property(reals, layout, (given, slots) => {
        const configured = configuredTable(given, { tableSize: size, slots })
        const table = withHealth(
          configured,
          given.map(({ up }) => up),
        )
        const renamed = buildTable(given, { tableSize: size, slots })
        assert.equal(table.digest, renamed.digest)
        assert.match(table.digest, /^[0-9a-f]{16}$/)
        // The same sums over the rows from scratch, against those kept in step.
        const scratch = digestSums(table.rows, configured.identity)
        const again = digestSums(configured.rows, configured.identity)
        assert.deepEqual(again, configured.sums)
        const same = JSON.stringify(scratch) === JSON.stringify(again)
        assert.equal(table.digest === configured.digest, same)
      }),
    )
  })

  it('tells tables apart that differ in one row, in two names swapped, in a name, in size', () => {
    const table = build(backends(5), undefined)
    const { identity } = configuredTable(backends(5), { tableSize: size, slots: undefined })
    const sums = JSON.stringify(digestSums(table.rows, identity))
    for (let row = 0; row < size; row += 1) {
      const other = table.rows.slice()
      other[row] = (other[row]! + 1) % 5
      assert.notEqual(JSON.stringify(digestSums(other, identity)), sums)
    }
    const swapped = table.rows.map((index) => (index < 2 ? 1 - index : index))
    assert.notEqual(JSON.stringify(digestSums(swapped, identity)), sums)
    const digests = [
      table,
      build(backends(6), undefined),
      build(backends(5), 64),
      build([...backends(4), { name: 'x', weight: 1, up: true }], undefined),
      build(backends(5), undefined, 1031),
      build([], undefined),
      build([], undefined, 1031),
    ].map(({ digest }) => digest)
    assert.equal(new Set(digests).size, digests.length)
  })

  it('stays what it is from release to release: nodes of two releases must agree', () => {
    assert.equal(build(backends(5), undefined, 65537).digest, '922e9393b555511d')
    assert.equal(build(backends(5), 64, 65537).digest, '687cfa9d5fe81923')
    const uneven = backends(5).map((each, i) => ({ ...each, weight: 1 + 50 * i, up: i !== 4 }))
    assert.equal(build(uneven, undefined, 65537).digest, '5d5e299c50db9120')
  })
})

describe('what moves', () => {
  it('is told apart by why it moves', () => {
    const four = build(backends(4), undefined)
    const three = build(
      backends(4).map((each, i) => ({ ...each, up: i !== 2 })),
      undefined,
    )
    const lost = four.counts[2]!
    assert.deepEqual(movedRows(four, three), { total: lost, fromGone: lost, toNew: 0, between: 0 })
    assert.deepEqual(movedRows(three, four), { total: lost, fromGone: 0, toNew: lost, between: 0 })
    assert.deepEqual(movedRows(four, build(backends(4).reverse(), undefined)), {
      total: 0,
      fromGone: 0,
      toNew: 0,
      between: 0,
    })
    const five = movedRows(four, build(backends(5), undefined))
    assert.equal(five.total, five.toNew + five.between)
    assert.ok(five.between > 0)
    const none = build([], undefined)
    assert.equal(movedRows(none, four).toNew, size)
    assert.equal(movedRows(four, none).fromGone, size)
    assert.equal(movedRows(none, none).total, 0)
  })

  it('cannot be told between tables of different sizes', () => {
    assert.throws(() => movedRows(build([], undefined), build([], undefined, 251)), RangeError)
  })
})

describe('what no table can be made of', () => {
  it('is refused by name', () => {
    assert.throws(() => build(backends(2), undefined, 1000), /table size 1000 is not a prime/)
    assert.throws(() => build([...backends(1), ...backends(1)], undefined), /two backends are named 'be0'/)
    assert.throws(() => build(backends(1, 257), undefined), /weight 257 of backend 'be0'/)
    assert.throws(() => build(backends(1, 1.5), undefined), RangeError)
  })
})

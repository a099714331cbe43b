// One VIP's table: which backend each row has. A pure function of the set of backends, their weights and their
// health, whatever order they are given in: nodes that see the same facts hold the same table.
//
//   configuredTable   all backends with a weight, healthy or not; costs a millisecond or two: keep it
//   withHealth        rows of backends that are down go, row by row, to those that are up, and nothing else moves;
//                     when a backend returns it gets exactly its rows back
//
// Two ways to lay the configured set out:
// - without `slots`: Maglev. As even as can be, but a backend added or removed moves also rows between others
//   (0.2 to 0.6 % of them).
// - with `slots`: rendezvous over the same preference lists (rendezvous.ts). A backend added takes rows and moves no
//   other, one removed leaves its rows and moves no other, always. The price is balance: a share's standard deviation
//   is about sqrt(backends / (2 · rows)) of its mean, 0.9 % with 10 backends on 65537 rows, 2.2 % with 64.
// Giving each name a slot of its own would be as even as Maglev but could not keep that promise: a function of the
// set alone must put some two names into one slot, and once both are configured one of them has to move.

import { type Permutations, permutationsOf } from './maglev-permutation.ts'
import { populate } from './maglev.ts'
import { assign } from './rendezvous.ts'
import { type DigestSums, adjustSums, digestSums, digestText } from './table-digest.ts'

/** What `rows` holds while no backend is up. */
export const noReal = 0xffffffff

export type WeightedReal = { readonly name: string; readonly weight: number }
export type TableOptions = {
  /** Rows, a prime. */
  readonly tableSize: number
  /** Backends to lay the table out for, so that additions move nothing else; undefined: Maglev's own layout. */
  readonly slots: number | undefined
}

export type Table = {
  /** Names in the order given: what `rows` and `counts` index. */
  readonly names: readonly string[]
  readonly rows: Uint32Array
  /** Rows of each backend. */
  readonly counts: Uint32Array
  /** 16 hex digits over the names behind the rows. */
  readonly digest: string
  /** There are more backends with a weight than `slots`: additions go on moving nothing else, shares are less even. */
  readonly slotsExceeded: boolean
}

/** The table of the configured set with all of it up, and what `withHealth` needs besides. */
export type ConfiguredTable = Table & {
  /** Backends with a weight above 0 by name: position → index in `names`. */
  readonly order: Uint32Array
  /** Of each position. */
  readonly permutations: Permutations
  readonly weights: Uint32Array
  /** Digest words by index in `names`. */
  readonly identity: Uint32Array
  /** Rows by backend, in the order of `names`. */
  readonly rowsByReal: Uint32Array
  readonly sums: DigestSums
}

/**
 * Lays the table out over all `reals` with a weight above 0. Throws `RangeError` on a table size that is not a prime,
 * a weight that is not a whole number from 0 to 256, or a name given twice.
 */
export function configuredTable(reals: readonly WeightedReal[], options: TableOptions): ConfiguredTable {
  check(reals, options.tableSize)
  const names = reals.map((real) => real.name)
  const order = Uint32Array.from(
    [...reals.keys()]
      .filter((index) => weightOf(reals, index) > 0)
      .sort((a, b) => ((names[a] ?? '') < (names[b] ?? '') ? -1 : 1)),
  )
  const weights = order.map((index) => weightOf(reals, index))
  const permutations = permutationsOf(
    Array.from(order, (index) => names[index] ?? ''),
    options.tableSize,
  )
  const identity = new Uint32Array(2 * names.length)
  for (const [position, index] of order.entries()) {
    identity.set(permutations.identity.subarray(2 * position, 2 * position + 2), 2 * index)
  }

  const rows = new Uint32Array(options.tableSize).fill(noReal)
  if (order.length > 0) {
    if (options.slots === undefined) populate(rows, permutations, weights)
    else assign(rows, upTo(options.tableSize), { permutations, weights, members: upTo(order.length) })
    for (let row = 0; row < rows.length; row += 1) rows[row] = order[rows[row] ?? 0] ?? noReal
  }
  const sums = digestSums(rows, identity)
  const counts = countRows(rows, names.length)
  return {
    names,
    rows,
    counts,
    digest: digestText(sums, rows.length),
    slotsExceeded: options.slots !== undefined && order.length > options.slots,
    order,
    permutations,
    weights,
    identity,
    rowsByReal: sortRows(rows, counts),
    sums,
  }
}

/** The table when of the configured backends, by index in `names`, only those of `ups` are up. */
export function withHealth(configured: ConfiguredTable, ups: readonly boolean[]): Table {
  const { names, order, permutations, weights, identity, slotsExceeded } = configured
  const members = new Uint32Array(order.length)
  let count = 0
  for (let position = 0; position < order.length; position += 1) {
    if (ups[order[position] ?? 0] === true) members[count++] = position
  }
  if (count === order.length) return configured
  const before = configured.rows
  const wanted = rowsOfDown(configured, ups)
  const rows = before.slice()
  for (const row of wanted) rows[row] = noReal
  assign(rows, wanted, { permutations, weights, members: members.subarray(0, count) })
  if (count > 0) for (const row of wanted) rows[row] = order[rows[row] ?? 0] ?? noReal

  const counts = configured.counts.slice()
  for (const row of wanted) {
    const was = before[row] ?? 0
    const is = rows[row] ?? 0
    counts[was] = (counts[was] ?? 0) - 1
    if (is !== noReal) counts[is] = (counts[is] ?? 0) + 1
  }
  const sums = adjustSums(configured.sums, wanted, before, rows, identity)
  return { names, rows, counts, digest: digestText(sums, rows.length), slotsExceeded }
}

/** `configuredTable` and `withHealth` in one, for when nothing is kept between calls. */
export function buildTable(
  reals: readonly (WeightedReal & { readonly up: boolean })[],
  options: TableOptions,
): Table {
  return withHealth(
    configuredTable(reals, options),
    reals.map((real) => real.up),
  )
}

/** What a change of table does to flows: rows by why they move. Names tell who is who. */
export type Moves = {
  /** Rows that have another backend than before, or one where there was none, or none any more. */
  readonly total: number
  /** Of those: the old backend has no row any more, or nobody has the row now. */
  readonly fromGone: number
  /** Of the others: the new backend had no row before, or nobody had the row. */
  readonly toNew: number
  /** Between two backends that were and are in the table. */
  readonly between: number
}

/** Compares two tables of one size. Throws `RangeError` on different sizes: there, rows have nothing in common. */
export function movedRows(before: Table, after: Table): Moves {
  if (before.rows.length !== after.rows.length) {
    throw new RangeError(`tables of ${before.rows.length} and ${after.rows.length} rows cannot be compared`)
  }
  const indexAfter = new Map(after.names.map((name, index) => [name, index]))
  const translated = before.names.map((name) => indexAfter.get(name) ?? -1)
  const countBefore = new Map(before.names.map((name, index) => [name, before.counts[index] ?? 0]))
  const isNew = after.names.map((name) => (countBefore.get(name) ?? 0) === 0)
  const isGone = translated.map((index) => (after.counts[index] ?? 0) === 0)
  const moves = { total: 0, fromGone: 0, toNew: 0, between: 0 }
  for (let row = 0; row < before.rows.length; row += 1) {
    const was = before.rows[row] ?? noReal
    const is = after.rows[row] ?? noReal
    if ((was === noReal ? noReal : translated[was]) === is) continue
    moves.total += 1
    if (is === noReal || isGone[was] === true) moves.fromGone += 1
    else if (was === noReal || isNew[is] === true) moves.toNew += 1
    else moves.between += 1
  }
  return moves
}

function rowsOfDown({ rowsByReal, counts }: ConfiguredTable, ups: readonly boolean[]): Uint32Array {
  let size = 0
  for (const [index, count] of counts.entries()) if (ups[index] !== true) size += count
  const wanted = new Uint32Array(size)
  let from = 0
  let at = 0
  for (const [index, count] of counts.entries()) {
    if (ups[index] !== true) {
      wanted.set(rowsByReal.subarray(from, from + count), at)
      at += count
    }
    from += count
  }
  return wanted
}

/** The rows of the first, then those of the second, and so on. */
function sortRows(rows: Uint32Array, counts: Uint32Array): Uint32Array {
  const next = new Uint32Array(counts.length)
  for (let index = 1; index < counts.length; index += 1) {
    next[index] = (next[index - 1] ?? 0) + (counts[index - 1] ?? 0)
  }
  const sorted = new Uint32Array(rows.length)
  for (let row = 0; row < rows.length; row += 1) {
    const index = rows[row] ?? 0
    const at = next[index]
    if (at === undefined) break
    sorted[at] = row
    next[index] = at + 1
  }
  return sorted
}

function countRows(rows: Uint32Array, reals: number): Uint32Array {
  const counts = new Uint32Array(reals)
  for (let row = 0; row < rows.length; row += 1) {
    const index = rows[row] ?? noReal
    if (index !== noReal) counts[index] = (counts[index] ?? 0) + 1
  }
  return counts
}

function upTo(count: number): Uint32Array {
  const numbers = new Uint32Array(count)
  for (let i = 0; i < count; i += 1) numbers[i] = i
  return numbers
}

function weightOf(reals: readonly WeightedReal[], index: number): number {
  return reals[index]?.weight ?? 0
}

function check(reals: readonly WeightedReal[], tableSize: number): void {
  if (!isPrime(tableSize)) throw new RangeError(`table size ${tableSize} is not a prime`)
  const seen = new Set<string>()
  for (const { name, weight } of reals) {
    if (!Number.isInteger(weight) || weight < 0 || weight > 256) {
      throw new RangeError(`weight ${weight} of backend '${name}' is not a whole number from 0 to 256`)
    }
    if (seen.has(name)) throw new RangeError(`two backends are named '${name}'`)
    seen.add(name)
  }
}

function isPrime(value: number): boolean {
  if (!Number.isInteger(value) || value < 3) return value === 2
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false
  return true
}

// Adj-RIB-Out (RFC 4271 §3.2): what one neighbour was sent, what it is to be sent, and the UPDATEs between the two.
// A value: every change gives a new one. The UPDATEs between two tables are computed and encoded once, whoever asks,
// so that neighbours who are told the same share the bytes.
//
//   base ──messages[0 .. at)──► sent so far ──messages[at ..]──► target
//
// Announcements go before withdrawals, so that a prefix that moves between two others is never missing.

import { type Family } from '../../net/ip.ts'
import { type Prefix } from '../../net/prefix.ts'
import { type CodecContext, type PathAttribute } from './attributes.ts'
import { messageLengthMax } from './iana.ts'
import { encodeMessage } from './message.ts'
import { prefixSize } from './nlri.ts'
import { endOfRib, type Update } from './update.ts'

/** What a group of prefixes is announced with, all but the prefixes. Equal keys: equal on the wire. */
export type AttributeSet = {
  readonly key: string
  readonly family: Family
  /** With an MP_REACH_NLRI without prefixes for IPv6. */
  readonly attributes: readonly PathAttribute[]
  readonly context: CodecContext
}

/** `attributes` undefined: it was sent, but counts as unknown, so that it is sent again. */
export type Route = { readonly prefix: Prefix; readonly attributes: AttributeSet | undefined }

/** By `prefixKey`. Tables are never changed; the same table is the same object. */
export type RouteTable = { readonly [family in Family]: ReadonlyMap<string, Route> }

export type EncodedUpdate = {
  readonly family: Family
  readonly bytes: Uint8Array
  readonly announced: readonly Route[]
  readonly withdrawn: readonly Prefix[]
  /** The End-of-RIB marker of its family (RFC 4724 §2). */
  readonly endOfRib: boolean
}

export type AdjRibOut = {
  readonly base: RouteTable
  readonly target: RouteTable
  readonly messages: readonly EncodedUpdate[]
  readonly at: number
  /** Families whose first feed of this session is not complete. */
  readonly owed: readonly Family[]
}

export const emptyTable: RouteTable = { 4: new Map(), 6: new Map() }

const families: readonly Family[] = [4, 6]

/** Names a prefix inside its family. */
export function prefixKey({ ip, length }: Prefix): string {
  return `${ip.value.toString(36)}/${length}`
}

/** A new session: nothing was sent; each of `negotiated` ends its first feed with an End-of-RIB marker. */
export function openAdjRibOut(negotiated: readonly Family[]): AdjRibOut {
  return retarget({
    base: emptyTable,
    target: emptyTable,
    messages: [],
    at: 0,
    owed: negotiated,
  })
}

/** Replaces what is wanted. What was not sent yet of the former wish is forgotten. */
export function want(rib: AdjRibOut, target: RouteTable): AdjRibOut {
  return target === rib.target ? rib : retarget({ ...rib, base: sentTable(rib), target })
}

/** RFC 2918 §4: the whole family is sent once more. */
export function resend(rib: AdjRibOut, family: Family): AdjRibOut {
  const sent = sentTable(rib)
  const unknown = new Map(
    [...sent[family]].map(([key, { prefix }]) => [key, { prefix, attributes: undefined }]),
  )
  return retarget({ ...rib, base: { ...sent, [family]: unknown } })
}

/** The next message to write, undefined when all is written; then `advance` says that it was. */
export function nextUpdate(rib: AdjRibOut): EncodedUpdate | undefined {
  return rib.messages[rib.at]
}

/** The next message is written. */
export function advance(rib: AdjRibOut): AdjRibOut {
  const written = nextUpdate(rib)
  if (written === undefined) return rib
  const owed = written.endOfRib ? rib.owed.filter((family) => family !== written.family) : rib.owed
  return { ...rib, at: rib.at + 1, owed }
}

/** Announcements and withdrawals that are not written yet. */
export function pendingIn(rib: AdjRibOut, family: Family): number {
  return rib.messages
    .slice(rib.at)
    .filter((message) => message.family === family)
    .reduce((sum, { announced, withdrawn }) => sum + announced.length + withdrawn.length, 0)
}

const sentTables = new WeakMap<AdjRibOut, RouteTable>()

/** What the neighbour was really sent. */
export function sentTable(rib: AdjRibOut): RouteTable {
  if (rib.at === rib.messages.length) return rib.target
  if (rib.at === 0) return rib.base
  return remembered(sentTables, rib, () => {
    const sent = { 4: new Map(rib.base[4]), 6: new Map(rib.base[6]) }
    for (const { family, announced, withdrawn } of rib.messages.slice(0, rib.at)) {
      for (const route of announced) sent[family].set(prefixKey(route.prefix), route)
      for (const prefix of withdrawn) sent[family].delete(prefixKey(prefix))
    }
    return sent
  })
}

function retarget(rib: AdjRibOut): AdjRibOut {
  const markers = rib.owed.map((family): EncodedUpdate => ({
    family,
    bytes: encodeMessage(endOfRib(family), { fourOctetAs: true }),
    announced: [],
    withdrawn: [],
    endOfRib: true,
  }))
  return { ...rib, messages: [...updatesBetween(rib.base, rib.target), ...markers], at: 0 }
}

const plans = new WeakMap<RouteTable, WeakMap<RouteTable, readonly EncodedUpdate[]>>()

/** The fewest UPDATEs that lead from one table to another, each of at most 4096 octets. */
export function updatesBetween(from: RouteTable, to: RouteTable): readonly EncodedUpdate[] {
  if (from === to) return []
  const plansFrom = remembered(plans, from, () => new WeakMap<RouteTable, readonly EncodedUpdate[]>())
  return remembered(plansFrom, to, () => [
    ...families.flatMap((family) => announcements(from[family], to[family])),
    ...families.flatMap((family) => withdrawals(family, from[family], to[family])),
  ])
}

function announcements(
  from: ReadonlyMap<string, Route>,
  to: ReadonlyMap<string, Route>,
): readonly EncodedUpdate[] {
  const groups = new Map<string, { readonly set: AttributeSet; readonly routes: Route[] }>()
  for (const [key, route] of to) {
    const { attributes: set } = route
    if (set === undefined || from.get(key)?.attributes?.key === set.key) continue
    const group = groups.get(set.key)
    if (group === undefined) groups.set(set.key, { set, routes: [route] })
    else group.routes.push(route)
  }
  return [...groups.values()].flatMap(({ set, routes }) =>
    chunks(routes, roomFor(set), ({ prefix }) => prefixSize(prefix)).map((announced) => ({
      family: set.family,
      bytes: encodeMessage(
        announcementOf(
          set,
          announced.map(({ prefix }) => prefix),
        ),
        set.context,
      ),
      announced,
      withdrawn: [],
      endOfRib: false,
    })),
  )
}

function withdrawals(
  family: Family,
  from: ReadonlyMap<string, Route>,
  to: ReadonlyMap<string, Route>,
): readonly EncodedUpdate[] {
  const gone = [...from].filter(([key]) => !to.has(key)).map(([, { prefix }]) => prefix)
  const context: CodecContext = { fourOctetAs: true }
  return chunks(gone, roomLeftBy(withdrawalOf(family, []), context), prefixSize).map((withdrawn) => ({
    family,
    bytes: encodeMessage(withdrawalOf(family, withdrawn), context),
    announced: [],
    withdrawn,
    endOfRib: false,
  }))
}

/** Octets for prefixes in an UPDATE with these attributes; negative when the attributes alone are too long. */
export function roomFor(set: AttributeSet): number {
  return roomLeftBy(announcementOf(set, []), set.context)
}

function roomLeftBy(update: Update, context: CodecContext): number {
  // An MP attribute of more than 255 octets has one octet of length more.
  const extended = update.attributes.some(({ kind }) => kind === 'mpReach' || kind === 'mpUnreach') ? 1 : 0
  return messageLengthMax - extended - encodedLength(update, context)
}

function encodedLength(update: Update, context: CodecContext): number {
  try {
    return encodeMessage(update, context).length
  } catch (error) {
    if (error instanceof RangeError) return Infinity
    throw error
  }
}

// RFC 7606 §5.1: MP_REACH_NLRI is the first attribute, and no other field carries prefixes beside it.
function announcementOf(set: AttributeSet, prefixes: readonly Prefix[]): Update {
  const attributes = set.attributes.map((attribute): PathAttribute =>
    attribute.kind === 'mpReach' ? { ...attribute, nlri: prefixes } : attribute,
  )
  const nlri = set.family === 4 ? prefixes : []
  return { kind: 'update', withdrawn: [], attributes, nlri, problems: [] }
}

function withdrawalOf(family: Family, prefixes: readonly Prefix[]): Update {
  if (family === 4) return { kind: 'update', withdrawn: prefixes, attributes: [], nlri: [], problems: [] }
  const attributes: readonly PathAttribute[] = [{ kind: 'mpUnreach', family, nlri: prefixes }]
  return { kind: 'update', withdrawn: [], attributes, nlri: [], problems: [] }
}

function chunks<T>(
  items: readonly T[],
  room: number,
  sizeOf: (item: T) => number,
): readonly (readonly T[])[] {
  const all: T[][] = []
  let left = 0
  for (const item of items) {
    const size = sizeOf(item)
    const last = all.at(-1)
    if (last === undefined || size > left) {
      all.push([item])
      left = room - size
    } else {
      last.push(item)
      left -= size
    }
  }
  return all
}

function remembered<K extends object, V>(memory: WeakMap<K, V>, key: K, compute: () => V): V {
  const known = memory.get(key)
  if (known !== undefined) return known
  const value = compute()
  memory.set(key, value)
  return value
}

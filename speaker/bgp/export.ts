// Which routes a neighbour is to have, with which attributes: announcements seen through one session (RFC 4271 §5.1).

import { type Family, formatIp, type Ip } from '../../net/ip.ts'
import { formatPrefix } from '../../net/prefix.ts'
import { type Announcement } from '../announcement.ts'
import { type AttributeSet, prefixKey, roomFor, type Route, type RouteTable } from './adj-rib-out.ts'
import { type AsPath } from './as-path.ts'
import { type CodecContext, type PathAttribute } from './attributes.ts'
import { asn16Max } from './iana.ts'

/** What of a session changes the bytes. A family without a next hop is not announced. */
export type ExportView = {
  readonly localAsn: number
  readonly internal: boolean
  readonly fourOctetAs: boolean
  readonly nextHops: { readonly [family in Family]: Ip | undefined }
}

export type Exported = {
  readonly table: RouteTable
  /** Prefixes that no UPDATE could carry, and why. */
  readonly problems: { readonly [family in Family]: string | undefined }
}

/** RFC 4271 §5.1.5 leaves it to us; 100 is what everybody takes for an absent one. */
const localPrefDefault = 100

/**
 * Views of one desired set. Neighbours that are told the same in the same way get the same object, from which
 * adj-rib-out.ts knows that they share their bytes.
 */
export function exporter(desired: readonly Announcement[]): (peerName: string, view: ExportView) => Exported {
  const groups = new Map<
    string,
    { readonly peers: ReadonlySet<string> | undefined; members: Announcement[] }
  >()
  for (const announcement of desired) {
    const { peers } = announcement
    const key = peers === undefined ? '' : JSON.stringify([...peers].sort())
    const group = groups.get(key)
    if (group === undefined)
      groups.set(key, { peers: peers === undefined ? undefined : new Set(peers), members: [announcement] })
    else group.members.push(announcement)
  }
  const made = new Map<string, Exported>()
  return (peerName, view) => {
    const mine = [...groups].filter(([, { peers }]) => peers?.has(peerName) ?? true)
    const key = JSON.stringify([mine.map(([name]) => name), viewKey(view)])
    const known = made.get(key)
    if (known !== undefined) return known
    const exported = exportRoutes(
      mine.flatMap(([, { members }]) => members),
      view,
    )
    made.set(key, exported)
    return exported
  }
}

function viewKey({ localAsn, internal, fourOctetAs, nextHops }: ExportView): string {
  const hop = (ip: Ip | undefined): string => (ip === undefined ? '' : formatIp(ip))
  return JSON.stringify([localAsn, internal, fourOctetAs, hop(nextHops[4]), hop(nextHops[6])])
}

/** What one neighbour is to be told of `announcements`. */
export function exportRoutes(announcements: readonly Announcement[], view: ExportView): Exported {
  const merged = new Map<string, Announcement>()
  for (const each of announcements) {
    const key = `${each.prefix.ip.family} ${prefixKey(each.prefix)}`
    const before = merged.get(key)
    merged.set(key, before === undefined ? each : merge(before, each))
  }
  const table = { 4: new Map<string, Route>(), 6: new Map<string, Route>() }
  const problems: { [family in Family]: string | undefined } = { 4: undefined, 6: undefined }
  const sets = new Map<string, AttributeSet & { readonly fits: boolean }>()
  for (const announcement of merged.values()) {
    const { prefix } = announcement
    const { family } = prefix.ip
    const nextHop = view.nextHops[family]
    if (nextHop === undefined) continue
    const key = attributesKey(announcement, view, nextHop)
    let attributes = sets.get(key)
    if (attributes === undefined) {
      const made = attributeSet(key, announcement, view, nextHop)
      attributes = { ...made, fits: roomFor(made) >= longestPrefix }
      sets.set(key, attributes)
    }
    if (attributes.fits) table[family].set(prefixKey(prefix), { prefix, attributes })
    else problems[family] ??= `${formatPrefix(prefix)} has more communities than an UPDATE can carry`
  }
  return { table, problems }
}

/** Octets of an IPv6 host route. */
const longestPrefix = 17

function merge(a: Announcement, b: Announcement): Announcement {
  return {
    prefix: a.prefix,
    localPref: Math.max(a.localPref ?? localPrefDefault, b.localPref ?? localPrefDefault),
    communities: [...a.communities, ...b.communities],
    largeCommunities: [...a.largeCommunities, ...b.largeCommunities],
  }
}

function attributesKey(announcement: Announcement, view: ExportView, nextHop: Ip): string {
  const { prefix, localPref, communities, largeCommunities } = announcement
  return [
    prefix.ip.family,
    formatIp(nextHop),
    view.internal ? (localPref ?? localPrefDefault) : '',
    ascending(communities).join(),
    sortedLarge(largeCommunities).map(largeKey).join(),
  ].join(' ')
}

function attributeSet(key: string, announcement: Announcement, view: ExportView, nextHop: Ip): AttributeSet {
  const { family } = announcement.prefix.ip
  const context: CodecContext = { fourOctetAs: view.fourOctetAs }
  const path: AsPath = view.internal ? [] : [{ kind: 'sequence', asns: [view.localAsn] }]
  const communities = ascending(announcement.communities)
  const largeCommunities = sortedLarge(announcement.largeCommunities)
  // In the order of their types but for MP_REACH_NLRI (RFC 4271 §5, RFC 7606 §5.1).
  const attributes: readonly (PathAttribute | false)[] = [
    family === 6 && { kind: 'mpReach', family, nextHops: [nextHop], nlri: [] },
    { kind: 'origin', origin: 'igp' },
    { kind: 'asPath', path },
    family === 4 && { kind: 'nextHop', address: nextHop },
    view.internal && { kind: 'localPref', value: announcement.localPref ?? localPrefDefault },
    communities.length > 0 && { kind: 'communities', partial: false, values: communities },
    // RFC 6793 §4.2.2: beside AS_TRANS, for those behind an old neighbour.
    !view.internal &&
      !view.fourOctetAs &&
      view.localAsn > asn16Max && { kind: 'as4Path', partial: false, path },
    largeCommunities.length > 0 && { kind: 'largeCommunities', partial: false, values: largeCommunities },
  ]
  return { key, family, attributes: attributes.filter((attribute) => attribute !== false), context }
}

function ascending(values: readonly number[]): readonly number[] {
  return [...new Set(values)].sort((a, b) => a - b)
}

type Large = Announcement['largeCommunities'][number]

function largeKey({ global, local1, local2 }: Large): string {
  return `${global}:${local1}:${local2}`
}

// RFC 8092 §3: each once.
function sortedLarge(values: readonly Large[]): readonly Large[] {
  const unique = new Map(values.map((value) => [largeKey(value), value]))
  return [...unique.values()].sort(
    (a, b) => a.global - b.global || a.local1 - b.local1 || a.local2 - b.local2,
  )
}

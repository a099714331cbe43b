// How far the kernel's rules are from the ones wanted: compares nft's listing with the rendered table, line by
// line, after taking out what nft adds (counters) or spells its own way (DSCP names, wrapped sets).

import { backendTable, renderTable, tableFamilies, type Binding, type TableKeyword } from './bindings.ts'

/** nft's listing of each table, undefined where there is none. */
export type Listings = Readonly<Record<TableKeyword, string | undefined>>

// nft's names for code points: RFC 2474 (CS), RFC 2597 (AF), RFC 3246 (EF), RFC 5865 (VA), RFC 8622 (LE).
const dscpNames: ReadonlyMap<string, number> = new Map([
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): [string, number] => [`cs${n}`, n * 8]),
  ...[1, 2, 3, 4].flatMap((n) => [1, 2, 3].map((m): [string, number] => [`af${n}${m}`, n * 8 + m * 2])),
  ['df', 0],
  ['be', 0],
  ['lephb', 1],
  ['le', 1],
  ['va', 44],
  ['ef', 46],
])

/** What differs from the wanted tables, one line each; none when they are in force. */
export function rulesetDrift(bindings: readonly Binding[], listings: Listings): readonly string[] {
  return tableFamilies.flatMap(({ family, keyword }) => {
    const wanted = canonicalLines(renderTable(bindings, family))
    const found = canonicalLines(listings[keyword] ?? '')
    const table = `table ${keyword} ${backendTable}`
    if (wanted.length === 0 && found.length > 0) return [`${table} is there, without any VIP of that family`]
    if (wanted.length > 0 && found.length === 0) return [`${table} is missing`]
    return [
      ...without(wanted, found).map((line) => `${table}: missing '${line}'`),
      ...without(found, wanted).map((line) => `${table}: unexpected '${line}'`),
      ...(wanted.length === found.length && without(wanted, found).length === 0 && !same(wanted, found)
        ? [`${table}: the rules are in another order`]
        : []),
    ]
  })
}

/** A listing or a rendered table as comparable lines. */
export function canonicalLines(table: string): readonly string[] {
  return table
    .replace(/elements = \{([^}]*)\}/g, (_, inner: string) => `elements = { ${elementsOf(inner)} }`)
    .split('\n')
    .map((line) =>
      line
        .replace(/counter packets \d+ bytes \d+/g, 'counter')
        .replace(/dscp (set )?(\S+)/g, (_, set: string | undefined, value: string) => {
          return `dscp ${set ?? ''}${dscpNames.get(value) ?? Number(value)}`
        })
        .trim(),
    )
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** Packets that each rule has restored, by the VIP's text, summed over its rules. */
export function restoredPackets(listings: Listings): ReadonlyMap<string, number> {
  const packets = new Map<string, number>()
  for (const { keyword } of tableFamilies) {
    const rule = /counter packets (\d+) bytes \d+ ip6? daddr set (\S+)/g
    for (const [, count, vip] of (listings[keyword] ?? '').matchAll(rule)) {
      if (vip !== undefined) packets.set(vip, (packets.get(vip) ?? 0) + Number(count))
    }
  }
  return packets
}

function elementsOf(inner: string): string {
  return inner
    .split(',')
    .map((element) => element.trim())
    .sort()
    .join(', ')
}

function without(lines: readonly string[], others: readonly string[]): readonly string[] {
  // Braces and blank words repeat; what carries meaning stands once.
  const there = new Set(others)
  return lines.filter((line) => !there.has(line))
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.every((line, index) => line === b[index])
}

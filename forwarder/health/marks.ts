// How a probe reaches one chosen backend on the same way as a client's packet: it connects to the VIP from a socket
// with that backend's mark, and rules by mark make the L3DSR packet of it (destination := backend, DSCP := id).
// The answer comes from the VIP and so matches the socket. A second table keeps packets for VIPs that the datapath
// did not take from being routed back to where they came from, in a circle until their TTL ends.

import { compareIp, formatIp, type Family, type Ip } from '../../net/ip.ts'

/** The pair that a mark stands for. */
export type Steered = { readonly vip: Ip; readonly dscp: number; readonly backend: Ip }
/** Steered pair, as `steeredKey` writes it → SO_MARK value. */
export type Marks = ReadonlyMap<string, number>

/** Torii's marks: the upper half is fixed ("p1"), the lower half numbers the pairs. */
export const markBase = 0x7031_0000
const markMask = 0xffff_0000
const markCount = 0x1_0000

export const steeringTable = 'torii_health'
export const guardTable = 'torii_guard'

export function steeredKey({ vip, dscp, backend }: Steered): string {
  return `${formatIp(vip)} ${dscp} ${formatIp(backend)}`
}

/**
 * Pairs keep their marks; a new pair never gets one that the pass before still used, as packets of its former owner
 * may be under way. Throws `RangeError` beyond 65,536 pairs.
 */
export function assignMarks(before: Marks, wanted: readonly Steered[]): Marks {
  const used = new Set(before.values())
  const marks = new Map<string, number>()
  let next = markBase
  for (const key of new Set(wanted.map(steeredKey))) {
    const kept = before.get(key)
    if (kept === undefined) while (used.has(next)) next += 1
    const mark = kept ?? next
    if (mark >= markBase + markCount) {
      throw new RangeError(`more than ${markCount} pairs of VIP and backend to check on one node`)
    }
    used.add(mark)
    marks.set(key, mark)
  }
  return marks
}

/** An nftables file that replaces both tables in one transaction. No VIPs: the tables are removed. */
export function renderHealthRules(steered: readonly Steered[], marks: Marks, vips: readonly Ip[]): string {
  return [
    '# Health checks through the L3DSR path, and a guard against routing loops. Written by torii.',
    ...steering(4, steered, marks),
    ...steering(6, steered, marks),
    ...guard([...vips, ...steered.map((each) => each.vip)]),
    '',
  ].join('\n')
}

const keyword = { 4: 'ip', 6: 'ip6' } as const

function steering(family: Family, steered: readonly Steered[], marks: Marks): readonly string[] {
  const ip = keyword[family]
  const replace = [`table ${ip} ${steeringTable}`, `delete table ${ip} ${steeringTable}`]
  const mine = steered.filter((each) => each.vip.family === family)
  if (mine.length === 0) return replace
  const rules = [...groups(mine).values()].map((group) => {
    const [first] = group
    if (first === undefined) return ''
    const map = new Map(group.map((each) => [marks.get(steeredKey(each)), formatIp(each.backend)]))
    const elements = [...map].map(([mark, backend]) => `${mark} : ${backend}`).join(', ')
    return (
      `    ${ip} daddr ${formatIp(first.vip)} ${ip} daddr set meta mark map { ${elements} } ` +
      `${ip} dscp set ${first.dscp} counter accept`
    )
  })
  return [
    ...replace,
    `table ${ip} ${steeringTable} {`,
    '  chain out {',
    // After connection tracking, which so sees a connection with the VIP on both ways: a firewall of this host that
    // lets answers in (`ct state established`) lets these in.
    '    type route hook output priority mangle; policy accept;',
    `    meta mark & ${markMask} != ${markBase} accept`,
    ...rules,
    '    counter drop comment "a probe that no rule steers must not reach some other backend"',
    '  }',
    '}',
  ]
}

function guard(vips: readonly Ip[]): readonly string[] {
  const replace = [`table inet ${guardTable}`, `delete table inet ${guardTable}`]
  if (vips.length === 0) return replace
  const rules = ([4, 6] as const).flatMap((family) => {
    const mine = distinct(vips.filter((vip) => vip.family === family)).join(', ')
    return mine === '' ? [] : [`    ${keyword[family]} daddr { ${mine} } counter drop`]
  })
  return [
    ...replace,
    `table inet ${guardTable} {`,
    '  chain forward {',
    '    type filter hook forward priority raw; policy accept;',
    ...rules,
    '  }',
    '}',
  ]
}

/** By VIP and id, in a fixed order. */
function groups(steered: readonly Steered[]): ReadonlyMap<string, readonly Steered[]> {
  const sorted = steered.toSorted(
    (a, b) => compareIp(a.vip, b.vip) || a.dscp - b.dscp || compareIp(a.backend, b.backend),
  )
  return Map.groupBy(sorted, (each) => `${formatIp(each.vip)} ${each.dscp}`)
}

function distinct(addresses: readonly Ip[]): readonly string[] {
  return [...new Set(addresses.toSorted(compareIp).map(formatIp))]
}

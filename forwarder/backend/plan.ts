// The difference between what a backend host should be and what it is, as actions in a safe order: kernel settings
// before the VIP appears on lo, the VIP before the rules that use it, the rules gone before the VIP goes. What was
// changed is kept in an undo record, so that leaving restores exactly that and nothing that was there before.

import { formatIp, ip, sameIp, type Ip } from '../../net/ip.ts'
import { renderRuleset, vipsOf, type Binding } from './bindings.ts'
import { rulesetDrift, type Listings } from './listing.ts'

export type Observed = {
  readonly loopbackUp: boolean
  /** Addresses on lo. */
  readonly loopback: readonly Ip[]
  /** Every other address of the host and the interface it is on. */
  readonly addresses: readonly { readonly ip: Ip; readonly interface: string }[]
  /** Interfaces that an IPv4 default route leaves by. */
  readonly uplinks: readonly string[]
  readonly sysctl: (key: string) => string | undefined
  readonly listings: Listings
}

/** What was changed: addresses put on lo, and for each key the value before and the one set. */
export type UndoRecord = {
  readonly addresses: readonly string[]
  readonly sysctls: Readonly<Record<string, { readonly before: string; readonly set: string }>>
}
export const emptyRecord: UndoRecord = { addresses: [], sysctls: {} }

export type Action =
  | { readonly kind: 'setSysctl'; readonly key: string; readonly value: string; readonly found: string }
  | { readonly kind: 'restoreSysctl'; readonly key: string; readonly value: string }
  | { readonly kind: 'addAddress'; readonly ip: Ip }
  | { readonly kind: 'removeAddress'; readonly ip: Ip }
  | { readonly kind: 'applyRuleset'; readonly ruleset: string; readonly drift: readonly string[] }

/**
 * `record` is to be written down before the actions are done: undoing what was not done does no harm.
 * `problems` are what the agent cannot cure.
 */
export type Plan = {
  readonly actions: readonly Action[]
  readonly record: UndoRecord
  readonly problems: readonly string[]
}

/** With no bindings, the plan is the undoing. Throws `RangeError` on conflicting bindings. */
export function plan(bindings: readonly Binding[], observed: Observed, record: UndoRecord): Plan {
  const sysctls = planSysctls(wantedSysctls(bindings, observed), observed, record)
  const vips = vipsOf(bindings)
  const added = vips.filter((vip) => !has(observed.loopback, vip))
  const ours = record.addresses.map(ip)
  const removed = ours.filter((address) => !has(vips, address))
  const ruleset = renderRuleset(bindings)
  const drift = rulesetDrift(bindings, observed.listings)
  return {
    actions: [
      ...sysctls.set,
      ...added.map((vip): Action => ({ kind: 'addAddress', ip: vip })),
      ...(drift.length > 0 ? [{ kind: 'applyRuleset', ruleset, drift } as const] : []),
      ...removed
        .filter((address) => has(observed.loopback, address))
        .map((address): Action => ({ kind: 'removeAddress', ip: address })),
      ...sysctls.restored,
    ],
    record: {
      addresses: [...ours.filter((address) => has(vips, address) && !has(added, address)), ...added].map(
        formatIp,
      ),
      sysctls: sysctls.record,
    },
    problems: problemsOf(bindings, observed),
  }
}

/** An action in words, for logs and for `torii backend check`. */
export function describeAction(action: Action): readonly string[] {
  switch (action.kind) {
    case 'setSysctl':
      return [`${action.key} is ${action.found}, expected ${action.value}`]
    case 'restoreSysctl':
      return [`${action.key} is to be put back to ${action.value}`]
    case 'addAddress':
      return [`VIP ${formatIp(action.ip)} is missing on lo`]
    case 'removeAddress':
      return [`${formatIp(action.ip)} is on lo, but is no VIP of this host any more`]
    case 'applyRuleset':
      return action.drift
  }
}

type Wish = { readonly key: string; readonly value: string; readonly met: boolean }

function wantedSysctls(bindings: readonly Binding[], observed: Observed): readonly Wish[] {
  const own = bindings.map((binding) => binding.address).filter((address) => address.family === 4)
  if (own.length === 0) return []
  const all = (name: string): number => Number(observed.sysctl(`net.ipv4.conf.all.${name}`) ?? 0)
  const carriers = observed.addresses.filter((each) => has(own, each.ip)).map((each) => each.interface)
  return [
    // The kernel answers ARP for any of its addresses on any interface: on a shared segment the backend would take
    // the VIP from the balancers. IPv6 neighbour discovery answers only for the interface's own addresses.
    { key: 'net.ipv4.conf.all.arp_ignore', value: '1', met: all('arp_ignore') >= 1 },
    { key: 'net.ipv4.conf.all.arp_announce', value: '2', met: all('arp_announce') >= 2 },
    // Requests come from the balancers' side while the route to the client may leave elsewhere: strict reverse path
    // filtering (RFC 3704 §2.2) would drop them. The kernel takes the greater of `all` and the interface's value.
    ...[...new Set([...carriers, ...observed.uplinks])].sort().map((name) => {
      const key = `net.ipv4.conf.${name.replaceAll('.', '/')}.rp_filter`
      return { key, value: '2', met: Math.max(all('rp_filter'), Number(observed.sysctl(key) ?? 0)) !== 1 }
    }),
  ]
}

function planSysctls(wishes: readonly Wish[], observed: Observed, before: UndoRecord) {
  const record: Record<string, { readonly before: string; readonly set: string }> = {}
  const set: Action[] = []
  const restored: Action[] = []
  for (const { key, value, met } of wishes) {
    const found = observed.sysctl(key)
    const known = before.sysctls[key]
    if (known !== undefined) record[key] = known
    if (met || found === undefined) continue
    record[key] = { before: known?.before ?? found, set: value }
    set.push({ kind: 'setSysctl', key, value, found })
  }
  for (const [key, known] of Object.entries(before.sysctls)) {
    // Somebody else has set another value since: it is theirs now.
    if (record[key] === undefined && observed.sysctl(key) === known.set) {
      restored.push({ kind: 'restoreSysctl', key, value: known.before })
    }
  }
  return { record, set, restored }
}

function problemsOf(bindings: readonly Binding[], observed: Observed): readonly string[] {
  const problems: string[] = []
  if (bindings.length > 0 && !observed.loopbackUp) {
    problems.push('lo is down, so VIPs on it are not reachable: ip link set lo up')
  }
  const here = [...observed.loopback, ...observed.addresses.map((each) => each.ip)]
  const strangers = bindings.map((binding) => binding.address).filter((address) => !has(here, address))
  for (const address of new Set(strangers.map(formatIp))) {
    problems.push(`the host does not have ${address}, at which packets for its VIPs are to arrive`)
  }
  return problems
}

function has(list: readonly Ip[], address: Ip): boolean {
  return list.some((each) => sameIp(each, address))
}

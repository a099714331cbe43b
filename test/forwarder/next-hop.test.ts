// Next hops from plain tables: the kernel's own rules, and reasons where there is none.

import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { type HostTables, type Resolution, resolveNextHops } from '../../forwarder/next-hop.ts'
import { formatIp, ip } from '../../net/ip.ts'
import { parseMac } from '../../net/mac.ts'
import { prefix } from '../../net/prefix.ts'
import { type Link, type Neighbour, type NextHop, type Route } from '../../system/ports.ts'

const mac = (last: number): NonNullable<Link['mac']> =>
  parseMac(`02:00:00:00:00:${last.toString(16).padStart(2, '0')}`)!
const link = (index: number, change: Partial<Link> = {}): Link => ({
  index,
  name: `eth${index}`,
  mac: mac(index),
  up: true,
  mtu: 1500,
  ...change,
})
const via = (ifindex: number, gateway?: string, weight = 1): NextHop => ({
  ifindex,
  via: gateway === undefined ? undefined : ip(gateway),
  weight,
})
const route = (dst: string, nextHops: readonly NextHop[], change: Partial<Route> = {}): Route => ({
  dst: prefix(dst),
  table: 254,
  metric: 0,
  kind: 'unicast',
  nextHops,
  ...change,
})
const neighbour = (
  ifindex: number,
  address: string,
  state: Neighbour['state'] = 'reachable',
  last = 0x80 + ifindex,
): Neighbour => ({ ifindex, ip: ip(address), mac: mac(last), state })

const tables = (change: Partial<HostTables>): HostTables => ({
  links: [link(1), link(2), link(3)],
  addresses: [],
  routes: [],
  neighbours: [],
  ...change,
})
const one = (address: string, change: Partial<HostTables>): Resolution =>
  resolveNextHops([ip(address)], tables(change)).get(formatIp(ip(address)))!
const interfaceOf = (resolution: Resolution): string =>
  resolution.kind === 'resolved' ? resolution.hop.interface : resolution.reason
const reasonOf = (resolution: Resolution): string | undefined =>
  resolution.kind === 'unresolved' ? resolution.reason : undefined

/** Every interface has a gateway that answers. */
const gateways = [neighbour(1, '10.0.1.1'), neighbour(2, '10.0.2.1'), neighbour(3, '10.0.3.1')]

describe('the next hop of a backend', () => {
  it('is the gateway of its route, framed from the interface to the gateway', () => {
    assert.deepEqual(
      one('10.9.0.1', { routes: [route('0.0.0.0/0', [via(1, '10.0.1.1')])], neighbours: gateways }),
      {
        kind: 'resolved',
        hop: { ifindex: 1, interface: 'eth1', source: mac(1), destination: mac(0x81) },
        asks: [],
      },
    )
  })

  it('is the backend itself on its own link, in both families', () => {
    const routes = [route('10.0.2.0/24', [via(2)]), route('fd00::/64', [via(3)])]
    const neighbours = [neighbour(2, '10.0.2.9'), neighbour(3, 'fd00::9')]
    assert.equal(interfaceOf(one('10.0.2.9', { routes, neighbours })), 'eth2')
    assert.equal(interfaceOf(one('fd00::9', { routes, neighbours })), 'eth3')
  })

  it('is that of an IPv6 gateway for an IPv4 backend where the route says so', () => {
    const routes = [route('10.9.0.0/16', [via(2, 'fe80::1')])]
    const resolution = one('10.9.0.1', { routes, neighbours: [neighbour(2, 'fe80::1')] })
    assert.equal(interfaceOf(resolution), 'eth2')
  })

  it('goes by the longest prefix, then the lowest metric', () => {
    const routes = [
      route('0.0.0.0/0', [via(1, '10.0.1.1')]),
      route('10.9.0.0/16', [via(3, '10.0.3.1')], { metric: 20 }),
      route('10.9.0.0/16', [via(2, '10.0.2.1')], { metric: 10 }),
    ]
    for (const order of [routes, [...routes].reverse()]) {
      assert.equal(interfaceOf(one('10.9.0.1', { routes: order, neighbours: gateways })), 'eth2')
      assert.equal(interfaceOf(one('10.8.0.1', { routes: order, neighbours: gateways })), 'eth1')
    }
  })

  it('goes by the local table, then main, then default, whatever the lengths, and by no other', () => {
    const routes = [
      route('10.9.0.1/32', [via(1, '10.0.1.1')], { table: 253 }),
      route('10.9.0.0/16', [via(2, '10.0.2.1')]),
      route('10.9.0.1/32', [via(3, '10.0.3.1')], { table: 100 }),
    ]
    assert.equal(interfaceOf(one('10.9.0.1', { routes, neighbours: gateways })), 'eth2')
    const local = route('10.9.0.0/24', [via(1)], { table: 255, kind: 'local' })
    assert.match(
      reasonOf(one('10.9.0.1', { routes: [...routes, local] })) ?? '',
      /is an address of this node/,
    )
    assert.equal(interfaceOf(one('10.9.0.1', { routes: routes.slice(0, 1), neighbours: gateways })), 'eth1')
  })

  it('passes over a route all of whose next hops are dead, but not over one that says no', () => {
    const fallback = route('0.0.0.0/0', [via(1, '10.0.1.1')])
    const specific = (change: Partial<Route>): Resolution =>
      one('10.9.0.1', { routes: [fallback, route('10.9.0.0/16', [], change)], neighbours: gateways })
    assert.equal(interfaceOf(specific({})), 'eth1')
    for (const kind of ['blackhole', 'unreachable', 'prohibit'] as const)
      assert.equal(reasonOf(specific({ kind })), `the route 10.9.0.0/16 is ${kind}`)
    assert.equal(reasonOf(specific({ kind: 'other' })), 'the route 10.9.0.0/16 is no unicast route')
  })

  it('says why there is none', () => {
    const routes = [route('0.0.0.0/0', [via(1, '10.0.1.1')])]
    const reason = (change: Partial<HostTables>): string | undefined =>
      reasonOf(one('10.9.0.1', { routes, neighbours: gateways, ...change }))
    assert.equal(reason({ routes: [] }), 'no route to 10.9.0.1')
    assert.equal(reason({ links: [] }), 'interface 1 is gone')
    assert.equal(reason({ links: [link(1, { up: false })] }), 'eth1 is down')
    assert.match(reason({ links: [link(1, { mac: undefined })] }) ?? '', /^eth1 is not Ethernet/)
    assert.equal(reason({ neighbours: [] }), 'next hop 10.0.1.1 is not resolved yet on eth1')
    assert.equal(
      reason({ neighbours: [neighbour(1, '10.0.1.1', 'failed')] }),
      'next hop 10.0.1.1 does not answer on eth1',
    )
    const own = { ifindex: 1, ip: ip('10.9.0.1'), prefixLength: 32, scope: 'global' as const }
    assert.match(reason({ addresses: [own] }) ?? '', /a balancer cannot be its own backend/)
  })

  it('uses neighbours in the states in which the kernel does, and asks for the others and for stale ones', () => {
    const routes = [route('10.0.1.0/24', [via(1)])]
    const key = { ifindex: 1, ip: ip('10.0.1.9') }
    const states = [
      ...(['reachable', 'delay', 'probe', 'permanent', 'noarp'] as const).map((state) => [
        state,
        'resolved',
        undefined,
      ]),
      ['stale', 'resolved', 'stale'],
      ['incomplete', 'unresolved', 'incomplete'],
      ['failed', 'unresolved', 'failed'],
      ['none', 'unresolved', 'absent'],
    ] as const
    for (const [state, kind, asked] of states) {
      const neighbours = [neighbour(1, '10.0.1.9', state as Neighbour['state'])]
      const resolution = one('10.0.1.9', { routes, neighbours })
      assert.equal(resolution.kind, kind, state)
      assert.deepEqual(resolution.asks, asked === undefined ? [] : [{ ...key, state: asked }], state)
    }
    assert.deepEqual(one('10.0.1.9', { routes }).asks, [{ ...key, state: 'absent' }])
  })

  it('is another of an ECMP route while its own is not known, which is asked for', () => {
    const nextHops = [via(1, '10.0.1.1'), via(2, '10.0.2.1'), via(3, '10.0.3.1')]
    const routes = [route('10.9.0.0/16', nextHops)]
    const own = one('10.9.0.7', { routes, neighbours: gateways })
    assert.equal(own.kind, 'resolved')
    const rest = gateways.filter(({ ifindex }) => ifindex !== own.hop.ifindex)
    const other = one('10.9.0.7', { routes, neighbours: rest })
    assert.equal(other.kind, 'resolved')
    assert.notEqual(other.hop.ifindex, own.hop.ifindex)
    assert.deepEqual(other.asks, [
      { ifindex: own.hop.ifindex, ip: ip(`10.0.${own.hop.ifindex}.1`), state: 'absent' },
    ])
    const none = one('10.9.0.7', { routes, neighbours: [] })
    assert.equal(none.asks.length, 3)
  })

  it('is shared by equal IPv6 routes of two routers', () => {
    const routes = [
      route('::/0', [via(1, 'fe80::1')], { metric: 1024 }),
      route('::/0', [via(2, 'fe80::2')], { metric: 1024 }),
    ]
    const neighbours = [neighbour(1, 'fe80::1'), neighbour(2, 'fe80::2')]
    const reals = Array.from({ length: 64 }, (_, index) => ip(`2001:db8::${(index + 1).toString(16)}`))
    const used = new Set(
      [...resolveNextHops(reals, tables({ routes, neighbours })).values()].map(interfaceOf),
    )
    assert.deepEqual([...used].sort(), ['eth1', 'eth2'])
  })

  it('spreads backends over an ECMP route by weight, and moves only those of a lost interface', () => {
    const nextHops = [via(1, '10.0.1.1', 1), via(2, '10.0.2.1', 1), via(3, '10.0.3.1', 2)]
    const reals = Array.from({ length: 2000 }, (_, index) => ip(`10.9.${index >> 8}.${index & 255}`))
    const routes = [route('10.9.0.0/16', nextHops)]
    const all = resolveNextHops(reals, tables({ routes, neighbours: gateways }))
    const share = (name: string): number =>
      [...all.values()].filter((each) => interfaceOf(each) === name).length
    for (const [name, expected] of [
      ['eth1', 500],
      ['eth2', 500],
      ['eth3', 1000],
    ] as const)
      assert.ok(Math.abs(share(name) - expected) < 80, `${name} has ${share(name)}`)

    const links = [link(1), link(2, { up: false }), link(3)]
    const after = resolveNextHops(reals, tables({ routes, neighbours: gateways, links }))
    for (const [address, before] of all) {
      if (interfaceOf(before) === 'eth2') assert.notEqual(interfaceOf(after.get(address)!), 'eth2')
      else assert.deepEqual(after.get(address), before)
    }
  })

  it('does not depend on the order of the tables', () => {
    const routes = [
      route('0.0.0.0/0', [via(1, '10.0.1.1')]),
      route('10.9.0.0/16', [via(2, '10.0.2.1'), via(3, '10.0.3.1')]),
      route('10.9.0.0/24', [via(3, '10.0.3.1')], { metric: 5 }),
      route('10.9.0.0/24', [via(1, '10.0.1.1')], { metric: 3 }),
    ]
    const shuffled = fc.shuffledSubarray(routes, { minLength: routes.length })
    fc.assert(
      fc.property(shuffled, fc.nat(0xffff), (order, host) => {
        const address = `10.9.${host >> 8}.${host & 255}`
        const usual = one(address, { routes, neighbours: gateways })
        assert.deepEqual(one(address, { routes: order, neighbours: [...gateways].reverse() }), usual)
      }),
    )
  })
})

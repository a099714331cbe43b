// The translation from documents to what each plane is told.

import assert from 'node:assert/strict'
import { type Config, type LoadBalancer } from '../../config/model.ts'
import {
  advertisementsOf,
  allocatorPools,
  announcementsOf,
  bindingsOf,
  healthTargets,
  obstacle,
  peerConfigs,
  servedVips,
  virtualServices,
} from '../../daemon/desired.ts'
import { formatIp, ip } from '../../net/ip.ts'
import { formatPrefix, prefix, rangeOf } from '../../net/prefix.ts'

const place = { file: 'test.yaml', line: 1, column: 1 }
const self = { labels: { 'kubernetes.io/hostname': 'lb1', rack: 'a' }, routerId: '10.0.1.2' }

const web: LoadBalancer = {
  id: 'default/web',
  namespace: 'default',
  name: 'web',
  labels: { app: 'web' },
  pool: undefined,
  addresses: [],
  families: [4, 6],
  ports: [{ protocol: 'TCP', port: 80 }],
  backends: [
    { name: 'be1', addresses: [ip('10.1.1.2'), ip('fd00:1::2')], weight: 1, state: 'active' },
    { name: 'be2', addresses: [ip('10.1.2.2'), ip('fd00:2::2')], weight: 2, state: 'down' },
  ],
  healthCheck: { kind: 'tcp', port: 80, intervalMs: 1000, timeoutMs: 500, rise: 2, fall: 3 },
  place,
}
const advertisement = {
  name: 'all',
  pools: [] as string[],
  poolSelectors: [],
  nodeSelectors: [],
  peers: [] as string[],
  aggregationLength: 32,
  aggregationLengthV6: 128,
  localPref: undefined,
  communities: [],
  largeCommunities: [],
  place,
}
const pool = {
  name: 'public',
  labels: { zone: 'one' },
  ranges: [rangeOf(prefix('198.51.100.0/24')), rangeOf(prefix('2001:db8:100::/64'))],
  autoAssign: true,
  avoidBuggyIps: false,
  serviceAllocation: undefined,
  place,
}
const peer = {
  name: 'tor1',
  nodeSelectors: [],
  myAsn: 64512,
  peerAsn: 64500,
  address: ip('10.0.1.1'),
  port: undefined,
  sourceAddress: undefined,
  routerId: undefined,
  holdTimeMs: 3000,
  keepaliveTimeMs: undefined,
  connectTimeMs: undefined,
  password: 'secret',
  ebgpMultiHop: false,
  dualStackAddressFamily: false,
  passive: false,
  listenPort: undefined,
  place,
}
const config: Config = {
  pools: [pool],
  peers: [peer],
  advertisements: [advertisement],
  loadBalancers: [web],
  nodes: [],
  datapath: {
    interfaces: [{ name: 'eth1', place }],
    xdpMode: 'auto',
    tableSize: 251,
    slots: undefined,
    hashKey: new Uint8Array(16),
    dscpIds: [2, 3],
    drainTimeMs: 2000,
    place,
  },
}
const vips = [
  { ip: ip('198.51.100.1'), pool: 'public', dscp: 2 },
  { ip: ip('2001:db8:100::1'), pool: 'public', dscp: 3 },
]
const served = servedVips(config, [{ id: 'default/web', vips }])
const [first] = served
assert.ok(first)

describe('desired state', () => {
  it('gives each VIP the backends of its own family, and only healthy active ones as up', () => {
    const services = virtualServices(served, (vip) => vip.family === 4)
    assert.deepEqual(
      services.map(({ vip, dscp, reals }) => [
        formatIp(vip),
        dscp,
        ...reals.map((real) => `${real.name} ${formatIp(real.ip)} ${real.weight} ${real.up}`),
      ]),
      [
        ['198.51.100.1', 2, 'be1 10.1.1.2 1 true', 'be2 10.1.2.2 2 false'],
        ['2001:db8:100::1', 3, 'be1 fd00:1::2 1 false', 'be2 fd00:2::2 2 false'],
      ],
    )
  })

  it('does not probe what a document took out', () => {
    assert.deepEqual(
      healthTargets(served).map(({ backend }) => `${backend.name} ${formatIp(backend.ip)}`),
      ['be1 10.1.1.2', 'be1 fd00:1::2'],
    )
  })

  it('tells a backend its bindings, and knows who is no backend', () => {
    const services = virtualServices(served, () => true)
    assert.deepEqual(
      bindingsOf('be2', config, services)?.map((each) => [
        formatIp(each.vip),
        each.dscp,
        formatIp(each.address),
      ]),
      [
        ['198.51.100.1', 2, '10.1.2.2'],
        ['2001:db8:100::1', 3, 'fd00:2::2'],
      ],
    )
    assert.equal(bindingsOf('be9', config, services), undefined)
    assert.deepEqual(bindingsOf('be1', config, []), [])
  })

  it('gives an id that two VIPs claim at one backend to the one in force', () => {
    const [current, other] = virtualServices(served, () => true)
    assert.ok(current && other)
    const leaving = { ...current, vip: ip('198.51.100.9') }
    const bindings = bindingsOf('be1', config, [current, other, leaving])
    assert.deepEqual(
      bindings?.map(({ vip }) => formatIp(vip)),
      ['198.51.100.1', '2001:db8:100::1'],
    )
  })

  it('offers a peer its own family, or both where its document says so', () => {
    const families = (dualStackAddressFamily: boolean): unknown =>
      peerConfigs({ ...config, peers: [{ ...peer, dualStackAddressFamily }] }, self)[0]?.families
    assert.deepEqual(families(false), [4])
    assert.deepEqual(families(true), [4, 6])
    const [told] = peerConfigs(config, self)
    assert.equal(told?.routerId, '10.0.1.2')
    assert.equal(told.md5Password, 'secret')
    assert.ok(!('port' in told))
  })

  it('leaves out peers and advertisements whose node selectors do not match', () => {
    const elsewhere = [[{ key: 'rack', operator: 'In', values: ['b'] }]] as const
    assert.deepEqual(peerConfigs({ ...config, peers: [{ ...peer, nodeSelectors: elsewhere }] }, self), [])
    const none = { ...config, advertisements: [{ ...advertisement, nodeSelectors: elsewhere }] }
    assert.deepEqual(advertisementsOf('public', none, self), [])
  })

  it('selects pools by name, by selector, or all of them', () => {
    const selecting = (pools: string[], key?: string): number =>
      advertisementsOf(
        'public',
        {
          ...config,
          advertisements: [
            {
              ...advertisement,
              pools,
              poolSelectors: key === undefined ? [] : [[{ key, operator: 'Exists', values: [] }]],
            },
          ],
        },
        self,
      ).length
    assert.equal(selecting([]), 1)
    assert.equal(selecting(['public']), 1)
    assert.equal(selecting(['other']), 0)
    assert.equal(selecting(['other'], 'zone'), 1)
    assert.equal(selecting([], 'region'), 0)
  })

  it('announces the aggregate that the advertisement asks for, to the peers that this node has', () => {
    const narrow = { ...advertisement, aggregationLength: 24, peers: ['tor1', 'tor7'], localPref: 200 }
    const [announcement] = announcementsOf(first.vip, { ...config, advertisements: [narrow] }, self, ['tor1'])
    assert.ok(announcement)
    assert.equal(formatPrefix(announcement.prefix), '198.51.100.0/24')
    assert.deepEqual(announcement.peers, ['tor1'])
    assert.equal(announcement.localPref, 200)
    assert.ok(!('peers' in (announcementsOf(first.vip, config, self, ['tor1'])[0] ?? { peers: 1 })))
  })

  it('announces a VIP only when the datapath holds it, a backend is healthy and the node stays', () => {
    const good = { draining: false, programmed: () => true, isUp: () => true, settled: () => true }
    assert.equal(obstacle(first, config, self, good), undefined)
    assert.match(obstacle(first, config, self, { ...good, programmed: () => false }) ?? '', /datapath/)
    assert.match(obstacle(first, config, self, { ...good, isUp: () => false }) ?? '', /healthy/)
    assert.match(obstacle(first, config, self, { ...good, settled: () => false }) ?? '', /waiting/)
    assert.match(obstacle(first, config, self, { ...good, draining: true }) ?? '', /draining/)
    assert.match(obstacle(first, { ...config, advertisements: [] }, self, good) ?? '', /BGPAdvertisement/)
    // be1 alone is active: that be2 answers does not help.
    const onlyBe2 = { ...good, isUp: (_: unknown, name: string) => name === 'be2' }
    assert.match(obstacle(first, config, self, onlyBe2) ?? '', /healthy/)
  })

  it('opens a restricted pool to the services that its selectors name', () => {
    const restricted = (namespaces: string[], app?: string): boolean | undefined => {
      const serviceSelectors =
        app === undefined ? [] : [[{ key: 'app', operator: 'In' as const, values: [app] }]]
      const serviceAllocation = { priority: 1, namespaces, serviceSelectors }
      const [translated] = allocatorPools({ ...config, pools: [{ ...pool, serviceAllocation }] })
      return translated?.restriction?.admits({
        id: 'default/web',
        families: [4],
        addresses: [],
        pool: undefined,
        backends: [],
      })
    }
    assert.equal(restricted([]), true)
    assert.equal(restricted(['default']), true)
    assert.equal(restricted(['other']), false)
    assert.equal(restricted(['default'], 'web'), true)
    assert.equal(restricted([], 'mail'), false)
  })
})

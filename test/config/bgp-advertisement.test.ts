import assert from 'node:assert/strict'
import { accepted, advertisement, all, peer, pool, problems, says } from './read.ts'

const pools = all(
  pool('addresses: [198.51.100.0/28, 10.0.1.0-10.0.1.9]', 'v4'),
  pool('addresses: [2001:db8::/64]', 'v6'),
)

describe('BGPAdvertisement', () => {
  it('says all by saying nothing', () => {
    const [read] = accepted(
      'apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: empty}\n',
    ).advertisements
    assert.deepEqual(read, {
      name: 'empty',
      pools: [],
      poolSelectors: [],
      nodeSelectors: [],
      peers: [],
      aggregationLength: 32,
      aggregationLengthV6: 128,
      localPref: undefined,
      communities: [],
      largeCommunities: [],
      place: { file: 'f', line: 1, column: 1 },
    })
    for (const spec of ['spec:', 'spec: {}'])
      accepted(`apiVersion: metallb.io/v1beta1\nkind: BGPAdvertisement\nmetadata: {name: empty}\n${spec}\n`)
  })

  it('takes communities of both sizes, quoted or not', () => {
    const [read] = accepted(
      advertisement('communities: [65535:65282, "64512:10", 0:0, "large:4294967295:0:7"]\nlocalPref: 150'),
    ).advertisements
    assert.deepEqual(read?.communities, [0xffffff02, 64512 * 65536 + 10, 0])
    assert.deepEqual(read.largeCommunities, [{ global: 4294967295, local1: 0, local2: 7 }])
    assert.equal(read.localPref, 150)
  })

  it('reads a community as text whatever YAML version the file names', () => {
    const text = `%YAML 1.1\n---\n${advertisement('communities: [64512:10]')}`
    assert.deepEqual(accepted(text).advertisements[0]?.communities, [64512 * 65536 + 10])
  })

  it('refuses communities that are none, with the number of a well-known name', () => {
    assert.deepEqual(
      problems(
        advertisement(
          'communities:\n- no-export\n- NO_ADVERTISE\n- 70000:1\n- foo\n- large:1:2\n- large:1:2:4294967296\n- 1:-2\n- 100',
        ),
      ),
      [
        `f:6:5: BGPAdvertisement one: spec.communities[0]: found 'no-export', expected its number, 65535:65281`,
        `f:7:5: BGPAdvertisement one: spec.communities[1]: found 'NO_ADVERTISE', expected its number, 65535:65282`,
        `f:8:5: BGPAdvertisement one: spec.communities[2]: found '70000:1', expected numbers up to 65535 in A:B`,
        `f:9:5: BGPAdvertisement one: spec.communities[3]: found 'foo', expected A:B or large:A:B:C; aliases are not supported yet`,
        `f:10:5: BGPAdvertisement one: spec.communities[4]: found 'large:1:2', expected A:B or large:A:B:C; aliases are not supported yet`,
        `f:11:5: BGPAdvertisement one: spec.communities[5]: found 'large:1:2:4294967296', expected numbers up to 4294967295 in large:A:B:C`,
        `f:12:5: BGPAdvertisement one: spec.communities[6]: found '1:-2', expected A:B or large:A:B:C; aliases are not supported yet`,
        'f:13:5: BGPAdvertisement one: spec.communities[7]: found 100, expected A:B or large:A:B:C',
      ],
    )
  })

  it('takes 63 communities and no more', () => {
    const some = (count: number): string =>
      advertisement(`communities: [${Array.from({ length: count }, (_, i) => `1:${i}`).join(', ')}]`)
    assert.equal(accepted(some(63)).advertisements[0]?.communities.length, 63)
    assert.deepEqual(problems(some(64)), [
      'f:5:16: BGPAdvertisement one: spec.communities: found a list, expected at most 63 communities',
    ])
  })

  it('refuses repeats in every list, and what is not supported yet', () => {
    assert.deepEqual(
      problems(advertisement('communities: [1:2, 1:02]\npeers: [a, a]\nipAddressPools: [p, p]')),
      [
        `f:5:22: BGPAdvertisement one: spec.communities[1]: found '1:02' again, expected each only once: remove one`,
        `f:6:14: BGPAdvertisement one: spec.peers[1]: found 'a' again, expected each only once: remove one`,
        `f:7:23: BGPAdvertisement one: spec.ipAddressPools[1]: found 'p' again, expected each only once: remove one`,
      ],
    )
    assert.deepEqual(
      problems(advertisement('serviceSelectors: [{}]\naggregationLength: 33\naggregationLengthV6: 0')),
      [
        `f:5:3: BGPAdvertisement one: spec.serviceSelectors: Torii does not support 'serviceSelectors' yet: remove it`,
        'f:6:22: BGPAdvertisement one: spec.aggregationLength: found 33, expected a whole number from 1 to 32',
        'f:7:24: BGPAdvertisement one: spec.aggregationLengthV6: found 0, expected a whole number from 1 to 128',
      ],
    )
  })

  it('refuses an aggregate wider than a block of the pools it selects', () => {
    const remedy = 'an announced prefix must not hold addresses of others'
    assert.deepEqual(problems(all(advertisement('aggregationLength: 27\naggregationLengthV6: 63'), pools)), [
      `f:5:22: BGPAdvertisement one: spec.aggregationLength: found 27, wider than 198.51.100.0/28 of the pool v4, expected 28 or more: ${remedy}`,
      `f:5:22: BGPAdvertisement one: spec.aggregationLength: found 27, wider than 10.0.1.0-10.0.1.9 of the pool v4, expected 29 or more: ${remedy}`,
      `f:6:24: BGPAdvertisement one: spec.aggregationLengthV6: found 63, wider than 2001:db8::/64 of the pool v6, expected 64 or more: ${remedy}`,
    ])
    accepted(all(advertisement('aggregationLength: 29\naggregationLengthV6: 64'), pools))
    const labelled = pools.replace('{name: v4}', '{name: v4, labels: {zone: one}}')
    const selecting = (zone: string): string =>
      all(
        advertisement(`aggregationLength: 28\nipAddressPoolSelectors: [{matchLabels: {zone: ${zone}}}]`),
        labelled,
      )
    assert.equal(problems(selecting('one')).length, 1)
    accepted(selecting('two'))
    // Only the pools it selects count.
    accepted(all(advertisement('aggregationLength: 24\nipAddressPools: [v6]'), pools))
  })

  it('warns of pools and peers that are not there, which MetalLB passes over in silence', () => {
    const text = all(
      advertisement('ipAddressPools: [v5]\npeers: [tor, else]'),
      peer('myASN: 1\npeerASN: 2\npeerAddress: 10.0.0.1', 'tor1'),
      pools,
    )
    assert.deepEqual(says(text), {
      problems: [],
      warnings: [
        `f:5:20: BGPAdvertisement one: spec.ipAddressPools[0]: found 'v5', but there is no IPAddressPool of that name: did you mean 'v4'?`,
        `f:6:11: BGPAdvertisement one: spec.peers[0]: found 'tor', but there is no BGPPeer of that name: did you mean 'tor1'?`,
        `f:6:16: BGPAdvertisement one: spec.peers[1]: found 'else', but there is no BGPPeer of that name`,
      ],
    })
  })
})

describe('two BGPAdvertisements', () => {
  const node = (name: string): string =>
    `apiVersion: torii.dev/v1alpha1\nkind: Node\nmetadata: {name: ${name}, labels: {rack: ${name}}}\n`
  const conflict = (first: string, second: string, ...more: readonly string[]): boolean =>
    problems(all(advertisement(first, 'first'), advertisement(second, 'second'), pools, ...more)).length > 0

  it('may not give one prefix two local preferences', () => {
    assert.deepEqual(
      problems(all(advertisement('localPref: 100'), advertisement('communities: [1:2]', 'two'), pools)),
      [
        'f:11:3: BGPAdvertisement two: spec.localPref: found a localPref of 0 for what BGPAdvertisement one (f:1) announces with 100, expected one for the same prefix and peer: use the same, or other peers, nodes, pools or aggregation lengths',
      ],
    )
  })

  it('may if they do not meet: in preference, peers, nodes, pools or lengths', () => {
    const [a, b] = ['localPref: 1', 'localPref: 2']
    assert.ok(conflict(a, b))
    assert.ok(!conflict(a, a))
    assert.ok(!conflict(`${a}\npeers: [x]`, `${b}\npeers: [y]`))
    assert.ok(conflict(`${a}\npeers: [x]`, b))
    assert.ok(conflict(`${a}\npeers: [x, y]`, `${b}\npeers: [y, z]`))
    assert.ok(!conflict(`${a}\nipAddressPoolSelectors: [{matchLabels: {zone: x}}]`, b))
    assert.ok(!conflict(`${a}\nipAddressPools: [v4]`, `${b}\nipAddressPools: [v6]`))
    assert.ok(!conflict(`${a}\nipAddressPools: [v4]\naggregationLength: 30`, b))
    assert.ok(conflict(`${a}\naggregationLength: 30`, b), 'the IPv6 pool is announced alike')
    const both = (lengths: string): boolean =>
      problems(
        all(
          advertisement(a, 'first'),
          advertisement(`${b}\n${lengths}`, 'second'),
          pool('addresses: [10.0.1.0/28, fd00::/64]'),
        ),
      ).length > 0
    assert.ok(both('aggregationLength: 30'), 'a dual-stack pool meets in one family')
    assert.ok(!both('aggregationLength: 30\naggregationLengthV6: 120'))
    const [racks, others] = [
      'nodeSelectors: [{matchLabels: {rack: x}}]',
      'nodeSelectors: [{matchLabels: {rack: y}}]',
    ]
    assert.ok(!conflict(`${a}\n${racks}`, `${b}\n${others}`, node('x'), node('y')))
    assert.ok(conflict(`${a}\n${racks}`, b, node('x'), node('y')))
    assert.ok(conflict(`${a}\n${racks}`, `${b}\n${others}`), 'where no Node is known, any two may share one')
  })
})

import assert from 'node:assert/strict'
import { formatIp } from '../../net/ip.ts'
import { type LoadBalancer } from '../../config/config.ts'
import { accepted, all, datapath, loadBalancer, pool, problems, says } from './read.ts'

const pools = all(
  pool('addresses: [198.51.100.0/24, "2001:db8:100::/64"]', 'public'),
  datapath('interfaces: [eth1]'),
)
const one = (spec: string): string => all(loadBalancer(spec), pools)
const read = (spec: string): LoadBalancer => {
  const [found] = accepted(one(spec)).loadBalancers
  assert.ok(found)
  return found
}
const ports = 'ports: [{port: 80}]'
const dual = 'backends: [{name: be1, addresses: [10.1.1.2, "fd00:1:1::2"]}]'
const single = 'backends: [{name: be1, addresses: [10.1.1.2]}]'

describe('LoadBalancer', () => {
  it('takes all that it may say', () => {
    const { backends, place, addresses, ...rest } = read(`
pool: public
addresses: ["2001:db8:100::10", 198.51.100.10]
ipFamilies: [IPv6, IPv4]
ports:
- {name: http, protocol: TCP, port: 80}
- {name: dns, protocol: UDP, port: 53}
backends:
- {name: be1, addresses: [10.1.1.2, "fd00:1:1::2"]}
- {name: Be_2.example, addresses: ["fd00:1:1::3", 10.1.1.3], weight: 256, state: down}
healthCheck: {type: TCP, port: 80, interval: 2s, timeout: 1500ms, rise: 1, fall: 5}
mode: L3DSR`)
    assert.deepEqual(rest, {
      id: 'default/one',
      namespace: 'default',
      name: 'one',
      labels: {},
      pool: 'public',
      families: [6, 4],
      ports: [
        { protocol: 'TCP', port: 80 },
        { protocol: 'UDP', port: 53 },
      ],
      healthCheck: { kind: 'tcp', port: 80, intervalMs: 2000, timeoutMs: 1500, rise: 1, fall: 5 },
    })
    assert.deepEqual(addresses.map(formatIp), ['2001:db8:100::10', '198.51.100.10'])
    assert.deepEqual(place, { file: 'f', line: 1, column: 1 })
    assert.deepEqual(
      backends.map((each) => [each.name, each.addresses.map(formatIp).join(' '), each.weight, each.state]),
      [
        ['be1', '10.1.1.2 fd00:1:1::2', 1, 'active'],
        ['Be_2.example', 'fd00:1:1::3 10.1.1.3', 256, 'down'],
      ],
    )
  })

  it('has a namespace, and labels that pools select by', () => {
    const text = one(`${ports}\n${single}`).replace(
      '{name: one}',
      '{name: one, namespace: web, labels: {app: x}}',
    )
    const [found] = accepted(text).loadBalancers
    assert.equal(found?.id, 'web/one')
    assert.deepEqual(found.labels, { app: 'x' })
  })

  it('uses the families it names, else those of its addresses, else those of its backends', () => {
    assert.deepEqual(read(`${ports}\n${dual}\nipFamilies: [IPv6]`).families, [6])
    assert.deepEqual(read(`${ports}\n${dual}\naddresses: [198.51.100.1]`).families, [4])
    assert.deepEqual(read(`${ports}\n${dual}`).families, [4, 6])
    assert.deepEqual(read(`${ports}\n${single}`).families, [4])
  })

  it('is checked over TCP on its first TCP port, over UDP alone not at all', () => {
    const timing = { intervalMs: 1000, timeoutMs: 500, rise: 2, fall: 3 }
    assert.deepEqual(
      read(`ports: [{protocol: UDP, port: 53}, {port: 80}, {port: 81}]\n${single}`).healthCheck,
      {
        kind: 'tcp',
        port: 80,
        ...timing,
      },
    )
    assert.deepEqual(read(`ports: [{protocol: UDP, port: 53}]\n${single}`).healthCheck, { kind: 'none' })
    assert.deepEqual(read(`${ports}\n${single}\nhealthCheck: {type: None}`).healthCheck, { kind: 'none' })
    assert.deepEqual(read(`${ports}\n${single}\nhealthCheck: {rise: 7}`).healthCheck, {
      kind: 'tcp',
      port: 80,
      ...timing,
      rise: 7,
    })
  })

  const missing = 'expected a list of one address of every family in use'
  const refusals: readonly (readonly [string, string, ...string[]])[] = [
    [
      'unknown fields at every depth',
      'pol: x\nports: [{prt: 80, port: 80}]\nbackends:\n- name: be1\n  adresses: [10.1.1.2]\nhealthCheck: {intervall: 1s}',
      `5:3: LoadBalancer default/one: spec.pol: unknown field, expected one of: pool, addresses, ipFamilies, ports, backends, healthCheck, mode: did you mean 'pool'?`,
      `6:12: LoadBalancer default/one: spec.ports[0].prt: unknown field, expected one of: name, protocol, port: did you mean 'port'?`,
      `8:5: LoadBalancer default/one: spec.backends[0].addresses: missing, ${missing}`,
      `9:5: LoadBalancer default/one: spec.backends[0].adresses: unknown field, expected one of: name, addresses, weight, state: did you mean 'addresses'?`,
      `10:17: LoadBalancer default/one: spec.healthCheck.intervall: unknown field, expected one of: type, port, interval, timeout, rise, fall: did you mean 'interval'?`,
    ],
    [
      'values out of range',
      `ports: [{protocol: tcp, port: 70000}]\n${single.replace('}]', ', weight: 257, state: up}]')}\nhealthCheck: {type: HTTP, port: 0, interval: 1ms, timeout: 5, rise: 0}\nmode: IPIP`,
      `5:22: LoadBalancer default/one: spec.ports[0].protocol: found 'tcp', expected one of: TCP, UDP: did you mean 'TCP'?`,
      `5:33: LoadBalancer default/one: spec.ports[0].port: found 70000, expected a whole number from 1 to 65535`,
      `6:57: LoadBalancer default/one: spec.backends[0].weight: found 257, expected a whole number from 0 to 256`,
      `6:69: LoadBalancer default/one: spec.backends[0].state: found 'up', expected one of: active, down`,
      `7:23: LoadBalancer default/one: spec.healthCheck.type: found 'HTTP', expected one of: TCP, None`,
      `7:35: LoadBalancer default/one: spec.healthCheck.port: found 0, expected a whole number from 1 to 65535`,
      `7:48: LoadBalancer default/one: spec.healthCheck.interval: found '1ms', expected a duration from 10ms to 3600s`,
      `7:62: LoadBalancer default/one: spec.healthCheck.timeout: found 5, expected a duration from 10ms to 3600s`,
      `7:71: LoadBalancer default/one: spec.healthCheck.rise: found 0, expected a whole number from 1 to 255`,
      `8:9: LoadBalancer default/one: spec.mode: found 'IPIP', expected L3DSR`,
    ],
    [
      'no ports',
      `ports: []\n${single}`,
      '5:10: LoadBalancer default/one: spec.ports: found an empty list, expected a list of at least one port',
    ],
    [
      'a port twice, and a port name twice',
      `ports:\n- {name: a, port: 80}\n- {name: a, protocol: UDP, port: 80}\n- {port: 80}\n${single}`,
      `7:12: LoadBalancer default/one: spec.ports[1].name: found 'a' again, expected each only once: remove one`,
      `8:12: LoadBalancer default/one: spec.ports[2].port: found 80 again, expected each only once: remove one`,
    ],
    [
      'backends with one name or one address',
      `${ports}\nbackends:\n- {name: be1, addresses: [10.1.1.2]}\n- {name: be1, addresses: [10.1.1.3]}\n- {name: be2, addresses: [10.1.1.2]}`,
      `8:12: LoadBalancer default/one: spec.backends[1].name: found 'be1' again, expected each only once: remove one`,
      `9:29: LoadBalancer default/one: spec.backends[2].addresses[0]: found 10.1.1.2, which is the backend be1's, expected each address only once`,
    ],
    [
      'two addresses of one family',
      `${ports}\naddresses: [198.51.100.1, 198.51.100.2]\nbackends: [{name: be1, addresses: [10.1.1.2, 10.1.1.3]}]`,
      '6:29: LoadBalancer default/one: spec.addresses[1]: found a second IPv4 address beside spec.addresses[0], expected at most one of each family',
      '7:48: LoadBalancer default/one: spec.backends[0].addresses[1]: found a second IPv4 address beside spec.backends[0].addresses[0], expected at most one of each family',
    ],
    [
      'a backend of the wrong family',
      `${ports}\naddresses: [198.51.100.1]\nbackends: [{name: be1, addresses: ["fd00::2"]}]`,
      '7:37: LoadBalancer default/one: spec.backends[0].addresses: found no IPv4 address of be1, expected one of every family in use: IPv4: add an IPv4 address',
    ],
    [
      'a backend without one of the families in use',
      `${ports}\nbackends:\n- {name: be1, addresses: [10.1.1.2, "fd00::2"]}\n- {name: be2, addresses: [10.1.1.3]}`,
      '8:28: LoadBalancer default/one: spec.backends[1].addresses: found no IPv6 address of be2, expected one of every family in use: IPv4, IPv6: add an IPv6 address, or set ipFamilies: [IPv4]',
    ],
    [
      'addresses of no host as backends',
      `${ports}\nbackends: [{name: be1, addresses: [127.0.0.1, "::ffff:10.1.1.2"]}]`,
      `6:38: LoadBalancer default/one: spec.backends[0].addresses[0]: found '127.0.0.1', expected the IP address of a host, not a loopback address`,
      `6:49: LoadBalancer default/one: spec.backends[0].addresses[1]: found '::ffff:10.1.1.2', expected the IP address of a host, not an IPv4-mapped address`,
    ],
    [
      'addresses that its families contradict',
      `${ports}\n${dual}\nipFamilies: [IPv6]\naddresses: [198.51.100.1]`,
      '7:16: LoadBalancer default/one: spec.ipFamilies[0]: found IPv6, but addresses has none of it, expected one of each family: add an IPv6 address, or remove the family',
      '8:15: LoadBalancer default/one: spec.addresses[0]: found an IPv4 address, expected one of ipFamilies: IPv6',
    ],
    [
      'a family twice, and one that is none',
      `${ports}\n${dual}\nipFamilies: [IPv4, IPv4]`,
      `7:22: LoadBalancer default/one: spec.ipFamilies[1]: found 'IPv4' again, expected each only once: remove one`,
    ],
    [
      'no way to know the family',
      `${ports}\nbackends: []`,
      '6:13: LoadBalancer default/one: spec.backends: no address family: there is neither a backend, nor addresses, nor ipFamilies: add one of them',
    ],
    [
      'a TCP check of a service without TCP port',
      `ports: [{protocol: UDP, port: 53}]\n${single}\nhealthCheck: {interval: 1s}`,
      '7:16: LoadBalancer default/one: spec.healthCheck.port: missing, expected the TCP port to check: the service has none: name one, or set type: None',
    ],
  ]
  for (const [what, spec, ...lines] of refusals) {
    it(`refuses ${what}`, () =>
      assert.deepEqual(
        problems(one(spec)),
        lines.map((line) => `f:${line}`),
      ))
  }

  it('does not warn of what it refuses', () => {
    const backends = 'backends:\n- {name: be1, addresses: [10.1.1.2]}\n- {name: be2, addresses: [10.1.1.2]}'
    assert.deepEqual(says(one(`${ports}\n${backends}`)).warnings, [])
  })

  it('warns of what serves nothing', () => {
    const warnings = (spec: string): readonly string[] => {
      read(spec)
      return says(one(spec)).warnings
    }
    assert.deepEqual(warnings(`${ports}\nbackends: [{name: be1, addresses: [10.1.1.2], weight: 0}]`), [
      'f:6:13: LoadBalancer default/one: spec.backends: the weights add up to zero: no backend gets flows, and the VIPs are not announced',
    ])
    assert.deepEqual(warnings(`${ports}\nipFamilies: [IPv4]\nbackends: []`), [
      'f:7:13: LoadBalancer default/one: spec.backends: there is no backend: the VIPs are kept but not announced',
    ])
    assert.deepEqual(
      warnings(`ports: [{protocol: UDP, port: 53}, {port: 80}]\n${single}\nhealthCheck: {port: 53}`),
      [
        'f:7:23: LoadBalancer default/one: spec.healthCheck.port: found 53, which is no TCP port of the service: 80',
      ],
    )
    assert.deepEqual(warnings(`${ports}\n${single}`), [])
  })
})

describe('LoadBalancers and pools', () => {
  const lb = (spec: string, name: string): string => loadBalancer(`${ports}\n${spec}`, name)
  const text = (...loadBalancers: readonly string[]): string =>
    all(...loadBalancers, pools, pool('addresses: [203.0.113.0/24]', 'private'))

  it('must name a pool that there is', () => {
    assert.deepEqual(problems(text(lb(`pool: publik\n${single}`, 'one'))), [
      `f:6:9: LoadBalancer default/one: spec.pool: found 'publik', expected the name of an IPAddressPool: public, private: did you mean 'public'?`,
    ])
    assert.deepEqual(problems(lb(`pool: publik\n${single}`, 'one')), [
      `f:6:9: LoadBalancer default/one: spec.pool: found 'publik', expected the name of an IPAddressPool: there is none`,
    ])
  })

  it('is told of ten pools and how many more there are', () => {
    const many = (count: number): string =>
      all(...Array.from({ length: count }, (_, i) => pool(`addresses: [10.7.${i}.0/24]`, `pool-${i}`)))
    const ten = 'pool-0, pool-1, pool-2, pool-3, pool-4, pool-5, pool-6, pool-7, pool-8, pool-9'
    const told = (count: number): boolean | undefined =>
      problems(all(lb(`pool: x\n${single}`, 'one'), many(count)))[0]?.endsWith(
        `IPAddressPool: ${ten}${count > 10 ? `, ${count - 10} more` : ''}`,
      )
    assert.deepEqual([told(10), told(12)], [true, true])
  })

  it('must ask for VIPs inside a pool, and the one they name', () => {
    const outside = (name: string): string | undefined =>
      problems(text(lb(`pool: ${name}\naddresses: [192.0.2.1]\n${single}`, 'one')))
        .at(-1)
        ?.split(', expected ')[1]
    const remedy = 'choose another, or add it to the addresses of an IPAddressPool'
    assert.equal(outside('public'), `an address of the pool public: ${remedy}`)
    assert.equal(outside('unknown'), `an address of a pool: ${remedy}`)
    assert.deepEqual(problems(text(lb(`addresses: [192.0.2.1]\n${single}`, 'one'))), [
      'f:6:15: LoadBalancer default/one: spec.addresses[0]: found 192.0.2.1, a VIP outside every pool, expected an address of a pool: choose another, or add it to the addresses of an IPAddressPool',
    ])
    assert.deepEqual(problems(text(lb(`pool: public\naddresses: [203.0.113.1]\n${single}`, 'one'))), [
      'f:7:15: LoadBalancer default/one: spec.addresses[0]: found 203.0.113.1, an address of the pool private, expected one of the pool public',
    ])
    accepted(text(lb(`pool: private\naddresses: [203.0.113.255]\n${single}`, 'one')))
  })

  it('do not share a VIP', () => {
    const same = `addresses: [198.51.100.7]\n${single}`
    assert.deepEqual(problems(text(lb(same, 'one'), lb(same, 'two'))), [
      'f:14:15: LoadBalancer default/two: spec.addresses[0]: found 198.51.100.7, which LoadBalancer default/one asks for too (f:1), expected each VIP in one LoadBalancer only',
    ])
  })

  it('have no backend whose address is given out', () => {
    assert.deepEqual(problems(text(lb('backends: [{name: be1, addresses: [198.51.100.7]}]', 'one'))), [
      "f:6:38: LoadBalancer default/one: spec.backends[0].addresses[0]: found 198.51.100.7, an address of the pool public, expected the backend's own",
    ])
  })

  it('are not blamed for a pool that could not be read', () => {
    const broken = pool('addresses: [192.0.2.0/240]', 'mine')
    assert.deepEqual(problems(text(lb(`pool: mine\naddresses: [192.0.2.1]\n${single}`, 'one'), broken)), [
      `f:14:15: IPAddressPool mine: spec.addresses[0]: found '192.0.2.0/240', expected ADDRESS/LENGTH or FIRST-LAST`,
    ])
  })

  it('should give one host one name', () => {
    const other = single.replace('be1', 'be9')
    const again = text(lb(single, 'one'), lb(other, 'two'))
    assert.deepEqual(says(again), {
      problems: [],
      warnings: [
        "f:13:38: LoadBalancer default/two: spec.backends[0].addresses[0]: found 10.1.1.2 of the backend be9, which is be1's in another LoadBalancer: give a host the same name everywhere: its agent asks for one name",
      ],
    })
    assert.deepEqual(says(text(lb(single, 'one'), lb(single, 'two'))).warnings, [])
  })
})

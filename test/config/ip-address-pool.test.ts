import assert from 'node:assert/strict'
import { formatRange } from '../../config/addresses.ts'
import { accepted, pool, problems } from './read.ts'

describe('IPAddressPool', () => {
  it('takes prefixes without their host bits and ranges with blanks', () => {
    const [read] = accepted(
      pool(`
        addresses:
        - 192.168.10.77/24
        - 192.168.9.1 - 192.168.9.5
        - fc00:f853:0ccd:e799::/124
        - 10.0.0.1-10.0.0.1`),
    ).pools
    assert.ok(read)
    assert.deepEqual(read.ranges.map(formatRange), [
      '192.168.10.0/24',
      '192.168.9.1-192.168.9.5',
      'fc00:f853:ccd:e799::/124',
      '10.0.0.1/32',
    ])
    assert.deepEqual(
      { ...read, ranges: [], place: undefined },
      {
        name: 'one',
        labels: {},
        ranges: [],
        autoAssign: true,
        avoidBuggyIps: false,
        serviceAllocation: undefined,
        place: undefined,
      },
    )
  })

  it('takes serviceAllocation, whose selectors become expressions', () => {
    const [read] = accepted(
      pool(`
        addresses: [10.0.0.0/24]
        autoAssign: false
        avoidBuggyIPs: true
        serviceAllocation:
          priority: 50
          namespaces: [a, b]
          namespaceSelectors: []
          serviceSelectors:
          - matchLabels: {app: web}
            matchExpressions:
            - {key: tier, operator: NotIn, values: [test]}`),
    ).pools
    assert.equal(read?.autoAssign, false)
    assert.equal(read.avoidBuggyIps, true)
    assert.deepEqual(read.serviceAllocation, {
      priority: 50,
      namespaces: ['a', 'b'],
      serviceSelectors: [
        [
          { key: 'app', operator: 'In', values: ['web'] },
          { key: 'tier', operator: 'NotIn', values: ['test'] },
        ],
      ],
    })
    assert.deepEqual(
      accepted(pool('addresses: [10.0.0.0/24]\nserviceAllocation: {}')).pools[0]?.serviceAllocation,
      {
        priority: 0,
        namespaces: [],
        serviceSelectors: [],
      },
    )
  })

  it('refuses every entry that is none, each for its own reason', () => {
    const text = pool(
      [
        'addresses:',
        '- 10.0.0.0/33',
        '- 10.0.0.9-10.0.0.1',
        '- 10.0.0.1-fd00::1',
        '- 10.0.0.1',
        '- x-10.0.0.1',
        '- 10.0.0.1-',
        '- " 10.0.0.0/8"',
        '- 010.0.0.0/8',
        '- 5',
        '- 2001:db8::',
        '- ~',
      ].join('\n'),
    )
    const form = 'expected ADDRESS/LENGTH or FIRST-LAST'
    assert.deepEqual(problems(text), [
      `f:6:5: IPAddressPool one: spec.addresses[0]: found '10.0.0.0/33', ${form}`,
      `f:7:5: IPAddressPool one: spec.addresses[1]: found '10.0.0.9-10.0.0.1', expected a range whose first address is not after its last`,
      `f:8:5: IPAddressPool one: spec.addresses[2]: found '10.0.0.1-fd00::1', expected a range whose ends are of one family`,
      `f:9:5: IPAddressPool one: spec.addresses[3]: found '10.0.0.1', expected a prefix or a range; the address alone is 10.0.0.1/32`,
      `f:10:5: IPAddressPool one: spec.addresses[4]: found 'x-10.0.0.1', expected an IP address before the -`,
      `f:11:5: IPAddressPool one: spec.addresses[5]: found '10.0.0.1-', expected an IP address after the -`,
      `f:12:5: IPAddressPool one: spec.addresses[6]: found ' 10.0.0.0/8', ${form}`,
      `f:13:5: IPAddressPool one: spec.addresses[7]: found '010.0.0.0/8', ${form}`,
      `f:14:5: IPAddressPool one: spec.addresses[8]: found 5, ${form}`,
      `f:15:5: IPAddressPool one: spec.addresses[9]: found a mapping, ${form}: put the address in quotes: "2001:db8::"`,
      `f:16:5: IPAddressPool one: spec.addresses[10]: found nothing, ${form}`,
    ])
  })

  it('refuses a pool without addresses', () => {
    assert.deepEqual(problems(pool('addresses: []')), [
      'f:5:14: IPAddressPool one: spec.addresses: found an empty list, expected a list of at least one prefix or range',
    ])
    assert.deepEqual(problems(pool('autoAssign: true')), [
      'f:5:3: IPAddressPool one: spec.addresses: missing, expected a list of at least one prefix or range',
    ])
    assert.deepEqual(problems(pool('addresses:')), [
      'f:5:3: IPAddressPool one: spec.addresses: found nothing, expected a list of at least one prefix or range',
    ])
    assert.deepEqual(
      problems('apiVersion: metallb.io/v1beta1\nkind: IPAddressPool\nmetadata: {name: one}\n'),
      ['f:1:1: IPAddressPool one: spec: missing, expected a mapping'],
    )
  })

  it('refuses namespaces and selectors given twice, however the selectors are written', () => {
    const text = pool(
      [
        'addresses: [10.0.0.0/24]',
        'serviceAllocation:',
        '  namespaces: [a, b, a]',
        '  serviceSelectors:',
        '  - matchLabels: {app: web}',
        '  - matchExpressions:',
        '    - {key: app, operator: In, values: [web]}',
      ].join('\n'),
    )
    assert.deepEqual(problems(text), [
      `f:7:24: IPAddressPool one: spec.serviceAllocation.namespaces[2]: found 'a' again, expected each only once: remove one`,
      'f:10:7: IPAddressPool one: spec.serviceAllocation.serviceSelectors[1]: found the same as spec.serviceAllocation.serviceSelectors[0], expected each only once: remove one',
    ])
  })

  it('refuses namespace selectors, which are not supported yet', () => {
    const text = pool(`
addresses: [10.0.0.0/24]
serviceAllocation:
  namespaceSelectors:
  - matchLabels: {foo: bar}`)
    assert.deepEqual(problems(text), [
      `f:7:5: IPAddressPool one: spec.serviceAllocation.namespaceSelectors: Torii does not support 'namespaceSelectors' yet: remove it`,
    ])
  })

  it('refuses what only other readers of YAML take for true', () => {
    assert.deepEqual(problems(pool('addresses: [10.0.0.0/24]\nautoAssign: yes')), [
      `f:6:15: IPAddressPool one: spec.autoAssign: found 'yes', expected true or false`,
    ])
  })
})

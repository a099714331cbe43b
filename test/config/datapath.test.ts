import assert from 'node:assert/strict'
import { toHex } from '../../net/bytes.ts'
import { accepted, all, datapath, document, loadBalancer, problems, says } from './read.ts'

const service = (count: number): string =>
  loadBalancer(
    `ports: [{port: 80}]\nbackends: [${Array.from({ length: count }, (_, i) => `{name: b${i}, addresses: [10.1.${i >> 8}.${i & 255}]}`).join(', ')}]`,
  )

describe('Datapath', () => {
  it('has defaults where nothing is said, and where there is none', () => {
    for (const text of [datapath('{}'), '# nothing\n']) {
      const { place: _, ...read } = accepted(text).datapath
      assert.deepEqual(
        { ...read, hashKey: toHex(read.hashKey), dscpIds: read.dscpIds.join(' ') },
        {
          interfaces: [],
          xdpMode: 'auto',
          tableSize: 65537,
          slots: undefined,
          hashKey: '000102030405060708090a0b0c0d0e0f',
          dscpIds:
            '2 3 4 5 6 7 9 11 13 15 17 19 21 23 25 27 29 31 33 35 37 39 41 42 43 45 47 49 50 51 52 53 54 55 57 58 59 60 61 62 63',
          drainTimeMs: 2000,
        },
      )
      assert.equal(read.dscpIds.length, 41)
    }
    assert.equal(accepted('# nothing\n').datapath.place, undefined)
  })

  it('takes all that it may say', () => {
    const read = accepted(
      datapath(
        [
          'interfaces: [eth1, bond0.100]',
          'xdpMode: generic',
          'tableSize: 655373',
          'slots: 64',
          'hashKey: "FFeeddccbbaa99887766554433221100"',
          'dscp: {ids: "60-63, 2 - 3,1"}',
          'drainTime: 0s',
        ].join('\n'),
      ),
    ).datapath
    assert.deepEqual(
      { ...read, hashKey: toHex(read.hashKey) },
      {
        interfaces: [
          { name: 'eth1', place: { file: 'f', line: 5, column: 16 } },
          { name: 'bond0.100', place: { file: 'f', line: 5, column: 22 } },
        ],
        xdpMode: 'generic',
        tableSize: 655373,
        slots: 64,
        hashKey: 'ffeeddccbbaa99887766554433221100',
        dscpIds: [1, 2, 3, 60, 61, 62, 63],
        drainTimeMs: 0,
        place: { file: 'f', line: 1, column: 1 },
      },
    )
  })

  it('refuses what no datapath can do', () => {
    assert.deepEqual(
      problems(
        datapath(
          'interfaces: [sixteen-letters-, a/b, ..]\nxdpMode: nativ\ntableSize: 1000\nslots: 0\nhashKey: abc\ndscp: {ids: 3}\ndrainTime: -1s',
        ),
      ),
      [
        `f:5:16: Datapath one: spec.interfaces[0]: found 'sixteen-letters-', expected the name of a network interface, at most 15 characters`,
        `f:5:34: Datapath one: spec.interfaces[1]: found 'a/b', expected the name of a network interface, at most 15 characters`,
        `f:5:39: Datapath one: spec.interfaces[2]: found '..', expected the name of a network interface, at most 15 characters`,
        `f:6:12: Datapath one: spec.xdpMode: found 'nativ', expected one of: auto, native, generic: did you mean 'native'?`,
        'f:7:14: Datapath one: spec.tableSize: found 1000, expected a prime from 251 to 655373; the next one is 1009',
        'f:8:10: Datapath one: spec.slots: found 0, expected a whole number from 1 to 655373',
        `f:9:12: Datapath one: spec.hashKey: found 'abc', expected 32 hexadecimal digits`,
        'f:10:15: Datapath one: spec.dscp.ids: found 3, expected ids and ranges from 1 to 63, such as "2-7,9,11", in quotes',
        `f:11:14: Datapath one: spec.drainTime: found '-1s', expected a duration from 0s to 3600s`,
      ],
    )
    assert.equal(problems(datapath(`hashKey: "${'00:'.repeat(10)}00"`)).length, 1)
    assert.deepEqual(problems(datapath('tableSize: 250')), [
      'f:5:14: Datapath one: spec.tableSize: found 250, expected a whole number from 251 to 655373',
    ])
    assert.deepEqual(problems(datapath('interfaces: [eth0, eth0]\nslots: 252\ntableSize: 251')), [
      `f:5:22: Datapath one: spec.interfaces[1]: found 'eth0' again, expected each only once: remove one`,
      "f:6:10: Datapath one: spec.slots: found 252, expected no more than the table's 251 rows",
    ])
    const ids = (text: string): readonly string[] => problems(datapath(`dscp: {ids: "${text}"}`))
    for (const text of ['0', '64', '3-2', '1-64', '', '1,', 'a', '1-2-3'])
      assert.deepEqual(ids(text), [
        `f:5:15: Datapath one: spec.dscp.ids: found '${text}', expected ids and ranges from 1 to 63, such as "2-7,9,11"`,
      ])
    assert.deepEqual(ids('1-3,2'), [
      `f:5:15: Datapath one: spec.dscp.ids: found '1-3,2', expected each id once, 2 is there twice`,
    ])
  })

  it('is one for all nodes', () => {
    assert.equal(problems(all(datapath('{}'), datapath('{}'))).length, 1)
    assert.deepEqual(problems(all(datapath('{}'), datapath('{}', 'two'))), [
      'f:7:1: Datapath two: found another Datapath beside that in f:1, expected one for all nodes: make one of them',
    ])
  })

  it('draws a warning where services have none', () => {
    const remedy =
      'nothing is forwarded to any backend: name the interfaces where packets for VIPs arrive in a Datapath'
    assert.deepEqual(says(service(1)), {
      problems: [],
      warnings: [`f:1:1: LoadBalancer default/one: there is no Datapath: ${remedy}`],
    })
    assert.deepEqual(says(all(datapath('interfaces: []'), service(1))).warnings, [
      `f:5:15: Datapath one: spec.interfaces: no interfaces: ${remedy}`,
    ])
    assert.deepEqual(says(datapath('interfaces: []')).warnings, [])
  })

  it('draws a warning where backends are more than it has room for', () => {
    assert.deepEqual(says(all(datapath('interfaces: [e]\ntableSize: 251'), service(252))).warnings, [
      "f:13:13: LoadBalancer default/one: spec.backends: found 252 backends for a table of 251 rows: some get no flows: raise the Datapath's tableSize to a hundred times as many",
    ])
    assert.deepEqual(says(all(datapath('interfaces: [e]\nslots: 2'), service(3))).warnings, [
      "f:13:13: LoadBalancer default/one: spec.backends: found 3 backends for 2 slots: shares are less even: raise the Datapath's slots",
    ])
    assert.deepEqual(says(all(datapath('interfaces: [e]\nslots: 3'), service(3))).warnings, [])
    assert.deepEqual(says(all(datapath('interfaces: [e]\ntableSize: 251'), service(251))).warnings, [])
  })
})

describe('Node', () => {
  const node = (metadata: string, spec = '{}'): string =>
    document('Node', 'torii.dev/v1alpha1', spec).replace('{name: one}', metadata)

  it('has its host name as a label, unless it says another', () => {
    assert.deepEqual(accepted(node('{name: lb1, labels: {rack: a}}')).nodes[0]?.labels, {
      'kubernetes.io/hostname': 'lb1',
      rack: 'a',
    })
    assert.deepEqual(accepted(node('{name: lb1, labels: {kubernetes.io/hostname: x}}')).nodes[0]?.labels, {
      'kubernetes.io/hostname': 'x',
    })
  })

  it('may do without spec', () => {
    const text = 'apiVersion: torii.dev/v1alpha1\nkind: Node\nmetadata: {name: LB_1.example}\n'
    assert.deepEqual(accepted(text).nodes[0]?.addresses, [])
  })

  it('is refused for names and addresses that are none', () => {
    assert.deepEqual(problems(node('{name: a/b}', 'addresses: [10.0.1.300]')), [
      `f:3:18: Node a/b: metadata.name: found 'a/b', expected a host name: letters, digits, - . and _, at most 253`,
      `f:5:15: Node one: spec.addresses[0]: found '10.0.1.300', expected the IP address of a host`.replace(
        'one',
        'a/b',
      ),
    ])
  })
})

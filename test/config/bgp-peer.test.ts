import assert from 'node:assert/strict'
import { formatIp } from '../../net/ip.ts'
import { type BgpPeer } from '../../config/config.ts'
import { accepted, document, peer, problems, says } from './read.ts'

const base = 'myASN: 64512\npeerASN: 64500\npeerAddress: 10.0.0.1'
const peerOf = (text: string): BgpPeer => {
  const [read] = accepted(text).peers
  assert.ok(read)
  return read
}
const withBase = (spec: string): string => peer(`${base}\n${spec}`)

describe('BGPPeer', () => {
  it('leaves to the speaker what it does not say', () => {
    const read = peerOf(peer(base))
    assert.equal(formatIp(read.address), '10.0.0.1')
    assert.deepEqual(
      { ...read, address: undefined, place: undefined },
      {
        name: 'one',
        nodeSelectors: [],
        myAsn: 64512,
        peerAsn: 64500,
        address: undefined,
        port: undefined,
        sourceAddress: undefined,
        routerId: undefined,
        holdTimeMs: undefined,
        keepaliveTimeMs: undefined,
        connectTimeMs: undefined,
        password: undefined,
        ebgpMultiHop: false,
        dualStackAddressFamily: false,
        passive: false,
        listenPort: undefined,
        place: undefined,
      },
    )
  })

  it('takes all that it may say', () => {
    const read = peerOf(
      document(
        'BGPPeer',
        'torii.dev/v1alpha1',
        [
          'myASN: 4294967295',
          'dynamicASN: external',
          'peerAddress: "2001:db8::"',
          'sourceAddress: 2001:db8::2',
          'peerPort: 20179',
          'holdTime: 1m30s',
          'keepaliveTime: 10.5s',
          'connectTime: 120s',
          'routerID: 10.0.0.9',
          'password: "0000"',
          'ebgpMultiHop: true',
          'dualStackAddressFamily: true',
          'passive: true',
          'listenPort: 1179',
          'nodeSelectors: [{matchLabels: {rack: a}}, {matchExpressions: [{key: gone, operator: DoesNotExist}]}]',
        ].join('\n'),
      ),
    )
    const { address, sourceAddress, place, ...rest } = read
    assert.equal(formatIp(address), '2001:db8::')
    assert.ok(sourceAddress)
    assert.equal(formatIp(sourceAddress), '2001:db8::2')
    assert.deepEqual(place, { file: 'f', line: 1, column: 1 })
    assert.deepEqual(rest, {
      name: 'one',
      nodeSelectors: [
        [{ key: 'rack', operator: 'In', values: ['a'] }],
        [{ key: 'gone', operator: 'DoesNotExist', values: [] }],
      ],
      myAsn: 4294967295,
      peerAsn: 'external',
      port: 20179,
      routerId: '10.0.0.9',
      holdTimeMs: 90_000,
      keepaliveTimeMs: 10_500,
      connectTimeMs: 120_000,
      password: '0000',
      ebgpMultiHop: true,
      dualStackAddressFamily: true,
      passive: true,
      listenPort: 1179,
    })
  })

  it('derives one timer from the other', () => {
    const timers = (spec: string): readonly (number | undefined)[] => {
      const { holdTimeMs, keepaliveTimeMs } = peerOf(withBase(spec))
      return [holdTimeMs, keepaliveTimeMs]
    }
    assert.deepEqual(timers('holdTime: 9s'), [9000, 3000])
    assert.deepEqual(timers('keepaliveTime: 2s'), [6000, 2000])
    assert.deepEqual(timers('holdTime: 0s'), [0, 0])
    assert.deepEqual(timers('holdTime: "0"\nkeepaliveTime: 0s'), [0, 0])
    assert.deepEqual(timers('holdTime: 3.9s\nkeepaliveTime: 1s'), [3000, 1000])
    assert.deepEqual(timers('holdTime: 18h12m15s'), [65_535_000, 21_845_000])
  })

  it('takes keepaliveTime 0 beside a hold time for none given, and says so', () => {
    const text = withBase('holdTime: 9m0s\nkeepaliveTime: 0s')
    assert.equal(peerOf(text).keepaliveTimeMs, 180_000)
    assert.deepEqual(says(text).warnings, [
      'f:9:18: BGPPeer one: spec.keepaliveTime: without keepalives the neighbour would end the session: taken as a third of the hold time: remove it, or set holdTime to 0s',
    ])
  })

  const refusals: readonly (readonly [string, string, ...string[]])[] = [
    [
      'no AS of our own',
      peer('myASN: 0\npeerASN: 1\npeerAddress: 10.0.0.1'),
      '5:10: BGPPeer one: spec.myASN: found 0, expected a whole number from 1 to 4294967295',
    ],
    [
      'an AS in dots',
      peer('myASN: 65000.10\npeerASN: 1\npeerAddress: 10.0.0.1'),
      '5:10: BGPPeer one: spec.myASN: found 65000.10, expected a whole number from 1 to 4294967295',
    ],
    [
      'an AS beyond 32 bits',
      peer('myASN: 12345678901234567890\npeerASN: 1\npeerAddress: 10.0.0.1'),
      '5:10: BGPPeer one: spec.myASN: found 12345678901234567890, expected a whole number from 1 to 4294967295',
    ],
    [
      'neither peerASN nor dynamicASN',
      peer('myASN: 1\npeerAddress: 10.0.0.1'),
      '5:3: BGPPeer one: spec.peerASN: neither peerASN nor dynamicASN, expected one of them',
    ],
    [
      'both peerASN and dynamicASN',
      withBase('dynamicASN: internal'),
      '8:3: BGPPeer one: spec.dynamicASN: both peerASN and dynamicASN, expected one of them: remove one',
    ],
    [
      'a dynamicASN that is none',
      peer('myASN: 1\ndynamicASN: externl\npeerAddress: 10.0.0.1'),
      `6:15: BGPPeer one: spec.dynamicASN: found 'externl', expected one of: internal, external: did you mean 'external'?`,
    ],
    [
      'no address',
      peer('myASN: 1\npeerASN: 2'),
      '5:3: BGPPeer one: spec.peerAddress: missing, expected the IP address of a host',
    ],
    [
      'a multicast address',
      peer('myASN: 1\npeerASN: 2\npeerAddress: 224.0.0.1'),
      `7:16: BGPPeer one: spec.peerAddress: found '224.0.0.1', expected the IP address of a host, not a multicast address`,
    ],
    [
      'a link-local address',
      peer('myASN: 1\npeerASN: 2\npeerAddress: fe80::1'),
      `7:16: BGPPeer one: spec.peerAddress: found 'fe80::1', expected the IP address of a host, not a link-local address`,
    ],
    [
      'a source address of the other family',
      withBase('sourceAddress: fd00::1'),
      `8:18: BGPPeer one: spec.sourceAddress: found an IPv6 address, expected one of the peer address's family, IPv4`,
    ],
    [
      "a port beyond MetalLB's",
      withBase('peerPort: 16385'),
      '8:13: BGPPeer one: spec.peerPort: found 16385, expected a whole number from 1 to 16384',
    ],
    [
      'a hold time under three seconds',
      withBase('holdTime: 2999ms'),
      `8:13: BGPPeer one: spec.holdTime: found '2999ms', expected a hold time of 0s, or 3s to 65535s`,
    ],
    [
      'a negative hold time',
      withBase('holdTime: -3s'),
      `8:13: BGPPeer one: spec.holdTime: found '-3s', expected a hold time of 0s, or 3s to 65535s`,
    ],
    [
      'a hold time beyond its field',
      withBase('holdTime: 65536s'),
      `8:13: BGPPeer one: spec.holdTime: found '65536s', expected a hold time of 0s, or 3s to 65535s`,
    ],
    [
      'a hold time without unit',
      withBase('holdTime: 90'),
      '8:13: BGPPeer one: spec.holdTime: found 90, expected a duration such as 90s or 1m30s',
    ],
    [
      'a keepalive time that implies too short a hold time',
      withBase('keepaliveTime: 500ms'),
      `8:18: BGPPeer one: spec.keepaliveTime: found '500ms' implies a hold time of 1500ms, expected a hold time of 0s, or 3s to 65535s`,
    ],
    [
      'a keepalive time over the hold time',
      withBase('holdTime: 9s\nkeepaliveTime: 10s'),
      `9:18: BGPPeer one: spec.keepaliveTime: found '10s', expected no more than the hold time of 9s`,
    ],
    [
      'a connect time of no whole seconds',
      withBase('connectTime: 1500ms'),
      `8:16: BGPPeer one: spec.connectTime: found '1500ms', expected whole seconds`,
    ],
    [
      'a connect time of nothing',
      withBase('connectTime: 0s'),
      `8:16: BGPPeer one: spec.connectTime: found '0s', expected a duration from 1s to 65535s`,
    ],
    [
      'a router id of no IPv4 form',
      withBase('routerID: fd00::1'),
      `8:13: BGPPeer one: spec.routerID: found 'fd00::1', expected a router id: an IPv4 address other than 0.0.0.0`,
    ],
    [
      'a password that YAML takes for a number, without showing it',
      withBase('password: 1234'),
      '8:13: BGPPeer one: spec.password: found what is not shown here, expected a password of at most 80 bytes in one line, in quotes',
    ],
    [
      'a password longer than TCP MD5 takes',
      withBase(`password: ${'ä'.repeat(41)}`),
      '8:13: BGPPeer one: spec.password: found what is not shown here, expected a password of at most 80 bytes in one line',
    ],
    [
      'multihop inside an AS',
      withBase('ebgpMultiHop: true').replace('64500', '64512'),
      '8:3: BGPPeer one: spec.ebgpMultiHop: found true for a peer of our own AS, expected it only with external peers: remove it: sessions inside an AS cross routers anyway',
    ],
    [
      'a selector without values',
      withBase('nodeSelectors: [{matchExpressions: [{key: a, operator: In}]}]'),
      '8:39: BGPPeer one: spec.nodeSelectors[0].matchExpressions[0].values: missing, expected at least one value with In',
    ],
    [
      'a selector with values it does not take',
      withBase('nodeSelectors: [{matchExpressions: [{key: a, operator: Exists, values: [b]}]}]'),
      '8:74: BGPPeer one: spec.nodeSelectors[0].matchExpressions[0].values: found a list, expected no values with Exists',
    ],
    [
      'an operator of another case',
      withBase('nodeSelectors: [{matchExpressions: [{key: a, operator: exists}]}]'),
      `8:58: BGPPeer one: spec.nodeSelectors[0].matchExpressions[0].operator: found 'exists', expected one of: In, NotIn, Exists, DoesNotExist: did you mean 'Exists'?`,
    ],
    [
      'a selector given twice',
      withBase('nodeSelectors: [{matchLabels: {a: b}}, {matchLabels: {a: b}}]'),
      '8:42: BGPPeer one: spec.nodeSelectors[1]: found the same as spec.nodeSelectors[0], expected each only once: remove one',
    ],
    [
      "Torii's own fields in MetalLB's version",
      withBase('passive: true'),
      '8:3: BGPPeer one: spec.passive: unknown field, expected one of: myASN, peerASN, peerAddress, sourceAddress, peerPort, holdTime, keepaliveTime, routerID, nodeSelectors, password, ebgpMultiHop, dynamicASN, connectTime, dualStackAddressFamily, disableMP',
    ],
  ]
  for (const [what, text, ...lines] of refusals) {
    it(`refuses ${what}`, () =>
      assert.deepEqual(
        problems(text),
        lines.map((line) => `f:${line}`),
      ))
  }

  it('refuses by name what is not supported yet, unless it says nothing', () => {
    const spec =
      'bfdProfile: x\npasswordSecret: {name: s}\nvrf: red\ninterface: eth0\nlocalASN: 7\nenableGracefulRestart: true'
    assert.deepEqual(
      problems(withBase(spec)),
      ['bfdProfile', 'passwordSecret', 'vrf', 'interface', 'localASN', 'enableGracefulRestart'].map(
        (name, index) =>
          `f:${8 + index}:3: BGPPeer one: spec.${name}: Torii does not support '${name}' yet: remove it`,
      ),
    )
    peerOf(
      withBase(
        'bfdProfile: ""\npasswordSecret: {}\nvrf: ""\ninterface:\nlocalASN: 0\nenableGracefulRestart: false',
      ),
    )
  })

  it('only warns of disableMP', () => {
    assert.deepEqual(says(withBase('disableMP: true')), {
      problems: [],
      warnings: ['f:8:3: BGPPeer one: spec.disableMP: disableMP is deprecated and has no effect: remove it'],
    })
    assert.deepEqual(says(withBase('disableMP: false')).warnings, [])
  })

  it('knows what MetalLB v1beta1 did not have', () => {
    const old = (spec: string): string => document('BGPPeer', 'metallb.io/v1beta1', `${base}\n${spec}`)
    assert.equal(peerOf(old('peerPort: 0')).port, undefined)
    assert.deepEqual(
      problems(old('connectTime: 5s')).map((line) => line.slice(0, 61)),
      ['f:8:3: BGPPeer one: spec.connectTime: unknown field, expected'],
    )
  })
})

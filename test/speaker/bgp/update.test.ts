// UPDATE: what other speakers send, what it says of each family, and RFC 7606's treat-as-withdraw.

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { toHex } from '../../../net/bytes.ts'
import { formatIp, ip } from '../../../net/ip.ts'
import { formatPrefix, prefix } from '../../../net/prefix.ts'
import { decodeMessage, encodeMessage, withHeader } from '../../../speaker/bgp/message.ts'
import { endOfRib, endOfRibOf, reachabilityOf, type Update } from '../../../speaker/bgp/update.ts'
import { captured, updates } from './captures.ts'

const context = { fourOctetAs: true }

function decodeUpdate(bytes: Uint8Array): Update {
  const decoded = decodeMessage(bytes, context)
  assert.ok(decoded.ok && decoded.message.kind === 'update', inspect(decoded))
  return decoded.message
}

/** `+` announced, `-` withdrawn. */
function said(update: Update): readonly string[] {
  return reachabilityOf(update).flatMap(({ announced, withdrawn }) => [
    ...announced.map((each) => `+${formatPrefix(each)}`),
    ...withdrawn.map((each) => `-${formatPrefix(each)}`),
  ])
}

function refusal(body: string): readonly [number, number, string] {
  const decoded = decodeMessage(withHeader(2, Buffer.from(body, 'hex')), context)
  assert.ok(!decoded.ok, 'decoded')
  const { code, subcode, data } = decoded.error.notification
  return [code, subcode, toHex(data)]
}

describe('UPDATE', () => {
  it('of FRR returns our own prefixes with its AS in front', () => {
    const update = decodeUpdate(updates.frr.ipv4)
    assert.deepEqual(said(update), ['+198.51.100.1/32'])
    assert.deepEqual(update.attributes, [
      { kind: 'origin', origin: 'igp' },
      { kind: 'asPath', path: [{ kind: 'sequence', asns: [65002, 65001] }] },
      { kind: 'nextHop', address: ip('10.78.0.2') },
      { kind: 'communities', partial: false, values: [0xfde90001] },
      { kind: 'largeCommunities', partial: false, values: [{ global: 1, local1: 2, local2: 3 }] },
    ])
  })

  it('of FRR and BIRD names the link-local next hop beside the global one', () => {
    for (const bytes of [updates.frr.ipv6, updates.bird.ipv6]) {
      const update = decodeUpdate(bytes)
      assert.deepEqual(said(update), ['+2001:db8:77::/48'])
      const [reach] = update.attributes
      assert.ok(reach?.kind === 'mpReach')
      const [global, linkLocal] = reach.nextHops.map(formatIp)
      assert.equal(global, 'fd78::2')
      assert.match(linkLocal!, /^fe80::/)
    }
  })

  it('of GoBGP carries one next hop, MED and both kinds of communities', () => {
    assert.deepEqual(decodeUpdate(updates.gobgp.communities).attributes.slice(3), [
      { kind: 'med', value: 42 },
      { kind: 'communities', partial: false, values: [0xfdea0064] },
      { kind: 'largeCommunities', partial: false, values: [{ global: 65002, local1: 1, local2: 2 }] },
    ])
    const [, , reach] = decodeUpdate(updates.gobgp.ipv6).attributes
    assert.ok(reach?.kind === 'mpReach')
    assert.deepEqual(reach.nextHops.map(formatIp), ['fd78::2'])
  })

  it('withdraws, in the classic field and in MP_UNREACH_NLRI', () => {
    assert.deepEqual(said(decodeUpdate(updates.bird.ipv4Withdrawal)), [
      '-203.0.113.128/25',
      '-203.0.113.0/25',
    ])
    for (const bytes of [
      updates.frr.ipv6Withdrawal,
      updates.gobgp.ipv6Withdrawal,
      updates.bird.ipv6Withdrawal,
    ])
      assert.deepEqual(said(decodeUpdate(bytes)), ['-2001:db8:77::/48'])
  })

  it('has the bytes of BIRD and GoBGP when it says the same', () => {
    const bird = encodeMessage(decodeUpdate(updates.bird.communities), context)
    assert.deepEqual(bird, updates.bird.communities)
    const gobgp = encodeMessage(decodeUpdate(updates.gobgp.ipv6), context)
    assert.deepEqual(gobgp, updates.gobgp.ipv6)
  })

  it('ends the first feed of a family as BIRD does', () => {
    for (const [family, bytes] of [
      [4, updates.bird.ipv4EndOfRib],
      [6, updates.bird.ipv6EndOfRib],
    ] as const) {
      assert.equal(endOfRibOf(decodeUpdate(bytes)), family)
      assert.equal(
        toHex(encodeMessage(endOfRib(family), context)).slice(38),
        toHex(bytes).slice(38).replace('900f0003', '800f03'),
      )
    }
    assert.equal(endOfRibOf(decodeUpdate(updates.bird.bare)), undefined)
    assert.equal(endOfRibOf(decodeUpdate(updates.gobgp.ipv6Withdrawal)), undefined)
    assert.equal(endOfRibOf(decodeUpdate(updates.bird.ipv4Withdrawal)), undefined)
  })

  it('keeps no bits behind the length of a prefix', () => {
    // 10.1.2.3 with length 20: RFC 4271 §4.3, trailing bits are irrelevant.
    const update = decodeUpdate(captured('001b' + '02' + '0004' + '140a01ff' + '0000'))
    assert.deepEqual(update.withdrawn, [prefix('10.1.240.0/20')])
  })
})

describe('an UPDATE with a fault', () => {
  const attributes = { origin: '40010100', path: '400200', hop: '4003040a000001' }
  const nlri = '18cb0071'
  const body = (list: string, prefixes: string): Uint8Array =>
    withHeader(
      2,
      Buffer.from('0000' + (list.length / 2).toString(16).padStart(4, '0') + list + prefixes, 'hex'),
    )

  it('withdraws what it announces (RFC 7606 §2)', () => {
    const { origin, path, hop } = attributes
    const update = decodeUpdate(body(origin.replace('0100', '0107') + path + hop, nlri))
    assert.deepEqual(said(update), ['-203.0.113.0/24'])
    assert.equal(update.problems.length, 2) // malformed, and so missing
  })

  it('announces nonetheless where only an attribute is to be discarded', () => {
    const { origin, path, hop } = attributes
    const update = decodeUpdate(body(origin + path + hop + '40060100', nlri))
    assert.deepEqual(said(update), ['+203.0.113.0/24'])
    assert.equal(update.problems[0]!.action, 'discard')
  })

  it('withdraws where a mandatory attribute is missing; the data is its type (RFC 7606 §3 d)', () => {
    const { origin, path, hop } = attributes
    for (const [list, type] of [
      [path + hop, 1],
      [origin + hop, 2],
      [origin + path, 3],
    ] as const) {
      const update = decodeUpdate(body(list, nlri))
      assert.deepEqual(said(update), ['-203.0.113.0/24'])
      const { notification } = update.problems[0]!.error
      assert.deepEqual([notification.code, notification.subcode, [...notification.data]], [3, 3, [type]])
    }
  })

  it('needs no NEXT_HOP beside MP_REACH_NLRI', () => {
    const reach = '800e1e00020110' + '20010db8000000000000000000000001' + '00' + '4020010db800000001'
    const { origin, path } = attributes
    assert.deepEqual(said(decodeUpdate(body(reach + origin + path, ''))), ['+2001:db8:0:1::/64'])
    assert.deepEqual(said(decodeUpdate(body(reach + origin, ''))), ['-2001:db8:0:1::/64'])
  })

  it('costs the session where its fields cannot be told apart (RFC 4271 §6.3)', () => {
    assert.deepEqual(refusal('0005' + '00000000').slice(0, 2), [3, 1])
    assert.deepEqual(refusal('0000' + '0005' + '4001').slice(0, 2), [3, 1])
    assert.deepEqual(refusal('000120' + '0000').slice(0, 2), [3, 10])
    assert.deepEqual(refusal('0000' + '0000' + '21c0000201').slice(0, 2), [3, 10])
  })
})

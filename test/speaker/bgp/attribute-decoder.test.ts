// RFC 7606, attribute by attribute: which fault costs the attribute, which the routes, which the session.

import assert from 'node:assert/strict'
import { fromHex, toHex } from '../../../net/bytes.ts'
import { decodeAttributes } from '../../../speaker/bgp/attribute-decoder.ts'
import { Malformed } from '../../../speaker/bgp/notification.ts'

type Verdict = readonly ['ok'] | readonly ['withdraw' | 'discard' | 'reset', number]

/** What the first fault leads to, and the subcode that RFC 4271 §6.3 has for it. */
function verdict(hex: string, fourOctetAs = true): Verdict {
  try {
    const { problems } = decodeAttributes(fromHex(hex)!, { fourOctetAs })
    const [first] = problems
    if (first === undefined) return ['ok']
    assert.equal(first.error.notification.code, 3)
    return [first.action, first.error.notification.subcode]
  } catch (error) {
    assert.ok(error instanceof Malformed, String(error))
    assert.equal(error.notification.code, 3)
    return ['reset', error.notification.subcode]
  }
}

function table(cases: readonly (readonly [string, string, Verdict])[]): void {
  for (const [what, hex, expected] of cases) it(what, () => assert.deepEqual(verdict(hex), expected))
}

const flags = 4
const length = 5
const optional = 9

describe('malformed attributes (RFC 7606)', () => {
  describe('ORIGIN (§7.1)', () =>
    table([
      ['0, 1 and 2 are known', '40010102', ['ok']],
      ['another value', '40010103', ['withdraw', 6]],
      ['two octets', '4001020000', ['withdraw', length]],
      ['none', '400100', ['withdraw', length]],
      ['optional', 'c0010100', ['withdraw', flags]],
    ]))

  describe('AS_PATH (§7.2)', () =>
    table([
      ['empty', '400200', ['ok']],
      ['with an extended length that it does not need', '50020000', ['ok']],
      ['of an unknown segment type', '4002060501' + '0000fde9', ['withdraw', 11]],
      ['with a segment over the end', '4002060202' + '0000fde9', ['withdraw', 11]],
      ['with an octet too many', '4002070201' + '0000fde9' + '02', ['withdraw', 11]],
      ['with an empty segment', '4002020200', ['withdraw', 11]],
      ['optional', '800200', ['withdraw', flags]],
    ]))

  describe('NEXT_HOP (§7.3)', () =>
    table([
      ['four octets', '4003040a000001', ['ok']],
      ['five', '4003050a00000100', ['withdraw', length]],
    ]))

  describe('MULTI_EXIT_DISC (§7.4) and LOCAL_PREF (§7.5)', () =>
    table([
      ['four octets', '8004040000002a', ['ok']],
      ['three', '800403000000', ['withdraw', length]],
      ['transitive', 'c004040000002a', ['withdraw', flags]],
      ['local preference', '40050400000064', ['ok']],
      ['local preference of eight', '4005080000000000000064', ['withdraw', length]],
    ]))

  describe('ATOMIC_AGGREGATE (§7.6) and AGGREGATOR (§7.7)', () =>
    table([
      ['empty', '400600', ['ok']],
      ['not empty', '40060100', ['discard', length]],
      ['aggregator of eight octets', 'c007080000fde90a000001', ['ok']],
      ['of six, as old speakers have it', 'c00706fde90a000001', ['discard', length]],
    ]))

  describe('communities (§7.8, §7.14, RFC 8092 §6)', () =>
    table([
      ['two', 'c00808fde90001fde90002', ['ok']],
      ['partial', 'e00804fde90001', ['ok']],
      ['none', 'c00800', ['withdraw', length]],
      ['one and a half', 'c00806fde90001fde9', ['withdraw', length]],
      ['extended', 'c010080002fde900000001', ['ok']],
      ['extended of seven octets', 'c010070002fde9000000', ['withdraw', length]],
      ['large', 'c0200c000000010000000200000003', ['ok']],
      ['large of eleven octets', 'c0200b0000000100000002000000', ['withdraw', length]],
      ['large of none', 'c02000', ['withdraw', length]],
    ]))

  describe('AS4_PATH and AS4_AGGREGATOR (RFC 6793 §6)', () =>
    table([
      ['a path', 'c0110602010000fde9', ['ok']],
      ['with a segment over the end', 'c0110602020000fde9', ['discard', 11]],
      ['an aggregator of six octets', 'c01206fde90a000001', ['discard', length]],
    ]))

  describe('MP_REACH_NLRI (§7.11) and MP_UNREACH_NLRI (§7.12)', () => {
    const hop = '20010db8000000000000000000000001'
    table([
      ['IPv6 unicast', `800e1e000201` + `10${hop}` + '00' + '4020010db800000001', ['ok']],
      ['with wrong flags', `400e15000201` + `10${hop}` + '00', ['reset', flags]],
      ['with a next hop of five octets', '800e0a000201' + '050000000000' + '00', ['reset', optional]],
      ['that ends in the next hop', '800e0a000201' + '100000000000' + '00', ['reset', length]],
      ['with a prefix of 129 bits', `800e16000201` + `10${hop}` + '00' + '81', ['reset', optional]],
      ['with a prefix over the end', `800e17000201` + `10${hop}` + '00' + '2020', ['reset', optional]],
      ['of a family that was not asked for', '800e09000180' + '04' + '0a000001' + '00', ['ok']],
      ['unreachable', '800f0800020120' + '20010db8', ['ok']],
      ['unreachable with a prefix over the end', '800f05000201' + '4020', ['reset', optional]],
      ['unreachable of two octets', '800f020002', ['reset', length]],
      ['unreachable twice', '800f03000201' + '800f03000201', ['reset', 1]],
    ])
  })

  describe('the list', () => {
    table([
      ['a well-known attribute nobody knows', '40630100', ['reset', 2]],
      ['an optional one nobody knows', '80630100', ['ok']],
      ['the same twice: the first counts (§3 g)', '40010100' + '40010102', ['discard', 1]],
      ['a length over the end (§4)', '400105', ['withdraw', 1]],
      ['flags alone', '40', ['withdraw', 1]],
    ])

    it('keeps what is well-formed beside what is not, and of two the first', () => {
      const { attributes, problems } = decodeAttributes(
        fromHex('40010100' + '40010102' + '400600' + '40060100')!,
        {
          fourOctetAs: true,
        },
      )
      assert.deepEqual(attributes, [{ kind: 'origin', origin: 'igp' }, { kind: 'atomicAggregate' }])
      assert.equal(problems.length, 2)
    })

    it('gives the whole attribute as the data of the NOTIFICATION (RFC 4271 §6.3)', () => {
      const { problems } = decodeAttributes(fromHex('40010100' + '4003050a00000100')!, { fourOctetAs: true })
      assert.equal(toHex(problems[0]!.error.notification.data), '4003050a00000100')
    })

    it('is read with two octets for an AS number from an old speaker', () => {
      assert.deepEqual(verdict('40020402' + '01' + 'fde9', false), ['ok'])
      assert.deepEqual(verdict('40020402' + '01' + 'fde9', true), ['withdraw', 11])
      assert.deepEqual(verdict('c00706fde90a000001', false), ['ok'])
    })
  })
})

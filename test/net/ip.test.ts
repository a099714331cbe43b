import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import fc from 'fast-check'
import ip6addr from 'ip6addr'
import { compareIp, formatIp, ip, ipFromBytes, ipToBytes, parseIp, sameIp } from '../../net/ip.ts'

const ipv4Value = fc.bigInt(0n, 0xffffffffn)
// Zero groups are what RFC 5952 is about: make them common.
const ipv6Value = fc
  .array(fc.oneof(fc.constant(0n), fc.bigInt(0n, 0xffffn)), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n))
const address = fc.oneof(
  ipv4Value.map((value) => ({ family: 4 as const, value })),
  ipv6Value.map((value) => ({ family: 6 as const, value })),
)

describe('IP addresses', () => {
  it('are printed as RFC 5952 says, with its own examples', () => {
    for (const [written, canonical] of [
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'], // §1
      ['2001:0db8::0001', '2001:db8::1'], // §4.1
      ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'], // §4.2.1
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'], // §4.2.2
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'], // §4.2.3
      ['2001:DB8::1', '2001:db8::1'], // §4.3
      ['0:0:0:0:0:0:0:0', '::'],
      ['192.0.2.1', '192.0.2.1'],
    ] as const) {
      assert.equal(formatIp(ip(written)), canonical)
    }
  })

  it('refuse what is not exactly one address', () => {
    for (const text of [
      '',
      ' ',
      '1',
      '1.2.3',
      '1.2.3.4.5',
      '010.0.0.1',
      '256.0.0.1',
      '1.2.3.4/32',
      '1.2.3.-4',
      '0x1.2.3.4',
      ' 1.2.3.4',
      ':',
      ':::',
      '1:2',
      '1::2::3',
      '12345::',
      '::1%eth0',
      'fe80::1%1',
      '1:2:3:4:5:6:7:8:9',
      '::1.2.3',
      '::01.2.3.4',
      '1:2:3:4:5:6:7::8:9',
      'g::',
      '1.2.3.4::',
      '[::1]',
    ]) {
      assert.equal(parseIp(text), undefined, text)
    }
  })

  it('agree with Node on what is an address, for any text', () => {
    const characters = fc.string({
      unit: fc.constantFrom(...'0123456789abcdefABF:.%/ x'.split('')),
      maxLength: 42,
    })
    fc.assert(
      fc.property(fc.oneof(characters, address.map(formatIp)), (text) => {
        // Node's own check allows a zone, which an address here never has.
        const expected = text.includes('%') ? 0 : isIP(text)
        assert.equal(parseIp(text)?.family ?? 0, expected, text)
      }),
      { numRuns: 2000 },
    )
  })

  it('survive text and bytes', () => {
    fc.assert(
      fc.property(address, (one) => {
        assert.deepEqual(parseIp(formatIp(one)), one)
        assert.deepEqual(ipFromBytes(ipToBytes(one)), one)
      }),
    )
  })

  it('mean what ip6addr reads in them', () => {
    fc.assert(
      fc.property(address, (one) => {
        assert.ok(
          ip6addr.parse(formatIp(one)).compare(ip6addr.parse(formatIp(ipFromBytes(ipToBytes(one))))) === 0,
        )
        const groups = ip6addr
          .parse(formatIp(one))
          .toString({ format: 'v6', zeroElide: false, zeroPad: true })
        const value = BigInt(`0x${groups.replaceAll(':', '')}`)
        assert.equal(one.family === 4 ? value & 0xffffffffn : value, one.value)
      }),
    )
  })

  it('keep an IPv4-mapped IPv6 address apart from its IPv4 address', () => {
    assert.equal(sameIp(ip('::ffff:1.2.3.4'), ip('1.2.3.4')), false)
    assert.ok(compareIp(ip('255.255.255.255'), ip('::')) < 0)
  })
})

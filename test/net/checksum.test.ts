import assert from 'node:assert/strict'
import fc from 'fast-check'
import { fromHex, reader, ShortBuffer, toHex, writer } from '../../net/bytes.ts'
import { internetChecksum, onesComplementSum, updateChecksum } from '../../net/checksum.ts'

const bytesOf = (bytes: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes })

describe('the Internet checksum', () => {
  it('is that of RFC 1071 §3', () => {
    // The section's own example: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2.
    assert.equal(onesComplementSum(fromHex('0001f203f4f5f6f7') ?? new Uint8Array()), 0xddf2)
  })

  it('updates as RFC 1624 §4 computes', () => {
    // HC = dd2f, m = 5555, m' = 3285: the new checksum is 0000.
    assert.equal(
      updateChecksum(0xdd2f, fromHex('5555') ?? new Uint8Array(), fromHex('3285') ?? new Uint8Array()),
      0x0000,
    )
  })

  it('updated is the checksum recomputed, for any change of a sound packet', () => {
    fc.assert(
      fc.property(bytesOf(20), bytesOf(4), (packet, field) => {
        // An all-zero packet has two representations of zero; a header never is one.
        packet[0] = 0x45
        const before = packet.slice(4, 8)
        const changed = Uint8Array.from(packet)
        changed.set(field, 4)
        assert.equal(updateChecksum(internetChecksum(packet), before, field), internetChecksum(changed))
      }),
    )
  })

  it('of a damaged packet stays wrong by the same difference', () => {
    fc.assert(
      fc.property(bytesOf(20), bytesOf(4), fc.integer({ min: 1, max: 0xfffe }), (packet, field, damage) => {
        packet[0] = 0x45
        const wrong = (internetChecksum(packet) + damage) % 0xffff
        const changed = Uint8Array.from(packet)
        changed.set(field, 4)
        const updated = updateChecksum(wrong, packet.slice(4, 8), field)
        assert.equal(
          (updated - internetChecksum(changed) + 2 * 0xffff) % 0xffff,
          (wrong - internetChecksum(packet) + 2 * 0xffff) % 0xffff,
        )
      }),
    )
  })
})

describe('byte readers and writers', () => {
  it('give back what was written', () => {
    fc.assert(
      fc.property(fc.nat(0xff), fc.nat(0xffff), fc.nat(0xffffffff), fc.uint8Array(), (a, b, c, tail) => {
        const bytes = writer(1).u8(a).u16(b).u32(c).bytes(tail).done()
        const r = reader(bytes)
        assert.deepEqual([r.u8(), r.u16(), r.u32(), toHex(r.rest())], [a, b, c, toHex(tail)])
        assert.equal(r.left, 0)
      }),
    )
  })

  it('throw at the end instead of reading past it', () => {
    assert.throws(() => reader(new Uint8Array(3)).u32(), ShortBuffer)
    assert.throws(() => reader(new Uint8Array(8)).sub(2).u32(), ShortBuffer)
  })
})

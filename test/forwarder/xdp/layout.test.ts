// The maps' bytes by hand, and layout.ts against layout.h and against the maps that libbpf makes of it.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { keyWords } from '../../../forwarder/hash.ts'
import { reasons } from '../../../forwarder/image.ts'
import {
  counterIndex,
  decodeIndex,
  decodeReal,
  decodeVip,
  decodeVipKey,
  encodeIndex,
  encodeReal,
  encodeSettings,
  encodeTable,
  encodeVip,
  encodeVipKey,
  maps,
  sumCounter,
} from '../../../forwarder/xdp/layout.ts'
import { loadAddon } from '../../../native/binding.ts'
import { fromHex, toHex } from '../../../net/bytes.ts'
import { type Ip, ip } from '../../../net/ip.ts'
import { macFromBytes } from '../../../net/mac.ts'
import { image, mac } from '../small-image.ts'
import { openProgram } from './program.ts'

const header = readFileSync(join(import.meta.dirname, '../../../forwarder/xdp/layout.h'), 'utf8')

const plain = { noNullPrototype: true } as const
const address = fc
  .constantFrom<4 | 6>(4, 6)
  .chain((family) =>
    fc
      .bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n })
      .map((value): Ip => ({ family, value })),
  )
const macs = fc.uint8Array({ minLength: 6, maxLength: 6 }).map(macFromBytes)
const hops = fc.record(
  { ifindex: fc.integer({ min: 1, max: 0xffff_ffff }), source: macs, destination: macs },
  plain,
)

describe('map layout', () => {
  it('has addresses and ports in network order, all else little-endian', () => {
    const key4 = encodeVipKey({ ip: ip('198.51.100.10'), port: 443, protocol: 6 })
    assert.equal(toHex(key4), 'c633640a' + '00'.repeat(12) + '01bb' + '06' + '04')
    const key6 = encodeVipKey({ ip: ip('2001:db8::1'), port: 0, protocol: 0 })
    assert.equal(toHex(key6), '20010db8' + '00'.repeat(11) + '01' + '0000' + '00' + '06')
    assert.equal(toHex(encodeVip({ table: 0x01020304, dscp: 63 })), '04030201' + '3f' + '000000')
    const hop = { ifindex: 0x0a0b, source: mac('02:00:00:00:00:aa'), destination: mac('02:00:00:00:00:bb') }
    assert.equal(
      toHex(encodeReal({ ip: ip('10.1.1.2'), hop })),
      '0a010102' + '00'.repeat(12) + '0200000000bb' + '0200000000aa' + '0b0a0000',
    )
    assert.equal(toHex(encodeReal({ ip: ip('10.1.1.2'), hop: undefined })), '0a010102' + '00'.repeat(28))
    assert.equal(toHex(encodeReal(undefined)), '00'.repeat(32))
    assert.equal(toHex(encodeTable(Uint32Array.of(7, 0xffffffff))), '07000000' + 'ffffffff')
    const hashKey = fromHex('000102030405060708090a0b0c0d0e0f')!
    assert.equal(
      toHex(encodeSettings({ hashKey, tableSize: 65537 })),
      '886b3d27' + 'd70da582' + '26831318' + '487e7e0c' + '01000100',
    )
    assert.equal(keyWords(hashKey)[0], 0x273d6b88)
  })

  it('reads what it writes', () => {
    const vipKey = fc.record({ ip: address, port: fc.nat(65535), protocol: fc.nat(255) }, plain)
    const vip = fc.record({ table: fc.nat(4095), dscp: fc.nat(63) }, plain)
    const real = fc.record({ ip: address, hop: fc.option(hops, { nil: undefined }) }, plain)
    fc.assert(
      fc.property(vipKey, vip, real, fc.nat(), (key, entry, backend, index) => {
        assert.deepEqual(decodeVipKey(encodeVipKey(key)), key)
        assert.deepEqual(decodeVip(encodeVip(entry)), entry)
        assert.deepEqual(decodeReal(encodeReal(backend), backend.ip.family), backend)
        assert.equal(decodeIndex(encodeIndex(index)), index)
      }),
    )
  })

  it('adds a counter up over the CPUs, beyond 32 bits', () => {
    assert.equal(sumCounter(fromHex('ffffffff00000000' + '0200000000000000')!), 0x1_0000_0001)
    assert.equal(sumCounter(new Uint8Array()), 0)
    assert.equal(counterIndex('forwarded'), 0)
  })

  it('counts by the reasons of layout.h in their order', () => {
    const names = /enum reason \{([^}]*)\}/.exec(header)![1]!.match(/[A-Z_]+/g)!
    const expected = reasons.map((reason) => reason.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase())
    // NO_REAL is a row's value there.
    assert.deepEqual(names, [
      ...expected.map((name) => (name === 'NO_REAL' ? 'NO_REAL_UP' : name)),
      'REASONS',
    ])
  })

  it('is that of the maps in the kernel', () => {
    const bpf = loadAddon()
    const program = openProgram(image, 1)
    try {
      for (const [name, map] of Object.entries(maps)) {
        const info = bpf.bpfMapInfo(program.loaded.maps[name as keyof typeof maps])
        assert.deepEqual(
          [info.name, info.keySize, info.valueSize, info.maxEntries],
          [map.name, map.keySize, map.valueSize, map.maxEntries],
        )
      }
    } finally {
      program.close()
    }
  })

  it('keeps the program within its budget: 10,000 instructions to verify, 5 KB of machine code', () => {
    const program = openProgram(image, 1)
    try {
      const info = loadAddon().bpfProgInfo(program.loaded.program)
      assert.ok(info.verifiedInstructions <= 10_000, `${info.verifiedInstructions} instructions`)
      if (process.arch === 'x64') assert.ok(info.jitedSize <= 5 * 1024, `${info.jitedSize} bytes`)
    } finally {
      program.close()
    }
  })
})

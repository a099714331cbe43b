// A seeded source of random numbers, and random images for it: VIPs, tables and reals of both families.

import { noReal, vipId, type DatapathImage, type RealEntry, type VipEntry } from '../../forwarder/image.ts'
import { type Ip, ip } from '../../net/ip.ts'
import { macFromBytes } from '../../net/mac.ts'

export type Random = {
  /** An integer from 0 to below `limit`. */
  readonly below: (limit: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <T>(from: readonly T[]) => T
  readonly bytes: (length: number) => Uint8Array
}

/** Mulberry32: 32 bits of state, good enough to scatter test cases. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000
  }
  const self: Random = {
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (from) => from[self.below(from.length)]!,
    bytes: (length) => Uint8Array.from({ length }, () => self.below(256)),
  }
  return self
}

export const vips: readonly Ip[] = [
  '198.51.100.10',
  '198.51.100.11',
  '0.0.0.0',
  '255.255.255.255',
  '2001:db8:1::10',
  '2001:db8:1::11',
  // Its first word is an IPv4 VIP's address: a key without the family would mix them up.
  'c633:640a::',
].map(ip)
export const ports: readonly number[] = [0, 53, 80, 443, 65535]
/** The interface that test runs come in by: loopback's. */
export const ingress = 1

const realCount = 24
const missingTable = 99

/** An image of `tableSize` rows in which every reason for not forwarding has its chance. */
export function randomImage(random: Random, tableSize: number): DatapathImage {
  const reals = new Map<number, RealEntry>()
  for (let index = 0; index < realCount; index += 1) reals.set(index, randomReal(random, index))
  const tables = new Map<number, Uint32Array>()
  // Even tables are for IPv4 and odd ones for IPv6, and so are the reals that they point to.
  for (let table = 0; table < 8; table += 1) {
    const half = (): number => 2 * random.below(realCount / 2) + (table % 2)
    const only = random.chance(0.2) ? noReal : half()
    const uniform = random.chance(0.3)
    tables.set(
      table,
      Uint32Array.from({ length: tableSize }, () => (uniform ? only : random.chance(0.05) ? noReal : half())),
    )
  }
  const entries = new Map<string, VipEntry>()
  for (const vip of vips) {
    if (random.chance(0.07)) continue
    const dscp = random.below(64)
    const entry = (): VipEntry => ({
      table: random.chance(0.03) ? missingTable : 2 * random.below(4) + (vip.family === 4 ? 0 : 1),
      dscp,
    })
    entries.set(vipId({ ip: vip, port: 0, protocol: 0 }), entry())
    for (const port of ports) {
      for (const protocol of [6, 17]) {
        if (random.chance(0.8)) entries.set(vipId({ ip: vip, port, protocol }), entry())
      }
    }
  }
  return { hashKey: random.bytes(16), tableSize, vips: entries, tables, reals }
}

function randomReal(random: Random, index: number): RealEntry {
  const family = index % 2 === 0 ? 4 : 6
  const address = random.bytes(family === 4 ? 4 : 16)
  const value = address.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  if (random.chance(0.1)) return { ip: { family, value }, hop: undefined }
  const ifindex = random.chance(0.4) ? ingress : 2 + random.below(5)
  // The destination tells the real, the source the interface: a test run does not say where a frame leaves.
  const source = macFromBytes(Uint8Array.of(2, 1, 0, 0, 0, ifindex))
  const destination = macFromBytes(Uint8Array.of(2, 2, 0, 0, 0, index))
  return { ip: { family, value: random.chance(0.05) ? 0n : value }, hop: { ifindex, source, destination } }
}

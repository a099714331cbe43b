// A small image with known answers: one VIP of each family, two reals each, one of them behind the ingress interface.

import { type Tuple, rowOf } from '../../forwarder/hash.ts'
import { type DatapathImage, noReal, vipId } from '../../forwarder/image.ts'
import { fromHex } from '../../net/bytes.ts'
import { ip } from '../../net/ip.ts'
import { type Mac, parseMac } from '../../net/mac.ts'

export const vip4 = '198.51.100.10'
export const vip6 = '2001:db8:1::10'
export const client4 = '192.0.2.1'
export const client6 = '2001:db8:2::1'
/** Served by TCP and UDP at both VIPs. */
export const port = 80
export const dscp = 5
export const ingress = 3

export function mac(text: string): Mac {
  return parseMac(text)!
}

const router = { ifindex: ingress, source: mac('02:00:00:00:00:aa'), destination: mac('02:00:00:00:00:bb') }
const rack = { ifindex: 4, source: mac('02:00:00:00:00:cc'), destination: mac('02:00:00:00:00:dd') }
const tableSize = 251

/** Even rows belong to the first real of a family, odd ones to the second. */
function alternating(first: number): Uint32Array {
  return Uint32Array.from({ length: tableSize }, (_, row) => first + (row % 2))
}

function entries(): DatapathImage['vips'] {
  const keys = [
    { port: 0, protocol: 0 },
    { port, protocol: 6 },
    { port, protocol: 17 },
  ]
  return new Map(
    [vip4, vip6].flatMap((vip, table) =>
      keys.map((key) => [vipId({ ip: ip(vip), ...key }), { table, dscp }] as const),
    ),
  )
}

export const image: DatapathImage = {
  hashKey: fromHex('000102030405060708090a0b0c0d0e0f')!,
  tableSize,
  vips: entries(),
  tables: new Map([
    [0, alternating(0)],
    [1, alternating(2)],
  ]),
  reals: new Map([
    [0, { ip: ip('10.1.1.2'), hop: router }],
    [1, { ip: ip('10.1.2.2'), hop: rack }],
    [2, { ip: ip('fd00:1:1::2'), hop: router }],
    [3, { ip: ip('fd00:1:2::2'), hop: rack }],
  ]),
}

/** The same without a real in any row, and without next hops. */
export const withoutReals: DatapathImage = {
  ...image,
  tables: new Map([0, 1].map((table) => [table, new Uint32Array(tableSize).fill(noReal)])),
}
export const withoutHops: DatapathImage = {
  ...image,
  reals: new Map([...image.reals].map(([index, real]) => [index, { ...real, hop: undefined }])),
}

/** Which real of `image` a client's flow is for, by the rows' definition above. */
export function realOf(tuple: Tuple): number {
  return (tuple.destination.family === 4 ? 0 : 2) + (rowOf(tuple, image.hashKey, tableSize) % 2)
}

// Random messages and their parts, all of them such that they can stand on the wire.

import fc from 'fast-check'
import { type Family, type Ip } from '../../../net/ip.ts'
import { type Prefix, prefixOf } from '../../../net/prefix.ts'
import { type AsPath } from '../../../speaker/bgp/as-path.ts'
import { origins, type PathAttribute } from '../../../speaker/bgp/attributes.ts'
import { type Capability } from '../../../speaker/bgp/capabilities.ts'
import { type BgpMessage } from '../../../speaker/bgp/message.ts'
import { type Notification } from '../../../speaker/bgp/notification.ts'
import { type Open } from '../../../speaker/bgp/open.ts'
import { type Update } from '../../../speaker/bgp/update.ts'

// As object literals are: deepEqual in its strict form tells a null prototype apart.
export function record<T>(model: { readonly [name in keyof T]: fc.Arbitrary<T[name]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true })
}

export const u8 = fc.integer({ min: 0, max: 0xff })
export const u16 = fc.integer({ min: 0, max: 0xffff })
export const u32 = fc.integer({ min: 0, max: 0xffffffff })

export function address(family: Family): fc.Arbitrary<Ip> {
  const bits = family === 4 ? 32n : 128n
  return fc.bigInt({ min: 0n, max: (1n << bits) - 1n }).map((value) => ({ family, value }))
}

export function prefixIn(family: Family): fc.Arbitrary<Prefix> {
  return fc
    .tuple(address(family), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([ip, length]) => prefixOf(ip, length))
}

const capability: fc.Arbitrary<Capability> = fc.oneof(
  record({ kind: fc.constant('multiprotocol' as const), afi: u16, safi: u8 }),
  fc.constant({ kind: 'routeRefresh' as const }),
  record({ kind: fc.constant('fourOctetAs' as const), asn: u32 }),
  record({
    kind: fc.constant('unknown' as const),
    code: fc.constantFrom(3, 5, 6, 9, 64, 69, 70, 71, 73, 128, 255),
    value: fc.uint8Array({ maxLength: 40 }),
  }),
)

/** Up to 20 capabilities: more than 255 octets are among them. */
export const open: fc.Arbitrary<Open> = record({
  kind: fc.constant('open' as const),
  myAs: u16,
  holdTimeSeconds: u16,
  routerId: u32,
  capabilities: fc.array(capability, { maxLength: 20, size: 'max' }),
})

function pathOf(asn: fc.Arbitrary<number>): fc.Arbitrary<AsPath> {
  return fc.array(
    record({
      kind: fc.constantFrom(
        'set' as const,
        'sequence' as const,
        'confedSequence' as const,
        'confedSet' as const,
      ),
      asns: fc.array(asn, { minLength: 1, maxLength: 5 }),
    }),
    { maxLength: 3 },
  )
}

/** One of each kind but those that carry prefixes. */
export function attribute(fourOctetAs: boolean): fc.Arbitrary<PathAttribute> {
  const asn = fourOctetAs ? u32 : u16
  const partial = fc.boolean()
  const some = { minLength: 1, maxLength: 100 }
  return fc.oneof(
    record({ kind: fc.constant('origin' as const), origin: fc.constantFrom(...origins) }),
    record({ kind: fc.constant('asPath' as const), path: pathOf(asn) }),
    record({ kind: fc.constant('as4Path' as const), partial, path: pathOf(u32) }),
    record({ kind: fc.constant('nextHop' as const), address: address(4) }),
    record({ kind: fc.constantFrom('med' as const, 'localPref' as const), value: u32 }),
    fc.constant({ kind: 'atomicAggregate' as const }),
    record({ kind: fc.constant('aggregator' as const), partial, asn, address: address(4) }),
    record({ kind: fc.constant('as4Aggregator' as const), partial, asn: u32, address: address(4) }),
    record({ kind: fc.constant('communities' as const), partial, values: fc.array(u32, some) }),
    record({
      kind: fc.constant('extendedCommunities' as const),
      partial,
      values: fc.array(fc.uint8Array({ minLength: 8, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
    }),
    record({
      kind: fc.constant('largeCommunities' as const),
      partial,
      values: fc.array(record({ global: u32, local1: u32, local2: u32 }), { minLength: 1, maxLength: 4 }),
    }),
    record({
      kind: fc.constant('unknown' as const),
      flags: fc.constantFrom(0x80, 0xc0, 0xe0),
      type: fc.constantFrom(9, 10, 20, 22, 35, 128, 255),
      value: fc.uint8Array({ maxLength: 300, size: 'max' }),
    }),
  )
}

const reach: fc.Arbitrary<PathAttribute> = record({
  kind: fc.constant('mpReach' as const),
  family: fc.constant(6 as const),
  nextHops: fc.array(address(6), { minLength: 1, maxLength: 2 }),
  nlri: fc.array(prefixIn(6), { maxLength: 20 }),
})
const unreach: fc.Arbitrary<PathAttribute> = record({
  kind: fc.constant('mpUnreach' as const),
  family: fc.constant(6 as const),
  nlri: fc.array(prefixIn(6), { maxLength: 20 }),
})

/** Complete: what RFC 4271 §5 and RFC 4760 §3 demand is among the attributes, and each of them once. */
export function update(fourOctetAs: boolean): fc.Arbitrary<Update> {
  const needed: readonly PathAttribute[] = [
    { kind: 'origin', origin: 'igp' },
    { kind: 'asPath', path: [] },
    { kind: 'nextHop', address: { family: 4, value: 1n } },
  ]
  const typeOf = (each: PathAttribute): string => (each.kind === 'unknown' ? `${each.type}` : each.kind)
  return record({
    withdrawn: fc.array(prefixIn(4), { maxLength: 30 }),
    nlri: fc.array(prefixIn(4), { maxLength: 30 }),
    attributes: fc.array(fc.oneof(attribute(fourOctetAs), reach, unreach), { maxLength: 6 }),
  }).map(({ withdrawn, nlri, attributes }): Update => {
    const unique = new Map([...needed, ...attributes].map((each) => [typeOf(each), each]))
    return { kind: 'update', withdrawn, attributes: [...unique.values()], nlri, problems: [] }
  })
}

export const notificationMessage: fc.Arbitrary<Notification> = record({
  kind: fc.constant('notification' as const),
  code: u8,
  subcode: u8,
  data: fc.uint8Array({ maxLength: 300, size: 'max' }),
})

export function message(fourOctetAs: boolean): fc.Arbitrary<BgpMessage> {
  return fc.oneof(
    open,
    update(fourOctetAs),
    notificationMessage,
    fc.constant({ kind: 'keepalive' as const }),
    record({ kind: fc.constant('routeRefresh' as const), afi: u16, subtype: u8, safi: u8 }),
  )
}

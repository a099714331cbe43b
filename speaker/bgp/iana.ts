// Numbers from the IANA registries that BGP messages use, as tables: code point → our word.
// https://www.iana.org/assignments/bgp-parameters and .../address-family-numbers, .../safi-namespace.

import { type Family } from '../../net/ip.ts'

/** RFC 4271 §4.1, RFC 2918. */
export const messageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const

export const headerLength = 19
/** RFC 4271 §4.1; RFC 8654 would allow 65535 for all but OPEN and KEEPALIVE. */
export const messageLengthMax = 4096

export const bgpVersion = 4
/** RFC 6793 §9: stands in two-octet fields for an AS number that needs four. */
export const asTrans = 23456
export const asn16Max = 0xffff

export const afi = { ipv4: 1, ipv6: 2 } as const
export const safi = { unicast: 1 } as const

export function afiOf(family: Family): number {
  return family === 4 ? afi.ipv4 : afi.ipv6
}

/** The family of an AFI/SAFI pair, undefined unless it is IPv4 or IPv6 unicast. */
export function familyOf(afiNumber: number, safiNumber: number): Family | undefined {
  if (safiNumber !== safi.unicast) return undefined
  return afiNumber === afi.ipv4 ? 4 : afiNumber === afi.ipv6 ? 6 : undefined
}

/** RFC 4271 §4.2, RFC 9072 §2. */
export const openParameter = { capabilities: 2, extendedLength: 255 } as const

export const capabilityCode = {
  multiprotocol: 1, // RFC 4760 §8
  routeRefresh: 2, // RFC 2918
  // 5 extended next hop (RFC 8950), 6 extended message (RFC 8654), 9 role (RFC 9234): kept raw
  fourOctetAs: 65, // RFC 6793 §3
  // 64 graceful restart (RFC 4724), 69 add-path (RFC 7911), 70 enhanced route refresh (RFC 7313): kept raw
} as const

export const attributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8, // RFC 1997
  mpReach: 14, // RFC 4760 §3
  mpUnreach: 15, // RFC 4760 §4
  extendedCommunities: 16, // RFC 4360
  as4Path: 17, // RFC 6793
  as4Aggregator: 18, // RFC 6793
  largeCommunities: 32, // RFC 8092
} as const

/** RFC 4271 §4.3, the high four bits of the attribute flags. */
export const attributeFlag = {
  optional: 0x80,
  transitive: 0x40,
  partial: 0x20,
  extendedLength: 0x10,
} as const

/** RFC 4271 §4.5 and §6, RFC 5492, 6608, 4486, 8538, 7313. */
export const errorCode = {
  messageHeader: 1,
  openMessage: 2,
  updateMessage: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  routeRefresh: 7,
} as const

export const headerError = { notSynchronized: 1, badLength: 2, badType: 3 } as const

export const openError = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
} as const

export const updateError = {
  malformedAttributeList: 1,
  unrecognizedWellKnown: 2,
  missingWellKnown: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const

/** RFC 6608. */
export const fsmError = { inOpenSent: 1, inOpenConfirm: 2, inEstablished: 3 } as const

/** RFC 4486, 8538, 9384. */
export const cease = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  collisionResolution: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const

const codeNames: Readonly<Record<number, string>> = {
  1: 'Message Header Error',
  2: 'OPEN Message Error',
  3: 'UPDATE Message Error',
  4: 'Hold Timer Expired',
  5: 'Finite State Machine Error',
  6: 'Cease',
  7: 'ROUTE-REFRESH Message Error',
}

const subcodeNames: Readonly<Record<number, Readonly<Record<number, string>>>> = {
  1: { 1: 'Connection Not Synchronized', 2: 'Bad Message Length', 3: 'Bad Message Type' },
  2: {
    1: 'Unsupported Version Number',
    2: 'Bad Peer AS',
    3: 'Bad BGP Identifier',
    4: 'Unsupported Optional Parameter',
    6: 'Unacceptable Hold Time',
    7: 'Unsupported Capability',
    11: 'Role Mismatch',
  },
  3: {
    1: 'Malformed Attribute List',
    2: 'Unrecognized Well-known Attribute',
    3: 'Missing Well-known Attribute',
    4: 'Attribute Flags Error',
    5: 'Attribute Length Error',
    6: 'Invalid ORIGIN Attribute',
    8: 'Invalid NEXT_HOP Attribute',
    9: 'Optional Attribute Error',
    10: 'Invalid Network Field',
    11: 'Malformed AS_PATH',
  },
  5: {
    1: 'Unexpected Message in OpenSent State',
    2: 'Unexpected Message in OpenConfirm State',
    3: 'Unexpected Message in Established State',
  },
  6: {
    1: 'Maximum Number of Prefixes Reached',
    2: 'Administrative Shutdown',
    3: 'Peer De-configured',
    4: 'Administrative Reset',
    5: 'Connection Rejected',
    6: 'Other Configuration Change',
    7: 'Connection Collision Resolution',
    8: 'Out of Resources',
    9: 'Hard Reset',
    10: 'BFD Down',
  },
  7: { 1: 'Invalid Message Length' },
}

/** For example `Cease / Administrative Shutdown`, `OPEN Message Error / subcode 9`. */
export function errorName(code: number, subcode: number): string {
  const name = codeNames[code] ?? `error code ${code}`
  if (subcode === 0) return name
  return `${name} / ${subcodeNames[code]?.[subcode] ?? `subcode ${subcode}`}`
}

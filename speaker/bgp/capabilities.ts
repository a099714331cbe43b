// Capabilities of OPEN (RFC 5492 §4). What is not known here is kept raw.
//
//   +------------------------------+
//   | Capability Code (1 octet)    |
//   | Capability Length (1 octet)  |
//   | Capability Value (variable)  |
//   +------------------------------+

import { type Reader, type Writer } from '../../net/bytes.ts'
import { capabilityCode, errorCode, openError } from './iana.ts'
import { Malformed } from './notification.ts'

export type Capability =
  | { readonly kind: 'multiprotocol'; readonly afi: number; readonly safi: number }
  | { readonly kind: 'routeRefresh' }
  | { readonly kind: 'fourOctetAs'; readonly asn: number }
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array }

export function encodeCapability(to: Writer, capability: Capability): void {
  switch (capability.kind) {
    case 'multiprotocol':
      to.u8(capabilityCode.multiprotocol).u8(4).u16(capability.afi).u8(0).u8(capability.safi)
      return
    case 'routeRefresh':
      to.u8(capabilityCode.routeRefresh).u8(0)
      return
    case 'fourOctetAs':
      to.u8(capabilityCode.fourOctetAs).u8(4).u32(capability.asn)
      return
    case 'unknown':
      to.u8(capability.code).u8(capability.value.length).bytes(capability.value)
      return
  }
}

/** Reads capabilities to the end. Throws `Malformed` (OPEN Message Error, unspecific: RFC 4271 §6.2). */
export function decodeCapabilities(from: Reader): readonly Capability[] {
  const capabilities: Capability[] = []
  while (from.left > 0) {
    if (from.left < 2) throw unspecific('a capability has no length octet')
    const code = from.u8()
    const length = from.u8()
    if (length > from.left)
      throw unspecific(`capability ${code} claims ${length} octets, ${from.left} are left`)
    capabilities.push(decodeCapability(code, from.sub(length)))
  }
  return capabilities
}

function decodeCapability(code: number, value: Reader): Capability {
  switch (code) {
    case capabilityCode.multiprotocol: {
      expectLength('multiprotocol', value, 4)
      const afi = value.u16()
      value.u8() // reserved: ignored (RFC 4760 §8)
      return { kind: 'multiprotocol', afi, safi: value.u8() }
    }
    case capabilityCode.routeRefresh:
      expectLength('route refresh', value, 0)
      return { kind: 'routeRefresh' }
    case capabilityCode.fourOctetAs:
      expectLength('four-octet AS', value, 4)
      return { kind: 'fourOctetAs', asn: value.u32() }
    default:
      return { kind: 'unknown', code, value: value.rest().slice() }
  }
}

function expectLength(name: string, value: Reader, length: number): void {
  if (value.left !== length)
    throw unspecific(`the ${name} capability has ${value.left} octets instead of ${length}`)
}

function unspecific(text: string): Malformed {
  return new Malformed(errorCode.openMessage, openError.unspecific, text)
}

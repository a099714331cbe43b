// OPEN (RFC 4271 §4.2, with the optional parameters of RFC 5492 and their extended length, RFC 9072).
//
//   +-+-+-+-+-+-+-+-+
//   |    Version    |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |     My Autonomous System      |
//   |           Hold Time           |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   |                         BGP Identifier                        |
//   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//   | Opt Parm Len  |  Optional Parameters (variable)
//   +-+-+-+-+-+-+-+-+------------------------------------------------
//
// Here is only the form. Whether its AS, identifier and hold time suit us is decided in negotiate.ts.

import { type Reader, reader, ShortBuffer, writer } from '../../net/bytes.ts'
import { type Capability, decodeCapabilities, encodeCapability } from './capabilities.ts'
import { bgpVersion, errorCode, openError, openParameter } from './iana.ts'
import { Malformed } from './notification.ts'

export type Open = {
  readonly kind: 'open'
  /** The two-octet field: AS_TRANS if the AS needs four (RFC 6793 §9). */
  readonly myAs: number
  readonly holdTimeSeconds: number
  /** BGP Identifier as an unsigned number, for comparison (RFC 4271 §6.8). */
  readonly routerId: number
  readonly capabilities: readonly Capability[]
}

/** All capabilities in one parameter; the extended form (RFC 9072) only when they need more than 255 octets. */
export function encodeOpenBody(open: Open): Uint8Array {
  const values = writer(64)
  for (const capability of open.capabilities) encodeCapability(values, capability)
  const to = writer(64).u8(bgpVersion).u16(open.myAs).u16(open.holdTimeSeconds).u32(open.routerId)
  if (values.length === 0) to.u8(0)
  else if (values.length <= 253)
    to.u8(values.length + 2)
      .u8(openParameter.capabilities)
      .u8(values.length)
  else
    to.u8(openParameter.extendedLength)
      .u8(openParameter.extendedLength)
      .u16(values.length + 3)
      .u8(openParameter.capabilities)
      .u16(values.length)
  return to.bytes(values.done()).done()
}

/** Throws `Malformed` with the subcode of RFC 4271 §6.2. */
export function decodeOpenBody(body: Uint8Array): Open {
  const from = reader(body)
  const version = from.u8()
  if (version !== bgpVersion)
    throw new Malformed(
      errorCode.openMessage,
      openError.unsupportedVersion,
      `version ${version} instead of ${bgpVersion}`,
      Uint8Array.of(0, bgpVersion),
    )
  const myAs = from.u16()
  const holdTimeSeconds = from.u16()
  const routerId = from.u32()
  try {
    return { kind: 'open', myAs, holdTimeSeconds, routerId, capabilities: decodeParameters(from, body) }
  } catch (error) {
    if (!(error instanceof ShortBuffer)) throw error
    throw unspecific(`optional parameters: ${error.message}`)
  }
}

function decodeParameters(from: Reader, body: Uint8Array): readonly Capability[] {
  let length = from.u8()
  let lengthOf = (parameters: Reader): number => parameters.u8()
  // RFC 9072 §2: a first parameter of type 255 says that all lengths have two octets, whatever the first length is.
  if (length !== 0 && body[from.offset] === openParameter.extendedLength) {
    from.u8()
    length = from.u16()
    lengthOf = (parameters) => parameters.u16()
  }
  if (length !== from.left) throw unspecific(`optional parameters of ${length} octets, ${from.left} follow`)
  const capabilities: Capability[] = []
  while (from.left > 0) {
    const type = from.u8()
    const parameter = from.sub(lengthOf(from))
    if (type !== openParameter.capabilities)
      throw new Malformed(
        errorCode.openMessage,
        openError.unsupportedOptionalParameter,
        `optional parameter of type ${type}, only capabilities (2) are known`,
      )
    capabilities.push(...decodeCapabilities(parameter))
  }
  return capabilities
}

function unspecific(text: string): Malformed {
  return new Malformed(errorCode.openMessage, openError.unspecific, text)
}

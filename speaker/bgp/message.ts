// The door of the BGP codec: whole messages to values and back (RFC 4271 §4.1), and messages out of a byte stream.
//
//   +-----------------------------------------------+
//   |   Marker (16 octets, all ones)                |
//   +-----------------------+-----------------------+
//   |   Length (2 octets)   |  Type (1) |  Body ...
//   +-----------------------+-----------------------+

import { reader, writer } from '../../net/bytes.ts'
import { type CodecContext } from './attributes.ts'
import { errorCode, headerError, headerLength, messageLengthMax, messageType } from './iana.ts'
import {
  type BgpError,
  decodeNotificationBody,
  encodeNotificationBody,
  Malformed,
  type Notification,
} from './notification.ts'
import { decodeOpenBody, encodeOpenBody, type Open } from './open.ts'
import { decodeUpdateBody, encodeUpdateBody, type Update } from './update.ts'

export type Keepalive = { readonly kind: 'keepalive' }

/** RFC 2918 §3. `subtype` is 0 in a plain request; RFC 7313 gives the former reserved octet other values. */
export type RouteRefresh = {
  readonly kind: 'routeRefresh'
  readonly afi: number
  readonly subtype: number
  readonly safi: number
}

export type BgpMessage = Open | Update | Notification | Keepalive | RouteRefresh

export type Decoded =
  { readonly ok: true; readonly message: BgpMessage } | { readonly ok: false; readonly error: BgpError }

/** What a stream gives: complete messages (header included), the bytes of a begun one, and a fault that ends it. */
export type Framed = {
  readonly frames: readonly Uint8Array[]
  readonly rest: Uint8Array
  readonly error?: BgpError
}

// RFC 4271 §6.1 and the fixed parts of §4.2–4.5; RFC 2918 §3.
const lengthMin: Readonly<Record<number, number>> = {
  [messageType.open]: 29,
  [messageType.update]: 23,
  [messageType.notification]: 21,
  [messageType.keepalive]: 19,
  [messageType.routeRefresh]: 23,
}
const lengthFixed: ReadonlySet<number> = new Set([messageType.keepalive, messageType.routeRefresh])

/**
 * Bytes of one message. `context` must be what the session negotiated. Messages longer than 4096 octets are the
 * caller's mistake: throws `RangeError`.
 */
export function encodeMessage(message: BgpMessage, context: CodecContext): Uint8Array {
  return withHeader(messageType[message.kind], encodeBody(message, context))
}

/** A message of `type` with its header around `body`. Throws `RangeError` above 4096 octets. */
export function withHeader(type: number, body: Uint8Array): Uint8Array {
  const length = headerLength + body.length
  if (length > messageLengthMax) throw new RangeError(`a BGP message of ${length} octets`)
  const bytes = new Uint8Array(length)
  bytes.fill(0xff, 0, 16)
  bytes[16] = length >> 8
  bytes[17] = length & 0xff
  bytes[18] = type
  bytes.set(body, headerLength)
  return bytes
}

/** Reads one whole message, never throws: the error carries the NOTIFICATION that RFC 4271 §6 prescribes. */
export function decodeMessage(bytes: Uint8Array, context: CodecContext): Decoded {
  try {
    const { frames, rest, error } = splitMessages(bytes)
    if (error !== undefined) return { ok: false, error }
    const [frame] = frames
    if (frame === undefined || frames.length > 1 || rest.length > 0)
      throw badLength(`${bytes.length} octets are not one message`, bytes.length)
    return { ok: true, message: decodeBody(frame[18] ?? 0, frame.subarray(headerLength), context) }
  } catch (error) {
    if (error instanceof Malformed)
      return { ok: false, error: { notification: error.notification, text: error.message } }
    throw error
  }
}

/**
 * Cuts a stream into messages; `bytes` is what was left before, then what came. Headers are judged as soon as they
 * are complete (RFC 4271 §6.1). Frames are views into `bytes`.
 */
export function splitMessages(bytes: Uint8Array): Framed {
  const frames: Uint8Array[] = []
  let at = 0
  while (bytes.length - at >= headerLength) {
    const fault = headerFault(bytes.subarray(at, at + headerLength))
    if (fault !== undefined) return { frames, rest: bytes.subarray(at), error: fault }
    const length = lengthAt(bytes, at)
    if (bytes.length - at < length) break
    frames.push(bytes.subarray(at, at + length))
    at += length
  }
  return { frames, rest: bytes.subarray(at) }
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at + 16] ?? 0) << 8) | (bytes[at + 17] ?? 0)
}

function headerFault(header: Uint8Array): BgpError | undefined {
  const fault = (subcode: number, text: string, data?: Uint8Array): BgpError => {
    const { notification, message } = new Malformed(errorCode.messageHeader, subcode, text, data)
    return { notification, text: message }
  }
  const wrong = header.subarray(0, 16).findIndex((octet) => octet !== 0xff)
  if (wrong >= 0) return fault(headerError.notSynchronized, `octet ${wrong} of the marker is not 0xff`)
  const length = lengthAt(header, 0)
  const type = header[18] ?? 0
  const lengthData = Uint8Array.of(length >> 8, length & 0xff)
  if (length < headerLength || length > messageLengthMax)
    return fault(headerError.badLength, `message length ${length}, 19 to 4096 are possible`, lengthData)
  const least = lengthMin[type]
  if (least === undefined)
    return fault(headerError.badType, `message type ${type}, 1 to 5 are known`, Uint8Array.of(type))
  if (length < least || (lengthFixed.has(type) && length !== least))
    return fault(headerError.badLength, `length ${length} of a message of type ${type}`, lengthData)
  return undefined
}

function badLength(text: string, length: number): Malformed {
  const data = Uint8Array.of((length >> 8) & 0xff, length & 0xff)
  return new Malformed(errorCode.messageHeader, headerError.badLength, text, data)
}

function encodeBody(message: BgpMessage, context: CodecContext): Uint8Array {
  switch (message.kind) {
    case 'open':
      return encodeOpenBody(message)
    case 'update':
      return encodeUpdateBody(message, context)
    case 'notification':
      return encodeNotificationBody(message)
    case 'keepalive':
      return new Uint8Array()
    case 'routeRefresh':
      return writer(4).u16(message.afi).u8(message.subtype).u8(message.safi).done()
  }
}

function decodeBody(type: number, body: Uint8Array, context: CodecContext): BgpMessage {
  switch (type) {
    case messageType.open:
      return decodeOpenBody(body)
    case messageType.update:
      return decodeUpdateBody(body, context)
    case messageType.notification:
      return decodeNotificationBody(body)
    case messageType.keepalive:
      return { kind: 'keepalive' }
    default: {
      const from = reader(body)
      return { kind: 'routeRefresh', afi: from.u16(), subtype: from.u8(), safi: from.u8() }
    }
  }
}

// NOTIFICATION (RFC 4271 §4.5, §6): the message, its words, and the error value that every decoder returns —
// an error of the codec *is* the notification to send.
//
//    0                   1                   2
//   +---------------+---------------+---------------------------
//   | Error code    | Error subcode |   Data (variable)
//   +---------------+---------------+---------------------------

import { reader, toHex, writer } from '../../net/bytes.ts'
import { cease, errorCode, errorName } from './iana.ts'

export type Notification = {
  readonly kind: 'notification'
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

/** A notification to send and what was found, for the log: which field, what value, what was expected. Empty: it says all. */
export type BgpError = { readonly notification: Notification; readonly text: string }

/** Thrown inside the codec only; its doors turn it into a value. */
export class Malformed extends Error {
  readonly notification: Notification

  constructor(code: number, subcode: number, text: string, data: Uint8Array = new Uint8Array()) {
    super(text)
    this.name = 'Malformed'
    this.notification = notification(code, subcode, data)
  }
}

export function notification(code: number, subcode = 0, data: Uint8Array = new Uint8Array()): Notification {
  return { kind: 'notification', code, subcode, data }
}

/** Cease / Administrative Shutdown that tells the neighbour's operator why (RFC 9003 §2): at most 255 octets of UTF-8. */
export function administrativeShutdown(text: string): Notification {
  const octets = new Uint8Array(255)
  const { written } = new TextEncoder().encodeInto(text, octets)
  const data = Uint8Array.of(written, ...octets.subarray(0, written))
  return notification(errorCode.cease, cease.administrativeShutdown, data)
}

export function encodeNotificationBody(message: Notification): Uint8Array {
  return writer(2 + message.data.length)
    .u8(message.code)
    .u8(message.subcode)
    .bytes(message.data)
    .done()
}

/** Throws `ShortBuffer` on less than two bytes, which the header check already refuses. */
export function decodeNotificationBody(body: Uint8Array): Notification {
  const from = reader(body)
  return notification(from.u8(), from.u8(), from.rest().slice())
}

/** In words: name of code and subcode, and the data as text where the RFC says it is (RFC 9003), else in hex. */
export function describeNotification(message: Notification): string {
  const name = errorName(message.code, message.subcode)
  if (message.data.length === 0) return name
  const text = shutdownText(message)
  return text === undefined
    ? `${name} (data ${toHex(message.data)})`
    : text === ''
      ? name
      : `${name}: ${text}`
}

// RFC 9003 §2: one length octet, then UTF-8. Control characters are dropped: this ends in logs and terminals.
function shutdownText({ code, subcode, data }: Notification): string | undefined {
  const carriesText = subcode === cease.administrativeShutdown || subcode === cease.administrativeReset
  if (code !== errorCode.cease || !carriesText || data[0] !== data.length - 1) return undefined
  return new TextDecoder()
    .decode(data.subarray(1))
    .replace(/\p{Cc}/gu, ' ')
    .trim()
}

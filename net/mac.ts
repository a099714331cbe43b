// Ethernet addresses.

import { type Brand } from './brand.ts'

/** Six bytes in canonical text, `02:aa:bb:cc:dd:ee`, lower case. */
export type Mac = Brand<string, 'Mac'>

/** Undefined if the text is not six colon-separated octets. */
export function parseMac(text: string): Mac | undefined {
  return /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/.test(text) ? (text.toLowerCase() as Mac) : undefined
}

export function macFromBytes(bytes: Uint8Array): Mac {
  return Array.from(bytes.subarray(0, 6), (byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac
}

export function macToBytes(mac: Mac): Uint8Array {
  return Uint8Array.from(mac.split(':'), (part) => parseInt(part, 16))
}

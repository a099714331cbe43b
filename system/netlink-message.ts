// Netlink framing: messages in a datagram, attributes in a message, acknowledgements (linux/netlink.h). All numbers
// are in the host's order, which is little-endian here.
//
//    0       4       6       8      12      16
//    | length | type | flags | seq  | pid   | payload, padded to 4 | next message …

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3

export const messageFlag = {
  request: 0x1,
  ack: 0x4,
  dumpInterrupted: 0x10,
  /** NLM_F_ROOT | NLM_F_MATCH */
  dump: 0x300,
  create: 0x400,
} as const

/** Flags of an answer, in the same bits. */
const ACK_CAPPED = 0x100
const ACK_TLVS = 0x200
const NLMSGERR_ATTR_MSG = 1

const headerLength = 16
/** Flags in an attribute's type: nested, network byte order. */
const attributeTypeMask = 0x3fff

export type NetlinkMessage = {
  readonly type: number
  readonly flags: number
  readonly seq: number
  readonly payload: Buffer
}

export type Attributes = ReadonlyMap<number, Buffer>

/** What is not netlink: lengths that do not fit. The kernel never sends it. */
export class MalformedNetlink extends Error {
  constructor(what: string) {
    super(`malformed netlink message: ${what}`)
    this.name = 'MalformedNetlink'
  }
}

export function encodeMessage(
  header: { readonly type: number; readonly flags: number; readonly seq: number },
  payload: Uint8Array,
): Uint8Array {
  const bytes = Buffer.alloc(headerLength + payload.length)
  bytes.writeUInt32LE(bytes.length, 0)
  bytes.writeUInt16LE(header.type, 4)
  bytes.writeUInt16LE(header.flags, 6)
  bytes.writeUInt32LE(header.seq, 8)
  bytes.set(payload, headerLength)
  return bytes
}

/** Payloads are views into `datagram`. Throws `MalformedNetlink`. */
export function decodeMessages(datagram: Uint8Array): readonly NetlinkMessage[] {
  const bytes = bufferOf(datagram)
  const messages: NetlinkMessage[] = []
  for (let at = 0; at < bytes.length;) {
    if (bytes.length - at < headerLength) throw new MalformedNetlink(`${bytes.length - at} bytes left`)
    const length = bytes.readUInt32LE(at)
    if (length < headerLength || length > bytes.length - at)
      throw new MalformedNetlink(`message of ${length} bytes, ${bytes.length - at} left`)
    messages.push({
      type: bytes.readUInt16LE(at + 4),
      flags: bytes.readUInt16LE(at + 6),
      seq: bytes.readUInt32LE(at + 8),
      payload: bytes.subarray(at + headerLength, at + length),
    })
    at += aligned(length)
  }
  return messages
}

/** One attribute with its padding. */
export function encodeAttribute(type: number, value: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(aligned(4 + value.length))
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  bytes.set(value, 4)
  return bytes
}

/** By type; of two of a type the last one stays. Throws `MalformedNetlink`. */
export function decodeAttributes(bytes: Buffer): Attributes {
  const attributes = new Map<number, Buffer>()
  for (let at = 0; bytes.length - at >= 4;) {
    const length = bytes.readUInt16LE(at)
    if (length < 4 || length > bytes.length - at)
      throw new MalformedNetlink(`attribute of ${length} bytes, ${bytes.length - at} left`)
    attributes.set(bytes.readUInt16LE(at + 2) & attributeTypeMask, bytes.subarray(at + 4, at + length))
    at += aligned(length)
  }
  return attributes
}

/**
 * What an NLMSG_ERROR or NLMSG_DONE says: a positive errno, 0 for success, and the kernel's own words where it has
 * some. Throws `MalformedNetlink`.
 */
export function decodeResult(message: NetlinkMessage): { readonly errno: number; readonly text: string } {
  const { payload, flags, type } = message
  // NLMSG_DONE of old kernels may come without a code.
  if (payload.length < 4) return { errno: 0, text: '' }
  const errno = -payload.readInt32LE(0)
  if ((flags & ACK_TLVS) === 0) return { errno, text: '' }
  let from = 4
  if (type === NLMSG_ERROR) {
    if (payload.length < 4 + headerLength) throw new MalformedNetlink('error without the request it is about')
    from += (flags & ACK_CAPPED) === 0 ? aligned(payload.readUInt32LE(4)) : headerLength
  }
  const text = decodeAttributes(payload.subarray(from)).get(NLMSGERR_ATTR_MSG)
  return { errno, text: text === undefined ? '' : cString(text) }
}

/** Text up to the terminating zero byte. */
export function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}

function aligned(length: number): number {
  return (length + 3) & ~3
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

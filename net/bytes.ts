// Big-endian reader and writer over byte arrays, the base of every codec here.

/** Thrown by `Reader` past its end; codecs catch it once at their door. */
export class ShortBuffer extends Error {
  constructor(wanted: number, left: number) {
    super(`wanted ${wanted} bytes, ${left} left`)
    this.name = 'ShortBuffer'
  }
}

export type Reader = {
  readonly left: number
  readonly offset: number
  u8(): number
  u16(): number
  u32(): number
  /** A view, not a copy. */
  bytes(length: number): Uint8Array
  /** A reader of the next `length` bytes, which this one skips. */
  sub(length: number): Reader
  rest(): Uint8Array
}

export function reader(data: Uint8Array): Reader {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  let at = 0
  const take = (length: number): number => {
    if (data.length - at < length) throw new ShortBuffer(length, data.length - at)
    const from = at
    at += length
    return from
  }
  const self: Reader = {
    get left() {
      return data.length - at
    },
    get offset() {
      return at
    },
    u8: () => view.getUint8(take(1)),
    u16: () => view.getUint16(take(2)),
    u32: () => view.getUint32(take(4)),
    bytes: (length) => {
      const from = take(length)
      return data.subarray(from, from + length)
    },
    sub: (length) => reader(self.bytes(length)),
    rest: () => self.bytes(self.left),
  }
  return self
}

export type Writer = {
  readonly length: number
  u8(value: number): Writer
  u16(value: number): Writer
  u32(value: number): Writer
  bytes(value: Uint8Array): Writer
  /** Overwrites two bytes written before: for lengths known only at the end. */
  patch16(offset: number, value: number): Writer
  /** A copy of what was written. */
  done(): Uint8Array
}

export function writer(capacity = 256): Writer {
  let buffer = new Uint8Array(capacity)
  let view = new DataView(buffer.buffer)
  let at = 0
  const grow = (more: number): number => {
    const from = at
    at += more
    if (at > buffer.length) {
      const bigger = new Uint8Array(Math.max(at, buffer.length * 2))
      bigger.set(buffer)
      buffer = bigger
      view = new DataView(buffer.buffer)
    }
    return from
  }
  const self: Writer = {
    get length() {
      return at
    },
    u8: (value) => {
      const from = grow(1)
      view.setUint8(from, value)
      return self
    },
    u16: (value) => {
      const from = grow(2)
      view.setUint16(from, value)
      return self
    },
    u32: (value) => {
      const from = grow(4)
      view.setUint32(from, value)
      return self
    },
    bytes: (value) => {
      const from = grow(value.length)
      buffer.set(value, from)
      return self
    },
    patch16: (offset, value) => {
      view.setUint16(offset, value)
      return self
    },
    done: () => buffer.slice(0, at),
  }
  return self
}

/** Lower-case hex without separators. */
export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Reads hex; blanks and colons between bytes are allowed. Undefined if it is not hex. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\s:]/g, '')
  return /^(?:[0-9a-fA-F]{2})*$/.test(digits) ? new Uint8Array(Buffer.from(digits, 'hex')) : undefined
}

// Types of the addon's socket and readiness functions. Failures are thrown as `AddonError`.

import { type Brand } from '../net/brand.ts'

export type WatchHandle = Brand<object, 'WatchHandle'>

/** What the addon throws: `code` as in EADDRINUSE, `syscall` as in bind. */
export type AddonError = Error & { readonly code: string; readonly errno: number; readonly syscall: string }

export function isAddonError(error: unknown): error is AddonError {
  return error instanceof Error && 'code' in error && 'errno' in error && 'syscall' in error
}

/** Bits of `watch`. */
export const readiness = { readable: 1, writable: 2 } as const

export type FdBinding = {
  /** Always non-blocking and close-on-exec. */
  readonly socket: (domain: number, type: number, protocol: number) => number
  readonly bind: (fd: number, name: Uint8Array) => void
  /** True if connected at once, false while in progress. */
  readonly connect: (fd: number, name: Uint8Array) => boolean
  readonly listen: (fd: number, backlog: number) => void
  /** -1 when nobody waits. */
  readonly accept: (fd: number) => number
  readonly close: (fd: number) => void
  readonly setsockopt: (fd: number, level: number, option: number, value: Uint8Array) => void
  /** Fills `value`, returns the length. */
  readonly getsockopt: (fd: number, level: number, option: number, value: Uint8Array) => number
  /** Fills `name`, returns the length. */
  readonly getsockname: (fd: number, name: Uint8Array) => number
  readonly getpeername: (fd: number, name: Uint8Array) => number
  /** Bytes received or a negative errno; `lengths` gets the lengths of name and control and the flags. */
  readonly recvmsg: (
    fd: number,
    data: Uint8Array,
    name: Uint8Array | undefined,
    control: Uint8Array | undefined,
    lengths: Int32Array,
  ) => number
  /** Bytes sent, -1 when the buffer is full. */
  readonly sendmsg: (
    fd: number,
    data: Uint8Array,
    name: Uint8Array | undefined,
    control: Uint8Array | undefined,
  ) => number
  /** 0 if there is no such interface. */
  readonly ifindex: (name: string) => number
  /** `callback(status, events)`: a negative status is an error to be drained from the socket; the watch goes on. */
  readonly watch: (
    fd: number,
    events: number,
    callback: (status: number, events: number) => void,
  ) => WatchHandle
  readonly modify: (handle: WatchHandle, events: number) => void
  /** Ends the watch; close the descriptor or hand it on no earlier than in the next `setImmediate`. */
  readonly unwatch: (handle: WatchHandle) => void
  /** Whether the watch alone keeps the process running (it does until told otherwise). */
  readonly keep: (handle: WatchHandle, keep: boolean) => void
}

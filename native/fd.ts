// Types of the addon's socket and readiness functions. Failures are thrown as `AddonError`.

import { type Brand } from '../net/brand.ts'

export type WatchHandle = Brand<object, 'WatchHandle'>

/** What the addon throws: `code` as in EADDRINUSE, `syscall` as in bind. */
export type AddonError = Error & { readonly code: string; readonly errno: number; readonly syscall: string }

/** Bits of `watch`. */
export const readiness = { readable: 1, writable: 2 } as const

export interface FdBinding {
  /** Always non-blocking and close-on-exec. */
  socket(domain: number, type: number, protocol: number): number
  bind(fd: number, name: Uint8Array): void
  /** True if connected at once, false while in progress. */
  connect(fd: number, name: Uint8Array): boolean
  listen(fd: number, backlog: number): void
  /** -1 when nobody waits. */
  accept(fd: number): number
  close(fd: number): void
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): void
  /** Fills `value`, returns the length. */
  getsockopt(fd: number, level: number, option: number, value: Uint8Array): number
  getsockname(fd: number, name: Uint8Array): number
  getpeername(fd: number, name: Uint8Array): number
  /** Bytes received or a negative errno; `lengths` gets the lengths of name and control and the flags. */
  recvmsg(
    fd: number,
    data: Uint8Array,
    name: Uint8Array | undefined,
    control: Uint8Array | undefined,
    lengths: Int32Array,
  ): number
  /** Bytes sent, -1 when the buffer is full. */
  sendmsg(fd: number, data: Uint8Array, name: Uint8Array | undefined, control: Uint8Array | undefined): number
  /** 0 if there is no such interface. */
  ifindex(name: string): number
  /** `callback(status, events)`: a negative status is an error to be drained from the socket; the watch goes on. */
  watch(fd: number, events: number, callback: (status: number, events: number) => void): WatchHandle
  modify(handle: WatchHandle, events: number): void
  unwatch(handle: WatchHandle): void
  /** Whether the watch alone keeps the process running (it does until told otherwise). */
  keep(handle: WatchHandle, keep: boolean): void
}

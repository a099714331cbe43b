// What Torii asks of its host, as types only. Drivers take these as arguments; daemon/ and cli/ hand in the
// real ones (the other files of this folder), tests may hand in in-memory ones (test/support).

import { type Ip } from '../net/ip.ts'
import { type Mac } from '../net/mac.ts'
import { type Prefix } from '../net/prefix.ts'
import { type Instant } from '../net/time.ts'

export type Cancel = () => void

export interface Clock {
  now(): Instant
  wall(): Date
  /** Calls `fire` once, `delayMs` from now, unless cancelled first. */
  after(delayMs: number, fire: () => void): Cancel
}

/** Structured log: `event` is a short constant phrase, everything that varies goes into `fields`. */
export interface Log {
  debug(fields: object, event: string): void
  info(fields: object, event: string): void
  warn(fields: object, event: string): void
  error(fields: object, event: string): void
  child(fields: object): Log
}

export type Endpoint = { readonly ip: Ip; readonly port: number }

export type TcpSocketOptions = {
  /** TCP MD5 signature key (RFC 2385), at most 80 bytes. */
  readonly md5Password?: string
  /** TTL / hop limit of what is sent. */
  readonly ttl?: number
  /** GTSM (RFC 5082): what arrives with less is dropped by the kernel. */
  readonly minTtl?: number
  /** SO_BINDTODEVICE. */
  readonly device?: string
  /** SO_MARK. */
  readonly mark?: number
}

export type TcpConnectOptions = TcpSocketOptions & {
  readonly remote: Endpoint
  readonly local?: Ip
  readonly timeoutMs: number
  /** Ends with RST instead of FIN, which leaves no port in TIME_WAIT; what was not delivered is lost. */
  readonly resetOnClose?: boolean
}

/** An established connection. Listeners are set once, right after it is handed over. */
export interface TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  onData(listener: (bytes: Uint8Array) => void): void
  /** Called once, whoever closed; `error` unless it was an orderly end. */
  onClose(listener: (error?: Error) => void): void
  /** False when the send buffer is full: wait for `onDrain`. */
  write(bytes: Uint8Array): boolean
  onDrain(listener: () => void): void
  /** Sends what was written, then FIN. */
  end(): void
  /** Closes at once and discards what was not sent. */
  destroy(): void
}

/** A peer's key on a listening socket; `password` undefined removes it. */
export type Md5Key = { readonly peer: Ip; readonly password: string | undefined }

export interface TcpListener {
  readonly local: Endpoint
  setMd5Key(key: Md5Key): void
  close(): void
}

export interface Tcp {
  /** Rejects with `SystemError`; `cancel` makes it reject too. */
  connect(options: TcpConnectOptions): { readonly connection: Promise<TcpConnection>; cancel(): void }
  /** Rejects with `SystemError` (address in use, no permission). `local.ip` may be 0.0.0.0 or `::`. */
  listen(
    options: TcpSocketOptions & { readonly local: Endpoint },
    onConnection: (connection: TcpConnection) => void,
  ): Promise<TcpListener>
}

export type Link = {
  readonly index: number
  readonly name: string
  readonly mac: Mac | undefined
  /** Administratively up and with carrier. */
  readonly up: boolean
  readonly mtu: number
}
export type InterfaceAddress = {
  readonly ifindex: number
  readonly ip: Ip
  readonly prefixLength: number
  readonly scope: 'global' | 'link' | 'host' | 'site' | 'other'
}
export type NextHop = { readonly ifindex: number; readonly via: Ip | undefined; readonly weight: number }
export type Route = {
  readonly dst: Prefix
  readonly table: number
  readonly metric: number
  readonly kind: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit' | 'other'
  readonly nextHops: readonly NextHop[]
}
export type Neighbour = {
  readonly ifindex: number
  readonly ip: Ip
  readonly mac: Mac | undefined
  readonly state:
    'reachable' | 'stale' | 'delay' | 'probe' | 'permanent' | 'noarp' | 'incomplete' | 'failed' | 'none'
}

/** The kernel's network tables of this namespace (rtnetlink). Every method rejects with `SystemError`. */
export interface Netlink {
  links(): Promise<readonly Link[]>
  addresses(): Promise<readonly InterfaceAddress[]>
  routes(): Promise<readonly Route[]>
  neighbours(): Promise<readonly Neighbour[]>
  /** Makes the kernel resolve (or refresh) a neighbour now, as traffic to it would. */
  resolveNeighbour(ifindex: number, ip: Ip): Promise<void>
  /** Adds a host address without duplicate address detection; no error if it is there already. */
  addAddress(ifindex: number, ip: Ip): Promise<void>
  /** No error if it is not there. */
  removeAddress(ifindex: number, ip: Ip): Promise<void>
  /** Called (coalesced per turn of the event loop) when links, addresses, routes or neighbours changed, or events were lost. */
  watch(onChange: () => void): Cancel
  close(): void
}

/** nftables, applied as one transaction. */
export interface Nftables {
  /** Applies a ruleset file's text (`nft -f -`). Rejects with `SystemError` that quotes nft's own message. */
  apply(ruleset: string): Promise<void>
  /** The listing of one table as text, undefined if there is none (`nft list table FAMILY NAME`). */
  list(family: string, table: string): Promise<string | undefined>
}

/** /proc/sys keys in dotted form, a `/` standing for a dot inside a name: `net.ipv4.conf.eth0/100.rp_filter`. */
export interface Sysctl {
  read(key: string): string | undefined
  write(key: string, value: string): void
}

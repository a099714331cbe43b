// A netlink socket (netlink(7)) for rtnetlink, read as the event loop finds it readable; and the one that hears of
// changes. Requests are in netlink-request.ts.

import { loadAddon } from '../native/binding.ts'
import { readiness } from '../native/fd.ts'
import { decodeMessages, MalformedNetlink, type NetlinkMessage } from './netlink-message.ts'
import { socketError } from './socket-errors.ts'
import { intOption } from './socket-options.ts'

const AF_NETLINK = 16
const SOCK_RAW = 3
const NETLINK_ROUTE = 0
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const SOL_NETLINK = 270
const NETLINK_CAP_ACK = 10
const NETLINK_EXT_ACK = 11
const NETLINK_GET_STRICT_CHK = 12
const MSG_TRUNC = 0x20
const EAGAIN = 11
const EMSGSIZE = 90
const EBADMSG = 74

/** The kernel makes no datagram of a dump larger than 32 KiB. */
const datagramMax = 65_536
/** Datagrams read per turn of the event loop: a large table must not keep timers waiting. */
const readsPerTurn = 16

export type Datagram =
  | { readonly kind: 'messages'; readonly messages: readonly NetlinkMessage[] }
  | { readonly kind: 'error'; readonly errno: number }

export type NetlinkSocket = {
  /** False when the kernel has no room for it. Throws the addon's error. */
  readonly send: (bytes: Uint8Array) => boolean
  /** Whether the socket alone keeps the process running. */
  readonly keep: (keep: boolean) => void
  readonly close: () => void
}

export type NetlinkSocketOptions = {
  /** Multicast groups as bits, group 1 the lowest. */
  readonly groups: number
  readonly receiveBufferBytes: number
  /** Messages are views that hold until it returns. */
  readonly onDatagram: (datagram: Datagram) => void
  /** After all that was there to read in this turn of the event loop. */
  readonly onTurnEnd?: () => void
}

/** Throws `SystemError`. */
export function openNetlinkSocket(options: NetlinkSocketOptions): NetlinkSocket {
  const addon = loadAddon()
  const fd = openDescriptor(options)
  const data = Buffer.alloc(datagramMax)
  const name = Buffer.alloc(12)
  const lengths = new Int32Array(3)
  let open = true
  const handle = addon.watch(fd, readiness.readable, () => {
    for (let reads = 0; open && reads < readsPerTurn; reads += 1) {
      const received = addon.recvmsg(fd, data, name, undefined, lengths)
      if (received === -EAGAIN) break
      if (received < 0) options.onDatagram({ kind: 'error', errno: -received })
      // Only the kernel has port id 0: other processes may write to this socket too.
      else if (name.readUInt32LE(4) !== 0) continue
      else if (((lengths[2] ?? 0) & MSG_TRUNC) !== 0) options.onDatagram({ kind: 'error', errno: EMSGSIZE })
      else options.onDatagram(read(data.subarray(0, received)))
    }
    options.onTurnEnd?.()
  })
  return {
    send: (bytes) => addon.sendmsg(fd, bytes, encodeName(0), undefined) >= 0,
    keep: (keep) => addon.keep(handle, keep),
    close: () => {
      if (!open) return
      open = false
      addon.unwatch(handle)
      setImmediate(() => addon.close(fd))
    },
  }
}

function openDescriptor({ groups, receiveBufferBytes }: NetlinkSocketOptions): number {
  const addon = loadAddon()
  let fd = -1
  try {
    fd = addon.socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)
    setReceiveBuffer(fd, receiveBufferBytes)
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
      addon.setsockopt(fd, SOL_NETLINK, option, intOption(1))
    addon.bind(fd, encodeName(groups))
    return fd
  } catch (error) {
    if (fd >= 0) addon.close(fd)
    throw socketError(error, 'netlink')
  }
}

function read(bytes: Uint8Array): Datagram {
  try {
    return { kind: 'messages', messages: decodeMessages(bytes) }
  } catch (error) {
    if (error instanceof MalformedNetlink) return { kind: 'error', errno: EBADMSG }
    throw error
  }
}

/** sockaddr_nl: family, padding, port id (the kernel chooses, or is meant), groups. */
function encodeName(groups: number): Uint8Array {
  const name = Buffer.alloc(12)
  name.writeUInt16LE(AF_NETLINK, 0)
  name.writeUInt32LE(groups, 8)
  return name
}

/** Beyond net.core.rmem_max where the process may. */
function setReceiveBuffer(fd: number, bytes: number): void {
  const addon = loadAddon()
  try {
    addon.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, intOption(bytes))
  } catch {
    addon.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, intOption(bytes))
  }
}

/** Calls `onChange` at most once a turn of the event loop. Throws `SystemError`. */
export function openChangeSocket(
  options: { readonly groups: number; readonly receiveBufferBytes: number },
  concerns: (message: NetlinkMessage) => boolean,
  onChange: () => void,
): NetlinkSocket {
  let changed = false
  return openNetlinkSocket({
    ...options,
    // An error means lost events (ENOBUFS): whatever they were, all tables are to be read again.
    onDatagram: (datagram) => (changed ||= datagram.kind === 'error' || datagram.messages.some(concerns)),
    onTurnEnd: () => {
      if (!changed) return
      changed = false
      onChange()
    },
  })
}

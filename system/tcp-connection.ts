// An established connection: a connected descriptor, whose bytes Node's own net module carries from here on.

import { Socket } from 'node:net'
import { type FdBinding } from '../native/fd.ts'
import { SystemError } from './errors.ts'
import { type Endpoint, type TcpConnection } from './ports.ts'
import { decodeSockaddr, formatEndpoint } from './sockaddr.ts'

/** The endpoint that `getsockname` or `getpeername` tells. */
export function endpointOf(name: FdBinding['getsockname'], fd: number): Endpoint {
  const bytes = new Uint8Array(28)
  return decodeSockaddr(bytes.subarray(0, name(fd, bytes)))
}

/**
 * Takes the descriptor over: it is closed with the connection. Throws the addon's error, and leaves the descriptor
 * to the caller, where the peer is gone already.
 */
export function adoptConnection(addon: FdBinding, fd: number): TcpConnection {
  const local = endpointOf(addon.getsockname, fd)
  const remote = endpointOf(addon.getpeername, fd)
  const socket = new Socket({ fd, readable: true, writable: true })
  socket.setNoDelay(true)
  let failure: SystemError | undefined
  let closed = false
  socket.on('error', (error: NodeJS.ErrnoException) => {
    failure = new SystemError({
      op: error.syscall ?? 'socket',
      code: error.code ?? 'EIO',
      target: formatEndpoint(remote),
      message: error.message,
    })
  })
  socket.once('close', () => (closed = true))
  return {
    local,
    remote,
    onData: (listener) => void socket.on('data', listener),
    onClose: (listener) => {
      // A listener that comes late, after a promise or two, still hears of it.
      if (closed) queueMicrotask(() => listener(failure))
      else socket.once('close', () => listener(failure))
    },
    write: (bytes) => socket.write(bytes),
    onDrain: (listener) => void socket.on('drain', listener),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  }
}

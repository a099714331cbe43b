// One attempt to connect to a neighbour, with the socket options that its configuration asks for.

import { type Cancel, type Tcp, type TcpConnection } from '../../system/ports.ts'
import { type Peer, ttlOf } from './peer-config.ts'

export type DialEvents = {
  readonly onConnected: (connection: TcpConnection) => void
  readonly onFailed: (text: string) => void
}

/** Calls one of `events` once, in a later turn; neither after it was cancelled. */
export function dial(peer: Peer, tcp: Tcp, events: DialEvents): Cancel {
  const { address, port, sourceAddress, md5Password } = peer
  const ttl = ttlOf(peer)
  const attempt = tcp.connect({
    remote: { ip: address, port },
    timeoutMs: connectTimeoutMs(peer),
    ...(sourceAddress === undefined ? {} : { local: sourceAddress }),
    ...(md5Password === undefined ? {} : { md5Password }),
    ...(ttl === undefined ? {} : { ttl }),
  })
  let cancelled = false
  void attempt.connection.then(
    (connection) => {
      if (cancelled) connection.destroy()
      else events.onConnected(connection)
    },
    (error: unknown) => {
      if (!cancelled) events.onFailed(error instanceof Error ? error.message : String(error))
    },
  )
  return () => {
    cancelled = true
    attempt.cancel()
  }
}

// Less than the shortest ConnectRetryTime after its jitter (0.75), so that the reason of a failure is heard of.
function connectTimeoutMs(peer: Peer): number {
  return 0.7 * peer.connectTimeMs
}

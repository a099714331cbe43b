// One TCP connection as a stream of BGP messages: frames in, bytes out, and an end that flushes first.

import { type Clock, type TcpConnection } from '../../system/ports.ts'
import { headerLength } from './iana.ts'
import { splitMessages } from './message.ts'
import { type BgpError } from './notification.ts'

/** How long the other side may take to read the last message and close. */
export const lingerMs = 2_000

export type StreamEvents = {
  /** A whole message, header included. */
  readonly onFrame: (frame: Uint8Array) => void
  /** A header that no message can have; nothing is read after it. */
  readonly onFault: (error: BgpError) => void
  /** TCP ended, and not because of `end`. */
  readonly onLost: (text: string) => void
  /** There is room to write again. */
  readonly onDrain: () => void
  /** Nothing of it is left, whoever ended it. Called once. */
  readonly onGone: () => void
}

export type Stream = {
  readonly connection: TcpConnection
  /** The send buffer is full: what is not urgent waits for `onDrain`. */
  readonly blocked: boolean
  write(bytes: Uint8Array): void
  /** Sends what was written, then closes; at the latest after `lingerMs`. No event but `onGone` follows. */
  end(): void
}

export function openStream(connection: TcpConnection, clock: Clock, events: StreamEvents): Stream {
  let rest: Uint8Array = new Uint8Array()
  let blocked = false
  let ended = false
  let stopLingering = (): void => undefined

  connection.onData((bytes) => {
    // After the end they are read all the same: unread bytes would make the kernel reset the connection, and the
    // last NOTIFICATION with it.
    if (ended) return
    const framed = splitMessages(rest.length === 0 ? bytes : Buffer.concat([rest, bytes]))
    rest = framed.rest
    for (const frame of framed.frames) {
      events.onFrame(frame)
      if (isEnded()) return
    }
    if (framed.error !== undefined) events.onFault(framed.error)
  })
  connection.onDrain(() => {
    blocked = false
    if (!ended) events.onDrain()
  })
  connection.onClose((error) => {
    stopLingering()
    const silently = ended
    ended = true
    if (!silently) events.onLost(error?.message ?? whyClosed(rest))
    events.onGone()
  })

  const isEnded = (): boolean => ended
  return {
    connection,
    get blocked() {
      return blocked
    },
    write: (bytes) => {
      if (!ended && !connection.write(bytes)) blocked = true
    },
    end: () => {
      if (ended) return
      ended = true
      connection.end()
      stopLingering = clock.after(lingerMs, () => connection.destroy())
    },
  }
}

function whyClosed(rest: Uint8Array): string {
  return rest.length === 0
    ? 'the neighbour closed the connection'
    : `the neighbour closed the connection ${rest.length} octets into a message (header: ${headerLength})`
}

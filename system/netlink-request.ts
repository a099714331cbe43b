// Requests to rtnetlink, one at a time on one socket: an answer is all messages with the request's sequence number
// up to the acknowledgement (a change) or the end mark (a dump).

import { SystemError } from './errors.ts'
import {
  decodeResult,
  encodeMessage,
  MalformedNetlink,
  messageFlag,
  type NetlinkMessage,
  NLMSG_DONE,
  NLMSG_ERROR,
} from './netlink-message.ts'
import { type Datagram, openNetlinkSocket } from './netlink-socket.ts'
import { errnoError, socketError } from './socket-errors.ts'

/** Answers of a dump that the kernel marks inconsistent are thrown away and asked for again, so many times. */
const dumpTries = 4
const ENOBUFS = 105

export type Request = {
  readonly op: string
  readonly target: string
  readonly type: number
  readonly flags: number
  readonly body: Uint8Array
}

export type RequestSocket = {
  /** All messages of the answer, decoded as they come; undefined ones are left out. Rejects with `SystemError`. */
  readonly request: <T>(
    request: Request,
    decode: (message: NetlinkMessage) => T | undefined,
  ) => Promise<readonly T[]>
  readonly close: () => void
}

type Answer<T> = { readonly items: readonly T[]; readonly interrupted: boolean }

type Pending = {
  readonly seq: number
  readonly request: Request
  readonly take: (message: NetlinkMessage) => void
  readonly finish: (error?: Error) => void
  interrupted: boolean
}

/** Throws `SystemError`. */
export function openRequestSocket(receiveBufferBytes: number): RequestSocket {
  let seq = 0
  let pending: Pending | undefined
  let last: Promise<unknown> = Promise.resolve()
  let closed = false
  const socket = openNetlinkSocket({ groups: 0, receiveBufferBytes, onDatagram })
  // An idle one holds nobody up.
  socket.keep(false)

  function onDatagram(datagram: Datagram): void {
    if (datagram.kind === 'error') {
      if (pending !== undefined)
        finish(errnoError(pending.request.op, datagram.errno, pending.request.target))
      return
    }
    for (const message of datagram.messages) if (message.seq === pending?.seq) onMessage(pending, message)
  }

  function onMessage(current: Pending, message: NetlinkMessage): void {
    const { op, target } = current.request
    if ((message.flags & messageFlag.dumpInterrupted) !== 0) current.interrupted = true
    if (message.type !== NLMSG_DONE && message.type !== NLMSG_ERROR) {
      try {
        current.take(message)
      } catch (error) {
        if (!(error instanceof MalformedNetlink)) throw error
        finish(new SystemError({ op, code: 'EBADMSG', target, message: error.message }))
      }
      return
    }
    const { errno, text } = decodeResult(message)
    if (errno === 0) finish()
    else finish(refusal(op, errno, target, text))
  }

  function finish(error?: Error): void {
    const current = pending
    pending = undefined
    if (!closed) socket.keep(false)
    current?.finish(error)
  }

  function once<T>(request: Request, decode: (message: NetlinkMessage) => T | undefined): Promise<Answer<T>> {
    return new Promise((resolve, reject) => {
      if (closed) {
        reject(closedError(request))
        return
      }
      const items: T[] = []
      const current: Pending = {
        seq: (seq = (seq + 1) >>> 0),
        request,
        interrupted: false,
        take: (message) => {
          const item = decode(message)
          if (item !== undefined) items.push(item)
        },
        finish: (error) => {
          if (error === undefined) resolve({ items, interrupted: current.interrupted })
          else reject(error)
        },
      }
      pending = current
      socket.keep(true)
      try {
        const header = { type: request.type, flags: request.flags, seq: current.seq }
        if (!socket.send(encodeMessage(header, request.body)))
          finish(errnoError(request.op, ENOBUFS, request.target))
      } catch (error) {
        finish(socketError(error, request.target))
      }
    })
  }

  async function complete<T>(
    request: Request,
    decode: (message: NetlinkMessage) => T | undefined,
  ): Promise<readonly T[]> {
    let answer = await once(request, decode)
    for (let tries = 1; answer.interrupted && tries < dumpTries; tries += 1)
      answer = await once(request, decode)
    // Where the table never rests for as long as a dump takes, the last one has to do: every change is also
    // announced to those who watch, who will ask again.
    return answer.items
  }

  return {
    request: (request, decode) => {
      const result = last.then(() => complete(request, decode))
      last = result.catch(() => undefined)
      return result
    },
    close: () => {
      if (closed) return
      closed = true
      socket.close()
      if (pending !== undefined) finish(closedError(pending.request))
    },
  }
}

function closedError({ op, target }: Request): SystemError {
  return new SystemError({ op, code: 'ECANCELED', target, message: 'the netlink socket was closed' })
}

function refusal(op: string, errno: number, target: string, text: string): SystemError {
  const plain = errnoError(op, errno, target)
  if (text === '') return plain
  return new SystemError({ op, code: plain.code, target, message: text, remedy: plain.remedy })
}

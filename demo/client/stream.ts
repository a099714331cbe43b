// One long-lived TCP connection: a small message at a fixed pace, one under way at a time, each answered by one line
// that begins with the backend's name. It breaks when TCP says so or when another backend answers.

import { connect } from 'node:net'
import { monotonicMs } from './monotonic.ts'
import { type Connection, type Target } from './protocol.ts'

export type Stream = {
  view(): Connection
  /** How long the message under way has been unanswered; 0 when none is or the connection is broken. */
  stalledMs(nowMs: number): number
  close(): void
}

const openWithinMs = 5000

/** Resolves with the first answer; rejects if there is none. */
export function openStream({ family, address, port }: Target, messageEveryMs: number): Promise<Stream> {
  const socket = connect({ host: address, port, family: family === 'ipv4' ? 4 : 6, noDelay: true })
  let backend = ''
  let local = { localAddress: '', localPort: 0 }
  let askedAtMs: number | undefined
  let longestStallMs = 0
  let broken: Connection['broken']
  let closing = false

  const stalledMs = (nowMs: number): number => (askedAtMs === undefined ? 0 : nowMs - askedAtMs)
  const breakOff = (reason: string): void => {
    clearInterval(pace)
    if (broken !== undefined || closing) return
    broken = { atMs: monotonicMs(), reason }
    askedAtMs = undefined
    socket.destroy()
  }
  const ask = (): void => {
    if (askedAtMs !== undefined) return
    askedAtMs = monotonicMs()
    socket.write('ping\n')
  }
  const pace = setInterval(() => {
    if (backend !== '') ask()
  }, messageEveryMs)
  const stream: Stream = {
    view: () => ({
      family,
      ...local,
      backend,
      longestStallMs: Math.max(longestStallMs, stalledMs(monotonicMs())),
      ...(broken === undefined ? {} : { broken }),
    }),
    stalledMs,
    close: () => {
      closing = true
      clearInterval(pace)
      socket.destroy()
    },
  }

  return new Promise((resolve, reject) => {
    const deadline = setTimeout(() => breakOff(`no answer within ${openWithinMs} ms`), openWithinMs)
    socket.on('connect', () => {
      local = { localAddress: socket.localAddress ?? '', localPort: socket.localPort ?? 0 }
      ask()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => breakOff(error.code ?? error.message))
    socket.on('close', () => {
      clearTimeout(deadline)
      breakOff('closed by the other side')
      // Without effect on a stream that has been answered.
      reject(new Error(`${address} port ${port}: ${broken?.reason ?? 'closed'}`))
    })
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      const lines = (text + chunk).split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) answered(line)
    })
    const answered = (line: string): void => {
      const name = /^\S+/.exec(line)?.[0] ?? ''
      longestStallMs = Math.max(longestStallMs, stalledMs(monotonicMs()))
      askedAtMs = undefined
      if (backend === '') {
        clearTimeout(deadline)
        backend = name
        resolve(stream)
      } else if (name !== backend) breakOff(`answered by ${name} instead of ${backend}`)
    }
  })
}

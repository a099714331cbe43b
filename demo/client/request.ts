// One HTTP request on a connection of its own, with a deadline for all of it.

import { request } from 'node:http'
import { monotonicMs } from './monotonic.ts'
import { type Target } from './protocol.ts'

export type Outcome =
  | {
      readonly kind: 'answered'
      readonly sentAtMs: number
      readonly backend: string
      readonly localAddress: string
      readonly localPort: number
    }
  | { readonly kind: 'lost'; readonly sentAtMs: number; readonly reason: string }

/** Which backend answered is the first word of the body. Never rejects. */
export function requestOnce(
  { family, address, port }: Target,
  { deadlineMs, localPort }: { readonly deadlineMs: number; readonly localPort?: number | undefined },
): Promise<Outcome> {
  const sentAtMs = monotonicMs()
  return new Promise((resolve) => {
    const lost = (reason: string): void => resolve({ kind: 'lost', sentAtMs, reason })
    const outgoing = request({
      host: address,
      port,
      family: family === 'ipv4' ? 4 : 6,
      agent: false,
      headers: { connection: 'close' },
      ...(localPort === undefined ? {} : { localPort }),
    })
    const deadline = setTimeout(
      () => outgoing.destroy(new Error(`no answer within ${deadlineMs} ms`)),
      deadlineMs,
    )
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(deadline)
      lost(error.code ?? error.message)
    })
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      const { localAddress = '', localPort: from = 0 } = response.socket
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', (error) => lost(error.message))
      response.on('end', () => {
        clearTimeout(deadline)
        const backend = /^\S+/.exec(Buffer.concat(chunks).toString())?.[0]
        if (response.statusCode !== 200) lost(`status ${response.statusCode ?? 0}`)
        else if (backend === undefined) lost('an empty answer')
        else resolve({ kind: 'answered', sentAtMs, backend, localAddress, localPort: from })
      })
    })
    outgoing.end()
  })
}

// A neighbour that does as the test says: it speaks BGP's messages and has no mind of its own.

import assert from 'node:assert/strict'
import { ip } from '../../net/ip.ts'
import { type BgpMessage, decodeMessage, encodeMessage, splitMessages } from '../../speaker/bgp/message.ts'
import { type Tcp } from '../../system/ports.ts'
import { type MemoryConnection } from '../support/memory-tcp.ts'
import { openWith } from './bgp/peers.ts'

export type Call = {
  readonly connection: MemoryConnection
  /** What came, oldest first; the test may take messages away. */
  readonly messages: BgpMessage[]
  readonly closed: boolean
  send(...messages: readonly BgpMessage[]): void
  sendRaw(bytes: Uint8Array): void
  /** OPEN and KEEPALIVE: all that it takes to be Established. */
  establish(open?: Parameters<typeof openWith>[0]): void
}

export const keepalive: BgpMessage = { kind: 'keepalive' }

export function talkOver(connection: MemoryConnection): Call {
  const messages: BgpMessage[] = []
  let rest: Uint8Array = new Uint8Array()
  let closed = false
  connection.onData((bytes) => {
    const framed = splitMessages(Uint8Array.of(...rest, ...bytes))
    assert.equal(framed.error, undefined)
    rest = framed.rest
    for (const frame of framed.frames) {
      const decoded = decodeMessage(frame, { fourOctetAs: true })
      assert.ok(decoded.ok)
      messages.push(decoded.message)
    }
  })
  connection.onClose(() => (closed = true))
  const send = (...all: readonly BgpMessage[]): void => {
    for (const message of all) connection.write(encodeMessage(message, { fourOctetAs: true }))
  }
  return {
    connection,
    messages,
    get closed() {
      return closed
    },
    send,
    sendRaw: (bytes) => void connection.write(bytes),
    establish: (open) => send(openWith(open), keepalive),
  }
}

/** Takes calls at port 179; each is appended. */
export async function answerCalls(tcp: Tcp, port = 179): Promise<Call[]> {
  const calls: Call[] = []
  await tcp.listen({ local: { ip: ip('0.0.0.0'), port } }, (connection) =>
    calls.push(talkOver(connection as MemoryConnection)),
  )
  return calls
}

export async function callUp(tcp: Tcp, address: string, md5Password?: string): Promise<Call> {
  const key = md5Password === undefined ? {} : { md5Password }
  const { connection } = tcp.connect({ remote: { ip: ip(address), port: 179 }, timeoutMs: 1000, ...key })
  return talkOver((await connection) as MemoryConnection)
}

/** Lets everything that is on its way arrive. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 12; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

// The API's server side: HTTP over a unix socket for the command line, and the same machinery over TCP for the
// backends' agents. Knows routes and status codes, nothing of what is behind them.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { chmodSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { SystemError } from '../system/errors.ts'

export type Reply =
  | { readonly kind: 'json'; readonly body: unknown }
  | { readonly kind: 'text'; readonly body: string; readonly contentType: string }
  | { readonly kind: 'problem'; readonly status: 400 | 404 | 409 | 503; readonly message: string }

export type Query = Readonly<Record<string, string>>
/** `path` holds the segments after the route's own. */
export type Route = (query: Query, path: readonly string[]) => Reply | Promise<Reply>
/** `GET /v1/status` → route. */
export type Routes = Readonly<Record<string, Route>>

export type ApiServer = { close(): Promise<void> }

/**
 * Listens on a unix socket (`{ socket }`, mode 0660) or a TCP address (`{ host, port }`).
 * A socket file that nobody answers on is replaced. Rejects with `SystemError`.
 */
export async function serveApi(
  at: { readonly socket: string } | { readonly host: string; readonly port: number },
  routes: Routes,
): Promise<ApiServer> {
  if ('socket' in at && (await answers(at.socket))) {
    throw new SystemError({
      op: 'listen',
      code: 'EADDRINUSE',
      target: at.socket,
      message: 'another torii answers on this socket',
      remedy: 'stop it, or name another one with --socket',
    })
  }
  if ('socket' in at) rmSync(at.socket, { force: true })
  const server = createServer((request, response) => {
    void respond(routes, request, response)
  })
  server.keepAliveTimeout = 5000
  await listen(server, at)
  if ('socket' in at) chmodSync(at.socket, 0o660)
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(
  server: Server,
  at: { readonly socket: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  const target = 'socket' in at ? at.socket : `${at.host}:${at.port}`
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(new SystemError({ op: 'listen', code: error.code ?? 'EIO', target, message: error.message }))
    })
    if ('socket' in at) server.listen(at.socket, resolve)
    else server.listen(at.port, at.host, resolve)
  })
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createConnection(socket, () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
}

async function respond(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const reply = await answer(routes, request)
  const [status, type, body] =
    reply.kind === 'problem'
      ? [reply.status, 'application/json', JSON.stringify({ error: reply.message })]
      : reply.kind === 'json'
        ? [200, 'application/json', JSON.stringify(reply.body)]
        : [200, reply.contentType, reply.body]
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' })
  response.end(body)
}

async function answer(routes: Routes, request: IncomingMessage): Promise<Reply> {
  const url = new URL(request.url ?? '/', 'http://torii')
  const segments = url.pathname
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent)
  // The longest route wins: /v1/backends/be1 is the route /v1/backends with the path [be1].
  for (let length = segments.length; length > 0; length -= 1) {
    const route = routes[`${request.method ?? 'GET'} /${segments.slice(0, length).join('/')}`]
    if (route === undefined) continue
    try {
      return await route(Object.fromEntries(url.searchParams), segments.slice(length))
    } catch (error) {
      return { kind: 'problem', status: 503, message: error instanceof Error ? error.message : String(error) }
    }
  }
  return {
    kind: 'problem',
    status: 404,
    message: `no such resource: ${request.method ?? ''} ${url.pathname}`,
  }
}

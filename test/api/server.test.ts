import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { ApiRefusal, callApi } from '../../api/client.ts'
import { serveApi, type ApiServer } from '../../api/server.ts'
import { SystemError } from '../../system/errors.ts'

describe('the API over a unix socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'torii-api-'))
  const socket = join(folder, 'api.sock')
  let server: ApiServer

  before(async () => {
    server = await serveApi(
      { socket },
      {
        'GET /v1/echo': (query, path) => ({ kind: 'json', body: { query, path } }),
        'GET /v1/bad': () => ({ kind: 'problem', status: 400, message: 'not like this' }),
        'GET /v1/broken': () => Promise.reject(new Error('disk on fire')),
      },
    )
  })
  after(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  it('answers by the longest route, with query and rest of the path', async () => {
    const schema = z.object({ query: z.record(z.string(), z.string()), path: z.array(z.string()) })
    assert.deepEqual(await callApi(socket, 'GET', '/v1/echo/a%2Fb/c?x=1', schema), {
      query: { x: '1' },
      path: ['a/b', 'c'],
    })
  })

  it('tells refusals and failures apart, in words', async () => {
    await assert.rejects(
      callApi(socket, 'GET', '/v1/bad', z.unknown()),
      (e: unknown) => e instanceof ApiRefusal && e.status === 400 && e.message === 'not like this',
    )
    await assert.rejects(callApi(socket, 'GET', '/v1/broken', z.unknown()), /disk on fire/)
    await assert.rejects(callApi(socket, 'POST', '/v1/echo', z.unknown()), /no such resource: POST/)
  })

  it('checks what it reads', async () => {
    await assert.rejects(callApi(socket, 'GET', '/v1/echo', z.object({ missing: z.string() })))
  })

  it('is for its owner and group only', () => {
    assert.equal(statSync(socket).mode & 0o777, 0o660)
  })

  it('refuses a socket on which another daemon answers, and says so', async () => {
    await assert.rejects(
      serveApi({ socket }, {}),
      (e: unknown) => e instanceof SystemError && e.code === 'EADDRINUSE',
    )
    assert.ok(existsSync(socket))
  })

  it('names the socket and the remedy where nobody answers', async () => {
    await assert.rejects(
      callApi(join(folder, 'none.sock'), 'GET', '/v1/echo', z.unknown()),
      (e: unknown) => e instanceof SystemError && /none\.sock.*torii run/.test(e.message),
    )
  })
})

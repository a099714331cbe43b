// The API's client side: one request over the unix socket, the answer checked against its schema.

import { request } from 'node:http'
import { type z } from 'zod'
import { problemSchema } from './types.ts'
import { SystemError } from '../system/errors.ts'

export const defaultSocket = '/run/torii/torii.sock'

/** The daemon answered, and refused. */
export class ApiRefusal extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'ApiRefusal'
    this.status = status
  }
}

/**
 * Calls the daemon behind `socket`. Rejects with `SystemError` where none answers within `timeoutMs`, with
 * `ApiRefusal` where it says no.
 */
export async function callApi<T>(
  socket: string,
  method: 'GET' | 'POST',
  path: string,
  schema: z.ZodType<T>,
  timeoutMs = 10_000,
): Promise<T> {
  const { status, body } = await send(socket, method, path, timeoutMs)
  const json: unknown = JSON.parse(body)
  if (status !== 200) {
    const problem = problemSchema.safeParse(json)
    throw new ApiRefusal(status, problem.success ? problem.data.error : `the daemon answered ${status}`)
  }
  return schema.parse(json)
}

function send(
  socketPath: string,
  method: string,
  path: string,
  timeoutMs: number,
): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, timeout: timeoutMs }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() }),
      )
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${timeoutMs} ms`)))
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const remedy =
        error.code === 'EACCES'
          ? 'run it as root'
          : 'is torii running here? start it with: torii run --config PATH'
      reject(
        new SystemError({
          op: 'connect',
          code: error.code ?? 'EIO',
          target: socketPath,
          message: error.message,
          remedy,
        }),
      )
    })
    outgoing.end()
  })
}

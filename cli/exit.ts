// Exit codes, and how a failure is told: one line on stderr.

import { ApiRefusal } from '../api/client.ts'
import { SystemError } from '../system/errors.ts'

export const ExitCode = { done: 0, no: 1, usage: 2, noDaemon: 3, system: 4 } as const

/** A failure with a chosen exit code. */
export class CliError extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CliError) return error.exitCode
  if (error instanceof ApiRefusal) return error.status === 503 ? ExitCode.system : ExitCode.no
  if (error instanceof SystemError) return error.op === 'connect' ? ExitCode.noDaemon : ExitCode.system
  return ExitCode.system
}

/** Prints the error and sets the exit code; the process ends by itself. */
export function fail(error: unknown): void {
  process.stderr.write(`torii: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = exitCodeOf(error)
}

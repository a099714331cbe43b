// Programs of the host, run to their end.

import { execFile, execFileSync } from 'node:child_process'

export type Outcome = { readonly status: number; readonly stdout: string; readonly stderr: string }

/** Never rejects: a program that cannot be started or runs out of time has a status other than 0. */
export function run(
  argv: readonly string[],
  { input, timeoutMs, env }: { input?: string; timeoutMs?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  const [program = '', ...rest] = argv
  return new Promise((resolve) => {
    const child = execFile(
      program,
      rest,
      {
        timeout: timeoutMs ?? 0,
        killSignal: 'SIGKILL',
        maxBuffer: 1 << 26,
        ...(env === undefined ? {} : { env }),
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        const lost = error !== null && error.killed === true ? `no end within ${timeoutMs ?? 0} ms` : ''
        const reason = error !== null && typeof error.code === 'string' ? error.message : ''
        resolve({ status: code, stdout, stderr: stderr + lost + reason })
      },
    )
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input ?? '')
  })
}

/** As `run`, but throws an `Error` that quotes what the program said unless it ended well. */
export async function mustRun(
  argv: readonly string[],
  options: Parameters<typeof run>[1] = {},
): Promise<string> {
  const { status, stdout, stderr } = await run(argv, options)
  if (status === 0) return stdout
  throw new Error(`${argv.join(' ')}: exit code ${status}: ${(stderr || stdout).trim()}`)
}

/** For clean-up while the process ends: nothing can be awaited there, and nothing is worth failing for. */
export function runSync(argv: readonly string[]): void {
  const [program = '', ...rest] = argv
  try {
    execFileSync(program, rest, { stdio: 'ignore', timeout: 10_000 })
  } catch {
    // What was to be removed is gone already.
  }
}

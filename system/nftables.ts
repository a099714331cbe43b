// nftables through its own tool, one transaction a call.

import { spawn } from 'node:child_process'
import { SystemError } from './errors.ts'
import { type Nftables } from './ports.ts'

type Outcome = { readonly status: number; readonly stdout: string; readonly stderr: string }

function nft(argv: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', argv, { stdio: 'pipe', env: { ...process.env, LC_ALL: 'C' } })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.on('error', (error: NodeJS.ErrnoException) => {
      const remedy = error.code === 'ENOENT' ? 'nft is missing: apt-get install nftables' : undefined
      reject(
        new SystemError({
          op: 'nft',
          code: error.code ?? 'EIO',
          target: argv.join(' '),
          message: error.message,
          remedy,
        }),
      )
    })
    child.on('close', (status) => {
      resolve({
        status: status ?? 1,
        stdout: Buffer.concat(stdout).toString(),
        stderr: Buffer.concat(stderr).toString(),
      })
    })
    // nft may end before it has read everything; its own message says why.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input ?? '')
  })
}

/** nft's own words, which name the line of the ruleset. */
function refusal(target: string, stderr: string): SystemError {
  const remedy = /not permitted/.test(stderr) ? 'needs CAP_NET_ADMIN: run as root' : undefined
  const message = stderr.trim().split('\n').slice(0, 3).join(' ')
  return new SystemError({
    op: 'nft',
    code: remedy === undefined ? 'EINVAL' : 'EPERM',
    target,
    message,
    remedy,
  })
}

export const systemNftables: Nftables = {
  async apply(ruleset) {
    const { status, stderr } = await nft(['-f', '-'], ruleset)
    if (status !== 0) throw refusal('ruleset', stderr)
  },
  async list(family, table) {
    const { status, stdout, stderr } = await nft(['list', 'table', family, table])
    if (status === 0) return stdout
    if (/No such file or directory/.test(stderr)) return undefined
    throw refusal(`table ${family} ${table}`, stderr)
  },
}

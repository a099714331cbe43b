// nftables through its own tool, one transaction a call.

import { spawn } from 'node:child_process'
import { SystemError } from './errors.ts'
import { type Nftables } from './ports.ts'

type Outcome = { readonly status: number; readonly stdout: string; readonly stderr: string }

function nft(argv: readonly string[], input?: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('nft', argv, { stdio: ['pipe', 'pipe', 'pipe'] })
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

export const systemNftables: Nftables = {
  async apply(ruleset) {
    const { status, stderr } = await nft(['-f', '-'], ruleset)
    if (status === 0) return
    const remedy = /not permitted/.test(stderr) ? 'needs CAP_NET_ADMIN: run as root' : undefined
    throw new SystemError({
      op: 'nft',
      code: 'EINVAL',
      target: 'ruleset',
      message: stderr.trim().split('\n').slice(0, 3).join(' '),
      remedy,
    })
  },
  async list(family, table) {
    const { status, stdout } = await nft(['list', 'table', family, table])
    return status === 0 ? stdout : undefined
  },
}

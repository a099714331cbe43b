// Runs the host's tools. Synchronous where the whole deployment or its end waits for it anyway.

import { execFile, execFileSync } from 'node:child_process'

const required = ['ip', 'nsenter', 'unshare', 'ethtool', 'nft', 'mount', 'pivot_root']

/** Throws one sentence that names everything that is missing. */
export function checkHost(): void {
  if (process.getuid?.() !== 0)
    throw new Error('a fabric needs root (network namespaces, mounts): run this as root')
  const missing = required.filter((tool) => {
    try {
      execFileSync('sh', ['-c', `command -v ${tool}`], { stdio: 'ignore' })
      return false
    } catch {
      return true
    }
  })
  if (missing.length > 0) {
    throw new Error(
      `a fabric needs ${missing.join(', ')}: install iproute2, util-linux, ethtool and nftables`,
    )
  }
}

/** Feeds lines to `ip -batch`. Throws with what `ip` said. */
export function ipBatch(lines: readonly string[], { force = false } = {}): void {
  if (lines.length === 0) return
  try {
    execFileSync('ip', [...(force ? ['-force'] : []), '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
      stdio: ['pipe', 'ignore', 'pipe'],
    })
  } catch (error) {
    if (!force) throw new Error(`ip: ${stderrOf(error)}\n${lines.join('\n')}`, { cause: error })
  }
}

function stderrOf(error: unknown): string {
  return error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
}

/** Runs a tool of the host in a network namespace, or in the host's own. Rejects with what it said. */
export function runIn(
  namespace: string | undefined,
  argv: readonly string[],
  input?: string,
): Promise<string> {
  const [program = '', ...rest] =
    namespace === undefined ? argv : ['nsenter', `--net=/run/netns/${namespace}`, '--', ...argv]
  return new Promise((resolve, reject) => {
    const child = execFile(program, rest, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`${argv.join(' ')}: ${stderr.trim()}`, { cause: error }))
    })
    child.stdin?.end(input ?? '')
  })
}

// `torii backend run`: the agent in the foreground, wired to the host it runs on.

import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type AgentPorts, createBackendAgent } from '../forwarder/backend/agent.ts'
import { type HostPorts } from '../forwarder/backend/observe-driver.ts'
import { followBalancers } from '../forwarder/backend/source-driver.ts'
import { undoStore, type UndoStore } from '../forwarder/backend/stores/undo.ts'
import { nextSignal } from '../daemon/lifecycle.ts'
import { systemClock } from '../system/clock.ts'
import { SystemError } from '../system/errors.ts'
import { createLog, type LogLevel } from '../system/log.ts'
import { createNetlink } from '../system/netlink.ts'
import { systemNftables } from '../system/nftables.ts'
import { effectiveCapabilities } from '../system/privileges.ts'
import { systemSysctl } from '../system/sysctl.ts'
import { askTimeoutMs, type BackendSources, createSource, type SourceFlags } from './backend-source.ts'
import { CliError, ExitCode } from './exit.ts'

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** The host as it is; `close` lets the process end. */
export function backendPorts(undo: string): {
  readonly ports: HostPorts & { readonly store: UndoStore }
  readonly close: () => void
} {
  const netlink = createNetlink()
  return {
    ports: { netlink, nftables: systemNftables, sysctl: systemSysctl, store: undoStore(undo) },
    close: () => netlink.close(),
  }
}

/** Until a signal ends it; the exit code. */
export async function runBackendAgent(
  flags: SourceFlags & {
    readonly stay?: true
    readonly interval: number
    readonly undo: string
    readonly logLevel: string
  },
  sources: BackendSources,
): Promise<number> {
  const level = levels.find((each) => each === flags.logLevel)
  if (level === undefined)
    throw new CliError(
      `--log-level: found '${flags.logLevel}', expected ${levels.join(', ')}`,
      ExitCode.usage,
    )
  const source = createSource(flags, sources)
  if (!effectiveCapabilities().has('CAP_NET_ADMIN'))
    throw new CliError('needs CAP_NET_ADMIN: run it as root', ExitCode.system)
  const release = lock(flags.undo)
  const log = createLog(level, { backend: flags.name })
  const { ports: host, close } = backendPorts(flags.undo)
  const ports: AgentPorts = { ...host, clock: systemClock, log }
  const agent = createBackendAgent({ driftCheckMs: flags.interval }, ports)
  let stopFollowing = (): void => undefined
  try {
    if (source.kind === 'fixed') agent.set(await source.once())
    else {
      const options = {
        balancers: source.urls,
        name: flags.name,
        pollMs: flags.interval,
        timeoutMs: askTimeoutMs,
      }
      const following = followBalancers(options, { fetch, clock: systemClock, log }, (bindings) =>
        agent.set(bindings),
      )
      stopFollowing = () => following.close()
    }
    log.info({ source: source.kind === 'fixed' ? 'documents' : source.urls }, 'running')
    await nextSignal(['SIGTERM', 'SIGINT'], () => undefined)
  } finally {
    stopFollowing()
    await agent.close({ stay: flags.stay === true })
    close()
    release()
  }
  return ExitCode.done
}

/** One agent a host: two would undo one another's work. Throws `SystemError`. */
function lock(directory: string): () => void {
  const path = join(directory, 'agent.pid')
  mkdirSync(directory, { recursive: true })
  for (;;) {
    try {
      const fd = openSync(path, 'wx')
      writeSync(fd, String(process.pid))
      closeSync(fd)
      return () => rmSync(path, { force: true })
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
    }
    const holder = Number(readFileSync(path, 'utf8'))
    if (isAgent(holder)) {
      throw new SystemError({
        op: 'lock',
        code: 'EEXIST',
        target: path,
        message: `process ${holder} is the agent of this host`,
        remedy: 'stop it first',
      })
    }
    rmSync(path, { force: true })
  }
}

/** A killed agent leaves its file, and its pid may be some other program's by now. */
function isAgent(pid: number): boolean {
  try {
    return pid !== process.pid && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('backend')
  } catch {
    return false
  }
}

// The documents in force: what is on disk is taken whole or not at all, and the last good state outlives every
// bad edit, a vanished file included.

import { createHash } from 'node:crypto'
import { type Config, parseDocuments } from '../config/config.ts'
import { formatProblem, type Problem } from '../config/problem.ts'
import { readSources } from '../config/read-driver.ts'
import { type Log } from '../system/ports.ts'

export type InForce = { readonly config: Config; readonly revision: string; readonly loadedAt: Date }

export type DocumentsStatus = {
  readonly state: 'ok' | 'stale'
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

export type Documents = {
  /** Reads again; true if what is on disk is in force afterwards. */
  load(): Promise<boolean>
  inForce(): InForce | undefined
  status(): DocumentsStatus
}

/** What only the host can tell of a configuration: an interface that does not exist, for example. */
export type HostCheck = (config: Config, inForce: Config | undefined) => Promise<readonly Problem[]>

/** `paths` are files and directories; nothing is in force until the first good `load`. */
export function createDocuments(
  paths: readonly string[],
  { hostCheck, log, wall }: { hostCheck: HostCheck; log: Log; wall: () => Date },
): Documents {
  let current: InForce | undefined
  let status: DocumentsStatus = { state: 'stale', problems: ['nothing read yet'], warnings: [] }

  const refuse = (problems: readonly Problem[]): false => {
    const lines = problems.map(formatProblem)
    // The same refusal again (a watcher fires more than once) is not news.
    if (lines.join('\n') !== status.problems.join('\n')) {
      for (const problem of lines) log.error({ problem }, 'documents refused')
    }
    status = { ...status, state: 'stale', problems: lines }
    return false
  }

  return {
    inForce: () => current,
    status: () => status,
    async load() {
      const read = await readSources(paths)
      if (read.kind === 'refused') return refuse(read.problems)
      const parsed = parseDocuments(read.sources)
      if (parsed.kind === 'refused') return refuse(parsed.problems)
      const found = await hostCheck(parsed.config, current?.config)
      if (found.length > 0) return refuse(found)

      const warnings = parsed.warnings.map(formatProblem)
      const hash = createHash('sha256')
      for (const { file, text } of read.sources) hash.update(`${file}\0${text}\0`)
      const revision = hash.digest('hex').slice(0, 12)
      if (revision !== current?.revision) {
        for (const warning of warnings) log.warn({ warning }, 'documents')
        log.info({ revision }, 'documents in force')
        current = { config: parsed.config, revision, loadedAt: wall() }
      }
      status = { state: 'ok', problems: [], warnings }
      return true
    },
  }
}

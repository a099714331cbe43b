// What a running lab leaves on the host: one folder with its owner's pid and its nodes' first processes, so that any
// later run can clear away what a killed owner left, and nothing that is still owned.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { runSync } from './shell.ts'

const prefix = 'torii-fabric-'

const recordSchema = z.object({
  /** Whoever destroys the lab when it ends; 0: nobody, the lab was left up on purpose. */
  owner: z.object({ pid: z.number(), startedAt: z.string() }),
  namespaces: z.array(z.string()),
  /** First processes of the nodes, as seen from the host: with them ends everything in a node. */
  inits: z.array(z.object({ pid: z.number(), startedAt: z.string() })),
})
type LabRecord = z.infer<typeof recordSchema>

export type LabFolder = {
  readonly path: string
  addNamespace(name: string): void
  addInit(pid: number): void
  /** From now on no owner's end destroys it. */
  disown(): void
  /** Ends every process, removes every namespace and the folder. Synchronous; may be called again. */
  clear(): void
}

/** Throws an `Error` if a lab of that name is up and owned; clears away one that is not. */
export function openLabFolder(lab: string): LabFolder {
  sweep()
  const path = join(tmpdir(), prefix + lab)
  if (existsSync(path)) {
    const record = read(path)
    if (record !== undefined && owned(record))
      throw new Error(`a lab '${lab}' is up, owned by process ${record.owner.pid}: destroy it first`)
    clear(path)
  }
  mkdirSync(path, { mode: 0o755 })
  let record: LabRecord = { owner: identity(process.pid), namespaces: [], inits: [] }
  const save = (changed: Partial<LabRecord>): void => {
    record = { ...record, ...changed }
    writeFileSync(join(path, 'lab.json'), JSON.stringify(record))
  }
  save({})
  return {
    path,
    addNamespace: (name) => save({ namespaces: [...record.namespaces, name] }),
    addInit: (pid) => save({ inits: [...record.inits, identity(pid)] }),
    disown: () => save({ owner: { pid: 0, startedAt: '' } }),
    clear: () => clear(path),
  }
}

/** Clears a lab that was left up; false if there is none of that name. */
export function clearLab(lab: string): boolean {
  const path = join(tmpdir(), prefix + lab)
  if (!existsSync(path)) return false
  clear(path)
  return true
}

/** Labs whose owner was killed. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const path = join(tmpdir(), name)
    const record = read(path)
    if (record !== undefined && record.owner.pid !== 0 && !owned(record)) clear(path)
  }
}

function clear(path: string): void {
  const record = read(path)
  for (const { pid, startedAt } of record?.inits ?? []) {
    if (startTime(pid) !== startedAt) continue
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
  const deadline = Date.now() + 5000
  for (const { pid, startedAt } of record?.inits ?? [])
    while (startTime(pid) === startedAt && Date.now() < deadline) runSync(['sleep', '0.01'])
  for (const name of record?.namespaces ?? []) runSync(['ip', 'netns', 'del', name])
  rmSync(path, { recursive: true, force: true })
}

function read(path: string): LabRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(path, 'lab.json'), 'utf8')))
  } catch {
    return undefined
  }
}

function owned({ owner }: LabRecord): boolean {
  return owner.pid !== 0 && startTime(owner.pid) === owner.startedAt
}

function identity(pid: number): { readonly pid: number; readonly startedAt: string } {
  return { pid, startedAt: startTime(pid) ?? '' }
}

/** A pid alone may be another process by now. Undefined for one that is gone or only a zombie. */
function startTime(pid: number): string | undefined {
  try {
    // proc(5): the name may have blanks and parentheses; after it come the state (field 3) and, as field 22, the start.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

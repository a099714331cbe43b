// What is written down about a running lab, so that another process can enter it, and so that one whose owner was
// killed is cleared away by the next deployment: /run/torii-fabric/<lab>/lab.json.

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const base = '/run/torii-fabric'

const nodeSchema = z.object({
  name: z.string(),
  namespace: z.string(),
  /** Of its first process; 0 until that runs. */
  pid: z.number(),
  env: z.record(z.string(), z.string()),
})
const recordSchema = z.object({
  lab: z.string(),
  topology: z.string(),
  /** Null: kept on purpose, it is nobody's. */
  owner: z.object({ pid: z.number(), startedAt: z.string() }).nullable(),
  nodes: z.array(nodeSchema),
  /** Ends of links that are ports of bridges of the host. */
  hostInterfaces: z.array(z.string()),
})
export type LabRecord = z.infer<typeof recordSchema>
export type NodeRecord = LabRecord['nodes'][number]

/** Where a lab keeps its files: the record, and the output of its nodes' commands. */
export function labDirectory(lab: string): string {
  return join(base, lab)
}

/** This process, in a way that survives the reuse of its number. */
export function thisOwner(): NonNullable<LabRecord['owner']> {
  return { pid: process.pid, startedAt: startOf(process.pid) ?? '' }
}

/** Makes the lab's directory with its record in it, at one moment. Throws if the name is taken. */
export function claim(record: LabRecord): void {
  mkdirSync(base, { recursive: true })
  const made = mkdtempSync(join(base, '.new-'))
  try {
    writeFileSync(join(made, 'lab.json'), JSON.stringify(record))
    renameSync(made, labDirectory(record.lab))
  } catch (error) {
    rmSync(made, { recursive: true, force: true })
    if (!(error instanceof Error && 'code' in error && ['ENOTEMPTY', 'EEXIST'].includes(String(error.code))))
      throw error
    throw new Error(
      `lab '${record.lab}' is deployed already: destroy it first, or give this one another name`,
    )
  }
}

export function saveRecord(record: LabRecord): void {
  const file = join(labDirectory(record.lab), 'lab.json')
  writeFileSync(`${file}.tmp`, JSON.stringify(record))
  renameSync(`${file}.tmp`, file)
}

/** Undefined if there is no such lab. */
export function readRecord(lab: string): LabRecord | undefined {
  try {
    return recordSchema.parse(JSON.parse(readFileSync(join(labDirectory(lab), 'lab.json'), 'utf8')))
  } catch {
    return undefined
  }
}

export function allRecords(): readonly LabRecord[] {
  return entries(base)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => readRecord(name) ?? [])
}

/** Whether the process that deployed it is gone without having destroyed it. */
export function isStale({ owner }: LabRecord): boolean {
  return owner !== null && startOf(owner.pid) !== owner.startedAt
}

export function removeRecord(lab: string): void {
  rmSync(labDirectory(lab), { recursive: true, force: true })
  try {
    rmdirSync(base)
  } catch {
    // Other labs are there.
  }
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

/** proc_pid_stat(5), field 22; counted behind the command's name, which may hold blanks. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

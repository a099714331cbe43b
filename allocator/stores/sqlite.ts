// The embedded store: one SQLite file, WAL, synced at every commit, so that a save that returned outlives kill -9
// and a power cut. Locked while open: two daemons on one file would each overwrite what the other gave out.

import { existsSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { type Ip, formatIp, parseIp } from '../../net/ip.ts'
import { SystemError } from '../../system/errors.ts'
import { sameAllocation } from '../allocate.ts'
import { type Allocation, type Vip } from '../model.ts'
import { type AllocationStore } from '../store.ts'

/** 'Tori', in the file's header: tells our files from other SQLite files. */
const applicationId = 0x546f7269
const schemaVersion = 1

const schema = `
  CREATE TABLE vip (
    service  TEXT    NOT NULL,
    family   INTEGER NOT NULL CHECK (family IN (4, 6)),
    position INTEGER NOT NULL,
    ip       TEXT    NOT NULL,
    pool     TEXT    NOT NULL,
    dscp     INTEGER NOT NULL CHECK (dscp BETWEEN 1 AND 63),
    PRIMARY KEY (service, family)
  ) STRICT, WITHOUT ROWID`

const address = z.string().transform((text, context): Ip => {
  const ip = parseIp(text)
  if (ip !== undefined) return ip
  context.addIssue({ code: 'custom', message: `'${text}' is not an IP address` })
  return z.NEVER
})
const rowSchema = z.object({
  service: z.string(),
  position: z.number().int(),
  ip: address,
  pool: z.string(),
  dscp: z.number().int().min(1).max(63),
})

type Stored = { readonly position: number; readonly allocation: Allocation }

/**
 * Opens the file, which is made, with its directory, if it does not exist. A file that is not ours, of a newer
 * release, damaged, or in use is refused with `SystemError` and left as it is.
 */
export function openAllocationStore(path: string): AllocationStore {
  const database = open(path)
  let stored: ReadonlyMap<string, Stored>
  try {
    // All checks and reading come before anything is written: a file that is refused is not touched.
    const isNew = inspect(database, path)
    stored = isNew ? new Map<string, Stored>() : read(database, path)
    settle(database, isNew)
  } catch (error) {
    database.close()
    throw failure('open', path, error)
  }
  const remove = database.prepare('DELETE FROM vip WHERE service = ?')
  const insert = database.prepare(
    'INSERT INTO vip (service, family, position, ip, pool, dscp) VALUES (?, ?, ?, ?, ?, ?)',
  )

  const write = (next: ReadonlyMap<string, Stored>): void => {
    database.exec('BEGIN IMMEDIATE')
    for (const id of stored.keys()) if (!next.has(id)) remove.run(id)
    for (const [id, { position, allocation }] of next) {
      const before = stored.get(id)
      if (before?.position === position && sameAllocation(before.allocation, allocation)) continue
      remove.run(id)
      for (const { ip, pool, dscp } of allocation.vips) {
        insert.run(id, ip.family, position, formatIp(ip), pool, dscp)
      }
    }
    database.exec('COMMIT')
  }
  return {
    load: () => Array.from(stored.values(), ({ allocation }) => allocation),
    save: (allocations) => {
      const next = positioned(allocations, stored)
      try {
        write(next)
      } catch (error) {
        if (database.isTransaction) database.exec('ROLLBACK')
        throw failure('write', path, error)
      }
      stored = next
    },
    close: () => database.close(),
  }
}

function open(path: string): DatabaseSync {
  try {
    makeDirectory(dirname(path))
    return new DatabaseSync(path)
  } catch (error) {
    throw failure('open', path, error)
  }
}

/** Node's own recursive way never returns where a file system, as /proc, knows no new directories. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return
  if (dirname(path) !== path) makeDirectory(dirname(path))
  mkdirSync(path)
}

/** Whether the file is new. Refuses what is not ours. */
function inspect(database: DatabaseSync, path: string): boolean {
  database.exec('PRAGMA locking_mode = EXCLUSIVE')
  const found = numberOf(database, 'PRAGMA application_id', path)
  const version = numberOf(database, 'PRAGMA user_version', path)
  const objects = numberOf(database, 'SELECT count(*) FROM sqlite_schema', path)
  if (found === 0 && version === 0 && objects === 0) return true
  if (found !== applicationId) {
    throw refusal(path, 'it is an SQLite file of another program', 'name another file')
  }
  if (version !== schemaVersion) {
    const message = `it has schema version ${version}, expected ${schemaVersion}`
    throw refusal(
      path,
      message,
      'run the release that wrote it, or move it away to begin without allocations',
    )
  }
  if (valueOf(database, 'PRAGMA quick_check(1)') !== 'ok') throw damaged(path)
  return false
}

function settle(database: DatabaseSync, isNew: boolean): void {
  database.exec('PRAGMA journal_mode = WAL')
  database.exec('PRAGMA synchronous = FULL')
  if (!isNew) return
  database.exec(`BEGIN IMMEDIATE; ${schema};
    PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion}; COMMIT`)
}

function read(database: DatabaseSync, path: string): ReadonlyMap<string, Stored> {
  const rows = database
    .prepare('SELECT service, position, ip, pool, dscp FROM vip ORDER BY position, family')
    .all()
  const parsed = z.array(rowSchema).safeParse(rows)
  if (!parsed.success) throw damaged(path, parsed.error.issues.map(({ message }) => message).join(', '))
  const stored = new Map<string, { position: number; allocation: { id: string; vips: Vip[] } }>()
  for (const { service, position, ip, pool, dscp } of parsed.data) {
    const entry = stored.get(service) ?? { position, allocation: { id: service, vips: [] } }
    entry.allocation.vips.push({ ip, pool, dscp })
    stored.set(service, entry)
  }
  return stored
}

/** Ascending positions in the order given; as many as possible stay what they are. */
function positioned(
  allocations: readonly Allocation[],
  stored: ReadonlyMap<string, Stored>,
): ReadonlyMap<string, Stored> {
  let last = -1
  const next = new Map<string, Stored>()
  for (const allocation of allocations) {
    const before = stored.get(allocation.id)?.position ?? -1
    last = before > last ? before : last + 1
    next.set(allocation.id, { position: last, allocation })
  }
  return next
}

function numberOf(database: DatabaseSync, sql: string, path: string): number {
  const value = valueOf(database, sql)
  if (typeof value === 'number') return value
  throw damaged(path)
}

function valueOf(database: DatabaseSync, sql: string): unknown {
  return Object.values(database.prepare(sql).get() ?? {})[0]
}

function damaged(path: string, detail = 'it is damaged'): SystemError {
  return refusal(path, detail, damageRemedy)
}

function refusal(path: string, message: string, remedy: string): SystemError {
  return new SystemError({ op: 'open', code: 'EINVAL', target: path, message, remedy })
}

const damageRemedy = 'restore it from a copy, or move it away to begin without allocations'

// SQLite's primary result codes.
const causes: Readonly<Record<number, { readonly code: string; readonly remedy: string }>> = {
  1: { code: 'EINVAL', remedy: damageRemedy },
  5: { code: 'EBUSY', remedy: 'stop the other daemon that uses it, or name another file' },
  8: { code: 'EROFS', remedy: 'make the file and its directory writable' },
  11: { code: 'EINVAL', remedy: damageRemedy },
  13: { code: 'ENOSPC', remedy: 'free space on its file system' },
  14: { code: 'ENOENT', remedy: 'check that it is a file and that its directory can be written' },
  26: { code: 'EINVAL', remedy: 'it is not an allocation store: name another file' },
}

function failure(op: string, path: string, error: unknown): SystemError {
  if (error instanceof SystemError) return error
  const message = error instanceof Error ? error.message : String(error)
  const errcode = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
  const cause = causes[errcode] ?? { code, remedy: 'check that its directory can be written' }
  return new SystemError({ op, target: path, message, ...cause })
}

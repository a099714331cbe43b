// The undo record on disk: it outlives a killed agent, so that the next one knows what to put back. Belongs on a
// file system that a reboot empties, as the kernel's own state does.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { parseIp } from '../../../net/ip.ts'
import { SystemError } from '../../../system/errors.ts'
import { emptyRecord, type UndoRecord } from '../plan.ts'

export interface UndoStore {
  /** The empty record if there is none. Throws `SystemError` if it cannot be read. */
  load(): UndoRecord
  /** Replaces the record at once or not at all. Throws `SystemError`. */
  save(record: UndoRecord): void
}

const recordSchema = z.object({
  version: z.literal(1),
  addresses: z.array(z.string().refine((text) => parseIp(text) !== undefined, 'expected an IP address')),
  sysctls: z.record(z.string(), z.object({ before: z.string(), set: z.string() })),
})

/** Keeps the record in `directory/undo.json`; an empty record is no file. */
export function undoStore(directory: string): UndoStore {
  const path = join(directory, 'undo.json')
  return {
    load: () => {
      let text: string
      try {
        text = readFileSync(path, 'utf8')
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return emptyRecord
        throw failure('read', path, error)
      }
      const parsed = recordSchema.safeParse(parseJson(text))
      if (parsed.success) return { addresses: parsed.data.addresses, sysctls: parsed.data.sysctls }
      throw new SystemError({
        op: 'read',
        code: 'EINVAL',
        target: path,
        message: `not an undo record: ${parsed.error.issues.map((issue) => issue.message).join(', ')}`,
        remedy: 'remove the file: what it listed must then be undone by hand',
      })
    },
    save: (record) => {
      try {
        if (record.addresses.length === 0 && Object.keys(record.sysctls).length === 0) {
          rmSync(path, { force: true })
          return
        }
        mkdirSync(directory, { recursive: true, mode: 0o755 })
        writeFileSync(`${path}.new`, JSON.stringify({ version: 1, ...record }))
        renameSync(`${path}.new`, path)
      } catch (error) {
        throw failure('write', path, error)
      }
    },
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO'
}

function failure(op: string, target: string, error: unknown): SystemError {
  return new SystemError({ op, code: codeOf(error), target, message: String(error) })
}

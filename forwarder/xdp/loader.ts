// Loads the object file: the program, and its maps with tables of the wanted size.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../native/binding.ts'
import { type BpfBinding, mapFlag, mapType } from '../../native/bpf.ts'
import { isAddonError } from '../../native/fd.ts'
import { SystemError } from '../../system/errors.ts'
import { maps, objectName, programName } from './layout.ts'

export type MapName = keyof typeof maps
export const mapNames: readonly MapName[] = ['vips', 'tables', 'reals', 'settings', 'counters']
export type MapFds = Readonly<Record<MapName, number>>

/** Descriptors of a loaded program and its maps: `unload` closes them. */
export type LoadedProgram = { readonly program: number; readonly maps: MapFds; readonly tableSize: number }

/** The object file that comes with the package. Throws `SystemError`. */
export function readObject(path = join(packageRoot(), 'prebuilds/bpf', objectName)): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new SystemError({
      op: 'read',
      code: error instanceof Error && 'code' in error ? String(error.code) : 'EIO',
      target: path,
      remedy: 'in a checkout run: npm run setup',
    })
  }
}

export type LoadOptions = {
  readonly object: Uint8Array
  readonly tableSize: number
  /** A map of counters to go on with. */
  readonly counters?: number | undefined
}

/** Creates the maps, verifies and loads the program. Attaches nothing. Throws `SystemError`. */
export function loadProgram(bpf: BpfBinding, { object, tableSize, counters }: LoadOptions): LoadedProgram {
  return withObject(bpf, object, (opened) => {
    const template = createTable(bpf, tableSize)
    try {
      bpf.bpfSetInnerMap(opened, maps.tables.name, template)
      if (counters !== undefined) bpf.bpfReuseMap(opened, maps.counters.name, counters)
      bpf.bpfLoad(opened)
    } finally {
      bpf.close(template)
    }
    const mapFd = (name: MapName): number => bpf.bpfObjectMapFd(opened, maps[name].name)
    return {
      program: bpf.bpfObjectProgFd(opened, programName),
      maps: {
        vips: mapFd('vips'),
        tables: mapFd('tables'),
        reals: mapFd('reals'),
        settings: mapFd('settings'),
        counters: mapFd('counters'),
      },
      tableSize,
    }
  })
}

/** What the kernel calls the program of this object, found by loading it over maps of a single entry. */
export function programTag(bpf: BpfBinding, object: Uint8Array): string {
  return withObject(bpf, object, (opened) => {
    const template = createTable(bpf, 1)
    try {
      bpf.bpfSetInnerMap(opened, maps.tables.name, template)
      for (const name of ['vips', 'tables', 'reals'] as const)
        bpf.bpfSetMaxEntries(opened, maps[name].name, 1)
      bpf.bpfLoad(opened)
    } finally {
      bpf.close(template)
    }
    const program = bpf.bpfObjectProgFd(opened, programName)
    try {
      return bpf.bpfProgInfo(program).tag
    } finally {
      bpf.close(program)
    }
  })
}

export function unload(bpf: BpfBinding, loaded: LoadedProgram): void {
  for (const name of mapNames) bpf.close(loaded.maps[name])
  bpf.close(loaded.program)
}

/** An empty inner map: one Maglev table, in memory that is written at once instead of row by row. */
export function createTable(bpf: BpfBinding, tableSize: number): number {
  return bpf.bpfMapCreate(mapType.array, 4, 4, tableSize, mapFlag.mmapable, 'table', -1)
}

function withObject<T>(
  bpf: BpfBinding,
  object: Uint8Array,
  use: (opened: ReturnType<BpfBinding['bpfOpen']>) => T,
): T {
  try {
    const opened = bpf.bpfOpen(object)
    try {
      return use(opened)
    } finally {
      bpf.bpfClose(opened)
    }
  } catch (error) {
    throw bpfError('load', objectName, error)
  }
}

const remedies: Readonly<Record<string, string>> = {
  EPERM: 'needs CAP_BPF and CAP_NET_ADMIN: run it as root or give it these capabilities',
  ENOMEM: 'raise the memory limit of this service',
}

/** The addon's error as the port error, with a remedy where there is one; anything else as it is. */
export function bpfError(op: string, target: string, error: unknown): unknown {
  if (!isAddonError(error)) return error
  const wrapped = new SystemError({
    op,
    code: error.code,
    target,
    message: 'log' in error ? loadReason(error) : error.message,
    remedy: remedies[error.code],
  })
  // With all of libbpf's log.
  wrapped.cause = error
  return wrapped
}

/** What failed, and why: the verifier's verdict, which is the line before its summary, or else libbpf's first word. */
function loadReason({ message }: Error): string {
  const head = message.split(': ', 2).join(': ')
  const lines = message.slice(head.length + 2).split('\n')
  const summary = lines.findIndex((line) => line.startsWith('processed '))
  return `${head}: ${lines[summary - 1] ?? lines[0] ?? ''}`
}

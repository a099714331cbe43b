// Loads the Node-API addon, from the sources' prebuilds/ or from the published package's.

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type BpfBinding } from './bpf.ts'
import { type FdBinding } from './fd.ts'
import { SystemError } from '../system/errors.ts'

export type Addon = FdBinding & BpfBinding

let loaded: Addon | undefined

/** The folder that holds package.json and prebuilds/. */
export function packageRoot(from = import.meta.dirname): string {
  return existsSync(join(from, 'package.json')) ? from : packageRoot(dirname(from))
}

/** Throws `SystemError` that says what to run where the addon is missing or does not fit this machine. */
export function loadAddon(): Addon {
  if (loaded !== undefined) return loaded
  const file = join(packageRoot(), 'prebuilds', `${process.platform}-${process.arch}`, 'torii.node')
  try {
    loaded = createRequire(import.meta.url)(file) as Addon
    return loaded
  } catch (error) {
    throw new SystemError({
      op: 'load',
      code: existsSync(file) ? 'ERR_DLOPEN_FAILED' : 'ENOENT',
      target: file,
      message: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error),
      remedy:
        'in a checkout run: npm run setup; the published package supports linux on x64 and arm64 with glibc 2.34 or later',
    })
  }
}

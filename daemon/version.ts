// The package's own version, from the package.json beside the sources or above dist/.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'

function packageJson(from: string): string {
  const candidate = join(from, 'package.json')
  return existsSync(candidate) ? candidate : packageJson(dirname(from))
}

export const version: string = z
  .object({ version: z.string() })
  .parse(JSON.parse(readFileSync(packageJson(import.meta.dirname), 'utf8'))).version

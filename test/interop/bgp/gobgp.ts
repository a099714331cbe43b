// GoBGP 3 (of Debian's package) as the router at the other end.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addresses, eventually, type Link } from './link.ts'
import { ask, type Daemon, startDaemon } from './process.ts'

export type GoBgp = Daemon & {
  readonly gobgp: (...args: readonly string[]) => string
  readonly json: (...args: readonly string[]) => unknown
}

/** AS 65002; `neighbours` in GoBGP's TOML. */
export async function startGoBgp(link: Link, neighbours: string): Promise<GoBgp> {
  const path = (name: string): string => join(link.folder, name)
  writeFileSync(
    path('gobgpd.toml'),
    `[global.config]\n  as = 65002\n  router-id = "${addresses.router[4]}"\n${neighbours}\n`,
  )
  const api = `unix://${path('api.sock')}`
  const daemon = startDaemon(link.router, [
    ...['gobgpd', '-f', path('gobgpd.toml'), '-p', '-l', 'debug', '--pprof-disable'],
    ...['--api-hosts', api],
  ])
  const gobgp = (...args: readonly string[]): string => ask('gobgp', '--target', api, ...args)
  await eventually('an answer of gobgpd', () => gobgp('global').includes('65002'))
  return { ...daemon, gobgp, json: (...args) => JSON.parse(gobgp(...args, '-j')) as unknown }
}

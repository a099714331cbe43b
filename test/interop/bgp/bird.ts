// BIRD 2 (of Debian's package) as the router at the other end.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addresses, eventually, type Link } from './link.ts'
import { askAnything, type Daemon, startDaemon } from './process.ts'

export type Bird = Daemon & { readonly birdc: (command: string) => string }

/** AS 65002; `lines` hold the protocols. */
export async function startBird(link: Link, lines: string): Promise<Bird> {
  const path = (name: string): string => join(link.folder, name)
  writeFileSync(path('bird.conf'), `router id ${addresses.router[4]};\nprotocol device {}\n${lines}\n`)
  const control = path('bird.ctl')
  const command = ['bird', '-f', '-c', path('bird.conf'), '-s', control, '-P', path('bird.pid')]
  const daemon = startDaemon(link.router, command)
  const birdc = (line: string): string => askAnything('birdc', '-s', control, line)
  await eventually('an answer of bird', () => birdc('show status').includes('up and running'))
  return { ...daemon, birdc }
}

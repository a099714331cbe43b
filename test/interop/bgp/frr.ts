// FRR (zebra and bgpd of Debian's package) as the router at the other end.

import { execFileSync } from 'node:child_process'
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addresses, eventually, type Link } from './link.ts'

export type Frr = {
  /** One command line of vtysh, answered as text. */
  readonly vtysh: (...commands: readonly string[]) => string
  readonly json: (command: string) => unknown
  /** What bgpd logged so far. */
  readonly log: () => string
  readonly freeze: () => void
  readonly thaw: () => void
  readonly startBgpd: () => Promise<void>
  /** Sudden death: the kernel closes its sockets. */
  readonly killBgpd: () => Promise<void>
  readonly stop: () => Promise<void>
}

const daemons = '/usr/lib/frr'

/** A router with AS 65002 and `lines` inside `router bgp`. */
export async function startFrr(link: Link, lines: string): Promise<Frr> {
  const { folder } = link
  const path = (name: string): string => join(folder, name)
  const [uid, gid] = ['-u', '-g'].map((flag) =>
    Number(execFileSync('id', [flag, 'frr'], { encoding: 'utf8' })),
  )
  chownSync(folder, uid!, gid!)
  writeFileSync(
    path('bgpd.conf'),
    `frr defaults datacenter
log file ${path('bgpd.log')} debugging
debug bgp neighbor-events
router bgp 65002
 bgp router-id ${addresses.router[4]}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
${lines}
`,
  )
  chownSync(path('bgpd.conf'), uid!, gid!)
  const run = (program: string, ...args: readonly string[]): void => {
    execFileSync(
      'nsenter',
      [
        `--net=/run/netns/${link.router.name}`,
        join(daemons, program),
        ...['-d', '-i', path(`${program}.pid`), '-z', path('zserv.api'), '--vty_socket', folder],
        ...args,
      ],
      { stdio: 'pipe' },
    )
  }
  const pid = (program: string): number => Number(readFileSync(path(`${program}.pid`), 'utf8'))
  const kill = async (program: string): Promise<void> => {
    if (!existsSync(path(`${program}.pid`))) return
    const target = pid(program)
    if (hasEnded(target)) return
    process.kill(target, 'SIGKILL')
    await eventually(`the end of ${program}`, () => hasEnded(target))
  }
  const vtysh = (...commands: readonly string[]): string =>
    execFileSync(
      'vtysh',
      [
        '--vty_socket',
        folder,
        '--config_dir',
        folder,
        '-d',
        'bgpd',
        ...commands.flatMap((each) => ['-c', each]),
      ],
      { encoding: 'utf8', stdio: 'pipe' },
    )
  const startBgpd = async (): Promise<void> => {
    run('bgpd', '-f', path('bgpd.conf'))
    await eventually('an answer of bgpd', () => vtysh('show version').includes('FRRouting'))
  }
  writeFileSync(path('vtysh.conf'), '')
  run('zebra', '-P', '0', '-f', '/dev/null', '-s', '90000000')
  await startBgpd()
  return {
    vtysh,
    json: (command) => JSON.parse(vtysh(command)) as unknown,
    log: () => readFileSync(path('bgpd.log'), 'utf8'),
    freeze: () => process.kill(pid('bgpd'), 'SIGSTOP'),
    thaw: () => process.kill(pid('bgpd'), 'SIGCONT'),
    startBgpd,
    killBgpd: () => kill('bgpd'),
    stop: async () => {
      // An orderly end takes seconds, and leaves nothing more behind.
      await kill('bgpd')
      await kill('zebra')
    },
  }
}

/** Dead, though perhaps not buried: its parent is whoever reaps orphans here, in its own time. */
function hasEnded(pid: number): boolean {
  try {
    return /^\d+ \(.*\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

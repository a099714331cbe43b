// One node: a network, mount, host name and process namespace of its own on the host's files, with what its binds put
// in their place; and the processes in it.

import { type ChildProcess, spawn, type SpawnOptions } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { mustRun, type Outcome, run } from './shell.ts'
import { type TopologyNode } from './topology.ts'
import { TopologyError } from './words.ts'

const checkout = join(import.meta.dirname, '../..')

export type MainProcess = {
  /** As seen from the host. */
  readonly pid: number
  /** Resolves with the exit code when it has ended. */
  readonly exited: Promise<number>
  /** The end of what it printed. */
  tail(lines?: number): string
}

export type FabricNode = {
  readonly name: string
  readonly namespace: string
  /** The node's first process, as seen from the host. */
  readonly pid: number
  /** The topology's `cmd` in the node, if it has one. */
  readonly main: MainProcess | undefined
  /** A program in the node, to its end. Never rejects. */
  exec(argv: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<Outcome>
  /** A program in the node; it ends with the process that is returned, whose `kill` reaches the program itself. */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess
  signalMain(signal: NodeJS.Signals): void
  /** Starts `cmd` (again, after it has ended). */
  startMain(): Promise<void>
  linkDown(name: string): Promise<void>
  linkUp(name: string): Promise<void>
  /** From now on no packet gets in or out, while every carrier stays: as a host that hangs. */
  cutOff(): Promise<void>
  restore(): Promise<void>
}

export type NodePlace = {
  readonly namespace: string
  /** The node's own folder in the lab's. */
  readonly folder: string
  /** The other ends of its links. */
  readonly neighbours: readonly { readonly namespace: string; readonly interface: string }[]
}

/** Makes the namespaces of a node whose network namespace is there already. */
export async function startNode(node: TopologyNode, place: NodePlace): Promise<FabricNode> {
  mkdirSync(place.folder)
  const script = join(place.folder, 'init.sh')
  writeFileSync(script, initScript(node, place.folder))
  const log = openSync(join(place.folder, 'init.log'), 'w')
  const unshare = spawn(
    'nsenter',
    [
      `--net=/run/netns/${place.namespace}`,
      ...['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc'],
      ...['bash', script],
    ],
    { stdio: ['ignore', log, log], detached: true, cwd: '/' },
  )
  closeSync(log)
  unshare.unref()
  const ready = join(place.folder, 'ready')
  await until(
    () => existsSync(ready),
    unshare,
    () => readFileSync(join(place.folder, 'init.log'), 'utf8'),
  )
  const pid = childOf(unshare.pid ?? 0)
  if (pid === undefined) throw new Error(`${node.name}: its first process is gone`)
  return nodeOf(node, place, pid)
}

function nodeOf(node: TopologyNode, place: NodePlace, pid: number): FabricNode {
  let main: MainProcess | undefined
  const env = {
    ...process.env,
    ...node.env,
    PATH: [join(checkout, 'bin'), join(checkout, 'node_modules/.bin'), process.env['PATH'] ?? ''].join(
      delimiter,
    ),
  }
  // pdeathsig: what runs inside ends with the nsenter outside, which alone can be killed from here.
  const inside = (argv: readonly string[]): readonly string[] => [
    ...['--target', String(pid), '--mount', '--uts', '--pid', '--net', '--'],
    ...['setpriv', '--pdeathsig', 'KILL', '--', ...argv],
  ]
  const self: FabricNode = {
    name: node.name,
    namespace: place.namespace,
    pid,
    get main() {
      return main
    },
    exec: (argv, options = {}) => run(['nsenter', ...inside(argv)], { ...options, env }),
    spawn: (argv, options = {}) => signalled(spawn('nsenter', inside(argv), { cwd: '/', env, ...options })),
    signalMain: (signal) => {
      if (main !== undefined) process.kill(main.pid, signal)
    },
    startMain: async () => {
      if (node.command.length > 0) main = await startMain(self, node.command, join(place.folder, 'main.log'))
    },
    linkDown: async (name) => {
      await mustRun(['ip', '-n', place.namespace, 'link', 'set', name, 'down'])
    },
    linkUp: async (name) => {
      await mustRun(['ip', '-n', place.namespace, 'link', 'set', name, 'up'])
    },
    cutOff: async () => {
      for (const each of place.neighbours) await nft(each.namespace, cutRules(each.interface))
    },
    restore: async () => {
      for (const each of place.neighbours)
        await nft(
          each.namespace,
          `table netdev ${cutTable(each.interface)}\ndelete table netdev ${cutTable(each.interface)}\n`,
        )
    },
  }
  return self
}

// nsenter does not pass signals on, and ends as its child ends.
function signalled(outer: ChildProcess): ChildProcess {
  const killOuter = outer.kill.bind(outer)
  outer.kill = (signal = 'SIGTERM') => {
    const running = outer.exitCode === null && outer.signalCode === null
    const inner = running ? childOf(outer.pid ?? 0) : undefined
    if (inner === undefined) return killOuter(signal)
    try {
      return process.kill(inner, signal)
    } catch {
      return false
    }
  }
  return outer
}

async function startMain(
  node: FabricNode,
  command: readonly string[],
  logFile: string,
): Promise<MainProcess> {
  const log = openSync(logFile, 'a')
  const outer = node.spawn(command, { stdio: ['ignore', log, log], detached: true })
  closeSync(log)
  outer.unref()
  const tail = (lines = 20): string =>
    readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
  const exited = once(outer, 'exit').then(([code]) => (typeof code === 'number' ? code : 1))
  await until(
    () => childOf(outer.pid ?? 0) !== undefined,
    outer,
    () => tail(),
  )
  const pid = childOf(outer.pid ?? 0)
  if (pid === undefined) throw new Error(`${node.name}: ${command.join(' ')} ended at once: ${tail()}`)
  return { pid, exited, tail }
}

/** Waits for a condition on a process that was just started; an end of that process is an error. */
async function until(condition: () => boolean, child: ChildProcess, said: () => string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > deadline)
      throw new Error(`${child.spawnargs.join(' ')}: ended or not ready after 10 s: ${said()}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function childOf(pid: number): number | undefined {
  try {
    const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    return child === undefined || child === '' ? undefined : Number(child)
  } catch {
    return undefined
  }
}

/** What makes a node out of fresh namespaces: files of its own where anything is bound or written, then sysctls. */
function initScript({ name, binds, sysctls }: TopologyNode, folder: string): string {
  const tops = new Set(['/etc', '/var', ...binds.map(({ target }) => `/${target.split('/')[1] ?? ''}`)])
  tops.delete('/run')
  const missing = [...tops].filter((top) => !existsSync(top))
  if (missing.length > 0)
    throw new TopologyError(
      `${name}: binds below ${missing.join(', ')}: this host has no such folder to put them in`,
    )
  const own = join(folder, 'files')
  return [
    'set -eu',
    // The working folder stays reachable when something is mounted over the path to it.
    `cd ${quote(folder)}`,
    `hostname ${quote(name)}`,
    `mkdir ${quote(own)}`,
    `mount -t tmpfs tmpfs ${quote(own)}`,
    ...[...tops].flatMap((top) => [
      `mkdir -p ${quote(`${own}${top}/upper`)} ${quote(`${own}${top}/work`)}`,
      `mount -t overlay overlay -o ${quote(`lowerdir=${top},upperdir=${own}${top}/upper,workdir=${own}${top}/work`)} ${quote(top)}`,
    ]),
    'mount -t tmpfs tmpfs /run',
    'mount -t sysfs sysfs /sys',
    'mount -t bpf bpf /sys/fs/bpf',
    // What the host's own Torii has is not the node's.
    'rm -rf /etc/torii /var/lib/torii',
    ...binds.flatMap(({ source, target, readOnly }) => [
      `[ -e ${quote(source)} ] || { echo ${quote(`bind ${source}: there is no such file`)}; exit 1; }`,
      `if [ -d ${quote(source)} ]; then mkdir -p ${quote(target)}; else mkdir -p "$(dirname ${quote(target)})"; [ -e ${quote(target)} ] || : >${quote(target)}; fi`,
      `mount --bind ${quote(source)} ${quote(target)}`,
      ...(readOnly ? [`mount -o remount,bind,ro ${quote(target)}`] : []),
    ]),
    ...Object.entries(sysctls).map(([key, value]) => `sysctl -qw ${quote(`${key}=${value}`)}`),
    'ip link set lo up',
    ...ownTmp(folder),
    ': >ready',
    'cd /',
    // The first process of a process namespace inherits its orphans, and bash reaps them.
    'while :; do sleep 3600 & wait $!; done',
    '',
  ].join('\n')
}

// The checkout may itself lie below /tmp: it is held aside in the working folder while that is covered.
function ownTmp(folder: string): readonly string[] {
  const path = quote(checkout)
  const held = checkout.startsWith('/tmp/')
  return [
    ...(held ? ['mkdir checkout', `mount --rbind ${path} ${quote(join(folder, 'checkout'))}`] : []),
    'mount -t tmpfs -o mode=1777 tmpfs /tmp',
    ...(held ? [`mkdir -p ${path}`, `mount --no-canonicalize --rbind checkout ${path}`] : []),
  ]
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function cutTable(name: string): string {
  return `cut_${name.replace(/\W/g, '_')}`
}

function cutRules(name: string): string {
  const chain = (hook: string): string =>
    `  chain ${hook} { type filter hook ${hook} device "${name}" priority -500; policy drop; }`
  return [`table netdev ${cutTable(name)} {`, chain('ingress'), chain('egress'), '}', ''].join('\n')
}

async function nft(namespace: string, rules: string): Promise<void> {
  await mustRun(['nsenter', `--net=/run/netns/${namespace}`, 'nft', '-f', '-'], { input: rules })
}

// The first process of a node: a shell that makes the node's own view of the machine, says so, and then only reaps.
// Its files are the host's, on an overlay: whatever the node writes is its own and gone with it.

import { type NodeSpec } from './topology/topology.ts'

/** Files of the host that would be another's state or documents. */
const notInherited = ['/etc/torii', '/var/lib/torii']
/** Where the host may have another file system mounted, which an overlay of `/` does not show. */
const ownFileSystems = ['usr', 'var', 'opt']

export type SetupOptions = {
  readonly node: NodeSpec
  /** An empty directory of the host: what the node writes is mounted there, where only the node sees it. */
  readonly directory: string
  /** Directories of the host that the node sees as they are, under the same path. */
  readonly shared: readonly string[]
}

/** To be run by `sh -c` in fresh mount, PID, UTS and IPC namespaces; prints `ready` once the node is. */
export function setupScript({ node, directory, shared }: SetupOptions): string {
  const dir = quote(directory)
  return [
    'set -e',
    // A copy of the host's list of namespaces would keep every one of them alive as long as this node.
    'umount -l /run/netns 2>/dev/null || :',
    `mount -t tmpfs -o mode=755 torii-fabric ${dir}`,
    `cd ${dir}`,
    'mkdir root',
    ...overlay(directory, '/', 'root'),
    ...ownFileSystems.flatMap((name) => [
      `if mountpoint -q /${name}; then ${overlay(directory, `/${name}`, `root/${name}`).join('; ')}; fi`,
    ]),
    'cd root',
    'mkdir .host',
    'pivot_root . .host',
    'mount -t proc proc /proc',
    'mount -t sysfs sysfs /sys',
    'mount -t bpf bpf /sys/fs/bpf',
    'mount --rbind /.host/dev /dev',
    'mount -t tmpfs -o mode=755 tmpfs /run',
    'mount -t tmpfs -o mode=1777 tmpfs /tmp',
    `rm -rf ${notInherited.join(' ')}`,
    ...shared.flatMap((path) => [
      `mkdir -p ${quote(path)}`,
      `mount --rbind ${quote(`/.host${path}`)} ${quote(path)}`,
    ]),
    ...node.binds.flatMap(bind),
    'umount -l /.host',
    'rmdir /.host',
    `hostname ${quote(node.name)}`,
    ...Object.entries(node.sysctls).map(
      ([key, value]) => `printf '%s' ${quote(value)} >${quote(`/proc/sys/${key.replaceAll('.', '/')}`)}`,
    ),
    'ip link set lo up',
    'echo ready',
    'exec >/dev/null 2>&1',
    // dash and bash reap what becomes theirs while they wait.
    'while :; do sleep 1000000 & wait "$!"; done',
  ].join('\n')
}

function overlay(directory: string, lower: string, target: string): readonly string[] {
  const own = `${directory}/own${lower === '/' ? '' : lower}`
  const [upper, work] = [`${own}-upper`, `${own}-work`]
  return [
    `mkdir -p ${quote(upper)} ${quote(work)}`,
    `mount -t overlay -o ${quote(`lowerdir=${lower},upperdir=${upper},workdir=${work}`)} overlay ${quote(target)}`,
  ]
}

function bind({ source, target, readOnly }: NodeSpec['binds'][number]): readonly string[] {
  const from = quote(`/.host${source}`)
  const to = quote(target)
  return [
    `if [ -d ${from} ]; then mkdir -p ${to}; else mkdir -p "$(dirname ${to})"; [ -e ${to} ] || : >${to}; fi`,
    `mount --bind ${from} ${to}`,
    ...(readOnly ? [`mount -o remount,bind,ro ${to}`] : []),
  ]
}

/** One word for a shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

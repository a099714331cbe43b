// A client, a balancer and two backends in namespaces, joined by veth, and the forwarder's process on the balancer.
//
//   client ──c0── balancer ──b1── backend 1        VIPs 192.0.2.10 and 2001:db8::10, restored by nftables
//                          └─b2── backend 2

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DatapathOptions, type VirtualService } from '../../../forwarder/model.ts'
import { ip } from '../../../net/ip.ts'
import { connectNamespaces, createNamespace, type Namespace, until } from '../../system/namespace.ts'
import { ended, type Remote, startRemote } from '../../support/remote-calls.ts'
import type { Calls } from './node.ts'

export const vip4 = '192.0.2.10'
export const vip6 = '2001:db8::10'
export const dscp = 5

export type Lab = {
  readonly client: Namespace
  readonly balancer: Namespace
  readonly backends: readonly [Namespace, Namespace]
  /** A directory on a bpffs of this lab's own, not made yet. */
  readonly pins: string
  /** What a failed test may have left running, and everything else. */
  readonly delete: () => void
  readonly children: Set<ChildProcess>
}

export function createLab(): Lab {
  const [client, balancer, first, second] = [
    createNamespace(),
    createNamespace(),
    createNamespace(),
    createNamespace(),
  ]
  const bpffs = mkdtempSync(join(tmpdir(), 'torii-bpffs-'))
  execFileSync('mount', ['-t', 'bpf', 'bpf', bpffs])
  const children = new Set<ChildProcess>()
  const lab: Lab = {
    children,
    client,
    balancer,
    backends: [first, second],
    pins: join(bpffs, 'torii'),
    delete: () => {
      for (const child of children) child.kill('SIGKILL')
      for (const each of [client, balancer, first, second]) each.delete()
      execFileSync('umount', ['-l', bpffs])
      rmdirSync(bpffs)
    },
  }
  try {
    connect(lab)
    return lab
  } catch (error) {
    lab.delete()
    throw error
  }
}

function connect({ client, balancer, backends }: Lab): void {
  const peers = [client, ...backends]
  for (const [index, peer] of peers.entries()) {
    const device = index === 0 ? 'c0' : `b${index}`
    connectNamespaces(balancer, peer, device)
    for (const [each, host] of [
      [balancer, 1],
      [peer, 2],
    ] as const) {
      each.run(`ethtool -K ${device} tx off gro on`)
      each.run(`ip addr add 10.50.${index}.${host}/24 dev ${device}`)
      each.run(`ip addr add fd50:0:0:${index}::${host}/64 dev ${device} nodad`)
      each.run(`sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${device}.rp_filter=0`)
    }
    peer.run(`ip route add default via 10.50.${index}.1`)
    peer.run(`ip -6 route add default via fd50:0:0:${index}::1`)
  }
  balancer.run('sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1')
  for (const backend of backends) {
    backend.run(`ip addr add ${vip4}/32 dev lo`)
    backend.run(`ip addr add ${vip6}/128 dev lo nodad`)
    backend.input('nft -f -', restoring('ip', vip4) + restoring('ip6', vip6))
  }
}

function restoring(family: 'ip' | 'ip6', vip: string): string {
  return `table ${family} l3dsr { chain pre { type filter hook prerouting priority raw;
    ${family} dscp ${dscp} counter ${family} daddr set ${vip} ${family} dscp set 0 notrack\n}\n}\n`
}

/** Packets that a backend restored a VIP in. */
export function restored(backend: Namespace): number {
  const listing = backend.run('nft list ruleset')
  return [...listing.matchAll(/counter packets (\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
}

export type NodeProcess = Remote<Calls> & {
  readonly pid: number
  /** Without a word, as by the kernel. */
  readonly kill: () => Promise<void>
  /** The process ends, the datapath stays. */
  readonly stop: () => Promise<void>
}

export function startNode(
  { balancer, pins }: Pick<Lab, 'balancer' | 'pins'>,
  objectPath?: string,
): Promise<NodeProcess> {
  const script = join(import.meta.dirname, 'node.ts')
  const argv = [script, pins, ...(objectPath === undefined ? [] : [objectPath])]
  return startRemote<NodeProcess>(balancer.name, argv, (child) => ({
    pid: child.pid!,
    kill: () => ended(child, () => child.kill('SIGKILL')),
    stop: () => ended(child, () => child.disconnect()),
  }))
}

export function serviceOf(change: Partial<VirtualService> = {}): VirtualService {
  return {
    service: 'default/web',
    vip: ip(vip4),
    ports: [{ protocol: 'UDP', port: 53 }],
    dscp,
    reals: [
      { name: 'be1', ip: ip('10.50.1.2'), weight: 1, up: true },
      { name: 'be2', ip: ip('10.50.2.2'), weight: 1, up: true },
    ],
    ...change,
  }
}

export const service6 = serviceOf({
  vip: ip(vip6),
  reals: [
    { name: 'be1', ip: ip('fd50:0:0:1::2'), weight: 1, up: true },
    { name: 'be2', ip: ip('fd50:0:0:2::2'), weight: 1, up: true },
  ],
})

/** The service with only this backend up: all flows go there. */
export function onlyOn(name: string, service = serviceOf()): VirtualService {
  return { ...service, reals: service.reals.map((real) => ({ ...real, up: real.name === name })) }
}

export function optionsOf(change: Partial<DatapathOptions> = {}): DatapathOptions {
  return {
    interfaces: ['c0'],
    xdpMode: 'native',
    tableSize: 251,
    slots: undefined,
    hashKey: Uint8Array.from({ length: 16 }, (_, index) => index),
    ...change,
  }
}

export type Pings = { readonly sent: number; readonly lost: number }

/** Pings from the client, one every 5 ms, until `stop`. */
export function startPings(
  { client, children }: Lab,
  address: string,
): { readonly stop: () => Promise<Pings> } {
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${client.name}`, 'ping', '-q', '-n', '-i', '0.005', '-W', '1', address],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  children.add(child)
  child.once('exit', () => children.delete(child))
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return {
    stop: async () => {
      await ended(child, () => child.kill('SIGINT'))
      const counts = /(\d+) packets transmitted, (\d+) received/.exec(output)
      if (counts === null) throw new Error(`ping said: ${output}`)
      const [sent, received] = [Number(counts[1]), Number(counts[2])]
      return { sent, lost: sent - received }
    },
  }
}

/** Whether all of them are answered. */
export function answersPing({ client }: Pick<Lab, 'client'>, address: string, count = 1): boolean {
  try {
    return client.run(`ping -q -n -c ${count} -i 0.01 -W 1 ${address}`).includes(' 0% packet loss')
  } catch {
    return false
  }
}

/** Of the pins that hold the program on interfaces. */
export function linkNames({ pins }: Pick<Lab, 'pins'>): readonly string[] {
  return readdirSync(pins).filter((name) => name.startsWith('link_'))
}

/** Waits until the next hops of all backends are known. */
export async function resolved(node: NodeProcess): Promise<void> {
  await until('all next hops to be known', async () =>
    (await node.status()).vips.every(({ unresolved }) => unresolved.size === 0),
  )
}

/** One UDP datagram from each of the client's ports. */
export function sendDatagrams(
  { client }: Pick<Lab, 'client'>,
  fromPorts: readonly number[],
  to: { readonly address: string; readonly port: number },
): void {
  const script = `
    const { createSocket } = require('node:dgram')
    for (const from of ${JSON.stringify(fromPorts)}) {
      const socket = createSocket('udp4')
      socket.bind(from, () => socket.send('x', ${to.port}, '${to.address}', () => socket.close()))
    }`
  client.input(`${process.execPath} --input-type=commonjs -`, script)
}

/** What happens to backend 1's entry on the balancer from now on, one line each. */
export function watchNeighbours({ balancer, children }: Lab): () => readonly string[] {
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${balancer.name}`, 'ip', 'monitor', 'neigh', 'dev', 'b1'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  children.add(child)
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  return () => output.split('\n').filter((line) => line.startsWith('10.50.1.2 '))
}

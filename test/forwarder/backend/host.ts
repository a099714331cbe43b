// Hosts for tests of what happens to real packets: network namespaces with a service that tells where it is.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type Namespace } from '../../system/namespace.ts'

export type Process = { readonly child: ChildProcess; readonly stop: () => Promise<void> }

/** A program in the namespace; `stop` kills it. */
export function startIn(namespace: Namespace, argv: readonly string[], options = {}): Process {
  const child = spawn('nsenter', [`--net=/run/netns/${namespace.name}`, ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...options,
  })
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }
  return { child, stop }
}

// TCP on all addresses. UDP on each address named: a socket on all of them would answer from another one.
const service = `
const [name, port, ...addresses] = process.argv.slice(1)
const net = require('node:net'), dgram = require('node:dgram')
const server = net.createServer((socket) => {
  socket.on('error', () => undefined)
  socket.end(name + ' ' + socket.localAddress + '\\n')
})
const sockets = addresses.map((address) => {
  const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4')
  socket.on('message', (bytes, from) => socket.send(name + ' ' + bytes.length, from.port, from.address))
  return new Promise((resolve) => socket.bind(Number(port), address, resolve))
})
server.listen(Number(port), '::', () => Promise.all(sockets).then(() => console.log('ready')))
`

/** Serves TCP (answers `NAME ADDRESS`) on a port of every address and UDP (answers `NAME BYTES`) on that of `udp`. */
export async function startService(
  namespace: Namespace,
  name: string,
  port: number,
  udp: readonly string[] = [],
): Promise<Process> {
  const started = startIn(namespace, [process.execPath, '-e', service, name, String(port), ...udp])
  await once(started.child.stdout!, 'data')
  return started
}

/** Rewrites a namespace's interfaces so that checksums on the wire are real, and addresses usable at once. */
export function plainInterface(namespace: Namespace, device: string, addresses: readonly string[]): void {
  namespace.run(`ethtool -K ${device} tx off`)
  for (const address of addresses) {
    namespace.run(`ip addr add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`)
  }
}

// Runs in a network namespace and does there, with the real implementations, what the test on the other end of the
// IPC channel asks. Ends when the channel does.

import { execSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createNetlink } from '../../system/netlink.ts'
import { systemNftables } from '../../system/nftables.ts'
import {
  type Cancel,
  type Endpoint,
  type Md5Key,
  type Netlink,
  type TcpConnectOptions,
  type TcpConnection,
  type TcpListener,
  type TcpSocketOptions,
} from '../../system/ports.ts'
import { systemSysctl } from '../../system/sysctl.ts'
import { systemTcp } from '../../system/tcp.ts'
import { serveCalls } from '../support/remote-calls.ts'

const listeners = new Map<number, { readonly listener: TcpListener; readonly peers: Endpoint[] }>()
let netlink: Netlink | undefined
let changes = 0
let unwatch: Cancel | undefined

function table(): Netlink {
  return (netlink ??= createNetlink())
}

/** Sends four bytes and waits for their echo. */
function echoed(connection: TcpConnection): Promise<{ local: Endpoint; remote: Endpoint }> {
  return new Promise((resolve, reject) => {
    connection.onData((bytes) => {
      if (Buffer.from(bytes).toString() === 'ping') resolve(connection)
      else reject(new Error(`echo of ${bytes.length} other bytes`))
      connection.end()
    })
    connection.onClose((error) => reject(error ?? new Error('closed without an echo')))
    connection.write(Buffer.from('ping'))
  }).then(() => ({ local: connection.local, remote: connection.remote }))
}

const calls = {
  /** An echo server. */
  listen: async (options: TcpSocketOptions & { readonly local: Endpoint }) => {
    const peers: Endpoint[] = []
    const listener = await systemTcp.listen(options, (connection) => {
      peers.push(connection.remote)
      connection.onData((bytes) => void connection.write(bytes))
    })
    const id = listeners.size
    listeners.set(id, { listener, peers })
    return { id, local: listener.local }
  },
  setMd5Key: async (id: number, key: Md5Key) => {
    await Promise.resolve()
    listeners.get(id)!.listener.setMd5Key(key)
  },
  peersOf: (id: number) => Promise.resolve(listeners.get(id)!.peers),
  closeListener: async (id: number) => {
    await Promise.resolve()
    listeners.get(id)!.listener.close()
  },
  connect: async (options: TcpConnectOptions) => echoed(await systemTcp.connect(options).connection),
  /** Cancels while the connection is being made. */
  connectAndCancel: async (options: TcpConnectOptions) => {
    const attempt = systemTcp.connect(options)
    setImmediate(() => attempt.cancel())
    return echoed(await attempt.connection)
  },

  links: () => table().links(),
  addresses: () => table().addresses(),
  routes: () => table().routes(),
  neighbours: () => table().neighbours(),
  resolveNeighbour: (...args: Parameters<Netlink['resolveNeighbour']>) => table().resolveNeighbour(...args),
  addAddress: (...args: Parameters<Netlink['addAddress']>) => table().addAddress(...args),
  removeAddress: (...args: Parameters<Netlink['removeAddress']>) => table().removeAddress(...args),
  /** All at once on one socket: how many items each call gave. */
  manyAtOnce: async (times: number) => {
    const round = (): Promise<readonly number[]> =>
      Promise.all([
        table().links(),
        table().addresses(),
        table().routes(),
        table().neighbours(),
      ] as const).then((answers) => answers.map((answer) => answer.length))
    return Promise.all(Array.from({ length: times }, round))
  },
  /** Starts a dump and closes before its answer. */
  dumpAndClose: async () => {
    const own = createNetlink()
    const answer = own.links()
    own.close()
    return answer
  },
  watch: (changeBufferBytes?: number) => {
    unwatch?.()
    changes = 0
    const own = createNetlink(changeBufferBytes === undefined ? {} : { changeBufferBytes })
    const cancel = own.watch(() => (changes += 1))
    unwatch = () => {
      cancel()
      own.close()
    }
    return Promise.resolve()
  },
  unwatch: () => {
    unwatch?.()
    unwatch = undefined
    return Promise.resolve()
  },
  changes: () => Promise.resolve(changes),
  /** Runs a command while the event loop stands still. */
  runBlocked: (command: string, input: string) => Promise.resolve(execSync(command, { input }).toString()),
  /** Datagrams that this namespace's netlink sockets lost, ever. */
  lostDatagrams: () => {
    const rows = readFileSync('/proc/self/net/netlink', 'utf8').trim().split('\n').slice(1)
    return Promise.resolve(rows.reduce((sum, row) => sum + Number(row.trim().split(/\s+/)[8]), 0))
  },

  nftApply: (ruleset: string) => systemNftables.apply(ruleset),
  nftList: (family: string, name: string) => systemNftables.list(family, name),
  sysctlRead: (key: string) => Promise.resolve(systemSysctl.read(key)),
  sysctlWrite: async (key: string, value: string) => {
    await Promise.resolve()
    systemSysctl.write(key, value)
  },
}

export type Calls = typeof calls

serveCalls(calls)

// Listening sockets, each shared by the peers that are to be accepted there, with a key for each of them that has one
// (RFC 2385). Sockets are opened and closed as the peers need them; what could not be opened is tried again.

import { formatIp, ip, type Ip, sameIp } from '../../net/ip.ts'
import {
  type Clock,
  type Endpoint,
  type Log,
  type Tcp,
  type TcpConnection,
  type TcpListener,
} from '../../system/ports.ts'
import { type Peer, ttlOf } from './peer-config.ts'

const retryMs = 1_000

export type Listeners = {
  /** The full set of peers. Sockets whose address, port and TTL stay are left alone. */
  set(peers: readonly Peer[]): void
  /** Why connections of this peer cannot be accepted. */
  problemOf(peer: Peer): string | undefined
  close(): void
}

type Ports = { readonly tcp: Tcp; readonly clock: Clock; readonly log: Log }
type Wanted = { readonly local: Endpoint; readonly ttl: number | undefined; readonly peers: readonly Peer[] }
type Socket = {
  update(peers: readonly Peer[]): void
  problemOf(peer: Peer): string | undefined
  close(): void
}

/** `onConnection` gets what came in at a socket for one of `peers`, which is to be ended by whoever wants none. */
export function createListeners(
  ports: Ports,
  onConnection: (connection: TcpConnection, peerName: string) => void,
): Listeners {
  const sockets = new Map<string, Socket>()
  let peersNow: readonly Peer[] = []
  const accept = (connection: TcpConnection, port: number): void => {
    const peer = callerAmong(peersNow, connection, port)
    if (peer !== undefined) {
      onConnection(connection, peer.name)
      return
    }
    ports.log.debug({ remote: formatIp(connection.remote.ip), port }, 'closed a connection of nobody we know')
    connection.destroy()
  }
  return {
    set: (peers) => {
      peersNow = peers
      const wanted = wantedSockets(peers)
      for (const [key, socket] of sockets) {
        if (wanted.has(key)) continue
        socket.close()
        sockets.delete(key)
      }
      for (const [key, each] of wanted) {
        const socket = sockets.get(key)
        if (socket === undefined) sockets.set(key, openSocket(each, ports, accept))
        else socket.update(each.peers)
      }
    },
    problemOf: (peer) => {
      for (const [key, { peers }] of wantedSockets(peersNow))
        if (peers.some(({ name }) => name === peer.name)) return sockets.get(key)?.problemOf(peer)
      return undefined
    },
    close: () => {
      for (const socket of sockets.values()) socket.close()
      sockets.clear()
    },
  }
}

/** By address, port and TTL. A socket at the wildcard takes the place of those at single addresses of its port. */
function wantedSockets(peers: readonly Peer[]): ReadonlyMap<string, Wanted> {
  const listening = peers.filter(({ listenPort }) => listenPort !== undefined)
  const sockets = new Map<string, Wanted>()
  for (const peer of listening) {
    const beside = listening.filter(
      (other) => other.listenPort === peer.listenPort && other.address.family === peer.address.family,
    )
    const wild = beside.some(({ sourceAddress }) => sourceAddress === undefined)
    const address = (wild ? undefined : peer.sourceAddress) ?? wildcard(peer.address)
    const sharing = beside.filter(
      ({ sourceAddress }) => wild || (sourceAddress !== undefined && sameIp(sourceAddress, address)),
    )
    const ttl = widestTtl(sharing)
    const local: Endpoint = { ip: address, port: peer.listenPort ?? 0 }
    sockets.set(`${formatIp(local.ip)} ${local.port} ${ttl ?? 'default'}`, { local, ttl, peers: sharing })
  }
  return sockets
}

function wildcard({ family }: Ip): Ip {
  return ip(family === 4 ? '0.0.0.0' : '::')
}

// A socket has one TTL for all that it accepts: the one that reaches everybody.
function widestTtl(peers: readonly Peer[]): number | undefined {
  const ttls = peers.map(ttlOf)
  return ttls.reduce((widest, ttl) =>
    widest === undefined || ttl === undefined ? undefined : Math.max(widest, ttl),
  )
}

function callerAmong(
  peers: readonly Peer[],
  { local, remote }: TcpConnection,
  port: number,
): Peer | undefined {
  const callers = peers.filter(({ listenPort, address }) => listenPort === port && sameIp(address, remote.ip))
  return (
    callers.find(({ sourceAddress }) => sourceAddress !== undefined && sameIp(sourceAddress, local.ip)) ??
    callers.find(({ sourceAddress }) => sourceAddress === undefined)
  )
}

function openSocket(
  { local, ttl, peers }: Wanted,
  { tcp, clock, log }: Ports,
  accept: (connection: TcpConnection, port: number) => void,
): Socket {
  let wanted = peers
  let open: TcpListener | undefined
  let closed = false
  let problem: string | undefined
  let stopRetry = (): void => undefined
  const keyed = new Map<string, Ip>()
  let keyProblems: ReadonlyMap<string, string> = new Map()

  const applyKeys = (): void => {
    if (open === undefined) return
    const desired = new Map(wanted.map((peer) => [formatIp(peer.address), peer]))
    const problems = new Map<string, string>()
    for (const [name, { address, md5Password }] of desired) {
      const problem = setKey(address, md5Password)
      if (problem === undefined) continue
      problems.set(name, problem)
      if (keyProblems.get(name) !== problem) log.warn({ address: name, problem }, 'cannot set an MD5 key')
    }
    for (const [name, address] of keyed) if (!desired.has(name)) setKey(address, undefined)
    keyProblems = problems
  }
  const setKey = (address: Ip, password: string | undefined): string | undefined => {
    const name = formatIp(address)
    try {
      open?.setMd5Key({ peer: address, password })
    } catch (error) {
      return textOf(error)
    }
    if (password === undefined) keyed.delete(name)
    else keyed.set(name, address)
    return undefined
  }
  const attempt = async (): Promise<void> => {
    try {
      const options = ttl === undefined ? { local } : { local, ttl }
      open = await tcp.listen(options, (connection) => accept(connection, local.port))
      if (closed) open.close()
      else {
        problem = undefined
        applyKeys()
      }
    } catch (error) {
      if (closed) return
      if (problem !== textOf(error)) log.warn({ problem: textOf(error) }, 'cannot listen for BGP')
      problem = textOf(error)
      stopRetry = clock.after(retryMs, () => void attempt())
    }
  }
  void attempt()
  return {
    update: (next) => {
      wanted = next
      applyKeys()
    },
    problemOf: (peer) => problem ?? keyProblems.get(formatIp(peer.address)),
    close: () => {
      closed = true
      stopRetry()
      open?.close()
    },
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

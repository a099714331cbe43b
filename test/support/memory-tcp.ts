// TCP without a kernel: hosts that reach one another at once, refuse, stay silent over a wrong MD5 key, and stop
// reading when told to. Bytes and ends arrive in later turns of the event loop, as they do from a kernel.

import { formatIp, type Ip, ip as parse, sameIp } from '../../net/ip.ts'
import {
  type Clock,
  type Endpoint,
  type Tcp,
  type TcpConnection,
  type TcpConnectOptions,
} from '../../system/ports.ts'
import { SystemError } from '../../system/errors.ts'

/** What a connection's sender may have on its way before `write` says that it is full. */
const sendBuffer = 16 * 1024

export type MemoryConnection = TcpConnection & {
  /** Stops reading: the other end's send buffer fills up. */
  pause(): void
  resume(): void
  /** The other end's socket options, as far as they were given. */
  readonly options: TcpConnectOptions
}

export type MemoryNetwork = {
  /** The TCP of a host with these addresses. */
  host(...addresses: readonly string[]): Tcp
}

type Listening = {
  readonly local: Endpoint
  readonly owner: readonly Ip[]
  readonly keys: Map<string, string>
  readonly accept: (connection: MemoryConnection) => void
}

export function memoryNetwork(clock: Clock): MemoryNetwork {
  const listening = new Set<Listening>()
  let port = 40_000

  const listenerFor = ({ ip, port: wanted }: Endpoint): Listening | undefined =>
    [...listening].find(
      ({ local, owner }) =>
        local.port === wanted &&
        owner.some((own) => sameIp(own, ip)) &&
        (sameIp(local.ip, ip) || (local.ip.value === 0n && local.ip.family === ip.family)),
    )

  const connect = (owner: readonly Ip[], options: TcpConnectOptions): ReturnType<Tcp['connect']> => {
    let cancel = (): void => undefined
    const connection = new Promise<TcpConnection>((resolve, reject) => {
      const fail = (code: string): void =>
        reject(new SystemError({ op: 'connect', code, target: formatIp(options.remote.ip) }))
      cancel = () => fail('ECANCELED')
      setImmediate(() => {
        const ip = options.local ?? owner.find(({ family }) => family === options.remote.ip.family)
        const listener = listenerFor(options.remote)
        if (ip === undefined) {
          fail('EADDRNOTAVAIL')
          return
        }
        // As the kernel: over a key that differs nobody says a word.
        if (listener !== undefined && listener.keys.get(formatIp(ip)) !== options.md5Password)
          return void clock.after(options.timeoutMs, () => fail('ETIMEDOUT'))
        if (listener === undefined) {
          fail('ECONNREFUSED')
          return
        }
        port += 1
        const [here, there] = pair({ ip, port }, options.remote, options)
        listener.accept(there)
        resolve(here)
      })
    })
    return { connection, cancel: () => cancel() }
  }

  return {
    host: (...addresses) => {
      const owner = addresses.map(parse)
      return {
        connect: (options) => connect(owner, options),
        listen: async (options, onConnection) => {
          const { local } = options
          await Promise.resolve()
          const taken = [...listening].some(
            (other) =>
              other.owner === owner &&
              other.local.port === local.port &&
              other.local.ip.family === local.ip.family &&
              (sameIp(other.local.ip, local.ip) || other.local.ip.value === 0n || local.ip.value === 0n),
          )
          if (taken) throw new SystemError({ op: 'bind', code: 'EADDRINUSE', target: formatIp(local.ip) })
          const own: Listening = { local, owner, keys: new Map(), accept: onConnection }
          listening.add(own)
          return {
            local,
            setMd5Key: ({ peer, password }) => {
              // TCP_MD5SIG_MAXKEYLEN of the kernel.
              if ((password ?? '').length > 80)
                throw new SystemError({ op: 'setsockopt', code: 'EINVAL', target: formatIp(peer) })
              if (password === undefined) own.keys.delete(formatIp(peer))
              else own.keys.set(formatIp(peer), password)
            },
            close: () => void listening.delete(own),
          }
        },
      }
    },
  }
}

/** Both ends of an established connection. */
function pair(
  local: Endpoint,
  remote: Endpoint,
  options: TcpConnectOptions,
): readonly [MemoryConnection, MemoryConnection] {
  const [here, there] = [end(local, remote, options), end(remote, local, options)]
  here.other = there
  there.other = here
  return [here.connection, there.connection]
}

type End = {
  readonly connection: MemoryConnection
  other: End | undefined
  /** Bytes for this end, or the end of them. */
  receive(bytes: Uint8Array | 'end' | 'reset'): void
  /** Octets that were not read yet. */
  backlog(): number
  drained(): void
}

function end(local: Endpoint, remote: Endpoint, options: TcpConnectOptions): End {
  let onData: ((bytes: Uint8Array) => void) | undefined
  let onClose: ((error?: Error) => void) | undefined
  let onDrain: (() => void) | undefined
  let paused = false
  let closed = false
  let ended = false
  let scheduled = false
  let full = false
  const inbox: (Uint8Array | 'end' | 'reset')[] = []
  const backlog = (): number =>
    inbox.reduce((sum, each) => sum + (typeof each === 'string' ? 0 : each.length), 0)
  const shut = (error?: Error): void => {
    if (closed) return
    closed = true
    setImmediate(() => onClose?.(error))
  }
  const deliver = (): void => {
    scheduled = false
    while (!paused && !closed && onData !== undefined) {
      const next = inbox.shift()
      if (next === undefined) break
      if (next === 'reset') shut(new Error('connection reset'))
      else if (next === 'end') {
        // Half-open connections are not kept: the other end's end is answered.
        if (!ended) self.other?.receive('end')
        shut()
      } else onData(next)
    }
    if (backlog() < sendBuffer) self.other?.drained()
  }
  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(deliver)
  }
  const self: End = {
    other: undefined,
    backlog,
    receive: (bytes) => {
      if (closed) return
      // A reset does not wait for what was sent before it.
      if (bytes === 'reset') shut(new Error('connection reset'))
      inbox.push(bytes)
      schedule()
    },
    drained: () => {
      if (!full) return
      full = false
      setImmediate(() => onDrain?.())
    },
    connection: {
      local,
      remote,
      options,
      onData: (listener) => {
        onData = listener
        schedule()
      },
      onClose: (listener) => {
        onClose = listener
        if (closed) setImmediate(() => listener())
      },
      onDrain: (listener) => (onDrain = listener),
      write: (bytes) => {
        if (closed || ended) return false
        self.other?.receive(bytes)
        full = (self.other?.backlog() ?? 0) >= sendBuffer
        return !full
      },
      end: () => {
        if (closed || ended) return
        ended = true
        self.other?.receive('end')
      },
      destroy: () => {
        if (closed) return
        self.other?.receive('reset')
        shut()
      },
      pause: () => (paused = true),
      resume: () => {
        paused = false
        schedule()
      },
    },
  }
  return self
}

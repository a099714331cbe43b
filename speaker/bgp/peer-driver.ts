// One neighbour for real: feeds its machine (peer.ts) with what TCP and the clock do, and does what the machine says.

import { unreachable } from '../../net/brand.ts'
import { type Family, formatIp, type Ip } from '../../net/ip.ts'
import { type Prefix } from '../../net/prefix.ts'
import { type Instant } from '../../net/time.ts'
import { type Cancel, type Clock, type Log, type Tcp, type TcpConnection } from '../../system/ports.ts'
import { type PeerStatus } from '../status.ts'
import { type ConnectionInput, type ConnectionOutput, type DownReason } from './connection.ts'
import { count, describeDown, describePeer, type History, zeroCounters } from './describe.ts'
import { dial } from './dial-driver.ts'
import { type BgpMessage, decodeMessage, encodeMessage } from './message.ts'
import { type Negotiated } from './negotiate.ts'
import { type BgpError, describeNotification, type Notification } from './notification.ts'
import { diallingDiffers, type Peer } from './peer-config.ts'
import { type PeerInput, type PeerOutput, stepPeer } from './peer.ts'
import { initialPeer, peerDeadline, type PeerMachine, type Role, stateOf } from './peer-state.ts'
import { type ExportFor, openSession, type Session } from './session-driver.ts'
import { openStream, type Stream } from './stream-driver.ts'

export type PeerPorts = {
  readonly tcp: Tcp
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
  readonly nextHopFor: (sessionLocal: Ip, family: Family) => Ip | undefined
  readonly onEstablished: (families: readonly Family[]) => void
  readonly onDown: (reason: string) => void
  readonly onAdvertised: () => void
  /** Something was flushed or closed: `idle` and `connections` may have changed. */
  readonly onSettled: () => void
}

export type PeerDriver = {
  readonly peer: Peer
  /** Nothing waits to be written to an established session. */
  readonly idle: boolean
  /** TCP connections that are not closed yet, those being flushed included. */
  readonly connections: number
  /** Nothing of what `sessionDiffers` looks at may change. */
  reconfigure(peer: Peer): void
  announce(exported: ExportFor): void
  accept(connection: TcpConnection): void
  /** Ends everything for good, with a NOTIFICATION to whoever is connected if there is one. */
  stop(error: BgpError | undefined): void
  status(listenProblem: string | undefined): PeerStatus
  wasSent(prefix: Prefix): boolean
}

type Offer = { readonly role: Role; readonly stream: Stream }

/** Begins at once to talk to the neighbour. */
export function startPeer(initial: Peer, initialExport: ExportFor, ports: PeerPorts): PeerDriver {
  const { clock, log } = ports
  let peer = initial
  let exported = initialExport
  let machine: PeerMachine = initialPeer
  let session: Session | undefined
  let cancelAttempt: Cancel = () => undefined
  let timer: { readonly at: Instant; readonly cancel: Cancel } | undefined
  const streams: { [role in Role]?: Stream } = {}
  const open = new Set<Stream>()
  const queue: { readonly input: PeerInput; readonly offer: Offer | undefined }[] = []
  const sent = zeroCounters()
  const received = zeroCounters()
  let history: History = {
    since: clock.wall(),
    lastDown: undefined,
    lastErrorSent: undefined,
    lastErrorReceived: undefined,
    establishedCount: 0,
    sent,
    received,
  }

  // An output may bring the next input at once: it waits until all outputs are done.
  const apply = (input: PeerInput, offer?: Offer): void => {
    queue.push({ input, offer })
    if (queue.length > 1) return
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      step(next.input, next.offer)
      queue.shift()
    }
    arm()
  }

  const step = (input: PeerInput, offer: Offer | undefined): void => {
    const before = stateOf(machine)
    const stepped = stepPeer(machine, input, { peer, now: clock.now(), random: ports.random() })
    machine = stepped.machine
    const after = stateOf(machine)
    if (before !== after) {
      history = { ...history, since: clock.wall() }
      log.debug({ from: before, to: after }, 'BGP state')
    }
    let offered = offer
    for (const output of stepped.outputs) {
      if (output.kind === 'refuse') {
        if (offered !== undefined) refuse(offered.stream, output.notification)
        offered = undefined
        continue
      }
      // An older connection of that role is closed before the first word on the new one.
      if (output.kind === 'connection' && output.role === offered?.role) {
        streams[offered.role] = offered.stream
        offered = undefined
      }
      perform(output)
    }
    if (offered !== undefined) streams[offered.role] = offered.stream
  }

  // Where the deadline moved away the timer stays: it looks again when it fires.
  const arm = (): void => {
    const at = peerDeadline(machine)
    if (timer !== undefined && at !== undefined && timer.at <= at) return
    timer?.cancel()
    timer = undefined
    if (at === undefined) return
    const fire = (): void => {
      timer = undefined
      apply({ kind: 'tick' })
    }
    timer = { at, cancel: clock.after(Math.ceil(at - clock.now()), fire) }
  }

  const perform = (output: Exclude<PeerOutput, { kind: 'refuse' }>): void => {
    switch (output.kind) {
      case 'connect': {
        connect()
        return
      }
      case 'cancelConnect': {
        cancelAttempt()
        return
      }
      case 'close': {
        close(output.role, output.reason)
        return
      }
      case 'down':
        session = undefined
        log.warn({ reason: describeDown(output.reason) }, 'BGP session down')
        ports.onDown(describeDown(output.reason))
        {
          ports.onSettled()
          return
        }
      case 'connection': {
        performConnection(output.role, output.output)
        return
      }
      default:
        return unreachable(output)
    }
  }

  const performConnection = (role: Role, output: ConnectionOutput): void => {
    const stream = streams[role]
    switch (output.kind) {
      case 'send':
        if (stream !== undefined) send(stream, output.message)
        return
      case 'established':
        if (stream !== undefined) establish(stream, output.session)
        return
      case 'update': {
        session?.count(output.update)
        return
      }
      case 'refresh':
        return session?.refresh(output.family)
      default:
        return unreachable(output)
    }
  }

  const send = (stream: Stream, message: BgpMessage): void => {
    // What the machine sends (all but UPDATE) is the same for old and new neighbours.
    stream.write(encodeMessage(message, { fourOctetAs: true }))
    count(sent, message.kind)
  }

  const refuse = (stream: Stream, notification: Notification | undefined): void => {
    if (notification !== undefined) {
      send(stream, notification)
      noteSent(describeNotification(notification))
    }
    stream.end()
  }

  const close = (role: Role, reason: DownReason): void => {
    const text = describeDown(reason)
    if (reason.kind === 'sent') noteSent(text)
    if (reason.kind === 'received') history = { ...history, lastErrorReceived: { text, at: clock.wall() } }
    // Where the other connection lives on, nothing is down.
    if (Object.keys(machine.connections).length === 0) noteDown(text)
    streams[role]?.end()
    Reflect.deleteProperty(streams, role)
  }

  const noteSent = (text: string): void => {
    history = { ...history, lastErrorSent: { text, at: clock.wall() } }
  }

  const noteDown = (text: string): void => {
    if (history.lastDown?.text !== text) log.info({ reason: text }, 'BGP connection ended')
    history = { ...history, lastDown: { text, at: clock.wall() } }
  }

  const establish = (stream: Stream, negotiated: Negotiated): void => {
    history = { ...history, establishedCount: history.establishedCount + 1 }
    log.info({ asn: negotiated.peerAsn, families: negotiated.families }, 'BGP session established')
    session = openSession(negotiated, {
      localAsn: peer.localAsn,
      stream,
      nextHopFor: ports.nextHopFor,
      onWritten: () => count(sent, 'update'),
      onMalformed: (problem) => log.warn({ problem }, 'malformed UPDATE, treated as RFC 7606 says'),
      onAdvertised: () => {
        ports.onAdvertised()
        ports.onSettled()
      },
    })
    ports.onEstablished(negotiated.families)
    session.announce(exported)
  }

  const connect = (): void => {
    cancelAttempt = dial(peer, ports.tcp, {
      onConnected: (tcp) => apply({ kind: 'connected' }, { role: 'active', stream: adopt('active', tcp) }),
      onFailed: (text) => {
        noteDown(text)
        apply({ kind: 'connectFailed' })
      },
    })
  }

  const adopt = (role: Role, connection: TcpConnection): Stream => {
    const tell = (input: ConnectionInput): void => apply({ kind: 'connection', role, input })
    const stream = openStream(connection, clock, {
      onFrame: (frame) => tell(read(role, frame)),
      onFault: (error) => tell({ kind: 'malformed', error }),
      onLost: (text) => tell({ kind: 'tcpClosed', text }),
      onDrain: () => {
        session?.pump()
        ports.onSettled()
      },
      onGone: () => {
        open.delete(stream)
        ports.onSettled()
      },
    })
    open.add(stream)
    return stream
  }

  const read = (role: Role, frame: Uint8Array): ConnectionInput => {
    const connection = machine.connections[role]
    const fourOctetAs =
      connection !== undefined && 'session' in connection ? connection.session.fourOctetAs : true
    const decoded = decodeMessage(frame, { fourOctetAs })
    if (!decoded.ok) return { kind: 'malformed', error: decoded.error }
    count(received, decoded.message.kind)
    return { kind: 'message', message: decoded.message }
  }

  log.debug({ address: formatIp(peer.address) }, 'BGP peer configured')
  apply({ kind: 'start' })
  return {
    get peer() {
      return peer
    },
    get idle() {
      return session === undefined || session.idle
    },
    get connections() {
      return open.size
    },
    reconfigure: (next) => {
      const redial = diallingDiffers(peer, next)
      peer = next
      if (redial) apply({ kind: 'reconfigured' })
    },
    announce: (next) => {
      exported = next
      session?.announce(next)
    },
    accept: (connection) =>
      apply({ kind: 'accepted' }, { role: 'passive', stream: adopt('passive', connection) }),
    stop: (error) => apply({ kind: 'stop', error }),
    status: (listenProblem) =>
      describePeer(peer, machine, { history, session: session?.facts, listenProblem, now: clock.now() }),
    wasSent: (prefix) => session?.wasSent(prefix) ?? false,
  }
}

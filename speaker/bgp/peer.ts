// A neighbour: whether to connect, to wait or to hold off (Idle, Connect, Active and their timers, RFC 4271
// §8.2.2), and up to two connections with it, one that we opened (`active`) and one that it opened (`passive`),
// of which §6.8 lets one live. Pure, as connection.ts.
//
//          start                    TCP up
//   off ──────────► connecting ──────────────► connections (see connection.ts)
//                    ▲   │ TCP failed               │
//      ConnectRetry  │   ▼                          │ the last one ended
//      or IdleHold   ├─ waiting ◄──── lost in openSent
//                    │  (Active)                    │
//                    └─ idle ◄──────────────────────┘ anything else; damped: RFC 4271 §8.1.1
//
// A failed connect goes to Active, not to Idle, so that the neighbour's own connection is welcome meanwhile.

import { unreachable } from '../../net/brand.ts'
import { later } from '../../net/time.ts'
import {
  type Connection,
  type ConnectionInput,
  type ConnectionOutput,
  type DownReason,
  jittered,
  openConnection,
  stepConnection,
  type StepContext,
} from './connection.ts'
import { cease, errorCode } from './iana.ts'
import { type BgpError, type Notification, notification } from './notification.ts'
import {
  type Dial,
  establishedRole,
  hasConnection,
  off,
  type PeerMachine,
  type Role,
  roles,
} from './peer-state.ts'

export type PeerInput =
  | { readonly kind: 'start' }
  /** Ends everything; the NOTIFICATION goes to whoever is connected, none: TCP is just closed. */
  | { readonly kind: 'stop'; readonly error: BgpError | undefined }
  /** The peer's parameters changed in a way that does not cost a session: they apply to the next attempt. */
  | { readonly kind: 'reconfigured' }
  | { readonly kind: 'connected' }
  | { readonly kind: 'connectFailed' }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'connection'; readonly role: Role; readonly input: ConnectionInput }
  | { readonly kind: 'tick' }

export type PeerOutput =
  | { readonly kind: 'connect' }
  | { readonly kind: 'cancelConnect' }
  /** Close a connection that was just offered (`connected`, `accepted`), after the NOTIFICATION if there is one. */
  | { readonly kind: 'refuse'; readonly role: Role; readonly notification: Notification | undefined }
  | { readonly kind: 'close'; readonly role: Role; readonly reason: DownReason }
  /** The established session ended: always after the `close` of its connection. */
  | { readonly kind: 'down'; readonly reason: DownReason }
  | { readonly kind: 'connection'; readonly role: Role; readonly output: ConnectionOutput }

export type PeerStep = { readonly machine: PeerMachine; readonly outputs: readonly PeerOutput[] }

/** IdleHoldTime: doubles from the first to the last of these with every failure in a row. */
export const idleHoldMs = { first: 1_000, most: 60_000 }
/** A session that lived this long ends the row of failures. */
export const stableMs = 60_000

export function stepPeer(machine: PeerMachine, input: PeerInput, context: StepContext): PeerStep {
  switch (input.kind) {
    case 'start':
      return machine.started ? still(machine) : dial({ ...machine, started: true }, context)
    case 'stop':
      return stop(machine, input.error, context)
    case 'connected':
      return onConnected(machine, context)
    case 'connectFailed':
      return onConnectFailed(machine)
    case 'reconfigured':
      return onReconfigured(machine, context)
    case 'accepted':
      return onAccepted(machine, context)
    case 'connection':
      return onConnection(machine, input.role, input.input, context)
    case 'tick':
      return onTick(machine, context)
    default:
      return unreachable(input)
  }
}

function dial(machine: PeerMachine, context: StepContext): PeerStep {
  if (context.peer.passive) return still({ ...machine, dial: { phase: 'waiting', retryAt: undefined } })
  const retryAt = later(context.now, jittered(context.peer.connectTimeMs, context.random))
  return { machine: { ...machine, dial: { phase: 'connecting', retryAt } }, outputs: [{ kind: 'connect' }] }
}

function wait({ peer, now, random }: StepContext): Dial {
  const retryAt = peer.passive ? undefined : later(now, jittered(peer.connectTimeMs, random))
  return { phase: 'waiting', retryAt }
}

function onTick(machine: PeerMachine, context: StepContext): PeerStep {
  const { now } = context
  let step = still(machine)
  const { dial: current } = machine
  if (current.phase === 'idle' && now >= current.until) step = dial(machine, context)
  else if (current.phase === 'waiting' && current.retryAt !== undefined && now >= current.retryAt)
    step = dial(machine, context)
  else if (current.phase === 'connecting' && now >= current.retryAt) {
    // Event 9 in Connect: drop the attempt and begin another.
    const again = dial(machine, context)
    step = { machine: again.machine, outputs: [{ kind: 'cancelConnect' }, ...again.outputs] }
  }
  for (const role of roles) step = then(step, (next) => onConnection(next, role, { kind: 'tick' }, context))
  return step
}

// The ConnectRetryTimer goes on, so that attempts are evenly spaced however they fail.
function onConnectFailed(machine: PeerMachine): PeerStep {
  if (machine.dial.phase !== 'connecting') return still(machine)
  const { retryAt } = machine.dial
  return still({ ...machine, dial: hasConnection(machine) ? off : { phase: 'waiting', retryAt } })
}

function onReconfigured(machine: PeerMachine, context: StepContext): PeerStep {
  const { phase } = machine.dial
  if (phase !== 'connecting' && phase !== 'waiting') return still(machine)
  const cancel: readonly PeerOutput[] = phase === 'connecting' ? [{ kind: 'cancelConnect' }] : []
  const again = dial(machine, context)
  return { machine: again.machine, outputs: [...cancel, ...again.outputs] }
}

function onConnected(machine: PeerMachine, context: StepContext): PeerStep {
  if (machine.dial.phase !== 'connecting')
    return { machine, outputs: [{ kind: 'refuse', role: 'active', notification: undefined }] }
  return admit({ ...machine, dial: off }, 'active', context)
}

function onAccepted(machine: PeerMachine, context: StepContext): PeerStep {
  const refuse = (subcode: number): PeerStep => ({
    machine,
    outputs: [{ kind: 'refuse', role: 'passive', notification: notification(errorCode.cease, subcode) }],
  })
  // Idle "refuses all incoming BGP connections" (RFC 4271 §8.2.2), with the code of RFC 4486 §4.
  if (!hasConnection(machine) && (machine.dial.phase === 'off' || machine.dial.phase === 'idle'))
    return refuse(cease.connectionRejected)
  // RFC 4271 §6.8: against an established session the new connection always loses.
  if (establishedRole(machine) !== undefined) return refuse(cease.collisionResolution)
  // The neighbour opens one connection at a time: an older one of its own is given up by it.
  const reason: DownReason = { kind: 'lost', text: 'the neighbour opened another connection' }
  const before: readonly PeerOutput[] =
    machine.connections.passive === undefined ? [] : [{ kind: 'close', role: 'passive', reason }]
  // In Connect our own attempt goes on beside it; Active's ConnectRetryTimer stops.
  const dialling = machine.dial.phase === 'connecting' ? machine.dial : off
  const admitted = admit({ ...machine, dial: dialling }, 'passive', context)
  return { machine: admitted.machine, outputs: [...before, ...admitted.outputs] }
}

function admit(machine: PeerMachine, role: Role, context: StepContext): PeerStep {
  return settle(machine, role, openConnection(context), context)
}

function onConnection(
  machine: PeerMachine,
  role: Role,
  input: ConnectionInput,
  context: StepContext,
): PeerStep {
  const connection = machine.connections[role]
  if (connection === undefined) return still(machine)
  const stepped = stepConnection(connection, input, context)
  const confirmed = stepped.connection.phase === 'openConfirm' && connection.phase !== 'openConfirm'
  if (confirmed && machine.connections[other(role)]?.phase === 'openConfirm') {
    // RFC 4271 §6.8, RFC 6286 §2.3: the one opened by the side of the higher identifier (or AS) lives.
    const { session } = stepped.connection
    const { peer } = context
    const ours =
      peer.routerId === session.peerRouterId
        ? peer.localAsn > session.peerAsn
        : peer.routerId > session.peerRouterId
    const loser: Role = ours ? 'passive' : 'active'
    if (loser === role) return onConnection(machine, role, collision, context)
    return then(onConnection(machine, loser, collision, context), (next) =>
      settle(next, role, stepped, context),
    )
  }
  return settle(machine, role, stepped, context)
}

const collision: ConnectionInput = {
  kind: 'stop',
  error: {
    notification: notification(errorCode.cease, cease.collisionResolution),
    text: 'the other connection with this neighbour goes on',
  },
}

// Takes over what a connection became, and what that means for the other one and for dialling.
function settle(
  machine: PeerMachine,
  role: Role,
  stepped: { readonly connection: Connection; readonly outputs: readonly ConnectionOutput[] },
  context: StepContext,
): PeerStep {
  const { connection } = stepped
  const outputs = stepped.outputs.map((output): PeerOutput => ({ kind: 'connection', role, output }))
  if (connection.phase === 'closed') return ended(machine, role, connection.reason, outputs, context)
  const next = { ...machine, connections: { ...machine.connections, [role]: connection } }
  const established = connection.phase === 'established' && machine.connections[role]?.phase !== 'established'
  if (!established) return { machine: next, outputs }
  const cancel: readonly PeerOutput[] = next.dial.phase === 'connecting' ? [{ kind: 'cancelConnect' }] : []
  const won: PeerMachine = { ...next, dial: off, establishedAt: context.now }
  const alone = onConnection(won, other(role), collision, context)
  return { machine: alone.machine, outputs: [...cancel, ...alone.outputs, ...outputs] }
}

function ended(
  machine: PeerMachine,
  role: Role,
  reason: DownReason,
  outputs: readonly PeerOutput[],
  context: StepContext,
): PeerStep {
  const phase = machine.connections[role]?.phase
  const { [role]: _gone, ...connections } = machine.connections
  const wasEstablished = phase === 'established'
  const all: readonly PeerOutput[] = [
    ...outputs,
    { kind: 'close', role, reason },
    ...(wasEstablished ? [{ kind: 'down', reason } as const] : []),
  ]
  const next = { ...machine, connections, establishedAt: wasEstablished ? undefined : machine.establishedAt }
  const dialling = next.dial.phase === 'connecting'
  if (!next.started || hasConnection(next) || dialling) return { machine: next, outputs: all }
  // Event 18 in OpenSent: TCP ended before anything was said, which is no reason to hold off.
  if (reason.kind === 'lost' && (phase === 'openSent' || phase === 'delayOpen'))
    return { machine: { ...next, dial: wait(context) }, outputs: all }
  const { now, random } = context
  const lived = machine.establishedAt === undefined ? 0 : now - machine.establishedAt
  const failures = wasEstablished && lived >= stableMs ? 1 : machine.failures + 1
  const hold = Math.min(idleHoldMs.most, idleHoldMs.first * 2 ** (failures - 1))
  const until = later(now, jittered(hold, random))
  return { machine: { ...next, failures, dial: { phase: 'idle', until } }, outputs: all }
}

function stop(machine: PeerMachine, error: BgpError | undefined, context: StepContext): PeerStep {
  const cancel: readonly PeerOutput[] = machine.dial.phase === 'connecting' ? [{ kind: 'cancelConnect' }] : []
  let step: PeerStep = { machine: { ...machine, started: false, dial: off }, outputs: cancel }
  const input: ConnectionInput =
    error === undefined ? { kind: 'tcpClosed', text: 'closed by us' } : { kind: 'stop', error }
  for (const role of roles) step = then(step, (next) => onConnection(next, role, input, context))
  return { machine: { ...step.machine, failures: 0 }, outputs: step.outputs }
}

function other(role: Role): Role {
  return role === 'active' ? 'passive' : 'active'
}

function still(machine: PeerMachine): PeerStep {
  return { machine, outputs: [] }
}

function then(step: PeerStep, next: (machine: PeerMachine) => PeerStep): PeerStep {
  const { machine, outputs } = next(step.machine)
  return { machine, outputs: [...step.outputs, ...outputs] }
}

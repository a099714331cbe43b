// One TCP connection's part of the BGP state machine (RFC 4271 §8.2.2), from the moment TCP is up. Which
// connections exist, and Idle, Connect and Active, are in peer.ts. Pure: time is passed in, deadlines are data.
//
//                 delayOpenMs > 0           DelayOpenTimer expires, or
//   TCP up ───────────────────► delayOpen ──────┐  (OPEN first: straight to openConfirm)
//      │                                        ▼  send OPEN
//      └──────────────────────────────────► openSent ──OPEN ok──► openConfirm ──KEEPALIVE──► established
//                 send OPEN                     │   send KEEPALIVE    │                          │
//                                               └──────── any error: send NOTIFICATION, closed ◄┘

import { unreachable } from '../../net/brand.ts'
import { type Family } from '../../net/ip.ts'
import { type Instant, later } from '../../net/time.ts'
import { errorCode, familyOf, fsmError } from './iana.ts'
import { type BgpMessage } from './message.ts'
import { type Negotiated, negotiate, openFor } from './negotiate.ts'
import { type BgpError, describeNotification, type Notification, notification } from './notification.ts'
import { type Peer } from './peer-config.ts'
import { type Update } from './update.ts'

/** RFC 4271 §8.2.2: "a hold timer value of 4 minutes is suggested" until the real one is negotiated. */
export const largeHoldTimeMs = 240_000

type Timers = { readonly holdAt: Instant | undefined; readonly keepaliveAt: Instant | undefined }

export type Connection =
  | { readonly phase: 'delayOpen'; readonly openAt: Instant }
  | { readonly phase: 'openSent'; readonly holdAt: Instant }
  | (Timers & { readonly phase: 'openConfirm'; readonly session: Negotiated })
  | (Timers & { readonly phase: 'established'; readonly session: Negotiated })
  | { readonly phase: 'closed'; readonly reason: DownReason }

/** Why a connection ended; `lost`: TCP ended without a NOTIFICATION. */
export type DownReason =
  | { readonly kind: 'sent'; readonly notification: Notification; readonly text: string }
  | { readonly kind: 'received'; readonly notification: Notification; readonly text: string }
  | { readonly kind: 'lost'; readonly text: string }

export type ConnectionInput =
  | { readonly kind: 'message'; readonly message: BgpMessage }
  | { readonly kind: 'malformed'; readonly error: BgpError }
  | { readonly kind: 'tcpClosed'; readonly text: string }
  | { readonly kind: 'stop'; readonly error: BgpError }
  | { readonly kind: 'tick' }

export type ConnectionOutput =
  | { readonly kind: 'send'; readonly message: BgpMessage }
  | { readonly kind: 'established'; readonly session: Negotiated }
  | { readonly kind: 'update'; readonly update: Update }
  | { readonly kind: 'refresh'; readonly family: Family }

export type ConnectionStep = {
  readonly connection: Connection
  readonly outputs: readonly ConnectionOutput[]
}

/** What every step is told beside its input: the peer, the time, and a number in [0, 1) for jitter. */
export type StepContext = { readonly peer: Peer; readonly now: Instant; readonly random: number }

/** TCP is up: sends OPEN, or waits for the neighbour's (DelayOpen). */
export function openConnection(context: StepContext): ConnectionStep {
  const { peer, now } = context
  if (peer.delayOpenMs > 0)
    return { connection: { phase: 'delayOpen', openAt: later(now, peer.delayOpenMs) }, outputs: [] }
  return sendOpen(context)
}

export function stepConnection(
  connection: Connection,
  input: ConnectionInput,
  context: StepContext,
): ConnectionStep {
  if (connection.phase === 'closed') return unchanged(connection)
  switch (input.kind) {
    case 'message':
      return onMessage(connection, input.message, context)
    case 'malformed':
      return fail(input.error)
    case 'stop':
      return fail(input.error)
    case 'tcpClosed':
      return closed({ kind: 'lost', text: input.text })
    case 'tick':
      return onTick(connection, context)
    default:
      return unreachable(input)
  }
}

export function connectionDeadline(connection: Connection): Instant | undefined {
  switch (connection.phase) {
    case 'delayOpen':
      return connection.openAt
    case 'openSent':
      return connection.holdAt
    case 'openConfirm':
    case 'established': {
      const { holdAt, keepaliveAt } = connection
      if (holdAt === undefined || keepaliveAt === undefined) return holdAt ?? keepaliveAt
      return holdAt < keepaliveAt ? holdAt : keepaliveAt
    }
    case 'closed':
      return undefined
    default:
      return unreachable(connection)
  }
}

type Live = Exclude<Connection, { phase: 'closed' }>

function onMessage(connection: Live, message: BgpMessage, context: StepContext): ConnectionStep {
  // Events 24 and 25: never answered by another NOTIFICATION.
  if (message.kind === 'notification')
    return closed({ kind: 'received', notification: message, text: describeNotification(message) })
  switch (connection.phase) {
    case 'delayOpen':
    case 'openSent':
      if (message.kind !== 'open') return unexpected(message, connection.phase)
      return onOpen(connection.phase, message, context)
    case 'openConfirm':
      // Event 26: the neighbour accepted our OPEN.
      if (message.kind !== 'keepalive') return unexpected(message, connection.phase)
      return {
        connection: {
          ...connection,
          phase: 'established',
          holdAt: holdDeadline(connection.session, context),
        },
        outputs: [{ kind: 'established', session: connection.session }],
      }
    case 'established':
      return onSessionMessage(connection, message, context)
    default:
      return unreachable(connection)
  }
}

function onOpen(
  phase: 'delayOpen' | 'openSent',
  message: Extract<BgpMessage, { kind: 'open' }>,
  context: StepContext,
): ConnectionStep {
  const agreement = negotiate(context.peer, message)
  if (!agreement.ok) return fail(agreement.error)
  const { session } = agreement
  // Event 20 (OPEN while DelayOpenTimer runs) answers with ours first.
  const open: readonly ConnectionOutput[] =
    phase === 'delayOpen' ? [{ kind: 'send', message: openFor(context.peer) }] : []
  return {
    connection: {
      phase: 'openConfirm',
      session,
      holdAt: holdDeadline(session, context),
      keepaliveAt: keepaliveDeadline(session, context),
    },
    outputs: [...open, { kind: 'send', message: { kind: 'keepalive' } }],
  }
}

function onSessionMessage(
  connection: Extract<Connection, { phase: 'established' }>,
  message: Exclude<BgpMessage, Notification>,
  context: StepContext,
): ConnectionStep {
  const heard = { ...connection, holdAt: holdDeadline(connection.session, context) }
  switch (message.kind) {
    case 'keepalive':
      return { connection: heard, outputs: [] }
    case 'update':
      return { connection: heard, outputs: [{ kind: 'update', update: message }] }
    case 'routeRefresh': {
      const family = familyOf(message.afi, message.safi)
      // RFC 2918 §4: what was not negotiated is ignored; RFC 7313's subtypes were not offered.
      if (family === undefined || message.subtype !== 0 || !connection.session.families.includes(family))
        return unchanged(connection)
      return { connection, outputs: [{ kind: 'refresh', family }] }
    }
    case 'open':
      return unexpected(message, connection.phase)
    default:
      return unreachable(message)
  }
}

function onTick(connection: Live, context: StepContext): ConnectionStep {
  const { now } = context
  if (connection.phase === 'delayOpen')
    return now >= connection.openAt ? sendOpen(context) : unchanged(connection)
  // Event 10.
  if (connection.holdAt !== undefined && now >= connection.holdAt)
    return fail({
      notification: notification(errorCode.holdTimerExpired),
      text:
        connection.phase === 'openSent'
          ? 'no OPEN came'
          : `nothing was heard for ${connection.session.holdTimeMs} ms`,
    })
  if (connection.phase === 'openSent' || connection.keepaliveAt === undefined || now < connection.keepaliveAt)
    return unchanged(connection)
  // Event 11.
  return {
    connection: { ...connection, keepaliveAt: keepaliveDeadline(connection.session, context) },
    outputs: [{ kind: 'send', message: { kind: 'keepalive' } }],
  }
}

function sendOpen({ peer, now }: StepContext): ConnectionStep {
  return {
    connection: { phase: 'openSent', holdAt: later(now, largeHoldTimeMs) },
    outputs: [{ kind: 'send', message: openFor(peer) }],
  }
}

// RFC 4271 §6.5: an interval of zero disarms both timers.
function holdDeadline(session: Negotiated, { now }: StepContext): Instant | undefined {
  return session.holdTimeMs === 0 ? undefined : later(now, session.holdTimeMs)
}

function keepaliveDeadline(session: Negotiated, { now, random }: StepContext): Instant | undefined {
  return session.holdTimeMs === 0 ? undefined : later(now, jittered(session.keepaliveTimeMs, random))
}

/** RFC 4271 §10: timers are multiplied with a random factor from 0.75 to 1. */
export function jittered(ms: number, random: number): number {
  return ms * (0.75 + 0.25 * random)
}

// RFC 6608: which message came, in which state.
function unexpected(message: BgpMessage, phase: Live['phase']): ConnectionStep {
  const subcodes = {
    delayOpen: 0,
    openSent: fsmError.inOpenSent,
    openConfirm: fsmError.inOpenConfirm,
    established: fsmError.inEstablished,
  }
  return fail({
    notification: notification(errorCode.finiteStateMachine, subcodes[phase]),
    text: `a ${message.kind} message in state ${phase}`,
  })
}

function fail({ notification: message, text }: BgpError): ConnectionStep {
  return {
    connection: { phase: 'closed', reason: { kind: 'sent', notification: message, text } },
    outputs: [{ kind: 'send', message }],
  }
}

function closed(reason: DownReason): ConnectionStep {
  return { connection: { phase: 'closed', reason }, outputs: [] }
}

function unchanged(connection: Connection): ConnectionStep {
  return { connection, outputs: [] }
}

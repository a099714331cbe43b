// What is known of a neighbour between two events: the dialling and up to two connections. See peer.ts for what
// happens to it.

import { type Instant } from '../../net/time.ts'
import { type PeerState as StateWord } from '../status.ts'
import { type Connection, connectionDeadline } from './connection.ts'

/** Who opened the TCP connection: we (`active`) or the neighbour (`passive`). */
export type Role = 'active' | 'passive'

export type Dial =
  | { readonly phase: 'off' }
  | { readonly phase: 'idle'; readonly until: Instant }
  | { readonly phase: 'connecting'; readonly retryAt: Instant }
  | { readonly phase: 'waiting'; readonly retryAt: Instant | undefined }

export type PeerMachine = {
  readonly started: boolean
  readonly dial: Dial
  readonly connections: { readonly [role in Role]?: Exclude<Connection, { phase: 'closed' }> }
  /** Sessions and attempts that ended by an error, in a row. */
  readonly failures: number
  readonly establishedAt: Instant | undefined
}

export const roles: readonly Role[] = ['active', 'passive']
export const off: Dial = { phase: 'off' }

export const initialPeer: PeerMachine = {
  started: false,
  dial: off,
  connections: {},
  failures: 0,
  establishedAt: undefined,
}

/** When to `tick` next. */
export function peerDeadline(machine: PeerMachine): Instant | undefined {
  const deadlines = [
    machine.dial.phase === 'idle' ? machine.dial.until : undefined,
    machine.dial.phase === 'connecting' || machine.dial.phase === 'waiting'
      ? machine.dial.retryAt
      : undefined,
    ...roles.map((role) => {
      const connection = machine.connections[role]
      return connection === undefined ? undefined : connectionDeadline(connection)
    }),
  ].filter((deadline) => deadline !== undefined)
  return deadlines.reduce<Instant | undefined>(
    (least, each) => (least === undefined || each < least ? each : least),
    undefined,
  )
}

/** The one word of RFC 4271 for both levels: the state of the furthest connection, else of the dialling. */
export function stateOf(machine: PeerMachine): StateWord {
  const phases = roles.map((role) => machine.connections[role]?.phase)
  for (const word of ['established', 'openConfirm', 'openSent'] as const)
    if (phases.includes(word)) return word
  // RFC 4271 §8.2.2: DelayOpen is waited for in Connect and Active.
  if (machine.dial.phase === 'connecting' || machine.connections.active !== undefined) return 'connect'
  if (machine.dial.phase === 'waiting' || machine.connections.passive !== undefined) return 'active'
  return 'idle'
}

export function establishedRole(machine: PeerMachine): Role | undefined {
  return roles.find((role) => machine.connections[role]?.phase === 'established')
}

export function hasConnection(machine: PeerMachine): boolean {
  return machine.connections.active !== undefined || machine.connections.passive !== undefined
}

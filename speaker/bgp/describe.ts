// What operators see of a peer: PeerStatus out of the machine and its history.

import { type Family, formatIp, type Ip } from '../../net/ip.ts'
import { type Instant } from '../../net/time.ts'
import { type FamilyStatus, type MessageCounters, type PeerError, type PeerStatus } from '../status.ts'
import { type AdjRibOut, pendingIn, sentTable } from './adj-rib-out.ts'
import { type DownReason } from './connection.ts'
import { type BgpMessage } from './message.ts'
import { formatRouterId, type Negotiated } from './negotiate.ts'
import { describeNotification } from './notification.ts'
import { type Peer } from './peer-config.ts'
import { type PeerMachine, stateOf } from './peer-state.ts'

export type Counters = { -readonly [name in keyof MessageCounters]: MessageCounters[name] }

/** What lasts longer than a session. */
export type History = {
  readonly since: Date
  readonly lastDown: PeerError | undefined
  readonly lastErrorSent: PeerError | undefined
  readonly lastErrorReceived: PeerError | undefined
  readonly establishedCount: number
  readonly sent: Counters
  readonly received: Counters
}

/** An established session as far as it is told. */
export type SessionFacts = {
  readonly negotiated: Negotiated
  readonly localAddress: Ip
  readonly rib: AdjRibOut
  readonly nextHops: { readonly [family in Family]: Ip | undefined }
  readonly exportProblems: { readonly [family in Family]: string | undefined }
  readonly prefixes: {
    readonly [family in Family]: { readonly announced: number; readonly withdrawn: number }
  }
}

export function describePeer(
  peer: Peer,
  machine: PeerMachine,
  facts: {
    readonly history: History
    readonly session: SessionFacts | undefined
    readonly listenProblem: string | undefined
    readonly now: Instant
  },
): PeerStatus {
  const { history, session, listenProblem, now } = facts
  return {
    name: peer.name,
    address: peer.address,
    state: stateOf(machine),
    since: history.since,
    uptimeMs: machine.establishedAt === undefined ? undefined : now - machine.establishedAt,
    established: session === undefined ? undefined : describeSession(session),
    families: peer.families.map((family) => describeFamily(family, session)),
    lastDown: history.lastDown,
    lastErrorSent: history.lastErrorSent,
    lastErrorReceived: history.lastErrorReceived,
    listenProblem,
    sent: { ...history.sent },
    received: { ...history.received },
    establishedCount: history.establishedCount,
  }
}

function describeSession({ negotiated, localAddress }: SessionFacts): PeerStatus['established'] {
  const { peerAsn, peerRouterId, holdTimeMs, keepaliveTimeMs, families, fourOctetAs, routeRefresh } =
    negotiated
  return {
    localAddress,
    peerAsn,
    peerRouterId: formatRouterId(peerRouterId),
    holdTimeMs,
    keepaliveTimeMs,
    families,
    fourOctetAs,
    routeRefresh,
  }
}

function describeFamily(family: Family, session: SessionFacts | undefined): FamilyStatus {
  if (session === undefined)
    return {
      family,
      negotiated: false,
      advertised: 0,
      pending: 0,
      received: 0,
      receivedWithdrawn: 0,
      problem: undefined,
    }
  const { announced, withdrawn } = session.prefixes[family]
  return {
    family,
    negotiated: session.negotiated.families.includes(family),
    advertised: sentTable(session.rib)[family].size,
    pending: pendingIn(session.rib, family),
    received: announced,
    receivedWithdrawn: withdrawn,
    problem: problemOf(family, session),
  }
}

function problemOf(family: Family, session: SessionFacts): string | undefined {
  if (!session.negotiated.families.includes(family))
    return `the neighbour does not offer IPv${family} unicast`
  if (session.nextHops[family] === undefined)
    return `no next hop: the interface of ${formatIp(session.localAddress)} has no global IPv${family} address`
  return session.exportProblems[family]
}

/** For logs and `lastDown`: who ended it, by which NOTIFICATION, because of what. */
export function describeDown(reason: DownReason): string {
  switch (reason.kind) {
    case 'sent':
      return ['we sent ', describeNotification(reason.notification), reason.text && `: ${reason.text}`].join(
        '',
      )
    case 'received':
      return `the neighbour sent ${reason.text}`
    case 'lost':
      return reason.text
  }
}

export function zeroCounters(): Counters {
  return { opens: 0, updates: 0, notifications: 0, keepalives: 0, routeRefreshes: 0 }
}

const counterOf: Readonly<Record<BgpMessage['kind'], keyof Counters>> = {
  open: 'opens',
  update: 'updates',
  notification: 'notifications',
  keepalive: 'keepalives',
  routeRefresh: 'routeRefreshes',
}

export function count(counters: Counters, kind: BgpMessage['kind']): void {
  counters[counterOf[kind]] += 1
}

// An established session's outbound half: writes the Adj-RIB-Out as fast as the neighbour reads, and no faster. While
// the socket is full the wish may change as often as it likes; only the newest is written.

import { type Family, type Ip } from '../../net/ip.ts'
import { type Prefix } from '../../net/prefix.ts'
import {
  type AdjRibOut,
  advance,
  nextUpdate,
  openAdjRibOut,
  prefixKey,
  resend,
  sentTable,
  want,
} from './adj-rib-out.ts'
import { type SessionFacts } from './describe.ts'
import { type Exported, type ExportView } from './export.ts'
import { type Negotiated } from './negotiate.ts'
import { type Stream } from './stream-driver.ts'
import { reachabilityOf, type Update } from './update.ts'

/** What this peer is to be told, seen through its session. */
export type ExportFor = (view: ExportView) => Exported

export type Session = {
  readonly facts: SessionFacts
  /** Everything wanted is written, and the socket took it. */
  readonly idle: boolean
  /** Takes the newest wish. */
  announce(exported: ExportFor): void
  refresh(family: Family): void
  /** Writes what fits. */
  pump(): void
  /** An UPDATE of the neighbour's: counted, nothing more. */
  count(update: Update): void
  wasSent(prefix: Prefix): boolean
}

export type SessionPorts = {
  readonly localAsn: number
  readonly stream: Stream
  readonly nextHopFor: (sessionLocal: Ip, family: Family) => Ip | undefined
  /** One UPDATE was written. */
  readonly onWritten: () => void
  /** The first UPDATE of this session that RFC 7606 had to judge. */
  readonly onMalformed: (problem: string) => void
  /** All that was wanted is written; not called again before there was something more. */
  readonly onAdvertised: () => void
}

export function openSession(negotiated: Negotiated, ports: SessionPorts): Session {
  const { stream } = ports
  const localAddress = stream.connection.local.ip
  let rib: AdjRibOut = openAdjRibOut(negotiated.families)
  let nextHops: SessionFacts['nextHops'] = { 4: undefined, 6: undefined }
  let exportProblems: SessionFacts['exportProblems'] = { 4: undefined, 6: undefined }
  let told = false
  let malformed = false
  const prefixes = { 4: { announced: 0, withdrawn: 0 }, 6: { announced: 0, withdrawn: 0 } }

  const nextHop = (family: Family): Ip | undefined => {
    if (!negotiated.families.includes(family)) return undefined
    return localAddress.family === family ? localAddress : ports.nextHopFor(localAddress, family)
  }
  const isIdle = (): boolean => nextUpdate(rib) === undefined && !stream.blocked
  const session: Session = {
    get facts() {
      return { negotiated, localAddress, rib, nextHops, exportProblems, prefixes }
    },
    get idle() {
      return isIdle()
    },
    announce: (exportFor) => {
      nextHops = { 4: nextHop(4), 6: nextHop(6) }
      const { localAsn } = ports
      const { internal, fourOctetAs } = negotiated
      const exported = exportFor({ localAsn, internal, fourOctetAs, nextHops })
      exportProblems = exported.problems
      rib = want(rib, exported.table)
      session.pump()
    },
    refresh: (family) => {
      rib = resend(rib, family)
      session.pump()
    },
    pump: () => {
      for (let next = nextUpdate(rib); next !== undefined && !stream.blocked; next = nextUpdate(rib)) {
        stream.write(next.bytes)
        rib = advance(rib)
        told = false
        ports.onWritten()
      }
      if (told || !isIdle()) return
      told = true
      ports.onAdvertised()
    },
    count: (update) => {
      for (const { family, announced, withdrawn } of reachabilityOf(update)) {
        prefixes[family].announced += announced.length
        prefixes[family].withdrawn += withdrawn.length
      }
      const [problem] = update.problems
      if (problem === undefined || malformed) return
      malformed = true
      ports.onMalformed(problem.error.text)
    },
    wasSent: (prefix) => sentTable(rib)[prefix.ip.family].has(prefixKey(prefix)),
  }
  return session
}

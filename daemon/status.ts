// The answer of `torii status`, put together from what each plane reports. Pure.

import { type PeerStatus as ApiPeer, type Status, type VipStatus } from '../api/types.ts'
import { type BgpPeer } from '../config/model.ts'
import { type TargetStatus } from '../forwarder/health/target.ts'
import { type ForwarderStatus, type VipState } from '../forwarder/model.ts'
import { formatIp, type Ip } from '../net/ip.ts'
import { prefixContains } from '../net/prefix.ts'
import { formatServicePort } from '../net/service.ts'
import { type PeerStatus } from '../speaker/speaker.ts'
import { announcementsOf, type Served } from './desired.ts'
import { type DocumentsStatus, type InForce } from './documents.ts'
import { type Pass } from './reconcile.ts'

export type StatusParts = {
  readonly version: string
  readonly node: string
  readonly pid: number
  readonly state: Status['state']
  readonly startedAt: Date
  readonly now: Date
  readonly paths: readonly string[]
  readonly inForce: InForce | undefined
  readonly documents: DocumentsStatus
  readonly warnings: readonly string[]
  readonly pass: Pass | undefined
  readonly forwarder: ForwarderStatus
  readonly health: readonly TargetStatus[]
  readonly peers: readonly PeerStatus[]
  /** Names of the peers that were really sent a prefix that covers the VIP. */
  readonly announcedBy: (
    vip: Ip,
    prefixes: readonly { readonly ip: Ip; readonly length: number }[],
  ) => readonly string[]
}

const familyName = { 4: 'ipv4', 6: 'ipv6' } as const

export function assembleStatus(parts: StatusParts): Status {
  const { inForce, documents, pass, forwarder } = parts
  return {
    version: parts.version,
    node: parts.node,
    pid: parts.pid,
    state: parts.state,
    startedAt: parts.startedAt.toISOString(),
    config: {
      paths: [...parts.paths],
      revision: inForce?.revision ?? '',
      loadedAt: inForce?.loadedAt.toISOString() ?? '',
      state: documents.state,
      problems: [...documents.problems],
      warnings: [...documents.warnings, ...parts.warnings],
    },
    datapath: {
      state: forwarder.problems.length === 0 ? 'ok' : 'degraded',
      tableSize: pass?.config.datapath.tableSize ?? 0,
      interfaces: forwarder.interfaces.map(({ name, mode, problem }) => ({
        name,
        mode,
        ...(problem === undefined ? {} : { problem }),
      })),
      problems: [...forwarder.problems, ...(pass?.problems ?? [])],
      packets: { ...forwarder.packets },
    },
    peers: parts.peers.map((peer) => peerStatus(peer, pass?.config.peers ?? [], parts.now)),
    vips: (pass?.served ?? []).map((served) => vipStatus(served, parts)),
    refused: (pass?.allocated.refusals ?? []).map(({ id, reason, message }) => ({
      service: id,
      reason,
      message,
    })),
  }
}

function vipStatus(served: Served, parts: StatusParts): VipStatus {
  const { loadBalancer, vip } = served
  const text = formatIp(vip.ip)
  const state = parts.forwarder.vips.find((each) => formatIp(each.vip) === text)
  const targets = parts.health.filter(({ target }) => formatIp(target.vip) === text)
  const list = loadBalancer.backends.flatMap(({ name, addresses, weight, state: admin }) => {
    const address = addresses.find(({ family }) => family === vip.ip.family)
    if (address === undefined) return []
    const health = targets.find(({ target }) => target.backend.name === name)
    const healthy = admin === 'active' && (health?.up ?? false)
    const detail = admin === 'down' ? 'taken out by its document' : (health?.lastResult ?? 'no result yet')
    return [
      {
        name,
        address: formatIp(address),
        weight,
        healthy,
        detail,
        share: shareOf(state, name),
        ...hop(state, name),
      },
    ]
  })
  const prefixes =
    parts.pass === undefined
      ? []
      : announcementsOf(vip, parts.pass.config, parts.pass.self, []).map(({ prefix }) => prefix)
  const announcedBy = [
    ...parts.announcedBy(
      vip.ip,
      prefixes.filter((prefix) => prefixContains(prefix, vip.ip)),
    ),
  ]
  const problem =
    parts.pass?.obstacles.get(text) ??
    (announcedBy.length > 0 ? undefined : 'no peer has an established session for it')
  return {
    service: loadBalancer.id,
    vip: text,
    family: familyName[vip.ip.family],
    pool: vip.pool,
    dscp: vip.dscp,
    ports: loadBalancer.ports.map(formatServicePort),
    programmed: state?.programmed ?? false,
    announcedBy,
    backends: { healthy: list.filter(({ healthy }) => healthy).length, total: list.length, list },
    digest: state?.digest ?? '',
    ...(problem === undefined ? {} : { problem }),
  }
}

function shareOf(state: VipState | undefined, name: string): number {
  return state === undefined || state.tableSize === 0 ? 0 : (state.rows.get(name) ?? 0) / state.tableSize
}

function hop(state: VipState | undefined, name: string): { unresolved?: string } {
  const reason = state?.unresolved.get(name)
  return reason === undefined ? {} : { unresolved: reason }
}

function peerStatus(peer: PeerStatus, documents: readonly BgpPeer[], now: Date): ApiPeer {
  const { established } = peer
  const document = documents.find(({ name }) => name === peer.name)
  const advertised = (family: 4 | 6): number =>
    peer.families.find((each) => each.family === family)?.advertised ?? 0
  const problems = peer.families.map((each) => each.problem).filter((each) => each !== undefined)
  const lastError = [peer.listenProblem, ...problems, describe(peer.lastDown)].find(
    (each) => each !== undefined,
  )
  return {
    name: peer.name,
    address: formatIp(peer.address),
    port: document?.port ?? 179,
    asn: String(established?.peerAsn ?? document?.peerAsn ?? ''),
    state: peer.state,
    since: peer.since.toISOString(),
    uptimeSeconds: Math.floor(
      Math.max(0, peer.uptimeMs === undefined ? 0 : now.getTime() - peer.since.getTime()) / 1000,
    ),
    families: (established?.families ?? []).map((family) => familyName[family]),
    ...(established === undefined ? {} : { holdTimeSeconds: established.holdTimeMs / 1000 }),
    announced: { ipv4: advertised(4), ipv6: advertised(6) },
    received: peer.families.reduce((sum, { received }) => sum + received, 0),
    ...(lastError === undefined ? {} : { lastError }),
  }
}

function describe(error: PeerStatus['lastDown']): string | undefined {
  return error === undefined ? undefined : `${error.at.toISOString()} ${error.text}`
}

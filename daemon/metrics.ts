// The daemon's numbers in Prometheus' text format, made from the status at the moment they are asked for.

import { Counter, Gauge, Registry } from 'prom-client'
import { type Status } from '../api/types.ts'

/** The text of `GET /metrics`. */
export async function renderMetrics(status: Status): Promise<string> {
  const registry = new Registry()
  const gauge = (name: string, help: string, labelNames: readonly string[] = []): Gauge =>
    new Gauge({ name, help, labelNames: [...labelNames], registers: [registry] })

  gauge('torii_info', 'Always 1; the labels say what runs.', ['version', 'node']).set(
    { version: status.version, node: status.node },
    1,
  )
  gauge('torii_config_stale', '1 while the documents on disk are refused and former ones are in force.').set(
    status.config.state === 'stale' ? 1 : 0,
  )
  gauge('torii_draining', '1 while this node withdraws and leaves.').set(status.state === 'draining' ? 1 : 0)
  gauge('torii_datapath_degraded', '1 while the datapath is not what the documents want.').set(
    status.datapath.state === 'degraded' ? 1 : 0,
  )

  const session = gauge('torii_bgp_session_up', '1 while the BGP session is Established.', ['peer'])
  const announced = gauge('torii_bgp_announced_prefixes', 'Prefixes announced to the peer.', [
    'peer',
    'family',
  ])
  for (const { name, state, announced: counts } of status.peers) {
    session.set({ peer: name }, state === 'established' ? 1 : 0)
    announced.set({ peer: name, family: 'ipv4' }, counts.ipv4)
    announced.set({ peer: name, family: 'ipv6' }, counts.ipv6)
  }

  const labels = ['service', 'vip'] as const
  const programmed = gauge('torii_vip_programmed', '1 while the datapath holds the VIP.', labels)
  const peers = gauge('torii_vip_announced_peers', 'Peers that the VIP is announced to.', labels)
  const backend = gauge('torii_backend_up', '1 while the backend passes its health check.', [
    ...labels,
    'backend',
  ])
  const share = gauge('torii_backend_share', "Share of the Maglev table's rows, 0 to 1.", [
    ...labels,
    'backend',
  ])
  for (const { service, vip, programmed: held, announcedBy, backends } of status.vips) {
    programmed.set({ service, vip }, held ? 1 : 0)
    peers.set({ service, vip }, announcedBy.length)
    for (const each of backends.list) {
      backend.set({ service, vip, backend: each.name }, each.healthy ? 1 : 0)
      share.set({ service, vip, backend: each.name }, each.share)
    }
  }
  gauge('torii_services_refused', 'Services that have no VIP.').set(status.refused.length)

  const packets = new Counter({
    name: 'torii_packets_total',
    help: 'Packets by what became of them.',
    labelNames: ['verdict'],
    registers: [registry],
  })
  for (const [verdict, count] of Object.entries(status.datapath.packets)) packets.inc({ verdict }, count)
  return registry.metrics()
}

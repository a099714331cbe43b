// `torii status`: the daemon's answer as tables, or as it is with --json.

import { Command } from 'commander'
import { callApi } from '../api/client.ts'
import { type PeerStatus, type Status, statusSchema, type VipStatus } from '../api/types.ts'
import { jsonOption, socketOption } from './socket.ts'
import { type Cell, paint, renderTable } from './table.ts'

const help = `
Tables of peers, VIPs and backends. DIGEST is of the VIP's Maglev table: balancers that show the same one send
every flow to the same backend.

Exit code 0 if a daemon answered, 3 if none did. With --json: all of it, fields are only ever added.`

export function statusCommand(): Command {
  return new Command('status')
    .description('what this node does: peers, VIPs, backends, datapath')
    .addOption(socketOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action(async (options: { socket: string; json?: true }) => {
      const status = await callApi(options.socket, 'GET', '/v1/status', statusSchema)
      process.stdout.write(
        options.json === true ? `${JSON.stringify(status, null, 2)}\n` : renderStatus(status),
      )
    })
}

/** The whole answer for eyes. */
export function renderStatus(status: Status): string {
  return [
    heading(status),
    ...section('Peers', peerTable(status.peers)),
    ...section('VIPs', vipTable(status.vips)),
    ...section('Backends', backendTable(status.vips)),
    ...section('Without a VIP', refusedTable(status)),
    ...troubles(status),
  ].join('\n')
}

function heading({ node, version, state, config, datapath }: Status): string {
  const interfaces = datapath.interfaces.map(({ name, mode }) => `${name} (${mode})`).join(', ')
  const documents =
    config.state === 'ok'
      ? `revision ${config.revision} since ${config.loadedAt}`
      : paint(`STALE: revision ${config.revision} in force, what is on disk is refused`, 'bad')
  return [
    `node       ${node}, torii ${version}, ${state === 'running' ? state : paint(state, 'warn')}`,
    `documents  ${documents}`,
    `datapath   ${datapath.state === 'ok' ? 'ok' : paint(datapath.state, 'bad')}: ${interfaces === '' ? 'no interfaces' : interfaces}`,
    '',
  ].join('\n')
}

function section(title: string, table: string | undefined): readonly string[] {
  return table === undefined ? [] : [paint(title, 'strong'), table]
}

function peerTable(peers: readonly PeerStatus[]): string | undefined {
  if (peers.length === 0) return undefined
  return renderTable(
    [
      { title: 'PEER' },
      { title: 'ADDRESS' },
      { title: 'AS', align: 'right' },
      { title: 'STATE' },
      { title: 'UP', align: 'right' },
      { title: 'HOLD', align: 'right' },
      { title: 'V4', align: 'right' },
      { title: 'V6', align: 'right' },
      { title: 'LAST ERROR' },
    ],
    peers.map((peer) => [
      peer.name,
      peer.address,
      peer.asn,
      { text: peer.state, tone: peer.state === 'established' ? 'good' : 'warn' },
      peer.state === 'established' ? duration(peer.uptimeSeconds) : '',
      peer.holdTimeSeconds === undefined ? '' : `${peer.holdTimeSeconds}s`,
      peer.announced.ipv4,
      peer.announced.ipv6,
      peer.lastError ?? '',
    ]),
  )
}

function vipTable(vips: readonly VipStatus[]): string | undefined {
  if (vips.length === 0) return undefined
  return renderTable(
    [
      { title: 'SERVICE' },
      { title: 'VIP' },
      { title: 'PORTS' },
      { title: 'POOL' },
      { title: 'DSCP', align: 'right' },
      { title: 'BACKENDS', align: 'right' },
      { title: 'ANNOUNCED TO' },
      { title: 'DIGEST' },
    ],
    vips.map((vip) => [
      vip.service,
      vip.vip,
      vip.ports.join(','),
      vip.pool,
      vip.dscp,
      healthCell(vip),
      vip.problem === undefined
        ? { text: vip.announcedBy.join(','), tone: 'good' }
        : { text: `nobody: ${vip.problem}`, tone: 'warn' },
      vip.digest.slice(0, 16),
    ]),
  )
}

function healthCell({ backends: { healthy, total } }: VipStatus): Cell {
  return { text: `${healthy}/${total}`, tone: healthy === total ? 'good' : healthy === 0 ? 'bad' : 'warn' }
}

function backendTable(vips: readonly VipStatus[]): string | undefined {
  const rows = vips.flatMap((vip) =>
    vip.backends.list.map((backend): readonly Cell[] => [
      vip.vip,
      backend.name,
      backend.address,
      backend.weight,
      { text: backend.healthy ? 'up' : 'down', tone: backend.healthy ? 'good' : 'bad' },
      `${(backend.share * 100).toFixed(2)}%`,
      backend.unresolved ?? backend.detail,
    ]),
  )
  if (rows.length === 0) return undefined
  return renderTable(
    [
      { title: 'VIP' },
      { title: 'BACKEND' },
      { title: 'ADDRESS' },
      { title: 'WEIGHT', align: 'right' },
      { title: 'STATE' },
      { title: 'SHARE', align: 'right' },
      { title: 'WHY' },
    ],
    rows,
  )
}

function refusedTable({ refused }: Status): string | undefined {
  if (refused.length === 0) return undefined
  return renderTable(
    [{ title: 'SERVICE' }, { title: 'REASON' }, { title: 'WHAT TO DO' }],
    refused.map(({ service, reason, message }) => [service, { text: reason, tone: 'bad' }, message]),
  )
}

function troubles({ config, datapath }: Status): readonly string[] {
  const lines = [
    ...config.problems.map((text) => `${paint('documents', 'bad')}: ${text}`),
    ...config.warnings.map((text) => `${paint('warning', 'warn')}: ${text}`),
    ...datapath.interfaces.flatMap(({ name, problem }) =>
      problem === undefined ? [] : [`${paint(`interface ${name}`, 'bad')}: ${problem}`],
    ),
    ...datapath.problems.map((text) => `${paint('datapath', 'bad')}: ${text}`),
  ]
  return lines.length === 0 ? [] : [...lines, '']
}

/** Two units are enough: `2d4h`, `3m12s`, `8s`. */
export function duration(seconds: number): string {
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'm'],
    [1, 's'],
  ] as const
  const first = units.findIndex(([size]) => seconds >= size)
  if (first < 0) return '0s'
  return units
    .slice(first, first + 2)
    .map(([size, letter], index) => {
      const [bigger] = index === 0 ? [Infinity] : (units[first] ?? [Infinity])
      return [Math.floor((seconds % bigger) / size), letter] as const
    })
    .filter(([count], index) => index === 0 || count > 0)
    .map(([count, letter]) => `${count}${letter}`)
    .join('')
}

// tshark as the judge of what is on a wire: captures on a node's interfaces while something happens, and tells the
// fields of every packet, checksums verified.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { found, notYet, until } from '../../../demo/until.ts'
import { type FabricNode } from '../../fabric/fabric.ts'

export type Packet = {
  readonly source: string
  readonly destination: string
  readonly sourcePort: number
  readonly dscp: number
  readonly ecn: number
  readonly ttl: number
  /** Of every layer that has one: IPv4's own, TCP's or UDP's. */
  readonly checksums: readonly ('good' | 'bad' | 'unverified')[]
}

const fieldsSchema = z.record(z.string(), z.array(z.string()))
const packetsSchema = z.array(z.object({ _source: z.object({ layers: fieldsSchema }) }))
const verdicts: Readonly<Record<string, Packet['checksums'][number]>> = { '0': 'bad', '1': 'good' }
const fields = [
  ...['ip.src', 'ipv6.src', 'ip.dst', 'ipv6.dst', 'tcp.srcport', 'udp.srcport', 'ip.ttl', 'ipv6.hlim'],
  ...['ip.dsfield.dscp', 'ip.dsfield.ecn', 'ipv6.tclass.dscp', 'ipv6.tclass.ecn'],
  ...['ip.checksum.status', 'tcp.checksum.status', 'udp.checksum.status'],
]
const verify = ['ip', 'tcp', 'udp'].flatMap((layer) => ['-o', `${layer}.check_checksum:TRUE`])

/** What `filter` (pcap's language) lets through on the interfaces of `node` while `body` runs. */
export async function capturing<T>(
  node: FabricNode,
  { interfaces, filter }: { readonly interfaces: readonly string[]; readonly filter: string },
  body: () => Promise<T>,
): Promise<{ readonly value: T; readonly packets: readonly Packet[] }> {
  // The filter first: after an interface it would be that one's alone.
  const on = ['-f', filter, ...interfaces.flatMap((name) => ['-i', name])]
  // To a pipe, not to a file: the node's /tmp is its own.
  const capture = node.spawn(['dumpcap', '-q', ...on, '-w', '-'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const ended = once(capture, 'close')
  const chunks: Buffer[] = []
  let said = ''
  capture.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  capture.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
  await until(() => (said.includes('File:') ? found(undefined) : notYet(said)), {
    what: `capture on ${node.name}`,
    withinMs: 15_000,
    everyMs: 20,
    signal: new AbortController().signal,
  })
  let value: T
  try {
    value = await body()
    await quiet(() => chunks.length)
  } finally {
    capture.kill('SIGINT')
    await ended
  }
  return { value, packets: dissect(Buffer.concat(chunks)) }
}

/** What the kernel's ring still holds when dumpcap is told to end is lost: it is handed over after a while. */
async function quiet(count: () => number): Promise<void> {
  const deadline = Date.now() + 20_000
  for (let before = -1; before !== count() && Date.now() < deadline;) {
    before = count()
    await new Promise((resolve) => setTimeout(resolve, 1500))
  }
}

/** tshark reads no pipe. */
function dissect(capture: Buffer): readonly Packet[] {
  const directory = mkdtempSync(join(tmpdir(), 'torii-capture-'))
  try {
    const file = join(directory, 'packets.pcapng')
    writeFileSync(file, capture)
    return read(file)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

function read(file: string): readonly Packet[] {
  const wanted = fields.flatMap((field) => ['-e', field])
  const { status, stdout, stderr } = spawnSync('tshark', ['-r', file, ...verify, '-T', 'json', ...wanted], {
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  })
  assert.equal(status, 0, stderr)
  return packetsSchema.parse(JSON.parse(stdout)).map(({ _source: { layers } }) => packetOf(layers))
}

function packetOf(layers: z.infer<typeof fieldsSchema>): Packet {
  const first = (...names: readonly string[]): string => names.flatMap((name) => layers[name] ?? [])[0] ?? ''
  const statuses = ['ip', 'tcp', 'udp'].flatMap((layer) => layers[`${layer}.checksum.status`] ?? [])
  return {
    source: first('ip.src', 'ipv6.src'),
    destination: first('ip.dst', 'ipv6.dst'),
    sourcePort: Number(first('tcp.srcport', 'udp.srcport')),
    dscp: Number(first('ip.dsfield.dscp', 'ipv6.tclass.dscp')),
    ecn: Number(first('ip.dsfield.ecn', 'ipv6.tclass.ecn')),
    ttl: Number(first('ip.ttl', 'ipv6.hlim')),
    checksums: statuses.map((status) => verdicts[status] ?? 'unverified'),
  }
}

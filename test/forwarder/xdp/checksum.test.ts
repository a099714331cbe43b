// The program's checksums: every value that a packet can bring, against the reference, and tshark's word on packets
// that the program has rewritten.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { parseFrame } from '../../../forwarder/parse.ts'
import { forward } from '../../../forwarder/reference.ts'
import { toHex } from '../../../net/bytes.ts'
import { concat, u16 } from '../octets.ts'
import { type Segment, ethernet, extension, icmp4, icmp6, ipv4, ipv6, tcp, udp } from '../packets.ts'
import { client4, client6, dscp, image, port, vip4, vip6 } from '../small-image.ts'
import { openProgram } from './program.ts'

const loopback = 1
const flow = { from: 40_000, to: port, payload: Uint8Array.of(1, 2, 3) }
const header4 = { source: client4, destination: vip4, trafficClass: 0xb9 }
const header6 = { source: client6, destination: vip6, trafficClass: 0xb9, flowLabel: 0x12345 }

const both = (segment: Segment): readonly Uint8Array[] => [ipv4(header4, segment), ipv6(header6, segment)]
const quoted = udp({ from: port, to: 40_000, payload: new Uint8Array(9) })
const packets: Readonly<Record<string, readonly Uint8Array[]>> = {
  TCP: both(tcp(flow)),
  UDP: both(udp(flow)),
  echo: [ipv4(header4, icmp4({ type: 8, body: flow.payload })), ipv6(header6, icmp6({ type: 128 }))],
  'TCP behind options and extension headers': [
    ipv4({ ...header4, options: new Uint8Array(40).fill(1) }, tcp(flow)),
    ipv6({ ...header6, extensions: [extension(0), extension(60, 2)] }, tcp(flow)),
  ],
  'ICMP errors': [
    ipv4(header4, icmp4({ type: 3, code: 4, body: ipv4({ source: vip4, destination: client4 }, quoted) })),
    ipv6(header6, icmp6({ type: 2, body: ipv6({ source: vip6, destination: client6 }, quoted) })),
  ],
}

/** A capture file (libpcap's classic format, link type Ethernet). */
function pcap(frames: readonly Uint8Array[]): Uint8Array {
  const u32 = (...values: readonly number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer)
  const records = frames.flatMap((frame, index) => [u32(index, 0, frame.length, frame.length), frame])
  return concat(u32(0xa1b2c3d4, 0x0004_0002, 0, 0, 65535, 1), ...records)
}

const layers = ['ip', 'tcp', 'udp', 'icmp', 'icmpv6'] as const
const fields = [
  'ip.dsfield.dscp',
  'ip.dsfield.ecn',
  'ipv6.tclass.dscp',
  'ipv6.tclass.ecn',
  'ip.ttl',
  'ipv6.hlim',
  ...layers.map((layer) => `${layer}.checksum.status`),
]

/** The fields' values in the outermost header, one record for each frame; absent ones are empty. */
function dissect(frames: readonly Uint8Array[]): readonly Readonly<Record<string, string>>[] {
  const verify = ['ip', 'tcp', 'udp'].flatMap((layer) => ['-o', `${layer}.check_checksum:TRUE`])
  const ask = fields.flatMap((field) => ['-e', field])
  const options = ['-r', '-', '-n', ...verify, '-T', 'fields', '-E', 'occurrence=f', ...ask]
  // Through cat: tshark reads a pipe, but not the socket that Node gives it.
  const run = spawnSync('sh', ['-c', 'cat | tshark "$@"', 'sh', ...options], {
    input: pcap(frames),
    encoding: 'utf8',
  })
  assert.equal(run.status, 0, run.stderr)
  return run.stdout
    .split('\n')
    .slice(0, frames.length)
    .map((line) => Object.fromEntries(line.split('\t').map((value, index) => [fields[index]!, value])))
}

describe('checksums of the XDP program', () => {
  it('equal the reference’s for every checksum that a packet can come with', function () {
    this.timeout(60_000)
    const program = openProgram(image, loopback)
    try {
      for (const packet of [...packets['TCP']!, ...packets['UDP']!, packets['echo']![1]!]) {
        const frame = ethernet(packet)
        const { contents } = parseFrame(frame)!
        assert.notEqual(contents.kind, 'unusable')
        if (contents.kind === 'unusable') continue
        const at = contents.at + (contents.kind === 'icmp' ? 2 : contents.protocol === 6 ? 16 : 6)
        for (let checksum = 0; checksum < 65536; checksum += 1) {
          frame.set(u16(checksum), at)
          const expected = forward(frame, loopback, image).frame
          const { data } = program.run(frame)
          if (Buffer.compare(data, expected) !== 0)
            assert.fail(`0x${checksum.toString(16)}: XDP ${toHex(data)}, reference ${toHex(expected)}`)
        }
        // The header's own checksum as well.
        if (packet[0] !== 0x45) continue
        for (let checksum = 0; checksum < 65536; checksum += 1) {
          frame.set(u16(checksum), 24)
          const { data } = program.run(frame)
          if (Buffer.compare(data, forward(frame, loopback, image).frame) !== 0)
            assert.fail(`header checksum 0x${checksum.toString(16)}: XDP ${toHex(data)}`)
        }
      }
    } finally {
      program.close()
    }
  })

  it('are good for tshark, which also sees the VIP’s id, ECN as sent, and one hop less', () => {
    const program = openProgram(image, loopback)
    try {
      const sent = Object.values(packets).flatMap((each) => each.map((packet) => ethernet(packet)))
      const received = sent.map((frame) => program.run(frame).data)
      assert.equal(program.counted().get('forwarded'), sent.length)
      for (const [index, packet] of dissect(received).entries()) {
        const family = sent[index]![12] === 0x08 ? 'ipv4' : 'ipv6'
        const [id, ecn, ttl] =
          family === 'ipv4'
            ? [packet['ip.dsfield.dscp'], packet['ip.dsfield.ecn'], packet['ip.ttl']]
            : [packet['ipv6.tclass.dscp'], packet['ipv6.tclass.ecn'], packet['ipv6.hlim']]
        assert.deepEqual([id, ecn, ttl], [String(dscp), '1', '63'])
        // 1 is good, 0 bad. The quotes in errors keep the checksums that the VIP's packets had: good ones too.
        const verdicts = layers.map((layer) => packet[`${layer}.checksum.status`] ?? '').filter(Boolean)
        assert.ok(verdicts.length >= (family === 'ipv4' ? 2 : 1), JSON.stringify(packet))
        assert.ok(
          verdicts.every((verdict) => verdict === '1'),
          JSON.stringify(packet),
        )
      }
    } finally {
      program.close()
    }
  })

  it('are bad for tshark if they were bad before', () => {
    const program = openProgram(image, loopback)
    try {
      const damaged = both(tcp(flow)).map((packet) => ethernet(packet))
      // The payload's first byte: what follows the packet is padding.
      for (const frame of damaged) frame[frame[12] === 0x08 ? 54 : 74]! ^= 0x40
      for (const packet of dissect(damaged.map((frame) => program.run(frame).data)))
        assert.equal(packet['tcp.checksum.status'], '0')
    } finally {
      program.close()
    }
  })
})

// The XDP program against its specification: the same frames through both, verdict, bytes and counter equal.
// DIFFERENTIAL_SEED=N repeats one run, DIFFERENTIAL_FRAMES=N makes it longer.

import assert from 'node:assert/strict'
import { type DatapathImage, type Reason, reasons } from '../../../forwarder/image.ts'
import { forward, type Verdict } from '../../../forwarder/reference.ts'
import { xdpAction } from '../../../native/bpf.ts'
import { toHex } from '../../../net/bytes.ts'
import { ip } from '../../../net/ip.ts'
import { u16 } from '../octets.ts'
import { ethernet, icmp4, icmp6, ipv4, ipv6, tcp, udp } from '../packets.ts'
import { randomFrame } from '../random-frames.ts'
import { ingress, randomFrom, randomImage, vips } from '../random.ts'
import { openProgram, type Program } from './program.ts'

const frames = Number(process.env['DIFFERENTIAL_FRAMES'] ?? 120_000)
const framesPerImage = 2500
const seeds =
  process.env['DIFFERENTIAL_SEED'] === undefined
    ? Array.from({ length: Math.ceil(frames / framesPerImage) }, (_, index) => index + 1)
    : [Number(process.env['DIFFERENTIAL_SEED'])]

const actions: Readonly<Record<Verdict, number>> = xdpAction

type Tally = { readonly reasons: Map<Reason, number>; readonly verdicts: Map<Verdict, number> }

/** Fails with everything that is needed to look into it. */
function compare(
  frame: Uint8Array,
  image: DatapathImage,
  program: Program,
  what: () => string,
  tally: Tally,
): void {
  const expected = forward(frame, ingress, image)
  const found = program.run(frame)
  const sameBytes = Buffer.from(found.data).equals(expected.frame)
  if (found.retval !== actions[expected.verdict] || !sameBytes) {
    assert.fail(
      [
        `${what()}: the reference says ${expected.verdict} (${expected.reason}), XDP ${found.retval}`,
        `in        ${toHex(frame)}`,
        `reference ${toHex(expected.frame)}`,
        `XDP       ${toHex(found.data)}`,
      ].join('\n'),
    )
  }
  tally.reasons.set(expected.reason, (tally.reasons.get(expected.reason) ?? 0) + 1)
  tally.verdicts.set(expected.verdict, (tally.verdicts.get(expected.verdict) ?? 0) + 1)
}

/** Each reason was counted in the kernel as often as the reference gave it. */
function compareCounters(program: Program, tally: Tally, what: string): void {
  const counted = program.counted()
  for (const reason of reasons)
    assert.equal(counted.get(reason), tally.reasons.get(reason) ?? 0, `${what}: counter of ${reason}`)
}

function emptyTally(): Tally {
  return { reasons: new Map(), verdicts: new Map() }
}

describe('XDP program and reference forwarder', function () {
  this.timeout(120_000)

  it(`agree on ${seeds.length * framesPerImage} random frames over ${seeds.length} images`, () => {
    const total = emptyTally()
    for (const seed of seeds) {
      const random = randomFrom(seed)
      const image = randomImage(random, random.pick([1, 251, 4093, 65537]))
      const program = openProgram(image, ingress)
      const tally = emptyTally()
      try {
        for (let index = 0; index < framesPerImage; index += 1)
          compare(
            randomFrame(random),
            image,
            program,
            () => `DIFFERENTIAL_SEED=${seed}, frame ${index}`,
            tally,
          )
        compareCounters(program, tally, `seed ${seed}`)
      } finally {
        program.close()
      }
      for (const [reason, count] of tally.reasons)
        total.reasons.set(reason, (total.reasons.get(reason) ?? 0) + count)
      for (const [verdict, count] of tally.verdicts)
        total.verdicts.set(verdict, (total.verdicts.get(verdict) ?? 0) + count)
    }
    // A comparison that never gets to a branch proves nothing of it.
    if (process.env['DIFFERENTIAL_SEED'] !== undefined) return
    for (const reason of reasons)
      assert.ok(
        (total.reasons.get(reason) ?? 0) >= 100,
        `${reason}: ${total.reasons.get(reason) ?? 0} frames`,
      )
    for (const verdict of ['pass', 'drop', 'tx', 'redirect'] as const)
      assert.ok(
        (total.verdicts.get(verdict) ?? 0) >= 1000,
        `${verdict}: ${total.verdicts.get(verdict) ?? 0} frames`,
      )
  })

  it('agree on frames cut off at every byte', () => {
    const random = randomFrom(7)
    const image = randomImage(random, 251)
    const program = openProgram(image, ingress)
    const tally = emptyTally()
    try {
      for (const frame of typicalFrames())
        for (let length = 14; length <= frame.length; length += 1)
          compare(frame.subarray(0, length), image, program, () => `cut at ${length}`, tally)
      compareCounters(program, tally, 'cut frames')
    } finally {
      program.close()
    }
    assert.ok((tally.reasons.get('malformed') ?? 0) > 100)
  })

  it('agree on packets that end at every byte of a frame that goes on', () => {
    const image = randomImage(randomFrom(7), 251)
    const program = openProgram(image, ingress)
    const tally = emptyTally()
    try {
      for (const frame of typicalFrames()) {
        const [at, header] = frame[12] === 0x08 ? [16, 0] : [18, 40]
        for (let end = header; end <= frame.length - 14 + 2; end += 1) {
          const claimed = frame.slice()
          claimed.set(u16(end - header), at)
          compare(claimed, image, program, () => `IP length ${end}`, tally)
        }
      }
      compareCounters(program, tally, 'claimed lengths')
    } finally {
      program.close()
    }
    for (const reason of ['forwarded', 'malformed', 'badQuote'] as const)
      assert.ok((tally.reasons.get(reason) ?? 0) > 20, `${reason}: ${tally.reasons.get(reason) ?? 0}`)
  })

  it('agree on every traffic class and TTL', () => {
    const image = randomImage(randomFrom(11), 251)
    const program = openProgram(image, ingress)
    const tally = emptyTally()
    const port = { from: 40_000, to: 80 }
    try {
      for (let value = 0; value < 256; value += 1) {
        for (const vip of vips) {
          const source = ip(vip.family === 4 ? '10.0.0.7' : '2001:db8:2::1')
          const build = vip.family === 4 ? packet4 : packet6
          for (const header of [
            { ttl: 64, trafficClass: value },
            { ttl: value, trafficClass: 0 },
          ])
            compare(
              ethernet(build({ source, destination: vip, ...header }, tcp(port))),
              image,
              program,
              () => JSON.stringify(header),
              tally,
            )
        }
      }
    } finally {
      program.close()
    }
  })
})

type Header = {
  readonly source: ReturnType<typeof ip>
  readonly destination: ReturnType<typeof ip>
  readonly ttl: number
  readonly trafficClass: number
}

function packet4(header: Header, segment: ReturnType<typeof tcp>): Uint8Array {
  return ipv4({ ...header, fragment: 0x4000, options: new Uint8Array() }, segment)
}

function packet6(header: Header, segment: ReturnType<typeof tcp>): Uint8Array {
  return ipv6({ ...header, extensions: [] }, segment)
}

function typicalFrames(): readonly Uint8Array[] {
  const port = { from: 40_000, to: 80, payload: Uint8Array.of(1, 2, 3) }
  return vips.flatMap((destination) => {
    const source = ip(destination.family === 4 ? '10.0.0.7' : '2001:db8:2::1')
    const header = { source, destination, ttl: 64, trafficClass: 2 }
    const answer = { source: destination, destination: source, ttl: 60, trafficClass: 0 }
    const quote = (destination.family === 4 ? packet4 : packet6)(answer, tcp({ from: 80, to: 40_000 }))
    return destination.family === 4
      ? [tcp(port), udp(port), icmp4({ type: 8 }), icmp4({ type: 3, code: 4, body: quote })].map((segment) =>
          ethernet(packet4(header, segment), { padTo: 0 }),
        )
      : [tcp(port), udp(port), icmp6({ type: 128 }), icmp6({ type: 2, body: quote })].map((segment) =>
          ethernet(packet6(header, segment), { padTo: 0 }),
        )
  })
}

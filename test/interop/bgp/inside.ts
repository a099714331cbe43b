// Runs in a network namespace: a real speaker on real sockets and the real clock, told over the IPC channel what the
// test wants. Ends when the channel does.

import { formatIp, type Ip } from '../../../net/ip.ts'
import { type Prefix } from '../../../net/prefix.ts'
import { systemClock } from '../../../system/clock.ts'
import { type Log } from '../../../system/ports.ts'
import { systemTcp } from '../../../system/tcp.ts'
import { serveCalls } from '../../support/remote-calls.ts'
import {
  type Announcement,
  createSpeaker,
  type PeerConfig,
  type Speaker,
  type SpeakerEvent,
} from '../../../speaker/speaker.ts'

const events: SpeakerEvent[] = []
const lines: string[] = []
let nextHops: Readonly<Record<string, Ip>> = {}
let speaker: Speaker | undefined

const write = (fields: object, event: string): void => {
  lines.push(`${event} ${JSON.stringify(fields)}`)
}
const log: Log = { debug: write, info: write, warn: write, error: write, child: () => log }

function running(): Speaker {
  return (speaker ??= createSpeaker({
    tcp: systemTcp,
    clock: systemClock,
    log,
    random: Math.random,
    nextHopFor: (local, family) => nextHops[`${formatIp(local)} ${family}`],
    onChange: (event) => events.push(event),
  }))
}

const calls = {
  /** By "LOCAL FAMILY". */
  setNextHops: (hops: Readonly<Record<string, Ip>>) => {
    nextHops = hops
  },
  setPeers: (peers: readonly PeerConfig[]) => running().setPeers(peers),
  announce: (desired: readonly Announcement[]) => running().announce(desired),
  status: () => running().status(),
  advertisedBy: (prefix: Prefix) => running().advertisedBy(prefix),
  withdrawAll: () => running().withdrawAll(),
  close: (options: { readonly cease: boolean }) => running().close(options),
  events: () => events,
  log: () => lines,
}

export type Calls = typeof calls

serveCalls(calls)

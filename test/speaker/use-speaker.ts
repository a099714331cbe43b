// A speaker on a network of its own, in virtual time, fresh for every test; and what neighbours make of what they hear.

import assert from 'node:assert/strict'
import { type Family, type Ip, ip } from '../../net/ip.ts'
import { formatPrefix, prefix } from '../../net/prefix.ts'
import { type Log } from '../../system/ports.ts'
import { type BgpMessage } from '../../speaker/bgp/message.ts'
import { reachabilityOf } from '../../speaker/bgp/update.ts'
import {
  type Announcement,
  createSpeaker,
  type PeerConfig,
  type PeerStatus,
  type Speaker,
  type SpeakerEvent,
} from '../../speaker/speaker.ts'
import { type FakeClock, fakeClock } from '../support/fake-clock.ts'
import { type MemoryNetwork, memoryNetwork } from '../support/memory-tcp.ts'
import { peerConfig } from './bgp/peers.ts'
import { answerCalls, type Call, settle } from './neighbour.ts'

export const silent: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
}

export function announcement(text: string, more: Partial<Announcement> = {}): Announcement {
  return { prefix: prefix(text), communities: [], largeCommunities: [], ...more }
}

export const passive: PeerConfig = { ...peerConfig, passive: true }
export const vip = announcement('198.51.100.1/32')
export const vip6 = announcement('2001:db8::1/128')

export type SpeakerUnderTest = {
  readonly clock: FakeClock
  readonly network: MemoryNetwork
  readonly speaker: Speaker
  readonly events: readonly SpeakerEvent[]
  nextHopFor: (local: Ip, family: Family) => Ip | undefined
  /** Takes calls at that address; each is appended. */
  neighbour(address?: string): Promise<Call[]>
  /** A session of one peer with one neighbour; what was said until then is taken away. */
  establish(config?: Partial<PeerConfig>): Promise<Call>
  wait(ms: number): Promise<void>
  status(index?: number): PeerStatus
}

/** The speaker is 10.0.0.1, 10.0.0.11 and fd00::1; peers are 10.0.0.2 unless the test says otherwise. */
export function useSpeaker(): SpeakerUnderTest {
  let clock: FakeClock, network: MemoryNetwork, speaker: Speaker, events: SpeakerEvent[]

  beforeEach(() => {
    clock = fakeClock()
    network = memoryNetwork(clock)
    events = []
    self.nextHopFor = () => ip('fd00::1')
    speaker = createSpeaker({
      tcp: network.host('10.0.0.1', '10.0.0.11', 'fd00::1'),
      clock,
      log: silent,
      random: () => 0.999,
      nextHopFor: (local, family) => self.nextHopFor(local, family),
      onChange: (event) => events.push(event),
    })
  })

  const self: SpeakerUnderTest = {
    get clock() {
      return clock
    },
    get network() {
      return network
    },
    get speaker() {
      return speaker
    },
    get events() {
      return events
    },
    nextHopFor: () => undefined,
    neighbour: (address = '10.0.0.2') => answerCalls(network.host(address)),
    establish: async (config = {}) => {
      const calls = await self.neighbour()
      speaker.setPeers([{ ...peerConfig, ...config }])
      await settle()
      calls[0]!.establish()
      await settle()
      assert.equal(self.status().state, 'established')
      calls[0]!.messages.splice(0)
      return calls[0]!
    },
    wait: async (ms) => {
      clock.advance(ms)
      await settle()
    },
    status: (index = 0) => speaker.status()[index]!,
  }
  return self
}

export function kinds(messages: readonly BgpMessage[]): readonly string[] {
  return messages.map(({ kind }) => kind)
}

/** `+` announced, `-` withdrawn, in order. */
export function told(messages: readonly BgpMessage[]): readonly string[] {
  return messages.flatMap((message) =>
    message.kind !== 'update'
      ? []
      : reachabilityOf(message).flatMap(({ announced, withdrawn }) => [
          ...announced.map((each) => `+${formatPrefix(each)}`),
          ...withdrawn.map((each) => `-${formatPrefix(each)}`),
        ]),
  )
}

/** What a neighbour that was told all that has. */
export function tableOf(messages: readonly BgpMessage[]): ReadonlySet<string> {
  const table = new Set<string>()
  for (const each of told(messages)) {
    if (each.startsWith('+')) table.add(each.slice(1))
    else table.delete(each.slice(1))
  }
  return table
}

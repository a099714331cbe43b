// Two neighbours' machines against each other over a network with random delays: whoever connects when, they end up
// with one session, on the same connection at both ends.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type Instant, instant, later } from '../../../net/time.ts'
import { type ConnectionInput } from '../../../speaker/bgp/connection.ts'
import { type Peer, type PeerConfig } from '../../../speaker/bgp/peer-config.ts'
import { type PeerInput, type PeerOutput, stepPeer } from '../../../speaker/bgp/peer.ts'
import {
  establishedRole,
  initialPeer,
  peerDeadline,
  type PeerMachine,
  type Role,
} from '../../../speaker/bgp/peer-state.ts'
import { peerWith } from './peers.ts'

type Side = {
  readonly peer: Peer
  machine: PeerMachine
  /** TCP connections by role. */
  readonly links: { [role in Role]?: number }
  attempt: number
}
type Event = { readonly at: Instant; readonly serial: number; readonly happen: () => void }

function simulate(options: {
  readonly configs: readonly [Partial<PeerConfig>, Partial<PeerConfig>]
  readonly seed: number
  readonly latencyMs: number
  readonly startsMs: readonly [number, number]
}): readonly [Side, Side] {
  let state = options.seed | 1
  const random = (): number => {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9
    return (state >>> 0) / 2 ** 32
  }
  let now = instant(0)
  let serial = 0
  let connections = 0
  const events: Event[] = []
  const schedule = (delay: number, happen: () => void): void => {
    serial += 1
    events.push({ at: later(now, delay), serial, happen })
  }
  const side = (config: Partial<PeerConfig>): Side => ({
    peer: peerWith(config),
    machine: initialPeer,
    links: {},
    attempt: 0,
  })
  const sides = [side(options.configs[0]), side(options.configs[1])] as const
  // TCP keeps the order of what it carries.
  const arrivals = new Map<string, Instant>()
  const carry = (to: 0 | 1, link: number, happen: () => void): void => {
    const key = `${to} ${link}`
    const at = later(now, random() * options.latencyMs)
    const ordered = instant(Math.max(at, arrivals.get(key) ?? 0))
    arrivals.set(key, ordered)
    schedule(ordered - now, happen)
  }
  const onLink = (at: 0 | 1, link: number, input: ConnectionInput): void => {
    for (const role of ['active', 'passive'] as const)
      if (sides[at].links[role] === link) apply(at, { kind: 'connection', role, input })
  }
  const closeLink = (from: 0 | 1, link: number): void => {
    const to = from === 0 ? 1 : 0
    carry(to, link, () => onLink(to, link, { kind: 'tcpClosed', text: '' }))
  }

  const apply = (
    at: 0 | 1,
    input: PeerInput,
    offer?: { readonly role: Role; readonly link: number },
  ): void => {
    const self = sides[at]
    const { machine, outputs } = stepPeer(self.machine, input, { peer: self.peer, now, random: random() })
    self.machine = machine
    let offered = offer
    for (const output of outputs) {
      if (output.kind === 'refuse') {
        if (offered !== undefined) closeLink(at, offered.link)
        offered = undefined
        continue
      }
      if (output.kind === 'connection' && output.role === offered?.role) {
        self.links[offered.role] = offered.link
        offered = undefined
      }
      perform(at, output)
    }
    if (offered !== undefined) self.links[offered.role] = offered.link
    const deadline = peerDeadline(machine)
    if (deadline !== undefined)
      schedule(Math.max(0, deadline - now), () => {
        const due = peerDeadline(self.machine)
        if (due !== undefined && due <= now) apply(at, { kind: 'tick' })
      })
  }
  const perform = (at: 0 | 1, output: Exclude<PeerOutput, { kind: 'refuse' }>): void => {
    const self = sides[at]
    const to = at === 0 ? 1 : 0
    switch (output.kind) {
      case 'connect': {
        const link = (connections += 1)
        self.attempt = link
        // Most attempts work; the accepting side may hear of them before or after the connecting one.
        const works = random() < 0.8
        carry(at, link, () => {
          if (self.attempt !== link) {
            if (works) closeLink(at, link)
            return
          }
          self.attempt = 0
          apply(at, works ? { kind: 'connected' } : { kind: 'connectFailed' }, { role: 'active', link })
        })
        if (works) carry(to, link, () => apply(to, { kind: 'accepted' }, { role: 'passive', link }))
        return
      }
      case 'cancelConnect':
        self.attempt = 0
        return
      case 'close': {
        const link = self.links[output.role]
        Reflect.deleteProperty(self.links, output.role)
        if (link !== undefined) closeLink(at, link)
        return
      }
      case 'connection': {
        const link = self.links[output.role]
        if (output.output.kind !== 'send' || link === undefined) return
        const { message } = output.output
        carry(to, link, () => onLink(to, link, { kind: 'message', message }))
        return
      }
      case 'down':
    }
  }

  for (const at of [0, 1] as const) schedule(options.startsMs[at], () => apply(at, { kind: 'start' }))
  const end = instant(600_000)
  while (events.length > 0) {
    events.sort((a, b) => a.at - b.at || a.serial - b.serial)
    const next = events.shift()!
    if (next.at > end) break
    now = next.at
    next.happen()
  }
  return sides
}

describe('two BGP neighbours', () => {
  const ours: Partial<PeerConfig> = { localAsn: 65001, peerAsn: 65002, routerId: '10.0.0.1' }
  const theirs: Partial<PeerConfig> = { localAsn: 65002, peerAsn: 65001, routerId: '10.0.0.2' }
  const delays = fc.constantFrom(0, 2000)
  const run = (a: Partial<PeerConfig>, b: Partial<PeerConfig>, check: (one: Side, two: Side) => void): void =>
    fc.assert(
      fc.property(
        fc.integer(),
        fc.constantFrom(1, 100, 2000),
        fc.nat(3000),
        delays,
        delays,
        (seed, latencyMs, lag, delayA, delayB) => {
          const [one, two] = simulate({
            configs: [
              { ...ours, ...a, delayOpenMs: delayA },
              { ...theirs, ...b, delayOpenMs: delayB },
            ],
            seed,
            latencyMs,
            startsMs: [0, lag],
          })
          check(one, two)
        },
      ),
      { numRuns: 300 },
    )
  const oneSession = (one: Side, two: Side): readonly [Role, Role] => {
    const [roleA, roleB] = [establishedRole(one.machine), establishedRole(two.machine)]
    assert.ok(roleA !== undefined && roleB !== undefined, 'no session')
    assert.notEqual(roleA, roleB)
    assert.equal(one.links[roleA], two.links[roleB])
    assert.equal(Object.keys(one.machine.connections).length, 1)
    assert.equal(Object.keys(two.machine.connections).length, 1)
    return [roleA, roleB]
  }

  it('that both connect get one session', () => {
    const roles = new Set<Role>()
    run({}, {}, (one, two) => roles.add(oneSession(one, two)[0]))
    assert.equal(roles.size, 2, 'always the same one connected')
  }).timeout(60_000)

  it('of which one is passive get the other one’s connection', () => {
    run({ passive: true }, {}, (one, two) => assert.deepEqual(oneSession(one, two), ['passive', 'active']))
  }).timeout(60_000)

  it('that are both passive wait', () => {
    run({ passive: true }, { passive: true }, (one, two) => {
      assert.deepEqual([one.machine.connections, two.machine.connections], [{}, {}])
    })
  })
})

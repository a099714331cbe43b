// A neighbour's machine: dialling and its timers, refusal, back-off, and collisions (RFC 4271 §6.8, §8), in virtual time.

import assert from 'node:assert/strict'
import { type Instant, instant, later } from '../../../net/time.ts'
import { type ConnectionInput } from '../../../speaker/bgp/connection.ts'
import { type BgpMessage } from '../../../speaker/bgp/message.ts'
import { notification } from '../../../speaker/bgp/notification.ts'
import { type PeerConfig } from '../../../speaker/bgp/peer-config.ts'
import { idleHoldMs, type PeerInput, type PeerOutput, stableMs, stepPeer } from '../../../speaker/bgp/peer.ts'
import {
  establishedRole,
  initialPeer,
  peerDeadline,
  type PeerMachine,
  type Role,
  stateOf,
} from '../../../speaker/bgp/peer-state.ts'
import { openWith, peerWith } from './peers.ts'

const keepalive: BgpMessage = { kind: 'keepalive' }

function neighbour(
  config: Partial<PeerConfig> = {},
  random = 1,
): {
  readonly machine: PeerMachine
  readonly state: string
  readonly now: Instant
  tell(input: PeerInput): readonly string[]
  hear(role: Role, message: BgpMessage): readonly string[]
  input(role: Role, input: ConnectionInput): readonly string[]
  /** Lets `ms` pass; ticks at every deadline on the way. */
  wait(ms: number): readonly string[]
  reconfigure(config: Partial<PeerConfig>): readonly string[]
} {
  let peer = peerWith(config)
  let machine: PeerMachine = initialPeer
  let now = instant(1000)
  const tell = (input: PeerInput): readonly string[] => {
    const step = stepPeer(machine, input, { peer, now, random })
    machine = step.machine
    return step.outputs.map(short)
  }
  return {
    get machine() {
      return machine
    },
    get state() {
      return stateOf(machine)
    },
    get now() {
      return now
    },
    tell,
    hear: (role, message) => tell({ kind: 'connection', role, input: { kind: 'message', message } }),
    input: (role, input) => tell({ kind: 'connection', role, input }),
    wait: (ms) => {
      const outputs: string[] = []
      const end = later(now, ms)
      for (;;) {
        const deadline = peerDeadline(machine)
        if (deadline === undefined || deadline > end) break
        now = deadline
        const before = machine
        outputs.push(...tell({ kind: 'tick' }))
        assert.notDeepEqual(machine, before, 'a deadline that a tick does not move')
      }
      now = end
      return outputs
    },
    reconfigure: (next) => {
      peer = peerWith(next)
      return tell({ kind: 'reconfigured' })
    },
  }
}

/** `refuse passive 6/5`, `active send open`, `close active lost` … */
function short(output: PeerOutput): string {
  switch (output.kind) {
    case 'connect':
    case 'cancelConnect':
      return output.kind
    case 'refuse':
      return `refuse ${output.role} ${output.notification === undefined ? '' : codes(output.notification)}`.trim()
    case 'close':
      return `close ${output.role} ${output.reason.kind}`
    case 'down':
      return `down ${output.reason.kind}`
    case 'connection':
      return `${output.role} ${output.output.kind === 'send' ? `send ${messageName(output.output.message)}` : output.output.kind}`
  }
}

function codes({ code, subcode }: { readonly code: number; readonly subcode: number }): string {
  return `${code}/${subcode}`
}

function messageName(message: BgpMessage): string {
  return message.kind === 'notification' ? codes(message) : message.kind
}

type Neighbour = ReturnType<typeof neighbour>

function established(role: Role = 'active', config: Partial<PeerConfig> = {}): Neighbour {
  const one = neighbour(config)
  one.tell({ kind: 'start' })
  establish(one, role)
  return one
}

function establish(one: Neighbour, role: Role): void {
  one.tell(role === 'active' ? { kind: 'connected' } : { kind: 'accepted' })
  one.hear(role, openWith())
  one.hear(role, keepalive)
  assert.equal(establishedRole(one.machine), role)
}

const stop: PeerInput = { kind: 'stop', error: { notification: notification(6, 2), text: '' } }

describe('a BGP neighbour', () => {
  it('is Idle and refuses callers before it is started', () => {
    const one = neighbour()
    assert.equal(one.state, 'idle')
    assert.equal(peerDeadline(one.machine), undefined)
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['refuse passive 6/5'])
  })

  it('goes Idle → Connect → OpenSent → OpenConfirm → Established', () => {
    const one = neighbour()
    assert.deepEqual(one.tell({ kind: 'start' }), ['connect'])
    assert.equal(one.state, 'connect')
    assert.deepEqual(one.tell({ kind: 'connected' }), ['active send open'])
    assert.equal(one.state, 'openSent')
    assert.deepEqual(one.hear('active', openWith()), ['active send keepalive'])
    assert.equal(one.state, 'openConfirm')
    assert.deepEqual(one.hear('active', keepalive), ['active established'])
    assert.equal(one.state, 'established')
    assert.equal(one.machine.establishedAt, one.now)
  })

  it('is started once', () => {
    const one = established()
    assert.deepEqual(one.tell({ kind: 'start' }), [])
    assert.equal(one.state, 'established')
  })

  it('waits in Connect and Active while OPEN is delayed', () => {
    const active = neighbour({ delayOpenMs: 1000 })
    active.tell({ kind: 'start' })
    assert.deepEqual(active.tell({ kind: 'connected' }), [])
    assert.equal(active.state, 'connect')
    assert.deepEqual(active.wait(1000), ['active send open'])
    const passive = neighbour({ delayOpenMs: 1000, passive: true })
    passive.tell({ kind: 'start' })
    passive.tell({ kind: 'accepted' })
    assert.equal(passive.state, 'active')
    assert.deepEqual(passive.hear('passive', openWith()), ['passive send open', 'passive send keepalive'])
  })

  it('that is passive never connects', () => {
    const one = neighbour({ passive: true })
    assert.deepEqual(one.tell({ kind: 'start' }), [])
    assert.equal(one.state, 'active')
    assert.deepEqual(one.wait(10_000_000), [])
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['passive send open'])
    assert.equal(one.state, 'openSent')
  })
})

describe('ConnectRetryTimer', () => {
  it('begins the next attempt at the same time however the last one failed', () => {
    for (const failAfter of [1, 4000]) {
      const one = neighbour()
      one.tell({ kind: 'start' })
      one.wait(failAfter)
      assert.deepEqual(one.tell({ kind: 'connectFailed' }), [])
      assert.equal(one.state, 'active')
      assert.deepEqual(one.wait(4999 - failAfter), [])
      assert.deepEqual(one.wait(1), ['connect'])
      assert.equal(one.state, 'connect')
    }
  })

  it('gives up an attempt that hangs (event 9)', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    assert.deepEqual(one.wait(15_000), [
      'cancelConnect',
      'connect',
      'cancelConnect',
      'connect',
      'cancelConnect',
      'connect',
    ])
  })

  it('is jittered down to three quarters', () => {
    const one = neighbour({}, 0)
    one.tell({ kind: 'start' })
    assert.equal(peerDeadline(one.machine), later(one.now, 3750))
  })

  it('runs also when TCP ends before a word was said, without back-off', () => {
    for (let turn = 0; turn < 3; turn += 1) {
      const one = neighbour()
      one.tell({ kind: 'start' })
      one.tell({ kind: 'connected' })
      assert.deepEqual(one.input('active', { kind: 'tcpClosed', text: '' }), ['close active lost'])
      assert.equal(one.state, 'active')
      assert.deepEqual(one.wait(5000), ['connect'])
    }
  })

  it('follows a changed configuration, and passive stops it', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    assert.deepEqual(one.reconfigure({ passive: true }), ['cancelConnect'])
    assert.equal(one.state, 'active')
    assert.deepEqual(one.wait(1_000_000), [])
    assert.deepEqual(one.reconfigure({}), ['connect'])
    assert.equal(one.state, 'connect')
    one.tell({ kind: 'connectFailed' })
    assert.deepEqual(one.reconfigure({ connectTimeMs: 1000 }), ['connect'])
  })

  it('is left alone by a change while there is a session or while it holds off', () => {
    const one = established()
    assert.deepEqual(one.reconfigure({ passive: true }), [])
    assert.equal(one.state, 'established')
    const held = established()
    held.hear('active', notification(6, 2))
    assert.deepEqual(held.reconfigure({ passive: true }), [])
    assert.equal(held.state, 'idle')
    assert.deepEqual(neighbour().reconfigure({}), [])
  })

  it('brings nothing that came too late', () => {
    const one = established()
    assert.deepEqual(one.tell({ kind: 'connected' }), ['refuse active'])
    assert.deepEqual(one.tell({ kind: 'connectFailed' }), [])
    assert.equal(one.state, 'established')
  })
})

describe('the back-off of a BGP neighbour (RFC 4271 §8.1.1)', () => {
  /** Idle until then; callers are refused meanwhile. */
  const holdOf = (one: Neighbour): number => {
    assert.equal(one.state, 'idle')
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['refuse passive 6/5'])
    const until = peerDeadline(one.machine)
    assert.ok(until !== undefined)
    const hold = until - one.now
    assert.deepEqual(one.wait(hold), ['connect'])
    return hold
  }

  it('doubles from one second to one minute with every failure in a row', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    const holds = Array.from({ length: 9 }, () => {
      one.tell({ kind: 'connected' })
      one.hear('active', notification(2, 2))
      return holdOf(one)
    })
    assert.deepEqual(
      holds,
      [1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000),
    )
    assert.deepEqual(idleHoldMs, { first: 1000, most: 60_000 })
  })

  it('counts short sessions, and forgets them for one that lived a minute', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    const session = (ms: number): number => {
      establish(one, 'active')
      for (let passed = 0; passed < ms; passed += 1000) {
        one.wait(1000)
        one.hear('active', keepalive)
      }
      assert.deepEqual(one.hear('active', notification(6, 4)), ['close active received', 'down received'])
      return holdOf(one)
    }
    assert.deepEqual([session(0), session(0), session(0)], [1000, 2000, 4000])
    assert.equal(session(stableMs - 1000), 8000)
    assert.equal(session(stableMs), 1000)
    assert.equal(session(0), 2000)
  })

  it('is jittered, and forgotten when the neighbour is stopped', () => {
    const one = neighbour({}, 0)
    one.tell({ kind: 'start' })
    for (let turn = 0; turn < 4; turn += 1) {
      one.tell({ kind: 'connected' })
      one.hear('active', notification(2, 2))
      if (turn === 0) assert.equal(peerDeadline(one.machine), later(one.now, 750))
      one.wait(60_000 - 1)
      one.tell({ kind: 'stop', error: undefined })
      one.tell({ kind: 'start' })
    }
    one.tell({ kind: 'connected' })
    one.hear('active', notification(2, 2))
    assert.equal(peerDeadline(one.machine), later(one.now, 750))
  })

  it('lets a passive neighbour wait, too', () => {
    const one = neighbour({ passive: true })
    one.tell({ kind: 'start' })
    one.tell({ kind: 'accepted' })
    assert.deepEqual(one.hear('passive', openWith({ routerId: 0 })), [
      'passive send 2/3',
      'close passive sent',
    ])
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['refuse passive 6/5'])
    assert.deepEqual(one.wait(1000), [])
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['passive send open'])
  })
})

describe('a BGP session that ends', () => {
  it('by the hold timer says so', () => {
    const one = established()
    assert.deepEqual(one.wait(30_000).slice(-3), ['active send 4/0', 'close active sent', 'down sent'])
    assert.equal(one.machine.establishedAt, undefined)
  })

  it('by our will sends Cease and stays Idle', () => {
    const one = established()
    assert.deepEqual(one.tell(stop), ['active send 6/2', 'close active sent', 'down sent'])
    assert.equal(one.state, 'idle')
    assert.deepEqual(one.wait(10_000_000), [])
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['refuse passive 6/5'])
    assert.deepEqual(one.tell({ kind: 'start' }), ['connect'])
  })

  it('by our will can also end without a word', () => {
    const one = established()
    assert.deepEqual(one.tell({ kind: 'stop', error: undefined }), ['close active lost', 'down lost'])
  })

  it('by our will ends attempts and both of two connections', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    assert.deepEqual(one.tell(stop), ['cancelConnect'])
    one.tell({ kind: 'start' })
    one.tell({ kind: 'accepted' })
    one.tell({ kind: 'connected' })
    assert.deepEqual(one.tell(stop), [
      'active send 6/2',
      'close active sent',
      'passive send 6/2',
      'close passive sent',
    ])
    assert.equal(one.state, 'idle')
  })
})

describe('a collision of BGP connections (RFC 4271 §6.8)', () => {
  /** Both connections have sent OPEN; `low`: the neighbour's identifier is lower than ours. */
  const colliding = (config: Partial<PeerConfig> = {}): Neighbour => {
    const one = neighbour(config)
    one.tell({ kind: 'start' })
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['passive send open'])
    assert.deepEqual(one.tell({ kind: 'connected' }), ['active send open'])
    return one
  }
  const lower = openWith({ routerId: 1 })
  const higher = openWith({ routerId: 0xffffffff })

  for (const [open, winner, loser] of [
    [lower, 'active', 'passive'],
    [higher, 'passive', 'active'],
  ] as const)
    for (const first of ['active', 'passive'] as const)
      it(`keeps the one of the higher identifier: ${winner}, ${first} OPEN first`, () => {
        const one = colliding()
        const second = first === 'active' ? 'passive' : 'active'
        assert.deepEqual(one.hear(first, open), [`${first} send keepalive`])
        const outputs = one.hear(second, open)
        const end = [`${loser} send 6/7`, `close ${loser} sent`]
        assert.deepEqual(outputs, second === winner ? [...end, `${winner} send keepalive`] : end)
        assert.deepEqual(one.hear(winner, keepalive), [`${winner} established`])
        assert.equal(one.machine.failures, 0)
      })

  it('is decided by the AS number where the identifiers are equal (RFC 6286 §2.3)', () => {
    const same = openWith({ routerId: 0x0a000001 })
    for (const [localAsn, winner] of [
      [65001, 'passive'],
      [65003, 'active'],
    ] as const) {
      const one = colliding({ localAsn })
      one.hear('active', same)
      one.hear('passive', same)
      one.hear(winner, keepalive)
      assert.equal(establishedRole(one.machine), winner)
    }
  })

  it('with an Established session is lost by the new connection, whatever the identifiers', () => {
    for (const role of ['active', 'passive'] as const) {
      const one = established(role)
      assert.deepEqual(one.tell({ kind: 'accepted' }), ['refuse passive 6/7'])
      assert.equal(one.state, 'established')
    }
  })

  it('with one that becomes Established first is lost by the other', () => {
    const one = colliding()
    one.hear('passive', lower)
    assert.deepEqual(one.hear('passive', keepalive), [
      'active send 6/7',
      'close active sent',
      'passive established',
    ])
    assert.equal(one.state, 'established')
  })

  it('ends our attempt to connect when the neighbour’s connection is Established', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    one.tell({ kind: 'accepted' })
    one.hear('passive', openWith())
    assert.deepEqual(one.hear('passive', keepalive), ['cancelConnect', 'passive established'])
    assert.equal(peerDeadline(one.machine), later(one.now, 10_000))
  })

  it('leaves the other connection alone when one of the two fails', () => {
    const one = colliding()
    assert.deepEqual(one.hear('active', notification(6, 7)), ['close active received'])
    assert.equal(one.state, 'openSent')
    one.hear('passive', openWith())
    assert.deepEqual(one.hear('passive', keepalive), ['passive established'])
  })

  it('of two connections of the neighbour is won by the newer', () => {
    const one = neighbour({ passive: true })
    one.tell({ kind: 'start' })
    one.tell({ kind: 'accepted' })
    assert.deepEqual(one.tell({ kind: 'accepted' }), ['close passive lost', 'passive send open'])
    assert.equal(one.state, 'openSent')
  })

  it('leaves our own attempt alone when the neighbour’s connection fails', () => {
    const one = neighbour()
    one.tell({ kind: 'start' })
    one.tell({ kind: 'accepted' })
    assert.deepEqual(one.input('passive', { kind: 'tcpClosed', text: '' }), ['close passive lost'])
    assert.equal(one.state, 'connect')
    assert.deepEqual(one.tell({ kind: 'connected' }), ['active send open'])
  })
})

// RFC 4271 §8.2.2 for one connection: every input in every state, and every timer, in virtual time.

import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { type Instant, instant, later } from '../../../net/time.ts'
import {
  type Connection,
  connectionDeadline,
  type ConnectionInput,
  type ConnectionOutput,
  type ConnectionStep,
  jittered,
  largeHoldTimeMs,
  openConnection,
  stepConnection,
} from '../../../speaker/bgp/connection.ts'
import { type BgpMessage } from '../../../speaker/bgp/message.ts'
import { openFor } from '../../../speaker/bgp/negotiate.ts'
import { notification } from '../../../speaker/bgp/notification.ts'
import { type PeerConfig } from '../../../speaker/bgp/peer-config.ts'
import { neighbourCapabilities, openWith, peerWith } from './peers.ts'

const start = instant(1000)
const keepalive: BgpMessage = { kind: 'keepalive' }
const update: BgpMessage = { kind: 'update', withdrawn: [], attributes: [], nlri: [], problems: [] }
const refresh: BgpMessage = { kind: 'routeRefresh', afi: 1, subtype: 0, safi: 1 }
const shutdown: BgpMessage = notification(6, 2)

/** A connection that is told things, at times; `random` fixes the jitter. */
function machine(
  config: Partial<PeerConfig> = {},
  random = 1,
): {
  readonly connection: Connection
  readonly now: Instant
  tell(input: ConnectionInput): readonly ConnectionOutput[]
  hear(message: BgpMessage): readonly ConnectionOutput[]
  /** Lets `ms` pass and ticks at every deadline on the way. */
  wait(ms: number): readonly ConnectionOutput[]
  readonly opening: readonly ConnectionOutput[]
} {
  const peer = peerWith(config)
  let now = start
  let step: ConnectionStep = openConnection({ peer, now, random })
  const opening = step.outputs
  const tell = (input: ConnectionInput): readonly ConnectionOutput[] => {
    step = stepConnection(step.connection, input, { peer, now, random })
    return step.outputs
  }
  return {
    opening,
    get connection() {
      return step.connection
    },
    get now() {
      return now
    },
    tell,
    hear: (message) => tell({ kind: 'message', message }),
    wait: (ms) => {
      const outputs: ConnectionOutput[] = []
      const end = later(now, ms)
      for (;;) {
        const deadline = connectionDeadline(step.connection)
        if (deadline === undefined || deadline > end) break
        assert.ok(deadline >= now, 'a deadline in the past')
        now = deadline
        const before = step.connection
        outputs.push(...tell({ kind: 'tick' }))
        assert.notDeepEqual(step.connection, before, 'a deadline that a tick does not move')
      }
      now = end
      return outputs
    },
  }
}

type Machine = ReturnType<typeof machine>

function inState(state: Exclude<Connection['phase'], 'closed'>, config: Partial<PeerConfig> = {}): Machine {
  const one = machine(state === 'delayOpen' ? { delayOpenMs: 2000, ...config } : config)
  if (state === 'openConfirm' || state === 'established') one.hear(openWith())
  if (state === 'established') one.hear(keepalive)
  assert.equal(one.connection.phase, state)
  return one
}

/** Codes of the NOTIFICATION by which this ended, or why it ended without one. */
function ending({ connection }: Machine, outputs: readonly ConnectionOutput[]): unknown {
  assert.ok(connection.phase === 'closed', inspect(connection))
  const { reason } = connection
  if (reason.kind !== 'sent') {
    assert.deepEqual(outputs, [])
    return reason.kind
  }
  assert.deepEqual(outputs, [{ kind: 'send', message: reason.notification }])
  return [reason.notification.code, reason.notification.subcode]
}

const states = ['delayOpen', 'openSent', 'openConfirm', 'established'] as const

describe('a BGP connection', () => {
  it('goes from OPEN by OPEN and KEEPALIVE to Established', () => {
    const one = machine()
    assert.deepEqual(one.opening, [{ kind: 'send', message: openFor(peerWith()) }])
    assert.deepEqual(one.hear(openWith()), [{ kind: 'send', message: keepalive }])
    assert.equal(one.connection.phase, 'openConfirm')
    const [output, ...others] = one.hear(keepalive)
    assert.deepEqual(others, [])
    assert.ok(output?.kind === 'established')
    assert.equal(output.session.holdTimeMs, 30_000)
    assert.equal(one.connection.phase, 'established')
  })

  it('hands UPDATEs and requests to refresh on', () => {
    const one = inState('established')
    assert.deepEqual(one.hear(update), [{ kind: 'update', update }])
    assert.deepEqual(one.hear(refresh), [{ kind: 'refresh', family: 4 }])
    assert.deepEqual(one.hear({ ...refresh, afi: 2 }), [{ kind: 'refresh', family: 6 }])
  })

  it('ignores requests to refresh what was not negotiated, and subtypes of RFC 7313', () => {
    const one = inState('established', { families: [4] })
    for (const change of [{ afi: 2 }, { safi: 128 }, { subtype: 1 }, { subtype: 2 }])
      assert.deepEqual(one.hear({ ...refresh, ...change }), [])
    assert.equal(one.connection.phase, 'established')
  })

  it('is refused by the NOTIFICATION that the OPEN deserves', () => {
    for (const [open, codes] of [
      [openWith({ myAs: 65003, capabilities: [] }), [2, 2]],
      [openWith({ routerId: 0 }), [2, 3]],
      [openWith({ holdTimeSeconds: 2 }), [2, 6]],
    ] as const)
      for (const state of ['delayOpen', 'openSent'] as const) {
        const one = inState(state)
        assert.deepEqual(ending(one, one.hear(open)), codes)
      }
  })

  describe('answers a message that its state does not expect (RFC 6608)', () => {
    const wrong = {
      delayOpen: { messages: [keepalive, update, refresh], subcode: 0 },
      openSent: { messages: [keepalive, update, refresh], subcode: 1 },
      openConfirm: { messages: [openWith(), update, refresh], subcode: 2 },
      established: { messages: [openWith()], subcode: 3 },
    }
    for (const state of states)
      for (const message of wrong[state].messages)
        it(`${message.kind} in ${state}`, () => {
          const one = inState(state)
          assert.deepEqual(ending(one, one.hear(message)), [5, wrong[state].subcode])
        })
  })

  for (const state of states)
    describe(`in ${state}`, () => {
      it('ends silently on a NOTIFICATION', () => {
        const one = inState(state)
        assert.equal(ending(one, one.hear(shutdown)), 'received')
      })

      it('ends silently when TCP does', () => {
        const one = inState(state)
        assert.equal(ending(one, one.tell({ kind: 'tcpClosed', text: 'reset' })), 'lost')
      })

      it('answers what cannot be decoded as the decoder says', () => {
        const one = inState(state)
        const error = { notification: notification(1, 2, Uint8Array.of(0, 18)), text: 'too short' }
        assert.deepEqual(ending(one, one.tell({ kind: 'malformed', error })), [1, 2])
      })

      it('says good-bye as it is told', () => {
        const one = inState(state)
        const error = { notification: notification(6, 3), text: 'not wanted any more' }
        assert.deepEqual(ending(one, one.tell({ kind: 'stop', error })), [6, 3])
      })

      it('does nothing more once it is closed', () => {
        const one = inState(state)
        one.hear(shutdown)
        for (const message of [openWith(), keepalive, update, shutdown])
          assert.deepEqual(one.hear(message), [])
        assert.deepEqual(one.wait(1_000_000), [])
        assert.equal(connectionDeadline(one.connection), undefined)
      })

      it('does nothing at a tick before its time', () => {
        const one = inState(state)
        const before = one.connection
        assert.deepEqual(one.tell({ kind: 'tick' }), [])
        assert.deepEqual(one.connection, before)
      })
    })
})

describe('the timers of a BGP connection', () => {
  it('DelayOpenTimer sends OPEN at last', () => {
    const one = inState('delayOpen')
    assert.deepEqual(one.opening, [])
    assert.deepEqual(one.wait(1999), [])
    assert.deepEqual(one.wait(1), [{ kind: 'send', message: openFor(peerWith()) }])
    assert.equal(one.connection.phase, 'openSent')
  })

  it('an OPEN that comes first is answered by OPEN and KEEPALIVE (event 20)', () => {
    const one = inState('delayOpen')
    assert.deepEqual(
      one.hear(openWith()),
      [openFor(peerWith()), keepalive].map((message) => ({ kind: 'send', message })),
    )
    assert.equal(one.connection.phase, 'openConfirm')
  })

  it('HoldTimer is large until OPEN comes', () => {
    const one = inState('openSent')
    assert.deepEqual(one.wait(largeHoldTimeMs - 1), [])
    assert.deepEqual(ending(one, one.wait(1)), [4, 0])
  })

  it('HoldTimer is the negotiated one in OpenConfirm, and KEEPALIVEs go out meanwhile', () => {
    const one = inState('openConfirm')
    const sent = one.wait(29_999)
    assert.deepEqual(sent, Array(2).fill({ kind: 'send', message: keepalive }))
    assert.deepEqual(ending(one, one.wait(1).slice(-1)), [4, 0])
  })

  it('HoldTimer starts again with every KEEPALIVE and UPDATE', () => {
    const one = inState('established')
    for (const message of [keepalive, update, keepalive, update]) {
      one.wait(29_999)
      assert.equal(one.connection.phase, 'established')
      one.hear(message)
    }
    one.wait(29_999)
    assert.equal(one.connection.phase, 'established')
    assert.deepEqual(ending(one, one.wait(1).slice(-1)), [4, 0])
  })

  it('HoldTimer does not start again with ROUTE-REFRESH (RFC 4271 §8.2.2 names two)', () => {
    const one = inState('established')
    one.wait(20_000)
    one.hear(refresh)
    assert.deepEqual(ending(one, one.wait(10_000).slice(-1)), [4, 0])
  })

  it('KeepaliveTimer sends one each third of the hold time, jittered down to three quarters (§10)', () => {
    for (const [random, expected] of [
      [1, 10_000],
      [0, 7_500],
      [0.5, 8_750],
    ] as const) {
      assert.equal(jittered(10_000, random), expected)
      const one = machine({}, random)
      one.hear(openWith())
      one.hear(keepalive)
      assert.deepEqual(one.wait(expected - 1), [])
      assert.deepEqual(one.wait(1), [{ kind: 'send', message: keepalive }])
      assert.deepEqual(one.wait(expected - 1), [])
      assert.deepEqual(one.wait(1), [{ kind: 'send', message: keepalive }])
    }
  })

  it('are off with a hold time of zero (§4.4)', () => {
    const one = machine({ holdTimeMs: 0 })
    assert.deepEqual(one.hear(openWith()), [{ kind: 'send', message: keepalive }])
    one.hear(keepalive)
    assert.equal(connectionDeadline(one.connection), undefined)
    assert.deepEqual(one.wait(10_000_000), [])
    assert.equal(one.connection.phase, 'established')
  })

  it('follow what the neighbour asked for', () => {
    const one = machine()
    one.hear(openWith({ holdTimeSeconds: 3, capabilities: neighbourCapabilities }))
    one.hear(keepalive)
    assert.deepEqual(one.wait(1000), [{ kind: 'send', message: keepalive }])
    assert.deepEqual(ending(one, one.wait(2000).slice(-1)), [4, 0])
  })
})

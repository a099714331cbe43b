// What a failure cost, and which limits it broke, from recorded traffic.

import assert from 'node:assert/strict'
import { type Connection, type SteadyResult } from '../../demo/client/protocol.ts'
import { complaints, costOf, type Limits } from '../../demo/verdict.ts'

const strict: Limits = { lost: 0, lastLostMs: 0, brokenElsewhere: 0, brokenOnFailed: 0, lostAtReturn: 0 }
const lost = (sentAtMs: number) => ({ family: 'ipv4' as const, sentAtMs, reason: 'ECONNRESET' })

function connection(localPort: number, backend: string, brokenAtMs?: number): Connection {
  return {
    family: 'ipv4',
    localAddress: '10.0.9.2',
    localPort,
    backend,
    longestStallMs: 10 * localPort,
    ...(brokenAtMs === undefined ? {} : { broken: { atMs: brokenAtMs, reason: 'ECONNRESET' } }),
  }
}

function cost(result: Partial<SteadyResult>) {
  return costOf({
    result: { kind: 'result', sent: 100, lost: [], connections: [], ...result },
    failedAtMs: 1000,
    returnedAtMs: 9000,
    isOnFailed: ({ backend }) => backend === 'be3',
  })
}

describe('the cost of a failure', () => {
  it('tells until when requests were lost, apart from what its return cost', () => {
    const { lost: count, lastLostMs, lostAtReturn } = cost({ lost: [lost(990), lost(3500), lost(9100)] })
    assert.deepEqual({ count, lastLostMs, lostAtReturn }, { count: 2, lastLostMs: 2500, lostAtReturn: 1 })
  })

  it('takes a request under way at the moment of the failure as lost at once', () => {
    assert.equal(cost({ lost: [lost(990)] }).lastLostMs, 0)
  })

  it('tells broken connections on the failed element from others', () => {
    const connections = [connection(1, 'be3', 2000), connection(2, 'be3'), connection(3, 'be1', 2000), connection(4, 'be1', 9500)] // prettier-ignore
    const { onFailed, broken, brokenOnFailed, brokenAtReturn, longestStallMs } = cost({ connections })
    assert.deepEqual(
      { onFailed, broken, brokenOnFailed, brokenAtReturn, longestStallMs },
      { onFailed: 2, broken: 2, brokenOnFailed: 1, brokenAtReturn: 1, longestStallMs: 40 },
    )
  })

  it('is without complaint when nothing went beyond its limit', () => {
    assert.deepEqual(complaints(cost({ connections: [connection(1, 'be3')] }), strict), [])
  })

  it('is complained about for each limit that was broken', () => {
    const bad = cost({
      lost: [lost(3500), lost(9100)],
      connections: [connection(1, 'be3', 2000), connection(2, 'be1', 2000), connection(3, 'be1', 9500)],
    })
    assert.equal(complaints(bad, strict).length, 6)
    const wide = { lost: undefined, lastLostMs: 2500, brokenElsewhere: 1, brokenOnFailed: undefined, lostAtReturn: 1 } // prettier-ignore
    assert.deepEqual(
      complaints(bad, wide).map((text) => text.replace(/ \(lost.*/, '')),
      ['1 connections broke when it came back, expected none'],
    )
  })

  it('is worth nothing if no connection was on the failed element', () => {
    assert.match(
      complaints(cost({ connections: [connection(1, 'be1')] }), strict)[0] ?? '',
      /nothing was tried/,
    )
  })
})

// The check machine under fake time: what it takes to change its mind, and when it probes.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  type Check,
  type CheckOutput,
  nextDeadline,
  retime,
  startCheck,
  step,
  type Timing,
} from '../../../forwarder/health/check.ts'
import { instant, type Instant } from '../../../net/time.ts'

const timing: Timing = { intervalMs: 1000, timeoutMs: 300, rise: 2, fall: 3 }
const start = instant(50_000)

type Probe = { readonly at: number; readonly outputs: readonly CheckOutput[] }

/**
 * Runs one probe: waits until it is due, begins at once, and answers `tookMs` later (`undefined`: never).
 * `lateMs` is how late the timer fires.
 */
function probe(
  check: Check,
  good: boolean | undefined,
  { tookMs = 5, lateMs = 0 } = {},
): { check: Check; probe: Probe; now: Instant } {
  const dueAt = nextDeadline(check)!
  const begun = instant(dueAt + lateMs)
  const due = step(check, { kind: 'tick' }, begun)
  assert.deepEqual(due.outputs, [{ kind: 'probe' }])
  const probing = step(due.check, { kind: 'begun' }, begun)
  assert.deepEqual(probing.outputs, [])
  const now = good === undefined ? nextDeadline(probing.check)! : instant(begun + tookMs)
  const result =
    good === undefined
      ? step(probing.check, { kind: 'tick' }, now)
      : step(probing.check, { kind: 'result', good, detail: good ? 'yes' : 'no' }, now)
  return { check: result.check, probe: { at: begun, outputs: result.outputs }, now }
}

function run(results: readonly (boolean | undefined)[], from = startCheck(timing, start, 0.5)) {
  let check = from
  const ups: boolean[] = []
  const probes: Probe[] = []
  for (const good of results) {
    const done = probe(check, good)
    check = done.check
    ups.push(check.up)
    probes.push(done.probe)
  }
  return { check, ups, probes }
}

describe('health check', () => {
  it('is down before its first result, and takes that one at its word', () => {
    assert.equal(startCheck(timing, start, 0).up, false)
    assert.deepEqual(run([true]).ups, [true])
    assert.deepEqual(run([false]).ups, [false])
  })

  it('goes down at the third bad result in a row, not before', () => {
    assert.deepEqual(run([true, false, false, false, false]).ups, [true, true, true, false, false])
    assert.deepEqual(run([true, false, false, true, false, false]).ups, [true, true, true, true, true, true])
  })

  it('comes back at the second good result in a row, not before', () => {
    assert.deepEqual(run([false, true, false, true, true]).ups, [false, false, false, false, true])
  })

  it('tells each change once, and the first result whatever it is', () => {
    const changes = run([false, false, true, true, true, false, false, false]).probes.map(({ outputs }) =>
      outputs.map((each) => each.kind === 'changed' && each.up),
    )
    assert.deepEqual(changes, [[false], [], [], [true], [], [], [], [false]])
  })

  it('does what `rise` and `fall` in a row mean, for any history', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        (results, rise, fall) => {
          const { ups } = run(results, startCheck({ ...timing, rise, fall }, start, 0.5))
          let up = results[0]!
          for (const [index, now] of ups.entries()) {
            const last = (count: number): readonly boolean[] =>
              results.slice(Math.max(0, index + 1 - count), index + 1)
            const enough = (count: number, good: boolean): boolean =>
              last(count).length === count && last(count).every((each) => each === good)
            if (enough(rise, true)) up = true
            else if (enough(fall, false)) up = false
            assert.equal(now, up)
          }
        },
      ),
    )
  })

  it('counts silence as bad when the timeout ends, and gives the attempt up', () => {
    const { check, probe: only, now } = probe(startCheck(timing, start, 0), undefined)
    assert.equal(now, start + timing.timeoutMs)
    assert.deepEqual(
      only.outputs.map((output) => output.kind),
      ['abandon', 'changed'],
    )
    assert.match(check.last!.detail, /no answer within 300 ms/)
  })

  it('ignores an answer that comes after the timeout', () => {
    const { check, now } = probe(startCheck(timing, start, 0), undefined)
    const late = step(check, { kind: 'result', good: true, detail: 'late' }, instant(now + 1))
    assert.deepEqual(late, { check, outputs: [] })
  })

  it('keeps its schedule: late timers and slow answers do not add up', () => {
    let check = probe(startCheck(timing, start, 0.25), true).check
    for (let turn = 0; turn < 1000; turn += 1) {
      assert.equal(nextDeadline(check), start + 250 + turn * 1000)
      check = probe(check, turn % 2 === 0 ? true : undefined, { tookMs: 200, lateMs: 17 }).check
    }
  })

  it('finds a death within `fall` intervals and a timeout, whenever it happens', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(5000), (spread, diesAfter) => {
        let check = startCheck(timing, start, spread)
        const death = start + diesAfter + 1
        for (;;) {
          const answers = nextDeadline(check)! < death
          const done = probe(check, answers ? true : undefined)
          check = done.check
          if (!check.up) {
            assert.ok(done.now <= death + timing.fall * timing.intervalMs + timing.timeoutMs)
            return
          }
        }
      }),
    )
  })

  it('does not make up for probes that it missed', () => {
    const first = probe(startCheck(timing, start, 0), true).check
    const missed = probe(first, true, { lateMs: 5300 })
    assert.equal(nextDeadline(missed.check), missed.now)
    const next = probe(missed.check, true)
    assert.equal(nextDeadline(next.check), missed.now + timing.intervalMs)
  })

  it('takes shorter intervals at once and keeps its state', () => {
    const { check } = run([true, false])
    const now = instant(nextDeadline(check)! - 900)
    const shorter = retime(check, { ...timing, intervalMs: 100 }, now)
    assert.equal(nextDeadline(shorter), now + 100)
    assert.deepEqual([shorter.up, shorter.consecutive], [true, 1])
    assert.equal(nextDeadline(probe(shorter, true).check), now + 200)
    // A longer one does not put off the probe that is already set.
    assert.equal(nextDeadline(retime(check, { ...timing, intervalMs: 9000 }, now)), nextDeadline(check))
  })
})

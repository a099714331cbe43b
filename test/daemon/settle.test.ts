// A VIP that had no healthy backend is held back until all of them have had time to prove themselves.

import assert from 'node:assert/strict'
import { settle, settleDeadline, type Settling } from '../../daemon/settle.ts'
import { type HealthTarget } from '../../forwarder/health/target.ts'
import { ip } from '../../net/ip.ts'
import { instant } from '../../net/time.ts'

const vip = '198.51.100.1'
const target = (name: string): HealthTarget => ({
  service: 'default/web',
  vip: ip(vip),
  dscp: 2,
  backend: { name, ip: ip('10.1.1.2') },
  check: { kind: 'tcp', port: 80, intervalMs: 500, timeoutMs: 300, rise: 2, fall: 2 },
})
const targets = ['be1', 'be2'].map(target)
const step = (before: Settling, up: readonly string[], now: number): Settling =>
  settle(before, targets, ({ backend }) => up.includes(backend.name), instant(now))

describe('settling of a VIP', () => {
  it('waits rise × interval + timeout for the others when the first backend is back', () => {
    const one = step(new Map(), ['be1'], 1000)
    assert.equal(one.get(vip), 2300)
    assert.equal(settleDeadline(one), 2300)
    assert.equal(step(one, ['be1'], 2299).get(vip), 2300)
    assert.equal(step(one, ['be1'], 2300).get(vip), 'settled')
  })

  it('is over as soon as all backends are up', () => {
    const one = step(new Map(), ['be1'], 1000)
    const all = step(one, ['be1', 'be2'], 1001)
    assert.equal(all.get(vip), 'settled')
    assert.equal(settleDeadline(all), undefined)
  })

  it('is not begun again by a backend that fails, only by the last one', () => {
    const all = step(new Map(), ['be1', 'be2'], 0)
    const one = step(all, ['be2'], 1)
    assert.equal(one.get(vip), 'settled')
    const none = step(one, [], 2)
    assert.equal(none.has(vip), false)
    assert.equal(step(none, ['be2'], 3).get(vip), 1303)
  })

  it('does not hold back what is not checked', () => {
    const unchecked = targets.map((each): HealthTarget => ({ ...each, check: { kind: 'none' } }))
    assert.equal(settle(new Map(), unchecked, () => true, instant(5)).get(vip), 'settled')
  })
})

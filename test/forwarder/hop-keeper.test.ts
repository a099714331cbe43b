// Next hops over time, in virtual time.

import assert from 'node:assert/strict'
import { keepHops, type KeptHops, noHops } from '../../forwarder/hop-keeper.ts'
import { type ResolvedHop } from '../../forwarder/model.ts'
import { type Ask, type Resolution } from '../../forwarder/next-hop.ts'
import { ip } from '../../net/ip.ts'
import { parseMac } from '../../net/mac.ts'
import { instant } from '../../net/time.ts'

const real = '10.9.0.1'
const hop: ResolvedHop = {
  ifindex: 2,
  interface: 'eth2',
  source: parseMac('02:00:00:00:00:02')!,
  destination: parseMac('02:00:00:00:00:82')!,
}
const gateway = { ifindex: 2, ip: ip('10.0.2.1') }
const resolved: Resolution = { kind: 'resolved', hop, asks: [] }
const waiting = (state: Ask['state']): Resolution => ({
  kind: 'unresolved',
  reason: 'waiting',
  asks: [{ ...gateway, state }],
})
const stale: Resolution = { ...resolved, asks: [{ ...gateway, state: 'stale' }] }

/** Looks at these times (ms); an undefined resolution is a backend that is not wanted. */
function play(looks: readonly (readonly [number, Resolution | undefined])[]): readonly KeptHops[] {
  let state = noHops
  return looks.map(([at, resolution]) => {
    const kept = keepHops(state, new Map(resolution === undefined ? [] : [[real, resolution]]), instant(at))
    state = kept.state
    return kept
  })
}

describe('a next hop that is lost', () => {
  it('is kept for three seconds while its neighbour is being resolved', () => {
    const [, first, second, third] = play([
      [0, resolved],
      [1000, waiting('absent')],
      [3999, waiting('incomplete')],
      [4000, waiting('failed')],
    ])
    assert.deepEqual(first?.hops.get(real), hop)
    assert.deepEqual(first.unresolved, new Map())
    assert.equal(first.nextAt, 1100)
    assert.deepEqual(second?.hops.get(real), hop)
    assert.equal(second.nextAt, 4000)
    assert.deepEqual(third?.hops, new Map())
    assert.equal(third.unresolved.get(real), 'waiting')
  })

  it('is not kept when there is nothing to wait for', () => {
    const [, after] = play([
      [0, resolved],
      [10, { kind: 'unresolved', reason: 'no route', asks: [] }],
    ])
    assert.deepEqual(after?.hops, new Map())
    assert.equal(after.unresolved.get(real), 'no route')
  })

  it('has its three seconds again once it was found', () => {
    const looks = play([
      [0, resolved],
      [1000, waiting('absent')],
      [2000, resolved],
      [4500, waiting('absent')],
      [7000, waiting('failed')],
    ])
    assert.deepEqual(looks.at(-1)?.hops.get(real), hop)
  })

  it('is forgotten with its backend', () => {
    const looks = play([
      [0, resolved],
      [10, undefined],
      [20, waiting('absent')],
    ])
    assert.equal(looks.at(-1)?.hops.get(real), undefined)
  })
})

describe('a neighbour', () => {
  const asked = (looks: readonly (readonly [number, Resolution | undefined])[]): readonly number[] =>
    play(looks).flatMap(({ solicit }, index) => (solicit.length > 0 ? [looks[index]![0]] : []))
  const every = (
    stepMs: number,
    untilMs: number,
    resolution: Resolution,
  ): readonly (readonly [number, Resolution])[] =>
    Array.from({ length: untilMs / stepMs }, (_, index) => [index * stepMs, resolution] as const)

  it('that does not answer is asked for ever less often, at last twice a minute', () => {
    assert.deepEqual(
      asked(every(500, 100_000, waiting('failed'))),
      [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000],
    )
  })

  it('that the kernel has no entry for is asked for at once each time it is lost', () => {
    assert.deepEqual(
      asked([
        [0, waiting('absent')],
        [10, waiting('incomplete')],
        [20, resolved],
        [30, waiting('absent')],
        [40, waiting('absent')],
        [131, waiting('absent')],
      ]),
      [0, 30, 131],
    )
  })

  it('that the kernel is resolving is left to it, without a deadline of ours', () => {
    const looks = play(every(100, 3000, waiting('incomplete')))
    assert.ok(looks.every(({ solicit, nextAt }) => solicit.length === 0 && nextAt === undefined))
  })

  it('that is stale is asked for once, and again if it stays so', () => {
    assert.deepEqual(asked(every(250, 3250, stale)), [0, 1000, 3000])
  })
})

// Who gets which VIP: MetalLB's selection rules, keeping what is held, refusals that say why.

import assert from 'node:assert/strict'
import { allocate, heldBy } from '../../allocator/allocate.ts'
import { type Allocated, type Allocation, type Pool, type Request } from '../../allocator/model.ts'
import { ip } from '../../net/ip.ts'
import { addresses, dscps, held, pool, reasons, request } from './support.ts'

function run(
  pools: readonly Pool[],
  requests: readonly Request[],
  before: readonly Allocation[] = [],
): Allocated {
  return allocate({ pools, requests, held: before, dscpIds: [2, 3, 4, 5] })
}

function message(result: Allocated): string {
  assert.equal(result.refusals.length, 1)
  return result.refusals[0]!.message
}

const priority = (value: number, admits: (each: Request) => boolean = () => true): Partial<Pool> => ({
  restriction: { priority: value, admits },
})
const dual = { families: [4, 6] } as const

describe('a new request', () => {
  it('gets the lowest free address of the first range that has one, ranges in the order written', () => {
    const pools = [pool('p', ['192.0.2.8-192.0.2.9', '192.0.2.1-192.0.2.2'])]
    const result = run(
      pools,
      ['a', 'b', 'c', 'd', 'e'].map((id) => request(id)),
    )
    assert.deepEqual(addresses(result), { a: '192.0.2.8', b: '192.0.2.9', c: '192.0.2.1', d: '192.0.2.2' })
    assert.deepEqual(reasons(result), { e: 'poolExhausted' })
    assert.match(message(result), /pool 'p' has no free IPv4 address \(4 in use\): add a range/)
  })

  it('fills gaps that others left', () => {
    const before = [held('a', ['192.0.2.1', 'p', 2]), held('c', ['192.0.2.3', 'p', 2])]
    const result = run(
      [pool('p', ['192.0.2.1-192.0.2.9'])],
      ['a', 'b', 'c'].map((id) => request(id)),
      before,
    )
    assert.deepEqual(addresses(result), { a: '192.0.2.1', c: '192.0.2.3', b: '192.0.2.2' })
  })

  it('goes to restricted pools that admit it by priority, 0 last, then to open ones in order', () => {
    const pools = [
      pool('open1', ['192.0.2.1']),
      pool('open2', ['192.0.2.2']),
      pool('zero', ['192.0.2.3'], priority(0)),
      pool('twenty', ['192.0.2.4'], priority(20)),
      pool('ten', ['192.0.2.5'], priority(10)),
      pool(
        'not mine',
        ['192.0.2.6'],
        priority(1, ({ id }) => id === 'x'),
      ),
      pool('manual', ['192.0.2.7'], { autoAssign: false }),
    ]
    const result = run(
      pools,
      ['a', 'b', 'c', 'd', 'e', 'f'].map((id) => request(id)),
    )
    assert.deepEqual(addresses(result), {
      a: '192.0.2.5',
      b: '192.0.2.4',
      c: '192.0.2.3',
      d: '192.0.2.1',
      e: '192.0.2.2',
    })
    assert.deepEqual(reasons(result), { f: 'poolExhausted' })
  })

  it('is told why no pool may be taken', () => {
    const pools = [
      pool('m', ['192.0.2.1'], { autoAssign: false }),
      pool(
        'r',
        ['192.0.2.2'],
        priority(1, () => false),
      ),
    ]
    const result = run(pools, [request('a')])
    assert.deepEqual(reasons(result), { a: 'poolNotAllowed' })
    assert.match(message(result), /pool 'm' is given out on request only, pool 'r' does not serve it/)
    assert.match(message(run([], [request('a')])), /there are no pools/)
  })

  it('gets the pool it names, without autoAssign too, but not one that does not admit it or does not exist', () => {
    const pools = [
      pool('open', ['192.0.2.1']),
      pool('manual', ['192.0.2.2'], { autoAssign: false }),
      pool(
        'closed',
        ['192.0.2.3'],
        priority(1, () => false),
      ),
    ]
    const result = run(pools, [
      request('a', { pool: 'manual' }),
      request('b', { pool: 'manual' }),
      request('c', { pool: 'closed' }),
      request('d', { pool: 'none' }),
    ])
    assert.deepEqual(addresses(result), { a: '192.0.2.2' })
    assert.deepEqual(reasons(result), { b: 'poolExhausted', c: 'poolNotAllowed', d: 'unknownPool' })
    assert.match(result.refusals[2]!.message, /no pool is named 'none', there are pool 'open', pool 'manual'/)
  })

  it('does not get .0 and .255 of a pool that leaves them out, IPv6 aside', () => {
    const pools = [pool('p', ['192.0.1.254-192.0.2.1', '2001:db8::/120'], { avoidBuggyIps: true })]
    const result = run(pools, [
      request('a', dual),
      request('b'),
      request('c'),
      request('d', { addresses: [ip('192.0.2.0')] }),
    ])
    assert.deepEqual(addresses(result), { a: '192.0.1.254 2001:db8::', b: '192.0.2.1' })
    assert.deepEqual(reasons(result), { c: 'poolExhausted', d: 'notInPool' })
  })

  it('gets both families from one pool or nothing', () => {
    const pools = [
      pool('v4', ['192.0.2.1-192.0.2.9']),
      pool('v6', ['2001:db8::1-2001:db8::9']),
      pool('both', ['198.51.100.1', '2001:db8:1::1-2001:db8:1::9']),
    ]
    const result = run(pools, [
      request('a', dual),
      request('b', dual),
      request('c'),
      request('d', { families: [6] }),
    ])
    assert.deepEqual(addresses(result), {
      a: '198.51.100.1 2001:db8:1::1',
      c: '192.0.2.1',
      d: '2001:db8::1',
    })
    assert.match(
      message(result),
      /pool 'v4' has no IPv6 addresses, pool 'v6' has no IPv4 addresses, pool 'both' has no free IPv4 address \(1 in use\): a service takes both families from one pool/,
    )
  })

  it('costs nothing where a pool is huge', () => {
    const result = run([pool('p', ['2001:db8::/64'])], [request('a', { families: [6] })])
    assert.deepEqual(addresses(result), { a: '2001:db8::' })
  })
})

describe('a request for addresses', () => {
  const pools = [
    pool('a', ['192.0.2.1-192.0.2.9', '2001:db8::/64'], { autoAssign: false }),
    pool('b', ['198.51.100.1-198.51.100.9', '2001:db8:1::/64']),
    pool(
      'closed',
      ['203.0.113.1'],
      priority(1, () => false),
    ),
  ]
  const ask = (id: string, ...texts: readonly string[]): Request =>
    request(id, { families: [4, 6], addresses: texts.map((text) => ip(text)) })

  it('gets these and no others, without autoAssign too', () => {
    const result = run(pools, [ask('x', '192.0.2.7', '2001:db8::7'), ask('y', '198.51.100.3')])
    assert.deepEqual(addresses(result), { x: '192.0.2.7 2001:db8::7', y: '198.51.100.3' })
  })

  it('goes before those that take anything', () => {
    const result = run(pools, [request('first'), ask('second', '198.51.100.1')])
    assert.deepEqual(addresses(result), { second: '198.51.100.1', first: '198.51.100.2' })
  })

  it('is refused outside pools, across pools, in a pool that is not for it, and where somebody has it', () => {
    const result = run(pools, [
      ask('x', '192.0.2.1'),
      ask('outside', '10.0.0.1'),
      ask('across', '192.0.2.2', '2001:db8:1::2'),
      ask('closed', '203.0.113.1'),
      ask('taken', '192.0.2.1'),
      { ...ask('named', '192.0.2.3'), pool: 'b' },
      { ...ask('unknown', '192.0.2.3'), pool: 'c' },
    ])
    assert.deepEqual(addresses(result), { x: '192.0.2.1' })
    assert.deepEqual(reasons(result), {
      outside: 'notInPool',
      across: 'notInPool',
      closed: 'poolNotAllowed',
      taken: 'addressInUse',
      named: 'notInPool',
      unknown: 'unknownPool',
    })
    const messages = new Map(result.refusals.map((each) => [each.id, each.message]))
    assert.match(messages.get('across')!, /2001:db8:1::2 is in pool 'b', expected in pool 'a'/)
    assert.match(messages.get('taken')!, /192\.0\.2\.1 belongs to x: ask for another address/)
    assert.match(messages.get('named')!, /192\.0\.2\.3 is in pool 'a', expected in pool 'b'/)
  })
})

describe('a holder', () => {
  const one = [pool('p', ['192.0.2.1-192.0.2.9'])]
  const before = [held('a', ['192.0.2.5', 'p', 4])]

  it('keeps VIP and id, also when the pool is renamed or stops to assign', () => {
    assert.deepEqual(run(one, [request('b'), request('a')], before).allocations, [
      held('a', ['192.0.2.5', 'p', 4]),
      held('b', ['192.0.2.1', 'p', 2]),
    ])
    const renamed = [pool('q', ['192.0.2.4-192.0.2.6'], { autoAssign: false })]
    assert.deepEqual(run(renamed, [request('a')], before).allocations, [held('a', ['192.0.2.5', 'q', 4])])
  })

  it('goes before whoever asks for its address by name', () => {
    const result = run(one, [request('b', { addresses: [ip('192.0.2.5')] }), request('a')], before)
    assert.deepEqual(addresses(result), { a: '192.0.2.5' })
    assert.match(message(result), /belongs to a/)
  })

  it('gets another address when its own is in no pool, not for it, or left out', () => {
    const cases: readonly (readonly [readonly Pool[], Request, string])[] = [
      [[pool('p', ['192.0.2.1'])], request('a'), '192.0.2.1'],
      [
        [
          pool(
            'p',
            ['192.0.2.5'],
            priority(1, () => false),
          ),
          pool('q', ['192.0.2.7']),
        ],
        request('a'),
        '192.0.2.7',
      ],
      [[...one, pool('q', ['198.51.100.1'])], request('a', { pool: 'q' }), '198.51.100.1'],
      [one, request('a', { addresses: [ip('192.0.2.7')] }), '192.0.2.7'],
    ]
    for (const [pools, each, expected] of cases) {
      assert.deepEqual(addresses(run(pools, [each], before)), { a: expected })
    }
    const buggy = [pool('p', ['192.0.2.0/24'], { avoidBuggyIps: true })]
    assert.deepEqual(addresses(run(buggy, [request('a')], [held('a', ['192.0.2.0', 'p', 2])])), {
      a: '192.0.2.1',
    })
  })

  it('loses a family it no longer asks for, and the address can be had by others', () => {
    const pools = [pool('p', ['192.0.2.1', '2001:db8::1'])]
    const both = [held('a', ['192.0.2.1', 'p', 2], ['2001:db8::1', 'p', 3])]
    const result = run(pools, [request('a'), request('b', { families: [6] })], both)
    assert.deepEqual(addresses(result), { a: '192.0.2.1', b: '2001:db8::1' })
  })

  it('that asks for one family more gets it from the same pool, and is served what it has until then', () => {
    const pools = [pool('first', ['192.0.2.1', '2001:db8::1']), pool('p', ['192.0.2.5', '2001:db8:1::1'])]
    assert.deepEqual(addresses(run(pools, [request('a', dual)], before)), { a: '192.0.2.5 2001:db8:1::1' })
    const without = [pools[0]!, pool('p', ['192.0.2.5'])]
    const result = run(without, [request('a', dual)], before)
    assert.deepEqual(addresses(result), { a: '192.0.2.5' })
    assert.match(message(result), /pool 'p' has no IPv6 addresses/)
  })

  it('that is no longer requested frees its address', () => {
    assert.deepEqual(addresses(run([pool('p', ['192.0.2.5'])], [request('b')], before)), { b: '192.0.2.5' })
  })

  it('may swap addresses with another', () => {
    const two = [held('a', ['192.0.2.1', 'p', 2]), held('b', ['192.0.2.2', 'p', 2])]
    const swapped = [
      request('a', { addresses: [ip('192.0.2.2')] }),
      request('b', { addresses: [ip('192.0.2.1')] }),
    ]
    assert.deepEqual(addresses(run(one, swapped, two)), { a: '192.0.2.2', b: '192.0.2.1' })
  })

  it('that moves lets in who waits for its old address, in the same answer', () => {
    const pools = [pool('p', ['192.0.2.5']), pool('q', ['198.51.100.1'], { autoAssign: false })]
    const result = run(pools, [request('waits'), request('a', { pool: 'q' })], before)
    assert.deepEqual(addresses(result), { a: '198.51.100.1', waits: '192.0.2.5' })
    assert.deepEqual(result.refusals, [])
  })
})

describe('a VIP whose service is refused', () => {
  const pools = [pool('p', ['192.0.2.5'])]
  const before = [held('a', ['192.0.2.5', 'p', 4])]

  it('stays its own: given to nobody who takes anything, and back when the request is put right', () => {
    const typo = [request('a', { pool: 'typo' }), request('b')]
    const refused = run(pools, typo, before)
    assert.deepEqual(reasons(refused), { a: 'unknownPool', b: 'poolExhausted' })
    assert.deepEqual(refused.allocations, [])
    assert.deepEqual(refused.reserved, before)
    assert.deepEqual(run(pools, typo, heldBy(refused)), refused)
    const right = run(pools, [request('a'), request('b')], heldBy(refused))
    assert.deepEqual(right.allocations, before)
    assert.deepEqual(right.reserved, [])
  })

  it('goes to who asks for it by name, since its service no longer does', () => {
    const result = run(
      pools,
      [request('a', { pool: 'typo' }), request('b', { addresses: [ip('192.0.2.5')] })],
      before,
    )
    assert.deepEqual(addresses(result), { b: '192.0.2.5' })
    assert.deepEqual(result.reserved, [])
  })

  it('is gone when it is in no pool, or the service is gone', () => {
    assert.deepEqual(run([], [request('a')], before).reserved, [])
    assert.deepEqual(run(pools, [], before), { allocations: [], refusals: [], reserved: [] })
  })

  it('is kept through a shortage of DSCP ids, against a request by name too', () => {
    const shared = [ip('10.0.0.1')]
    const full = ['b', 'c', 'd', 'e'].map((id, i) => held(id, [`192.0.2.${i + 10}`, 'p', 2 + i]))
    const wide = [pool('p', ['192.0.2.5-192.0.2.99'])]
    const requests = ['b', 'c', 'd', 'e', 'a'].map((id) => request(id, { backends: shared }))
    const result = run(
      wide,
      [...requests, request('f', { addresses: [ip('192.0.2.5')] })],
      [...full, ...before],
    )
    assert.deepEqual(reasons(result), { a: 'dscpExhausted', f: 'addressInUse' })
    assert.deepEqual(result.reserved, before)
    const freed = run(wide, requests.slice(1), heldBy(result))
    assert.deepEqual(addresses(freed), { c: '192.0.2.11', d: '192.0.2.12', e: '192.0.2.13', a: '192.0.2.5' })
    assert.deepEqual(dscps(freed)['a'], [2])
  })
})

// VIPs on their way out: kept while announced and for the drain time, never longer, never beside a wanted one.

import assert from 'node:assert/strict'
import fc from 'fast-check'
import { retire, retireDelay, type Retired } from '../../daemon/retire.ts'
import { type VirtualService } from '../../forwarder/model.ts'
import { formatIp, ip } from '../../net/ip.ts'
import { instant } from '../../net/time.ts'

const service = (n: number): VirtualService => ({
  service: `default/s${n}`,
  vip: ip(`198.51.100.${n}`),
  ports: [],
  dscp: 2,
  reals: [],
})
const names = (retired: readonly Retired[]): readonly string[] =>
  retired.map((each) => formatIp(each.service.vip)).sort()

describe('retired VIPs', () => {
  it('stay for the drain time after they were last announced, and not longer', () => {
    const gone = retire({ services: [service(1)], retired: [] }, [], {
      now: instant(1000),
      drainTimeMs: 500,
      announced: () => true,
    })
    assert.deepEqual(names(gone), ['198.51.100.1'])
    const still = retire({ services: [], retired: gone }, [], {
      now: instant(9000),
      drainTimeMs: 500,
      announced: () => true,
    })
    assert.equal(retireDelay(still, instant(9200), 500), 300)
    const at = (now: number): readonly string[] =>
      names(
        retire({ services: [], retired: still }, [], {
          now: instant(now),
          drainTimeMs: 500,
          announced: () => false,
        }),
      )
    assert.deepEqual(at(9499), ['198.51.100.1'])
    assert.deepEqual(at(9500), [])
  })

  it('are no longer retired once a document wants them again', () => {
    const gone = retire({ services: [service(1), service(2)], retired: [] }, [], {
      now: instant(0),
      drainTimeMs: 500,
      announced: () => false,
    })
    const back = retire({ services: [], retired: gone }, [service(2)], {
      now: instant(1),
      drainTimeMs: 500,
      announced: () => false,
    })
    assert.deepEqual(names(back), ['198.51.100.1'])
  })

  it('whatever the edits: nothing announced is ever without its tables, and all goes in the end', () => {
    const step = fc.record({
      wanted: fc.uniqueArray(fc.integer({ min: 1, max: 5 })),
      wait: fc.integer({ min: 0, max: 400 }),
      lag: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        let now = 0
        let services: readonly VirtualService[] = []
        let retired: readonly Retired[] = []
        let announced = new Set<string>()
        const pass = (wanted: readonly VirtualService[]): void => {
          retired = retire({ services, retired }, wanted, {
            now: instant(now),
            drainTimeMs: 300,
            announced: (vip) => announced.has(formatIp(vip)),
          })
          services = wanted
          const held = new Set([...names(retired), ...wanted.map(({ vip }) => formatIp(vip))])
          for (const vip of announced) assert.ok(held.has(vip), `${vip} announced, not programmed`)
        }
        for (const { wanted, wait, lag } of steps) {
          pass(wanted.map(service))
          // Withdrawals may be late: a peer whose buffer is full still has the route.
          if (!lag) announced = new Set(services.map(({ vip }) => formatIp(vip)))
          else for (const { vip } of services) announced.add(formatIp(vip))
          now += wait
        }
        announced = new Set()
        pass([])
        now += 300
        pass([])
        assert.deepEqual(names(retired), [])
      }),
    )
  })
})

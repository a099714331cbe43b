// Packets on the way: every balancer would do the same with a flow, and what arrives at a backend is the client's
// packet with another destination, the VIP's DSCP id and one hop less.

import assert from 'node:assert/strict'
import { traceSchema, type VipStatus } from '../../api/types.ts'
import { type Answer, type BurstOrder, type Target } from '../../demo/client/protocol.ts'
import { addressesOf, mustStatus } from '../../demo/lab.ts'
import { burst } from '../../demo/load.ts'
import { sameDigests } from '../../demo/scenarios/observe.ts'
import { capturing, type Packet } from './support/capture.ts'
import { withEcn } from './support/ecn.ts'
import { useLab } from './support/lab.ts'
import { linksTo, whileRoutedTo } from './support/route.ts'

const firstPort = 20_000
const flows = 60
const order = (targets: readonly Target[], change: Partial<BurstOrder> = {}): BurstOrder => ({
  targets: [...targets],
  requests: flows,
  concurrency: 4,
  deadlineMs: 2000,
  localPort: firstPort,
  ...change,
})

describe('a packet for a VIP', function () {
  this.timeout(120_000)
  const running = useLab('packets')
  const vipsOf = async (): Promise<readonly VipStatus[]> => {
    const [balancer] = running().lab.balancers
    assert.ok(balancer)
    return (await mustStatus(balancer)).vips
  }

  it('meets byte-identical tables on all balancers', async () => {
    const { lab, services } = running()
    const digests = await sameDigests(lab)
    assert.ok(digests.done, digests.done ? '' : digests.so)
    assert.deepEqual([...digests.value.keys()].sort(), [...services.vips].sort())
    for (const digest of digests.value.values()) assert.match(digest, /^[0-9a-f]{16,}$/)
  })

  for (const kind of ['http', 'udp'] as const) {
    it(`goes to the same backend whichever balancer gets it (${kind})`, async () => {
      const { lab, services, signal } = running()
      const targets = kind === 'http' ? services.http : services.echo
      const answersBy = new Map<string, readonly Answer[]>()
      for (const balancer of lab.balancers) {
        const report = await whileRoutedTo(lab, services.vips, balancer, () =>
          burst(lab.client, kind, order(targets), signal),
        )
        assert.deepEqual(report.lost, [])
        assert.equal(report.foreign, 0)
        answersBy.set(
          balancer.name,
          [...report.answers].sort((a, b) => a.localPort - b.localPort),
        )
      }
      const [first, ...others] = answersBy.values()
      assert.equal(first?.length, flows)
      assert.ok(new Set(first.map(({ backend }) => backend)).size > 1, 'one backend answered all flows')
      for (const other of others) assert.deepEqual(other, first)
    })
  }

  it('goes where torii trace says, on every balancer', async () => {
    const { lab, services, signal } = running()
    const { answers } = await burst(lab.client, 'http', order(services.http, { requests: 6 }), signal)
    assert.equal(answers.length, 6)
    for (const { family, localAddress = '', localPort, backend } of answers) {
      const target = services.http.find((each) => each.family === family)
      assert.ok(target)
      const bracket = (address: string): string => (address.includes(':') ? `[${address}]` : address)
      for (const balancer of lab.balancers) {
        const { stdout, stderr } = await balancer.exec([
          ...['torii', 'trace', '--json', `${bracket(localAddress)}:${localPort}`],
          `${bracket(target.address)}:${target.port}/tcp`,
        ])
        assert.notEqual(stdout, '', stderr)
        const trace = traceSchema.parse(JSON.parse(stdout))
        assert.equal(trace.verdict, 'forward')
        assert.equal(trace.backend?.name, backend, trace.why.join('; '))
      }
    }
  })

  it("arrives with the VIP's DSCP id, ECN as sent, correct checksums", async () => {
    const { lab, services, signal } = running()
    const vips = await vipsOf()
    const seen = new Set<string>()
    await withEcn(lab.client, async () => {
      for (const backend of lab.backends) {
        const own = await addressesOf(backend)
        const { packets } = await capturing(
          backend,
          { interfaces: ['eth1'], filter: portFilter },
          async () => {
            const requests = await Promise.all([
              burst(lab.client, 'http', order(services.http), signal),
              burst(lab.client, 'udp', order(services.echo), signal),
            ])
            for (const { lost } of requests) assert.deepEqual(lost, [])
          },
        )
        const arrived = packets.filter(({ destination }) => own.includes(destination))
        for (const family of ['ipv4', 'ipv6'] as const) {
          const of = arrived.filter(({ source }) => source.includes(':') === (family === 'ipv6'))
          const dscps = new Set(vips.filter((vip) => vip.family === family).map(({ dscp }) => dscp))
          assert.ok(of.length > 0, `${backend.name} got nothing over ${family}`)
          for (const packet of of) {
            assert.ok(dscps.has(packet.dscp), `DSCP ${packet.dscp}, expected ${[...dscps].join(' or ')}`)
            assert.equal(packet.ecn, (packet.sourcePort >> 1) % 4, JSON.stringify(packet))
            assertChecksums(packet)
          }
          for (const { ecn } of of) seen.add(`${family} ${ecn}`)
        }
      }
    })
    // All four code points in both families, over all backends.
    assert.equal(seen.size, 8, [...seen].sort().join(', '))
  })

  it('leaves a balancer with one hop less, and otherwise as it came', async () => {
    const { lab, services, signal } = running()
    const [balancer] = lab.balancers
    assert.ok(balancer)
    await whileRoutedTo(lab, services.vips, balancer, async () => {
      let compared = 0
      for (const { router: node, interfaces } of await linksTo(lab.routers, balancer)) {
        const { packets } = await capturing(node, { interfaces, filter: portFilter }, async () => {
          const { lost } = await burst(lab.client, 'udp', order(services.echo), signal)
          assert.deepEqual(lost, [])
        })
        const toVip = packets.filter(({ destination }) => services.vips.includes(destination))
        const onward = packets.filter(({ destination }) => !services.vips.includes(destination))
        assert.ok(toVip.length > 0, `no flow took ${node.name}`)
        for (const packet of onward) {
          const before = toVip.find(
            ({ source, sourcePort }) => source === packet.source && sourcePort === packet.sourcePort,
          )
          // It came by the other router, and leaves by this one.
          if (before === undefined) continue
          compared += 1
          assert.equal(packet.ttl, before.ttl - 1)
          assert.equal(packet.ecn, before.ecn)
          assertChecksums(packet)
        }
      }
      assert.ok(compared > 0, 'no packet was seen on both ways')
    })
  })

  it('is answered from the VIP, directly', async () => {
    const { lab, services, signal } = running()
    const interfaces = ['eth1', 'eth2']
    const { packets } = await capturing(lab.client, { interfaces, filter: portFilter }, async () => {
      const reports = await Promise.all([
        burst(lab.client, 'http', order(services.http), signal),
        burst(lab.client, 'udp', order(services.echo), signal),
      ])
      for (const { lost, foreign } of reports) assert.deepEqual({ lost, foreign }, { lost: [], foreign: 0 })
    })
    const own = await addressesOf(lab.client)
    const received = packets.filter(({ destination }) => own.includes(destination))
    assert.ok(received.length >= 2 * flows)
    assert.deepEqual(
      [...new Set(received.map(({ source }) => source))].sort(),
      [...new Set([...services.http, ...services.echo].map(({ address }) => address))].sort(),
    )
    for (const packet of received) assert.equal(packet.dscp, 0, 'the id leaks to the client')
  })
})

const portFilter = `portrange ${firstPort}-${firstPort + flows - 1}`

function assertChecksums({ checksums, source }: Packet): void {
  const expected = source.includes(':') ? ['good'] : ['good', 'good']
  assert.deepEqual(checksums, expected)
}

// Documents edited under traffic: bad ones are refused in words and change nothing, good ones are in force at once,
// and no request is lost over any of it.

import assert from 'node:assert/strict'
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Status } from '../../api/types.ts'
import { mustStatus, statusOf } from '../../demo/lab.ts'
import { burst, startSteady, type Steady } from '../../demo/load.ts'
import { steadyOrder } from '../../demo/services.ts'
import { found, notYet, until } from '../../demo/until.ts'
import { type FabricNode } from '../fabric/fabric.ts'
import { useLab } from './support/lab.ts'

describe('documents edited under traffic', function () {
  this.timeout(120_000)
  const running = useLab('edits')
  let steady: Steady

  const file = (name: string): string => join(running().directory, 'torii', name)
  const edit = (name: string, from: string, to: string): void => {
    const text = readFileSync(file(name), 'utf8')
    assert.ok(text.includes(from), `${name} has no '${from}'`)
    writeFileSync(`${file(name)}.new`, text.replace(from, to))
    renameSync(`${file(name)}.new`, file(name))
  }
  const balancer = (): FabricNode => running().lab.balancers[0] ?? assert.fail('no balancer')
  /** Until every balancer's status is as wanted; the first one's. */
  const settled = async (what: string, wanted: (status: Status) => boolean | string): Promise<Status> => {
    const { lab, signal } = running()
    await until(
      async () => {
        for (const each of lab.balancers) {
          const status = await statusOf(each)
          const seen = status === undefined ? 'no answer' : wanted(status)
          if (seen !== true) return notYet(`${each.name}: ${String(seen)}`)
        }
        return found(undefined)
      },
      { what, withinMs: 30_000, signal },
    )
    return mustStatus(balancer())
  }
  const refused = async (): Promise<string> => {
    const { config } = await settled('the refusal', ({ config: { state } }) => state === 'stale' || state)
    return config.problems.join('\n')
  }
  const inForce = (): Promise<Status> =>
    settled('documents in force', ({ config: { state } }) => state === 'ok' || state)

  before(async () => {
    const { lab, services, signal } = running()
    steady = await startSteady(
      lab.client,
      { ...steadyOrder(services), requestsPerSecond: 50, connections: 40 },
      signal,
    )
    cpSync(join(running().directory, 'torii'), join(running().directory, 'good'), { recursive: true })
  })
  afterEach(async () => {
    // In place: the directory itself is what the nodes have bound.
    cpSync(join(running().directory, 'good'), join(running().directory, 'torii'), { recursive: true })
    await inForce()
  })

  const bad: readonly {
    readonly name: string
    readonly edit: () => void
    readonly says: RegExp
  }[] = [
    {
      name: 'an unknown field',
      edit: () => edit('web.yaml', 'pool: public', 'pol: public'),
      says: /web\.yaml:\d+:\d+: LoadBalancer default\/web: spec\.pol: unknown field.*did you mean 'pool'/,
    },
    {
      name: 'a pool with overlapping ranges',
      edit: () => edit('pools.yaml', '"198.51.100.0/24"', '"198.51.100.0/24", "198.51.100.9-198.51.100.20"'),
      says: /pools\.yaml:\d+:\d+: IPAddressPool public: spec\.addresses\[1\]: .*overlaps/,
    },
    {
      name: 'a VIP outside every pool',
      edit: () =>
        edit('web.yaml', 'ipFamilies: [IPv4, IPv6]', 'ipFamilies: [IPv4]\n  addresses: ["203.0.113.5"]'),
      says: /web\.yaml:\d+:\d+: LoadBalancer default\/web: spec\.addresses\[0\]: .*203\.0\.113\.5/,
    },
    {
      name: 'a backend of the wrong family',
      edit: () => edit('web.yaml', '["10.1.1.2", "fd00:1:1::2"]', '["fd00:1:1::2"]'),
      says: /web\.yaml:\d+:\d+: LoadBalancer default\/web: spec\.backends\[0\]\.addresses: .*IPv4/,
    },
    {
      name: 'an interface that does not exist',
      edit: () => edit('cluster.yaml', 'interfaces: [eth1, eth2]', 'interfaces: [eth1, eth7]'),
      says: /cluster\.yaml:\d+:\d+: Datapath: spec\.interfaces\[1\]: found 'eth7', expected .*eth1, eth2/,
    },
    {
      name: 'broken YAML',
      edit: () => edit('bgp.yaml', 'spec: {', 'spec: {{'),
      says: /bgp\.yaml:\d+:\d+/,
    },
  ]
  for (const { name, edit: change, says } of bad) {
    it(`${name} is refused, with its place, and traffic goes on`, async () => {
      const before = await inForce()
      change()
      assert.match(await refused(), says)
      const now = await mustStatus(balancer())
      assert.equal(now.config.revision, before.config.revision)
      assert.deepEqual(
        now.vips.map(({ vip, digest }) => [vip, digest]),
        before.vips.map(({ vip, digest }) => [vip, digest]),
      )
      const { status, stderr } = await balancer().exec(['torii', 'reload'])
      assert.equal(status, 1)
      assert.match(stderr, says)
      if (name === 'an interface that does not exist') return
      const checked = await balancer().exec(['torii', 'check', '/etc/torii'])
      assert.equal(checked.status, 1)
      assert.match(checked.stdout, says)
    })
  }

  it('deleted files leave the last good documents in force, through SIGHUP too', async () => {
    const before = await inForce()
    for (const name of ['bgp.yaml', 'cluster.yaml', 'pools.yaml', 'web.yaml']) rmSync(file(name))
    assert.match(await refused(), /\/etc\/torii/)
    balancer().signalMain('SIGHUP')
    const now = await mustStatus(balancer())
    assert.deepEqual(
      now.vips.map(({ vip }) => vip),
      before.vips.map(({ vip }) => vip),
    )
    assert.ok(now.vips.every(({ announcedBy }) => announcedBy.length > 0))
  })

  it('a new service gets a VIP, is served, and goes again; the VIP of the first one stays', async () => {
    const { lab, signal } = running()
    const before = await inForce()
    const text = readFileSync(file('web.yaml'), 'utf8').replace('name: web', 'name: second')
    writeFileSync(file('second.yaml'), text)
    const status = await settled('the second service announced', ({ vips }) => {
      const mine = vips.filter(({ service }) => service === 'default/second')
      return (
        (mine.length === 2 && mine.every(({ announcedBy }) => announcedBy.length === 2)) ||
        JSON.stringify(mine)
      )
    })
    const targets = status.vips
      .filter(({ service }) => service === 'default/second')
      .map(({ family, vip }) => ({ family, address: vip, port: 80 }))
    const ids = status.vips.map(({ family, dscp }) => `${family} ${dscp}`)
    assert.equal(new Set(ids).size, 4, 'two VIPs that share backends have one id')
    const report = await burst(
      lab.client,
      'http',
      { targets, requests: 40, concurrency: 4, deadlineMs: 2000 },
      signal,
    )
    assert.deepEqual(report.lost, [])
    rmSync(file('second.yaml'))
    const after = await settled(
      'the second service gone',
      ({ vips }) => vips.length === 2 || `${vips.length} VIPs`,
    )
    assert.deepEqual(
      after.vips.map(({ vip, dscp }) => [vip, dscp]),
      before.vips.map(({ vip, dscp }) => [vip, dscp]),
    )
  })

  it('lost no request and broke no connection over all of it', async () => {
    const result = await steady.stop()
    assert.deepEqual(result.lost, [])
    assert.ok(result.sent > 500, `${result.sent} requests`)
    assert.deepEqual(
      result.connections.filter(({ broken }) => broken !== undefined),
      [],
    )
  })

  // Last: rows that change hands take the connections on them along, which a forwarder without state cannot prevent.
  it('weights are in force at once, on all balancers alike', async () => {
    edit('web.yaml', '["10.1.1.2", "fd00:1:1::2"] }', '["10.1.1.2", "fd00:1:1::2"], weight: 2 }')
    const { vips } = await settled('be1 to have two fifths', ({ vips }) => {
      const share = vips[0]?.backends.list.find(({ name }) => name === 'be1')?.share ?? 0
      return Math.abs(share - 0.4) < 0.01 || String(share)
    })
    const others = await Promise.all(running().lab.balancers.map(mustStatus))
    for (const other of others)
      assert.deepEqual(
        other.vips.map(({ digest }) => digest),
        vips.map(({ digest }) => digest),
      )
  })
})

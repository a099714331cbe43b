// The forwarder's door on a real kernel: it follows routes and neighbours, tells what it does, and survives contradictions.

import assert from 'node:assert/strict'
import { type Flow, type VipState } from '../../forwarder/model.ts'
import { offlineTrace } from '../../forwarder/offline.ts'
import { ip } from '../../net/ip.ts'
import { until } from '../system/namespace.ts'
import {
  answersPing,
  createLab,
  dscp,
  type Lab,
  type NodeProcess,
  onlyOn,
  optionsOf,
  resolved,
  restored,
  sendDatagrams,
  serviceOf,
  startNode,
  startPings,
  vip4,
  watchNeighbours,
} from './xdp/lab.ts'

/** A host that two backends can reach: it has no address on any link of the balancer. */
const remote = '10.60.0.1'

describe('the forwarder', function () {
  this.timeout(60_000)
  let lab: Lab
  let node: NodeProcess

  beforeEach(async () => {
    lab = createLab()
    node = await startNode(lab)
  })
  afterEach(async () => {
    await node.kill()
    lab.delete()
  })

  const first = async (): Promise<VipState> => (await node.status()).vips[0]!
  const remoteService = serviceOf({ reals: [{ name: 'be', ip: ip(remote), weight: 1, up: true }] })
  const flow: Flow = {
    family: 4,
    source: ip('10.50.0.2'),
    sourcePort: 4711,
    destination: ip(vip4),
    destinationPort: 53,
    protocol: 'udp',
  }

  it('follows a neighbour to its new MAC', async () => {
    await node.set([onlyOn('be1')], optionsOf())
    await resolved(node)
    assert.ok(answersPing(lab, vip4))
    const before = (await node.trace(flow)).hop?.destination
    const [backend] = lab.backends
    backend.run('ip link set b1 address 02:00:00:00:00:99')
    // An ARP request of its own tells the balancer, as a gratuitous one would.
    backend.run('ip neigh flush dev b1')
    await until('the flow to go to the new MAC', async () => {
      backend.run('ping -q -c 1 -W 1 10.50.1.1')
      return (await node.trace(flow)).hop?.destination === '02:00:00:00:00:99'
    })
    assert.notEqual(before, '02:00:00:00:00:99')
    assert.ok(answersPing(lab, vip4))
  })

  it('follows a route to another next hop without loss', async () => {
    for (const backend of lab.backends) backend.run(`ip addr add ${remote}/32 dev lo`)
    lab.balancer.run(`ip route add ${remote} via 10.50.1.2`)
    await node.set([remoteService], optionsOf())
    await resolved(node)
    const pings = startPings(lab, vip4)
    await until('packets at the first', () => restored(lab.backends[0]) > 10)
    lab.balancer.run(`ip route replace ${remote} via 10.50.2.2`)
    await until('packets at the second', () => restored(lab.backends[1]) > 10)
    assert.equal((await pings.stop()).lost, 0)
    assert.equal((await node.trace(flow)).hop?.interface, 'b2')
  })

  it('says why there is no next hop, and finds it when there is one', async () => {
    const why = async (reason: RegExp): Promise<void> => {
      await until(String(reason), async () => reason.test((await first()).unresolved.get('be') ?? ''))
      assert.ok((await first()).programmed)
    }
    await node.set([remoteService], optionsOf())
    await why(/^no route to 10\.60\.0\.1$/)
    lab.balancer.run(`ip route add blackhole ${remote}`)
    await why(/^the route 10\.60\.0\.1\/32 is blackhole$/)
    lab.balancer.run(`ip route replace ${remote} via 10.50.1.77`)
    await why(/^next hop 10\.50\.1\.77 (?:is not resolved yet|does not answer) on b1$/)
    lab.balancer.run('ip link set b1 down')
    await why(/no route/)
    lab.balancer.run(`ip addr add ${remote}/32 dev lo`)
    await why(/is an address of this node/)
    const trace = await node.trace(flow)
    assert.equal(trace.verdict, 'drop')
    assert.match(trace.why.at(-1) ?? '', /the next hop to 10\.60\.0\.1 is not known/)

    lab.balancer.run(`ip addr del ${remote}/32 dev lo`)
    lab.backends[1].run(`ip addr add ${remote}/32 dev lo`)
    lab.balancer.run(`ip route replace ${remote} via 10.50.2.2`)
    await until('a next hop', async () => (await first()).unresolved.size === 0)
    assert.ok(answersPing(lab, vip4))
  })

  it('has neighbours resolved again that the kernel forgot', async () => {
    await node.set([onlyOn('be1')], optionsOf())
    await resolved(node)
    const pings = startPings(lab, vip4)
    for (let round = 0; round < 5; round += 1) {
      lab.balancer.run('ip neigh flush dev b1')
      await until('the neighbour', () => /lladdr/.test(lab.balancer.run('ip neigh show 10.50.1.2 dev b1')))
    }
    assert.equal((await pings.stop()).lost, 0)
  })

  it('keeps neighbours verified that only XDP sends to', async () => {
    // With no time to delay a probe the kernel lets an entry grow stale as soon as it is not reachable any more.
    lab.balancer.run(
      'sysctl -qw net.ipv4.neigh.b1.base_reachable_time_ms=500 net.ipv4.neigh.b1.delay_first_probe_time=0',
    )
    await node.set([onlyOn('be1')], optionsOf())
    await resolved(node)
    const events = watchNeighbours(lab)
    const seen = (state: string): number => events().filter((line) => line.includes(state)).length
    await until(
      'the entry to be verified again and again',
      () => seen('STALE') >= 3 && seen('REACHABLE') >= 3,
    )
    assert.ok(events().every((line) => !line.includes('FAILED')))
  })

  it('traces a flow as offline, and to where its packets really go', async () => {
    await node.set([serviceOf()], optionsOf())
    await resolved(node)
    const ports = Array.from({ length: 40 }, (_, index) => 4000 + index)
    const traces = await Promise.all(ports.map((sourcePort) => node.trace({ ...flow, sourcePort })))
    for (const [index, trace] of traces.entries()) {
      assert.equal(trace.verdict, 'forward')
      assert.equal(trace.dscp, dscp)
      assert.equal(trace.hop?.interface, trace.real?.name === 'be1' ? 'b1' : 'b2')
      const offline = offlineTrace([serviceOf()], optionsOf(), { ...flow, sourcePort: ports[index]! })
      assert.equal(offline.verdict, 'forward')
      assert.deepEqual([offline.row, offline.real], [trace.row, trace.real])
    }
    const before = lab.backends.map(restored)
    sendDatagrams(lab, ports, { address: vip4, port: 53 })
    const expected = ['be1', 'be2'].map((name) => traces.filter(({ real }) => real?.name === name).length)
    await until('all packets to arrive', () => {
      const now = lab.backends.map((backend, index) => restored(backend) - before[index]!)
      return now[0]! + now[1]! === ports.length
    })
    assert.deepEqual(
      lab.backends.map((backend, index) => restored(backend) - before[index]!),
      expected,
    )
  })

  it('reports a service that contradicts another, and goes on with the rest', async () => {
    const twice = serviceOf({ service: 'default/again' })
    const dns = serviceOf({ service: 'default/dns', ports: [{ protocol: 'TCP', port: 53 }], reals: [] })
    await node.set([serviceOf(), twice, dns], optionsOf())
    const { problems, vips } = await node.status()
    assert.deepEqual(problems, [`default/again: 53/udp of ${vip4} is served by another service`])
    assert.deepEqual(
      vips.map(({ service, rows }) => [service, rows.size]),
      [
        ['default/web', 2],
        ['default/again', 2],
        ['default/dns', 0],
      ],
    )
  })

  it('stays programmed through changes, and tells of each status once', async () => {
    assert.deepEqual((await node.status()).vips, [])
    await node.begin([serviceOf()], optionsOf())
    assert.ok(!(await first()).programmed)
    await node.settled()
    assert.ok((await first()).programmed)
    await resolved(node)
    for (const name of ['be1', 'be2', 'be1']) {
      await node.begin([onlyOn(name)], optionsOf())
      assert.ok((await first()).programmed, 'a health change withdraws the VIP')
    }
    await node.settled()
    const changes = await node.changes()
    assert.ok(changes >= 2)
    await node.set([onlyOn('be1')], optionsOf())
    assert.equal(await node.changes(), changes)
    await node.set([], optionsOf())
    assert.equal(await node.changes(), changes + 1)
    assert.equal((await node.trace(flow)).verdict, 'pass')
  })
})

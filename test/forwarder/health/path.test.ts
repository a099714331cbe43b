// Health through the real L3DSR path, IPv4 and IPv6: a balancer and two backends in namespaces.
//
//   be1 ── eth1 ── lb ── eth2 ── be2
//
// The balancer's default route leads to be2, which serves the VIP: a probe of be1 that no rule steers would be
// answered there, and a dead be1 look alive.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { renderRuleset } from '../../../forwarder/backend/bindings.ts'
import { markBase } from '../../../forwarder/health/marks.ts'
import { type HealthTarget, type TargetStatus } from '../../../forwarder/health/target.ts'
import { formatIp, ip } from '../../../net/ip.ts'
import { plainInterface, type Process, startIn, startService } from '../backend/host.ts'
import { connectNamespaces, createNamespace, type Namespace, until } from '../../system/namespace.ts'
import { type Order, type Report } from './prober.ts'

const port = 8080
const dscp = 5
const families = [
  { name: 'IPv4', vip: '198.51.100.10', own: ['10.91.1.2', '10.91.2.2'], ip: 'ip', nft: 'ip' },
  { name: 'IPv6', vip: '2001:db8:51::10', own: ['fd91:1::2', 'fd91:2::2'], ip: 'ip -6', nft: 'ip6' },
] as const
const timing = { intervalMs: 100, timeoutMs: 80, rise: 2, fall: 3 }
const check = { kind: 'tcp', port, ...timing } as const
const targets: readonly HealthTarget[] = families.flatMap(({ vip, own }) =>
  own.map((address, index) => ({
    service: 'default/web',
    vip: ip(vip),
    dscp,
    backend: { name: `be${index + 1}`, ip: ip(address) },
    check,
  })),
)

type Prober = Process & { readonly send: (order: Order) => Promise<Report> }

function startProber(namespace: Namespace, interfaces: string): Prober {
  const script = join(import.meta.dirname, 'prober.ts')
  const process_ = startIn(namespace, [process.execPath, script, interfaces], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    serialization: 'advanced',
  })
  const send = async (order: Order): Promise<Report> => {
    process_.child.send(order)
    const [report] = (await once(process_.child, 'message')) as [Report]
    return report
  }
  return { ...process_, send }
}

describe('health checks through the L3DSR path', () => {
  let lb: Namespace
  let backends: readonly [Namespace, Namespace]
  const services: Process[] = []
  let prober: Prober
  let started = false

  const ruleset = (index: number): string =>
    renderRuleset(families.map(({ vip, own }) => ({ vip: ip(vip), dscp, address: ip(own[index]!) })))
  const vipOnLo = (verb: 'add' | 'del', vip: string): void => {
    const flags = verb === 'add' && vip.includes(':') ? ' nodad' : ''
    backends[0].run(`ip addr ${verb} ${vip}/${vip.includes(':') ? 128 : 32} dev lo${flags}`)
  }
  const statusOf = async (vip: string, name: string): Promise<TargetStatus> => {
    const { status } = await prober.send({ kind: 'status' })
    return status.find(({ target }) => formatIp(target.vip) === vip && target.backend.name === name)!
  }
  const becomes = (vip: string, name: string, up: boolean): Promise<TargetStatus> =>
    until(`${vip} at ${name} to be ${up ? 'up' : 'down'}`, async () => {
      const status = await statusOf(vip, name)
      return status.up === up && status
    })
  /** Every other pair than those of be1 in `family` stays up. */
  const othersUp = async (vip: string): Promise<void> => {
    const { status } = await prober.send({ kind: 'status' })
    for (const { target, up, lastResult } of status) {
      if (target.backend.name === 'be1' && formatIp(target.vip) === vip) continue
      assert.ok(up, `${formatIp(target.vip)} at ${target.backend.name}: ${lastResult}`)
    }
  }

  before(async () => {
    lb = createNamespace()
    backends = [createNamespace(), createNamespace()]
    for (const [index, backend] of backends.entries()) {
      const device = `eth${index + 1}`
      connectNamespaces(lb, backend, device)
      const own = families.map((family) => family.own[index]!)
      plainInterface(lb, device, [`10.91.${index + 1}.1/24`, `fd91:${index + 1}::1/64`])
      plainInterface(backend, device, [`${own[0]}/24`, `${own[1]}/64`])
      for (const { vip } of families) {
        backend.run(
          `ip addr add ${vip}/${vip.includes(':') ? '128 nodad' : '32'} dev lo`.replace(
            ' nodad dev lo',
            ' dev lo nodad',
          ),
        )
      }
      backend.run(`ip route add default via 10.91.${index + 1}.1`)
      backend.run(`ip -6 route add default via fd91:${index + 1}::1`)
      backend.input('nft -f -', ruleset(index))
      services.push(await startService(backend, `be${index + 1}`, port))
    }
    lb.run('ip route add default via 10.91.2.2')
    lb.run('ip -6 route add default via fd91:2::2')
    // The kernel default in many distributions: answers from VIPs would be dropped on eth1.
    lb.run('sysctl -qw net.ipv4.conf.all.rp_filter=1')
    // A host firewall that lets in answers to what it has sent, and neighbour discovery.
    lb.input(
      'nft -f -',
      `table inet fw { chain in { type filter hook input priority 0; policy drop;
        ct state established,related accept; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept; }; }`,
    )
    prober = startProber(lb, 'eth1,eth2')
    started = true
    await prober.send({ kind: 'set', targets, vips: [ip('198.51.100.77')] })
  })

  after(async () => {
    await Promise.all([...services, ...(started ? [prober] : [])].map((each) => each.stop()))
    for (const each of [lb, ...backends]) each.delete()
  })

  it('finds all backends up, past strict reverse path filtering and a stateful firewall', async () => {
    for (const { vip } of families) {
      for (const name of ['be1', 'be2']) {
        const { lastResult } = await becomes(vip, name, true)
        assert.match(lastResult, /^connected in/)
      }
    }
    assert.equal(lb.run('cat /proc/sys/net/ipv4/conf/eth1/rp_filter').trim(), '2')
    assert.equal(lb.run('cat /proc/sys/net/ipv4/conf/all/rp_filter').trim(), '1')
  })

  for (const [index, family] of families.entries()) {
    const { vip, name } = family

    it(`${name}: a backend without its rule is down`, async () => {
      backends[0].run(`nft delete table ${family.nft} torii_backend`)
      const { lastResult } = await becomes(vip, 'be1', false)
      assert.match(lastResult, /no answer within 80 ms/)
      await othersUp(vip)
      backends[0].input('nft -f -', ruleset(0))
      await becomes(vip, 'be1', true)
    })

    it(`${name}: a backend without the VIP on lo is down`, async () => {
      vipOnLo('del', vip)
      await becomes(vip, 'be1', false)
      await othersUp(vip)
      vipOnLo('add', vip)
      await becomes(vip, 'be1', true)
    })

    it(`${name}: a backend whose rule has another id is down`, async () => {
      backends[0].input(
        'nft -f -',
        renderRuleset(
          families.map((each, which) => ({
            vip: ip(each.vip),
            dscp: which === index ? dscp + 1 : dscp,
            address: ip(each.own[0]),
          })),
        ),
      )
      await becomes(vip, 'be1', false)
      await othersUp(vip)
      backends[0].input('nft -f -', ruleset(0))
      await becomes(vip, 'be1', true)
    })
  }

  it('a dead service is refused at once, and found again', async () => {
    await services[0]!.stop()
    for (const { vip } of families) {
      const { lastResult } = await becomes(vip, 'be1', false)
      assert.match(lastResult, /connection refused/)
      assert.ok((await statusOf(vip, 'be2')).up)
    }
    services[0] = await startService(backends[0], 'be1', port)
    for (const { vip } of families) await becomes(vip, 'be1', true)
  })

  it('a dead host is down', async () => {
    backends[0].run('ip link set eth1 down')
    for (const { vip } of families) await becomes(vip, 'be1', false)
    backends[0].run('ip link set eth1 up')
    plainInterface(backends[0], 'eth1', ['fd91:1::2/64'])
    backends[0].run('ip route replace default via 10.91.1.1')
    backends[0].run('ip -6 route replace default via fd91:1::1')
    for (const { vip } of families) await becomes(vip, 'be1', true)
  })

  it('leaves no port in TIME_WAIT', () => {
    assert.equal(lb.run('ss -Htan state time-wait'), '')
  })

  it('puts its rules back when somebody removes or changes them', async () => {
    for (const damage of [
      'delete table ip torii_health',
      'flush table ip6 torii_health',
      'delete table inet torii_guard',
    ]) {
      lb.run(`nft ${damage}`)
      await until(`rules after ${damage}`, () => {
        try {
          const listing = ['ip torii_health', 'ip6 torii_health', 'inet torii_guard']
            .map((table) => lb.run(`nft list table ${table}`))
            .join('')
          return (listing.match(/meta mark map/g) ?? []).length === 2 && listing.includes('198.51.100.77')
        } catch {
          return false
        }
      })
    }
    for (const { vip } of families) await becomes(vip, 'be1', true)
  })

  it('drops a marked packet that no rule steers, and packets for VIPs that would be routed on', () => {
    lb.run('sysctl -qw net.ipv4.ip_forward=1')
    backends[0].run('ip route add 198.51.100.77 via 10.91.1.1')
    assert.throws(() => backends[0].run('ping -c 1 -W 1 198.51.100.77'), { status: 1 })
    const guard = lb.run('nft list table inet torii_guard')
    assert.match(guard, /ip daddr .*198\.51\.100\.77.* counter packets [1-9]/)
    assert.throws(() => lb.run(`ping -c 1 -W 1 -m ${markBase + 0x1234} 198.51.100.10`), { status: 1 })
    assert.match(lb.run('nft list table ip torii_health'), /counter packets [1-9]\d* bytes \d+ drop/)
  })

  it('a target that goes takes its rules along, and one without a check is up and not probed', async () => {
    const none: HealthTarget = { ...targets[0]!, check: { kind: 'none' } }
    const report = await prober.send({ kind: 'set', targets: [none, targets[1]!], vips: [] })
    assert.deepEqual(report.up, [true, true])
    await until('IPv6 steering gone', () => !lb.run('nft list tables').includes('ip6 torii_health'))
    assert.ok(!lb.run('nft list table ip torii_health').includes('10.91.1.2'))
  })

  it('close leaves no table and puts the sysctls back', async () => {
    await prober.send({ kind: 'close' })
    assert.equal(lb.run('nft list tables').trim(), 'table inet fw')
    assert.equal(lb.run('cat /proc/sys/net/ipv4/conf/eth1/rp_filter').trim(), '0')
  })
})

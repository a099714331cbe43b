// Interfaces that refuse the program, come, go and change, while the datapath is up.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type InterfaceState } from '../../../forwarder/model.ts'
import { loadAddon } from '../../../native/binding.ts'
import { until } from '../../system/namespace.ts'
import {
  answersPing,
  createLab,
  type Lab,
  linkNames,
  type NodeProcess,
  optionsOf,
  resolved,
  serviceOf,
  startNode,
  vip4,
} from './lab.ts'

const services = [serviceOf()]

describe('interfaces of the XDP datapath', function () {
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

  const states = async (): Promise<readonly InterfaceState[]> => (await node.status()).interfaces
  const xdpOf = (device: string): boolean =>
    lab.balancer.run(`ip -d link show ${device}`).includes('prog/xdp')
  const setMtu = (mtu: number): void => {
    for (const each of [lab.balancer, lab.client]) each.run(`ip link set c0 mtu ${mtu}`)
  }

  it('that do not exist are named, and attached as soon as they do', async () => {
    await node.set(services, optionsOf({ interfaces: ['c0', 'eth9'] }))
    await resolved(node)
    const problem = "this host has no interface 'eth9', found: c0, b1, b2"
    const before = await node.status()
    assert.deepEqual(before.interfaces, [
      { name: 'c0', mode: 'native', problem: undefined },
      { name: 'eth9', mode: 'none', problem },
    ])
    assert.deepEqual(before.problems, [problem])
    assert.ok(before.vips[0]?.programmed, 'one missing interface stops the others')
    assert.ok(answersPing(lab, vip4))

    lab.balancer.run('ip link add eth9 type veth peer name eth8')
    await until('eth9 to be attached', async () => (await states())[1]?.mode === 'native')
    assert.deepEqual((await node.status()).problems, [])
  })

  it('that go and come back are attached again', async () => {
    lab.balancer.run('ip link add eth9 type veth peer name eth8')
    await node.set(services, optionsOf({ interfaces: ['c0', 'eth9'] }))
    assert.deepEqual((await node.status()).problems, [])
    lab.balancer.run('ip link del eth9')
    await until('its loss to be noticed', async () => (await states())[1]?.mode === 'none')
    lab.balancer.run('ip link add eth9 type veth peer name eth8')
    await until('it to be attached again', async () => (await states())[1]?.mode === 'native')
    assert.ok(xdpOf('eth9'))
  })

  it('that leave the documents are detached', async () => {
    await node.set(services, optionsOf({ interfaces: ['c0', 'b1'] }))
    assert.ok(xdpOf('c0') && xdpOf('b1'))
    await node.set(services, optionsOf({ interfaces: ['b1'] }))
    assert.ok(!xdpOf('c0') && xdpOf('b1'))
    await node.set(services, optionsOf({ interfaces: [] }))
    assert.ok(!xdpOf('b1'))
    assert.ok(!(await node.status()).vips[0]?.programmed, 'programmed without any interface')
  })

  it('whose MTU is too large for native XDP say so, and work in auto', async () => {
    setMtu(9000)
    await node.set(services, optionsOf({ xdpMode: 'native' }))
    const [refused] = await states()
    assert.equal(refused?.mode, 'none')
    assert.match(
      refused.problem ?? '',
      /^the MTU of c0 \(9000\) or of its peer is too large for native XDP: lower it/,
    )
    assert.deepEqual((await node.status()).problems, [refused.problem])

    await node.set(services, optionsOf({ xdpMode: 'auto' }))
    await resolved(node)
    assert.deepEqual(await states(), [{ name: 'c0', mode: 'generic', problem: undefined }])
    assert.ok(answersPing(lab, vip4))
  })

  it('change their mode when the documents do, and keep the old one if the new one is refused', async () => {
    await node.set(services, optionsOf({ xdpMode: 'native' }))
    await node.set(services, optionsOf({ xdpMode: 'generic' }))
    assert.deepEqual(await states(), [{ name: 'c0', mode: 'generic', problem: undefined }])
    await node.set(services, optionsOf({ xdpMode: 'native' }))
    assert.deepEqual(await states(), [{ name: 'c0', mode: 'native', problem: undefined }])

    await node.set(services, optionsOf({ xdpMode: 'generic' }))
    await resolved(node)
    setMtu(9000)
    await node.set(services, optionsOf({ xdpMode: 'native' }))
    const [kept] = await states()
    assert.equal(kept?.mode, 'generic')
    assert.match(kept.problem ?? '', /too large for native XDP/)
    assert.ok(answersPing(lab, vip4))
  })

  it('are attached again when somebody detached the program', async () => {
    await node.set(services, optionsOf())
    const bpf = loadAddon()
    const fd = bpf.bpfGetPinned(join(lab.pins, linkNames(lab)[0]!))
    bpf.bpfLinkDetach(fd)
    bpf.close(fd)
    assert.ok(!xdpOf('c0'))
    await node.set(services, optionsOf())
    assert.ok(xdpOf('c0'))
  })
})

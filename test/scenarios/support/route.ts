// Sends every packet for a VIP to one balancer, whichever the routers would have chosen: a route in each router's
// kernel that is better than the routing daemon's.

import assert from 'node:assert/strict'
import { z } from 'zod'
import { addressesOf, type Lab, macsOf, nextHopsOf } from '../../../demo/lab.ts'
import { type FabricNode } from '../../fabric/fabric.ts'

/** Runs `body` while all routers send `vips` to `balancer` only. */
export async function whileRoutedTo<T>(
  lab: Lab,
  vips: readonly string[],
  balancer: FabricNode,
  body: () => Promise<T>,
): Promise<T> {
  const own = await addressesOf(balancer)
  const routes: (readonly [FabricNode, readonly string[]])[] = []
  for (const router of lab.routers) {
    for (const vip of vips) {
      const hop = (await nextHopsOf(router, vip)).find(({ gateway }) => own.includes(gateway))
      assert.ok(hop, `${router.name} has no route for ${vip} by ${balancer.name}`)
      const family = vip.includes(':') ? '-6' : '-4'
      routes.push([router, [family, vip, 'via', hop.gateway, 'dev', hop.interface, 'metric', '1']])
    }
  }
  const change = async (verb: 'add' | 'del'): Promise<void> => {
    for (const [router, [family = '', ...route]] of routes) {
      const { status, stderr } = await router.exec(['ip', family, 'route', verb, ...route])
      assert.equal(status, 0, stderr)
    }
  }
  await change('add')
  try {
    return await body()
  } finally {
    await change('del')
  }
}

const fdbSchema = z.array(z.object({ mac: z.string(), ifname: z.string() }))

/** The ports of each router's bridge that a balancer is behind. */
export async function linksTo(
  routers: readonly FabricNode[],
  balancer: FabricNode,
): Promise<readonly { readonly router: FabricNode; readonly interfaces: readonly string[] }[]> {
  const macs = await macsOf(balancer)
  return Promise.all(
    routers.map(async (router) => {
      const { stdout } = await router.exec(['bridge', '-j', 'fdb', 'show', 'br', 'br0'])
      const entries = fdbSchema.parse(JSON.parse(stdout))
      const ports = entries.filter(({ mac }) => macs.includes(mac)).map(({ ifname }) => ifname)
      assert.ok(ports.length > 0, `${router.name} does not know where ${balancer.name} is`)
      return { router, interfaces: [...new Set(ports)] }
    }),
  )
}

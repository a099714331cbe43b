// The fabric by the roles of its nodes, and what can be read off each: `torii status`, the routers' sessions and
// routes, the client's pings.

import { z } from 'zod'
import { type Status, statusSchema } from '../api/types.ts'
import { type Fabric, type FabricNode } from '../test/fabric/fabric.ts'
import { StepFailure } from './until.ts'

export type Lab = {
  readonly fabric: Fabric
  readonly client: FabricNode
  readonly routers: readonly FabricNode[]
  readonly balancers: readonly FabricNode[]
  readonly backends: readonly FabricNode[]
}

/** Roles go by the names of the topology: client, tor*, lb*, be*. */
export function labOf(fabric: Fabric): Lab {
  const named = (prefix: string): readonly FabricNode[] =>
    fabric.nodes.filter(({ name }) => name.startsWith(prefix))
  return {
    fabric,
    client: fabric.node('client'),
    routers: named('tor'),
    balancers: named('lb'),
    backends: named('be'),
  }
}

/** What the daemon of a balancer says; undefined while none answers. */
export async function statusOf(balancer: FabricNode): Promise<Status | undefined> {
  const { status, stdout } = await balancer.exec(['torii', 'status', '--json'], { timeoutMs: 10_000 })
  return status === 0 ? statusSchema.parse(JSON.parse(stdout)) : undefined
}

/** As `statusOf`, where a daemon must be there. */
export async function mustStatus(balancer: FabricNode): Promise<Status> {
  const status = await statusOf(balancer)
  if (status !== undefined) return status
  throw new StepFailure(`torii on ${balancer.name} does not answer`, [balancer.main?.tail() ?? ''])
}

const summarySchema = z.record(z.string(), z.unknown())
const peersSchema = z.object({ peers: z.record(z.string(), z.object({ state: z.string() })) })

/** A router's BGP neighbours and their states, as FRR tells them, over all address families. */
export async function neighboursOf(router: FabricNode): Promise<ReadonlyMap<string, string>> {
  const { stdout } = await router.exec(['vtysh', '-c', 'show bgp summary json'], { timeoutMs: 10_000 })
  const states = new Map<string, string>()
  const parsed = summarySchema.safeParse(parseJson(stdout))
  for (const family of Object.values(parsed.data ?? {})) {
    const { data } = peersSchema.safeParse(family)
    for (const [address, { state }] of Object.entries(data?.peers ?? {})) states.set(address, state)
  }
  return states
}

const hopSchema = z.object({ gateway: z.string().optional(), dev: z.string().optional() })
const routesSchema = z.array(hopSchema.extend({ nexthops: z.array(hopSchema).optional() }))
export type NextHop = { readonly gateway: string; readonly interface: string }

/** Where the router's kernel sends packets for `vip`: what counts, whatever the routing daemon believes. */
export async function nextHopsOf(router: FabricNode, vip: string): Promise<readonly NextHop[]> {
  const { stdout } = await router.exec(['ip', '-j', vip.includes(':') ? '-6' : '-4', 'route', 'show', vip])
  const routes = routesSchema.safeParse(parseJson(stdout)).data ?? []
  return routes
    .flatMap((route) => route.nexthops ?? [route])
    .flatMap(({ gateway, dev }) =>
      gateway === undefined || dev === undefined ? [] : [{ gateway, interface: dev }],
    )
}

const addressesSchema = z.array(z.object({ addr_info: z.array(z.object({ local: z.string() })) }))

/** Every address of a node. */
export async function addressesOf(node: FabricNode): Promise<readonly string[]> {
  const { stdout } = await node.exec(['ip', '-j', 'address'])
  const links = addressesSchema.safeParse(parseJson(stdout)).data ?? []
  return links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local))
}

const linksSchema = z.array(z.object({ address: z.string().optional() }))

/** The MACs of a node's interfaces. */
export async function macsOf(node: FabricNode): Promise<readonly string[]> {
  const { stdout } = await node.exec(['ip', '-j', 'link'])
  const links = linksSchema.safeParse(parseJson(stdout)).data ?? []
  return links.flatMap(({ address }) => address ?? []).filter((mac) => mac !== '00:00:00:00:00:00')
}

/** Round trip in milliseconds; undefined without an answer. */
export async function ping(client: FabricNode, address: string): Promise<number | undefined> {
  const { status, stdout } = await client.exec(['ping', '-n', '-c', '1', '-W', '1', address])
  const time = /time=([\d.]+) ms/.exec(stdout)?.[1]
  return status === 0 && time !== undefined ? Number(time) : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

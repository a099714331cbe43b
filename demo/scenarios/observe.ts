// When the whole fabric has noticed that an element is gone or back: conditions that the scenarios wait for.

import { type FabricNode } from '../../test/fabric/fabric.ts'
import { addressesOf, type Lab, nextHopsOf, statusOf } from '../lab.ts'
import { type Found, found, notYet } from '../until.ts'

/** Every router has exactly these balancers as next hops of every VIP. */
export async function routedTo(
  { routers }: Lab,
  vips: readonly string[],
  balancers: readonly FabricNode[],
): Promise<Found<string>> {
  const owner = new Map<string, string>()
  for (const balancer of balancers) {
    for (const address of await addressesOf(balancer)) owner.set(address, balancer.name)
  }
  const wanted = balancers.map(({ name }) => name).sort()
  for (const router of routers) {
    for (const vip of vips) {
      const hops = await nextHopsOf(router, vip)
      const names = new Set(hops.map(({ gateway }) => owner.get(gateway) ?? gateway))
      if (names.size !== wanted.length || !wanted.every((name) => names.has(name))) {
        const have = hops.length === 0 ? 'no route' : [...names].sort().join(', ')
        return notYet(`${router.name} sends ${vip} to ${have}`)
      }
    }
  }
  return found(wanted.join(', '))
}

/** Every balancer holds the backend, for every VIP of it, as `healthy`. */
export async function backendIs(
  { balancers }: Lab,
  backend: string,
  healthy: boolean,
): Promise<Found<string>> {
  for (const balancer of balancers) {
    const status = await statusOf(balancer)
    if (status === undefined) return notYet(`torii on ${balancer.name} does not answer`)
    for (const { vip, backends } of status.vips) {
      const one = backends.list.find(({ name }) => name === backend)
      if (one !== undefined && one.healthy !== healthy) {
        return notYet(`${balancer.name} takes ${backend} as ${one.healthy ? 'up' : 'down'} for ${vip}`)
      }
    }
  }
  return found(healthy ? 'up' : 'down')
}

/** All balancers hold the same table for every VIP: the digests, by VIP. */
export async function sameDigests({ balancers }: Lab): Promise<Found<ReadonlyMap<string, string>>> {
  const digests = new Map<string, string>()
  for (const balancer of balancers) {
    const status = await statusOf(balancer)
    if (status === undefined) return notYet(`torii on ${balancer.name} does not answer`)
    if (status.vips.length === 0) return notYet(`${balancer.name} has no VIP`)
    for (const { vip, digest, programmed } of status.vips) {
      if (!programmed) return notYet(`${balancer.name} has not programmed ${vip}`)
      const other = digests.get(vip)
      if (other !== undefined && other !== digest) {
        return notYet(`${vip} has ${other.slice(0, 12)} and, on ${balancer.name}, ${digest.slice(0, 12)}`)
      }
      digests.set(vip, digest)
    }
  }
  return found(digests)
}

// The smallest fabric: a balancer and a router on one link, both address families.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectNamespaces, createNamespace, type Namespace } from '../../system/namespace.ts'

export const addresses = {
  torii: { 4: '10.78.0.1', 6: 'fd78::1' },
  router: { 4: '10.78.0.2', 6: 'fd78::2' },
} as const

export type Link = {
  readonly balancer: Namespace
  readonly router: Namespace
  /** A folder of the router's own under the system's temporary one. */
  readonly folder: string
  readonly delete: () => void
}

export function createLink(): Link {
  const balancer = createNamespace()
  const router = createNamespace()
  connectNamespaces(balancer, router)
  for (const [namespace, own] of [
    [balancer, addresses.torii],
    [router, addresses.router],
  ] as const) {
    namespace.run(`ip addr add ${own[4]}/24 dev eth0`)
    namespace.run(`ip addr add ${own[6]}/64 dev eth0 nodad`)
  }
  const folder = mkdtempSync(join(tmpdir(), 'torii-bgp-'))
  return {
    balancer,
    router,
    folder,
    delete: () => {
      balancer.delete()
      router.delete()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Waits until `condition` gives something other than false or undefined, for half a minute at most. */
export async function eventually<T>(
  what: string,
  condition: () => T | Promise<T>,
): Promise<Exclude<T, false | undefined>> {
  const deadline = Date.now() + 30_000
  let last: unknown
  for (;;) {
    try {
      const value = await condition()
      if (value !== false && value !== undefined) return value as Exclude<T, false | undefined>
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`waited in vain for: ${what}`, { cause: last })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

// Which balancer carries a connection: only the routers know, since they choose. While a scenario runs, an nftables
// rule on each router notes the client's port of every packet for a VIP that leaves by an interface to a balancer.

import { z } from 'zod'
import { type FabricNode } from '../test/fabric/fabric.ts'
import { addressesOf, type Lab, nextHopsOf } from './lab.ts'
import { StepFailure } from './until.ts'

const table = 'torii_ledger'
const setSchema = z.object({
  nftables: z.array(
    z.object({
      set: z
        .object({
          elem: z
            .array(
              z.union([
                z.object({ concat: z.tuple([z.string(), z.string(), z.number()]) }),
                z.object({
                  elem: z.object({
                    val: z.object({ concat: z.tuple([z.string(), z.string(), z.number()]) }),
                  }),
                }),
              ]),
            )
            .optional(),
        })
        .optional(),
    }),
  ),
})

export type Ledger = {
  /** Client's `ADDRESS PORT` → balancers that carried it since the last `clear`. */
  read(): Promise<ReadonlyMap<string, ReadonlySet<string>>>
  clear(): Promise<void>
  close(): Promise<void>
}

/** As the ledger names a flow. */
export function flowKey(address: string, port: number): string {
  return `${address} ${port}`
}

/** Starts to note TCP flows to `vips`. To be called while every balancer is among the next hops. */
export async function openLedger({ routers, balancers }: Lab, vips: readonly string[]): Promise<Ledger> {
  const owner = new Map<string, string>()
  for (const balancer of balancers) {
    for (const address of await addressesOf(balancer)) owner.set(address, balancer.name)
  }
  const ports = new Map<string, string>()
  for (const router of routers) {
    for (const vip of vips) {
      for (const { gateway, interface: name } of await nextHopsOf(router, vip)) {
        const balancer = owner.get(gateway)
        if (balancer !== undefined) ports.set(`${router.name} ${name}`, balancer)
      }
    }
    await mustNft(router, ruleset(vips))
  }

  return {
    read: async () => {
      const flows = new Map<string, Set<string>>()
      for (const router of routers) {
        for (const family of ['v4', 'v6']) {
          const { stdout } = await router.exec(['nft', '-j', 'list', 'set', 'inet', table, family])
          for (const [name, address, port] of elements(stdout)) {
            const balancer = ports.get(`${router.name} ${name}`)
            if (balancer === undefined) continue
            const key = flowKey(address, port)
            flows.set(key, (flows.get(key) ?? new Set()).add(balancer))
          }
        }
      }
      return flows
    },
    clear: async () => {
      for (const router of routers) {
        await mustNft(router, `flush set inet ${table} v4\nflush set inet ${table} v6\n`)
      }
    },
    close: async () => {
      for (const router of routers) await router.exec(['nft', 'delete', 'table', 'inet', table])
    },
  }
}

function ruleset(vips: readonly string[]): string {
  const of = (six: boolean): string => vips.filter((vip) => vip.includes(':') === six).join(', ')
  const rule = (protocol: 'ip' | 'ip6', set: string, members: string): string =>
    members === ''
      ? ''
      : `${protocol} daddr { ${members} } meta l4proto tcp update @${set} { meta oif . ${protocol} saddr . tcp sport }`
  return `table inet ${table}
delete table inet ${table}
table inet ${table} {
  set v4 { typeof meta oif . ip saddr . tcp sport; flags dynamic; size 65536; }
  set v6 { typeof meta oif . ip6 saddr . tcp sport; flags dynamic; size 65536; }
  chain leaving {
    type filter hook postrouting priority 0;
    ${rule('ip', 'v4', of(false))}
    ${rule('ip6', 'v6', of(true))}
  }
}
`
}

function elements(stdout: string): readonly (readonly [string, string, number])[] {
  const { nftables } = setSchema.parse(JSON.parse(stdout))
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map((each) => ('concat' in each ? each.concat : each.elem.val.concat))
}

async function mustNft(router: FabricNode, input: string): Promise<void> {
  const { status, stderr } = await router.exec(['nft', '-f', '-'], { input })
  if (status !== 0) throw new StepFailure(`nft on ${router.name}: ${stderr.trim()}`)
}

// Which balancer carries a connection: only the routers know, since they choose. While a scenario runs, an nftables
// rule on each router notes the client's port of every packet for a VIP, and the MAC that it is sent to: balancers
// may share a router's interface (a bridge), never a MAC.

import { z } from 'zod'
import { type FabricNode } from '../test/fabric/fabric.ts'
import { type Lab, macsOf, nextHopsOf } from './lab.ts'
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
  for (const balancer of balancers) for (const mac of await macsOf(balancer)) owner.set(mac, balancer.name)
  for (const router of routers) {
    const hops = await Promise.all(vips.map((vip) => nextHopsOf(router, vip)))
    await mustNft(router, ruleset(vips, new Set(hops.flat().map((hop) => hop.interface))))
  }

  return {
    read: async () => {
      const flows = new Map<string, Set<string>>()
      for (const router of routers) {
        for (const family of ['v4', 'v6']) {
          const { stdout } = await router.exec(['nft', '-j', 'list', 'set', 'netdev', table, family])
          for (const [mac, address, port] of elements(stdout)) {
            const balancer = owner.get(mac)
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
        await mustNft(router, `flush set netdev ${table} v4\nflush set netdev ${table} v6\n`)
      }
    },
    close: async () => {
      for (const router of routers) await router.exec(['nft', 'delete', 'table', 'netdev', table])
    },
  }
}

function ruleset(vips: readonly string[], interfaces: ReadonlySet<string>): string {
  const rule = (protocol: 'ip' | 'ip6', set: string): string => {
    const members = vips.filter((vip) => vip.includes(':') === (protocol === 'ip6')).join(', ')
    return members === ''
      ? ''
      : `${protocol} daddr { ${members} } meta l4proto tcp update @${set} { ether daddr . ${protocol} saddr . tcp sport }`
  }
  const chains = [...interfaces].map(
    (name) => `  chain leaving_${name.replace(/\W/g, '_')} {
    type filter hook egress device "${name}" priority 0;
    ${rule('ip', 'v4')}
    ${rule('ip6', 'v6')}
  }`,
  )
  return `table netdev ${table}
delete table netdev ${table}
table netdev ${table} {
  set v4 { typeof ether daddr . ip saddr . tcp sport; flags dynamic; size 65536; }
  set v6 { typeof ether daddr . ip6 saddr . tcp sport; flags dynamic; size 65536; }
${chains.join('\n')}
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

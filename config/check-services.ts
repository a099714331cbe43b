// LoadBalancers and what they refer to: pools that exist, VIPs inside them, backends outside of them.

import { formatIp } from '../net/ip.ts'
import { type Document } from './document.ts'
import { type Findings, formatLine } from './findings.ts'
import { type LoadBalancer } from './model.ts'
import { type PoolIndex } from './pool-index.ts'
import { namesOf, type Resource, type Resources } from './resources.ts'
import { nearest } from './suggest.ts'

/** Reports what does not fit; `pools` is the index of all pools that could be read. */
export function checkServices(
  resources: Resources,
  pools: PoolIndex & { readonly complete: boolean },
  findings: Findings,
): void {
  const { loadBalancers } = resources
  const poolNames = namesOf('IPAddressPool', resources)
  const owners = new Map<string, Document>()
  for (const { document, value } of loadBalancers) {
    checkPoolName({ document, value }, poolNames, findings)
    for (const [index, address] of value.addresses.entries()) {
      const head = document.at(['spec', 'addresses', index])
      const text = formatIp(address)
      const pool = pools.holding(address)
      const owner = owners.get(text)
      if (owner !== undefined)
        findings.problem({
          ...head,
          message: `found ${text}, which ${owner.at([]).document} asks for too (${formatLine(owner.place)}), expected each VIP in one LoadBalancer only`,
        })
      owners.set(text, owner ?? document)
      // A pool that could not be read may be the one.
      if (pool === undefined && pools.complete)
        findings.problem({
          ...head,
          message: `found ${text}, a VIP outside every pool, expected an address of ${value.pool === undefined || !poolNames.has(value.pool) ? 'a pool' : `the pool ${value.pool}`}`,
          remedy: 'choose another, or add it to the addresses of an IPAddressPool',
        })
      if (
        pool !== undefined &&
        value.pool !== undefined &&
        pool.name !== value.pool &&
        poolNames.has(value.pool)
      )
        findings.problem({
          ...head,
          message: `found ${text}, an address of the pool ${pool.name}, expected one of the pool ${value.pool}`,
        })
    }
  }
  checkBackendAddresses(loadBalancers, pools, findings)
}

function checkPoolName(
  { document, value: { pool } }: Resource<LoadBalancer>,
  poolNames: ReadonlySet<string>,
  findings: Findings,
): void {
  if (pool === undefined || poolNames.has(pool)) return
  const meant = nearest(pool, [...poolNames])
  findings.problem({
    ...document.at(['spec', 'pool']),
    message: `found '${pool}', expected the name of an IPAddressPool: ${shortList([...poolNames])}`,
    remedy: meant === undefined ? undefined : `did you mean '${meant}'?`,
  })
}

function checkBackendAddresses(
  loadBalancers: readonly Resource<LoadBalancer>[],
  pools: PoolIndex,
  findings: Findings,
): void {
  const names = new Map<string, string>()
  for (const { document, value } of loadBalancers) {
    for (const [index, { name, addresses }] of value.backends.entries()) {
      for (const [position, address] of addresses.entries()) {
        const path = ['spec', 'backends', index, 'addresses', position]
        const text = formatIp(address)
        const pool = pools.holding(address)
        if (pool !== undefined)
          findings.problem({
            ...document.at(path),
            message: `found ${text}, an address of the pool ${pool.name}, expected the backend's own`,
          })
        const other = names.get(text)
        if (other === undefined) names.set(text, name)
        else if (other !== name && !value.backends.some((each) => each.name === other))
          findings.warning({
            ...document.at(path),
            message: `found ${text} of the backend ${name}, which is ${other}'s in another LoadBalancer`,
            remedy: 'give a host the same name everywhere: its agent asks for one name',
          })
      }
    }
  }
}

const namesShown = 10

function shortList(names: readonly string[]): string {
  if (names.length === 0) return 'there is none'
  const more = names.length - namesShown
  return [...names.slice(0, namesShown), ...(more > 0 ? [`${more} more`] : [])].join(', ')
}

// What the owner of a refused service reads: what was found, what was expected, what to do.

import { type Family, type Ip, formatIp } from '../net/ip.ts'
import { type DscpHolder } from './dscp.ts'
import { type Pool, type Refusal, type Request } from './model.ts'

export function unknownPool({ id, pool }: Request, pools: readonly Pool[]): Refusal {
  const known = pools.length === 0 ? 'there are no pools' : `there are ${pools.map(nameOf).join(', ')}`
  return refusal(id, 'unknownPool', `no pool is named '${pool ?? ''}', ${known}: name one of them or add it`)
}

/** A pool that was asked for, by its name or by one of its addresses. */
export function poolNotAllowed({ id }: Request, pool: Pool): Refusal {
  return refusal(
    id,
    'poolNotAllowed',
    `${nameOf(pool)} does not serve it: its serviceAllocation must match the service, or the service use another pool`,
  )
}

/** No pool was asked for and none may be taken. */
export function noPoolAllowed({ id }: Request, pools: readonly Pool[]): Refusal {
  const why = pools.map(
    (pool) => `${nameOf(pool)} ${pool.autoAssign ? 'does not serve it' : 'is given out on request only'}`,
  )
  const found = why.length === 0 ? 'there are no pools' : `no pool may be taken (${why.join(', ')})`
  return refusal(id, 'poolNotAllowed', `${found}: name a pool, or have one with autoAssign that serves it`)
}

export function notInAnyPool({ id }: Request, ip: Ip): Refusal {
  return refusal(id, 'notInPool', `${formatIp(ip)} is in no pool: add it to one or ask for another address`)
}

export function leftOut({ id }: Request, ip: Ip, pool: Pool): Refusal {
  const why = `${nameOf(pool)} leaves out addresses that end in .0 or .255 (avoidBuggyIPs)`
  return refusal(id, 'notInPool', `${formatIp(ip)} is not given out: ${why}: ask for another address`)
}

export function inOtherPool({ id }: Request, ip: Ip, found: Pool, expected: Pool): Refusal {
  const message = `${formatIp(ip)} is in ${nameOf(found)}, expected in ${nameOf(expected)}`
  return refusal(id, 'notInPool', `${message}: all addresses of a service come from one pool`)
}

export function addressInUse({ id }: Request, ip: Ip, owner: string): Refusal {
  return refusal(
    id,
    'addressInUse',
    `${formatIp(ip)} belongs to ${owner}: ask for another address, or move that service first`,
  )
}

/** None of the pools that may be taken has a free address of every family; `inUse` of a pool by family. */
export function poolExhausted(
  { id }: Request,
  families: readonly Family[],
  lacking: readonly { readonly pool: Pool; readonly family: Family; readonly inUse: number }[],
): Refusal {
  const found = lacking.map(({ pool, family, inUse }) =>
    pool.ranges.some(({ first }) => first.family === family)
      ? `${nameOf(pool)} has no free IPv${family} address (${inUse} in use)`
      : `${nameOf(pool)} has no IPv${family} addresses`,
  )
  const expected = families.length > 1 ? ': a service takes both families from one pool' : ''
  return refusal(id, 'poolExhausted', `${found.join(', ')}${expected}: add a range or remove a service`)
}

export function dscpExhausted(
  { id }: Request,
  family: Family,
  holders: readonly { readonly id: number; readonly holder: DscpHolder }[],
): Refusal {
  const who = holders.map(({ id, holder }) => `${id} by ${holder.service} (${formatIp(holder.vip)})`)
  const found =
    who.length === 0
      ? 'no DSCP id may be used'
      : `all ${who.length} DSCP ids are in use at its IPv${family} backends: ${who.join(', ')}`
  return refusal(
    id,
    'dscpExhausted',
    `${found}: allow more ids in the Datapath document, or use other backends`,
  )
}

function nameOf(pool: Pool): string {
  return `pool '${pool.name}'`
}

function refusal(id: string, reason: Refusal['reason'], message: string): Refusal {
  return { id, reason, message }
}

// DSCP ids by greedy colouring: a backend tells VIPs apart by the id alone, so two VIPs of one family that share a
// backend address must differ. VIPs that share none may have the same id, which makes 63 ids enough for any number of
// VIPs. The families do not meet: an IPv4 packet only ever needs an IPv4 VIP.

import { type Family, type Ip } from '../net/ip.ts'

/** Who has an id. */
export type DscpHolder = { readonly service: string; readonly vip: Ip }

export type DscpBook = {
  /** Whether no VIP at one of the backends has the id; false too for an id that is not to be used. */
  isFree(id: number, family: Family, backends: readonly Ip[]): boolean
  lowestFree(family: Family, backends: readonly Ip[]): number | undefined
  /** Takes a free id for a VIP of `holder.vip`'s family. */
  take(id: number, holder: DscpHolder, backends: readonly Ip[]): void
  /** Undoes `take`. */
  release(id: number, family: Family, backends: readonly Ip[]): void
  /** For each id that is not free, one of those who have it, by id. */
  holders(
    family: Family,
    backends: readonly Ip[],
  ): readonly { readonly id: number; readonly holder: DscpHolder }[]
}

/** A book in which all of `ids` are free. */
export function dscpBook(ids: readonly number[]): DscpBook {
  const usable = [...new Set(ids)].sort((a, b) => a - b)
  // By backend, then by id.
  const taken = {
    4: new Map<bigint, Map<number, DscpHolder>>(),
    6: new Map<bigint, Map<number, DscpHolder>>(),
  }
  const at = (family: Family, backends: readonly Ip[]): readonly Map<number, DscpHolder>[] =>
    backends.filter((ip) => ip.family === family).flatMap((ip) => taken[family].get(ip.value) ?? [])
  return {
    isFree: (id, family, backends) =>
      usable.includes(id) && at(family, backends).every((holders) => !holders.has(id)),
    lowestFree: (family, backends) => {
      const there = at(family, backends)
      return usable.find((id) => there.every((holders) => !holders.has(id)))
    },
    take: (id, holder, backends) => {
      const { family } = holder.vip
      for (const ip of backends) {
        if (ip.family !== family) continue
        const holders = taken[family].get(ip.value) ?? new Map<number, DscpHolder>()
        taken[family].set(ip.value, holders.set(id, holder))
      }
    },
    release: (id, family, backends) => {
      for (const holders of at(family, backends)) holders.delete(id)
    },
    holders: (family, backends) => {
      const there = at(family, backends)
      return usable.flatMap((id) => {
        const holder = there.find((holders) => holders.has(id))?.get(id)
        return holder === undefined ? [] : [{ id, holder }]
      })
    },
  }
}

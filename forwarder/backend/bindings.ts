// What a backend host must do for its VIPs, and the nftables file that does it: a packet that arrives at the host's
// own address with a VIP's DSCP id gets the VIP back as its destination. Stateless; the two ECN bits are kept, and
// nftables corrects the checksums by the difference.

import { compareIp, formatIp, sameIp, type Family, type Ip } from '../../net/ip.ts'

/** `address` is the backend's own, of the VIP's family; packets for the VIP arrive there with `dscp` (1 to 63). */
export type Binding = { readonly vip: Ip; readonly dscp: number; readonly address: Ip }

/** The table's name in both families. */
export const backendTable = 'torii_backend'
export const tableFamilies = [
  { family: 4, keyword: 'ip', type: 'ipv4_addr' },
  { family: 6, keyword: 'ip6', type: 'ipv6_addr' },
] as const satisfies readonly { family: Family; keyword: string; type: string }[]
export type TableKeyword = (typeof tableFamilies)[number]['keyword']

/** Why these bindings cannot stand together, one sentence each; none if they can. */
export function conflictsIn(bindings: readonly Binding[]): readonly string[] {
  const conflicts: string[] = []
  const holders = new Map<string, Binding>()
  for (const binding of bindings) {
    const { vip, dscp, address } = binding
    const name = `VIP ${formatIp(vip)}`
    if (!Number.isInteger(dscp) || dscp < 1 || dscp > 63) {
      conflicts.push(`${name}: DSCP id ${dscp}, expected a whole number from 1 to 63`)
    }
    if (vip.family !== address.family) {
      conflicts.push(`${name} and the host's address ${formatIp(address)} are of two families`)
    }
    if (sameIp(vip, address))
      conflicts.push(`${name} is the host's own address: it needs one besides the VIP`)
    const place = `${formatIp(address)} ${dscp}`
    const holder = holders.get(place)
    if (holder !== undefined && !sameIp(holder.vip, vip)) {
      conflicts.push(
        `DSCP id ${dscp} at ${formatIp(address)} stands for ${formatIp(holder.vip)} and for ${formatIp(vip)}: ` +
          'give one of them another id',
      )
    }
    holders.set(place, binding)
  }
  return conflicts
}

/**
 * An nftables file that replaces Torii's two tables, in one transaction and nothing else on the host. The same
 * bindings in any order give the same text. Throws `RangeError` on conflicting bindings.
 */
export function renderRuleset(bindings: readonly Binding[]): string {
  const conflicts = conflictsIn(bindings)
  if (conflicts.length > 0) throw new RangeError(conflicts.join('; '))
  const parts = tableFamilies.map(({ family, keyword }) => {
    // `table` before `delete table`: deleting one that is not there would fail the transaction.
    const replace = `table ${keyword} ${backendTable}\ndelete table ${keyword} ${backendTable}\n`
    return replace + renderTable(bindings, family)
  })
  return `# L3DSR: the destination of packets for VIPs, restored by DSCP id. Written by torii.\n${parts.join('')}`
}

/** One family's table as nft itself would list it; empty without bindings of that family. */
export function renderTable(bindings: readonly Binding[], family: Family): string {
  const mine = distinct(bindings.filter((binding) => binding.vip.family === family))
  const words = tableFamilies.find((each) => each.family === family)
  if (mine.length === 0 || words === undefined) return ''
  const { keyword, type } = words
  const rules = mine.map(
    ({ vip, dscp, address }) =>
      `\t\t${keyword} daddr ${formatIp(address)} ${keyword} dscp ${hex(dscp)} counter ` +
      `${keyword} daddr set ${formatIp(vip)} ${keyword} dscp set cs0 notrack comment "VIP ${formatIp(vip)}"`,
  )
  const vips = vipsOf(mine).map(formatIp).join(', ')
  return `table ${keyword} ${backendTable} {
	set vips {
		type ${type}
		elements = { ${vips} }
	}

	chain restore {
		type filter hook prerouting priority raw; policy accept;
${rules.join('\n')}
	}

	chain reply {
		type filter hook output priority raw; policy accept;
		${keyword} saddr @vips notrack comment "the request was not tracked: a tracked reply would be invalid"
	}

	chain guard {
		type filter hook forward priority raw; policy accept;
		${keyword} daddr @vips counter drop comment "a VIP missing on lo must not be routed back to the balancers"
	}
}
`
}

/** The VIPs, each once, in address order. */
export function vipsOf(bindings: readonly Binding[]): readonly Ip[] {
  const sorted = bindings.map((binding) => binding.vip).sort(compareIp)
  return sorted.filter((vip, index) => index === 0 || compareIp(vip, sorted[index - 1] ?? vip) !== 0)
}

function distinct(bindings: readonly Binding[]): readonly Binding[] {
  const byPlace = new Map(
    bindings.map((binding) => [`${formatIp(binding.address)} ${binding.dscp}`, binding]),
  )
  return [...byPlace.values()].sort((a, b) => compareIp(a.address, b.address) || a.dscp - b.dscp)
}

function hex(dscp: number): string {
  return `0x${dscp.toString(16).padStart(2, '0')}`
}

// What must agree inside one LoadBalancer: families, ports, backends.

import { type Family, formatIp, type Ip } from '../net/ip.ts'
import { formatFamily } from './addresses.ts'
import { refuseRepeats } from './distinct.ts'
import { type Document } from './document.ts'
import { type Findings, formatPath, type Path } from './findings.ts'
import { type LoadBalancerSpec } from './load-balancer.ts'

/** Reports everything that is wrong; `families` are those in use. */
export function checkLoadBalancer(
  spec: LoadBalancerSpec,
  families: readonly Family[],
  document: Document,
  findings: Findings,
): void {
  checkLists(spec, document, findings)
  checkFamilies(spec, families, document, findings)
  checkBackends(spec, families, document, findings)
}

function checkLists(
  { addresses, ports, backends, ipFamilies = [] }: LoadBalancerSpec,
  document: Document,
  findings: Findings,
): void {
  const repeats = (keys: readonly string[], name: string, field?: string): void =>
    refuseRepeats(keys, ['spec', name], document, findings, (index) =>
      field === undefined ? ['spec', name, index] : ['spec', name, index, field],
    )
  repeats(ipFamilies, 'ipFamilies')
  repeats(
    ports.map(({ protocol, port }) => `${protocol} ${port}`),
    'ports',
    'port',
  )
  // Ports without a name may be many.
  repeats(
    ports.map(({ name }, index) => name ?? `${index}`),
    'ports',
    'name',
  )
  repeats(
    backends.map(({ name }) => name),
    'backends',
    'name',
  )
  refuseSameFamily(addresses, ['spec', 'addresses'], document, findings)
  const owners = new Map<string, string>()
  for (const [index, backend] of backends.entries()) {
    const path = ['spec', 'backends', index, 'addresses']
    refuseSameFamily(backend.addresses, path, document, findings)
    for (const [position, address] of backend.addresses.entries()) {
      const owner = owners.get(formatIp(address))
      owners.set(formatIp(address), backend.name)
      if (owner === undefined || owner === backend.name) continue
      findings.problem({
        ...document.at([...path, position]),
        message: `found ${formatIp(address)}, which is the backend ${owner}'s, expected each address only once`,
      })
    }
  }
}

function refuseSameFamily(
  addresses: readonly Ip[],
  path: Path,
  document: Document,
  findings: Findings,
): void {
  for (const [index, { family }] of addresses.entries()) {
    const first = addresses.findIndex((each) => each.family === family)
    if (first === index) continue
    findings.problem({
      ...document.at([...path, index]),
      message: `found a second ${formatFamily(family)} address beside ${formatPath([...path, first])}, expected at most one of each family`,
    })
  }
}

function checkFamilies(
  { addresses, backends, ipFamilies }: LoadBalancerSpec,
  families: readonly Family[],
  document: Document,
  findings: Findings,
): void {
  if (families.length === 0)
    findings.problem({
      ...document.at(['spec', 'backends']),
      message: 'no address family: there is neither a backend, nor addresses, nor ipFamilies',
      remedy: 'add one of them',
    })
  else if (backends.length === 0)
    findings.warning({
      ...document.at(['spec', 'backends']),
      message: 'there is no backend: the VIPs are kept but not announced',
    })
  if (ipFamilies === undefined || addresses.length === 0) return
  for (const [index, { family }] of addresses.entries()) {
    if (families.includes(family)) continue
    findings.problem({
      ...document.at(['spec', 'addresses', index]),
      message: `found an ${formatFamily(family)} address, expected one of ipFamilies: ${families.map(formatFamily).join(', ')}`,
    })
  }
  for (const [index, written] of ipFamilies.entries()) {
    if (addresses.some(({ family }) => formatFamily(family) === written)) continue
    findings.problem({
      ...document.at(['spec', 'ipFamilies', index]),
      message: `found ${written}, but addresses has none of it, expected one of each family`,
      remedy: `add an ${written} address, or remove the family`,
    })
  }
}

function checkBackends(
  { backends }: LoadBalancerSpec,
  families: readonly Family[],
  document: Document,
  findings: Findings,
): void {
  for (const [index, backend] of backends.entries()) {
    for (const family of families) {
      if (backend.addresses.some((address) => address.family === family)) continue
      const others = families.filter((each) => each !== family)
      findings.problem({
        ...document.at(['spec', 'backends', index, 'addresses']),
        message: `found no ${formatFamily(family)} address of ${backend.name}, expected one of every family in use: ${families.map(formatFamily).join(', ')}`,
        remedy:
          others.length === 0
            ? `add an ${formatFamily(family)} address`
            : `add an ${formatFamily(family)} address, or set ipFamilies: [${others.map(formatFamily).join(', ')}]`,
      })
    }
  }
  if (backends.length > 0 && backends.every(({ weight }) => weight === 0))
    findings.warning({
      ...document.at(['spec', 'backends']),
      message: 'the weights add up to zero: no backend gets flows, and the VIPs are not announced',
    })
}

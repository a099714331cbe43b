// Torii's LoadBalancer (torii.dev/v1alpha1): a service's ports, backends and health check, and which VIPs it asks for.

import { type z } from 'zod'
import { type Family, type Ip } from '../net/ip.ts'
import { formatFamily, hostAddress } from './addresses.ts'
import { checkLoadBalancer } from './check-load-balancer.ts'
import { type Document } from './document.ts'
import { duration } from './duration.ts'
import { fields, integer, listOf, oneOf, someOf, text, word } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { header, host, metadata } from './metadata.ts'
import { type HealthCheck, type LoadBalancer } from './model.ts'

const port = integer(1, 65535)
const portName = word(
  /^(?=.{1,63}$)[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/,
  'a name: lower-case letters, digits and -',
)
const checkTimes = duration(10, 3_600_000)

const healthCheck = fields({
  type: oneOf('TCP', 'None').default('TCP'),
  port: port.optional(),
  interval: checkTimes.default(1000),
  timeout: checkTimes.default(500),
  rise: integer(1, 255).default(2),
  fall: integer(1, 255).default(3),
})

const spec = fields({
  pool: text('the name of an IPAddressPool').optional(),
  addresses: listOf(hostAddress).default([]),
  ipFamilies: someOf(oneOf('IPv4', 'IPv6'), 'a list of IPv4, IPv6 or both').optional(),
  ports: someOf(
    fields({ name: portName.optional(), protocol: oneOf('TCP', 'UDP').default('TCP'), port }),
    'a list of at least one port',
  ),
  backends: listOf(
    fields({
      name: host,
      addresses: someOf(hostAddress, 'a list of one address of every family in use'),
      weight: integer(0, 256).default(1),
      state: oneOf('active', 'down').default('active'),
    }),
    'a list of backends',
  ),
  healthCheck: healthCheck.optional(),
  mode: oneOf('L3DSR').default('L3DSR'),
})
const schema = fields({ ...header, metadata: metadata(), spec })

export type LoadBalancerSpec = z.output<typeof spec>

/** Undefined after its problems were reported. */
export function readLoadBalancer(document: Document, findings: Findings): LoadBalancer | undefined {
  const read = conform(schema, document, findings)
  if (read === undefined) return undefined
  const { name, namespace = 'default', labels = {} } = read.metadata
  const { pool, addresses, ports, backends } = read.spec
  const families = familiesOf(read.spec)
  checkLoadBalancer(read.spec, families, document, findings)
  return {
    id: `${namespace}/${name}`,
    namespace,
    name,
    labels,
    pool,
    addresses,
    families,
    ports: ports.map(({ protocol, port }) => ({ protocol, port })),
    backends,
    healthCheck: healthCheckOf(read.spec, document, findings),
    place: document.place,
  }
}

/** Those written; else those of the VIPs written; else all that a backend has. */
function familiesOf({ ipFamilies, addresses, backends }: LoadBalancerSpec): readonly Family[] {
  const familiesIn = (list: readonly Ip[]): readonly Family[] => [
    ...new Set(list.map(({ family }) => family)),
  ]
  if (ipFamilies !== undefined)
    return [...new Set(ipFamilies.map((family): Family => (family === formatFamily(4) ? 4 : 6)))]
  return addresses.length > 0
    ? familiesIn(addresses)
    : familiesIn(backends.flatMap((backend) => backend.addresses))
}

function healthCheckOf(
  { healthCheck: written, ports }: LoadBalancerSpec,
  document: Document,
  findings: Findings,
): HealthCheck {
  const tcpPorts = ports.filter(({ protocol }) => protocol === 'TCP').map((each) => each.port)
  const { type, port = tcpPorts[0], interval, timeout, rise, fall } = written ?? healthCheck.parse({})
  if (type === 'None') return { kind: 'none' }
  if (port === undefined) {
    // Over UDP silence says nothing.
    if (written !== undefined)
      findings.problem({
        ...document.at(['spec', 'healthCheck', 'port']),
        message: 'missing, expected the TCP port to check: the service has none',
        remedy: 'name one, or set type: None',
      })
    return { kind: 'none' }
  }
  if (!tcpPorts.includes(port))
    findings.warning({
      ...document.at(['spec', 'healthCheck', 'port']),
      message: `found ${port}, which is no TCP port of the service: ${tcpPorts.join(', ') || 'it has none'}`,
    })
  return { kind: 'tcp', port, intervalMs: interval, timeoutMs: timeout, rise, fall }
}

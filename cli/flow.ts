// How a flow is written on the command line: `SRC:PORT DST:PORT/PROTO`, IPv6 in brackets.

import { type FlowQuery } from '../api/types.ts'
import { formatIp, parseIp, type Ip } from '../net/ip.ts'
import { CliError, ExitCode } from './exit.ts'

const endpoint = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/

function parseEndpoint(text: string, what: string): { readonly ip: Ip; readonly port: number } {
  const match = endpoint.exec(text)
  const ip = parseIp(match?.[1] ?? match?.[2] ?? '')
  const port = Number(match?.[3] ?? NaN)
  if (ip === undefined || !(port <= 65535)) {
    throw new CliError(
      `${what}: found '${text}', expected ADDRESS:PORT, an IPv6 address in brackets: 192.0.2.7:4711 or [2001:db8::7]:4711`,
      ExitCode.usage,
    )
  }
  return { ip, port }
}

/** Throws `CliError` (usage) naming the argument, what was found and what was expected. */
export function parseFlow(source: string, destination: string): FlowQuery {
  const slash = destination.lastIndexOf('/')
  const protocol = slash < 0 ? '' : destination.slice(slash + 1).toLowerCase()
  if (protocol !== 'tcp' && protocol !== 'udp') {
    throw new CliError(
      `DST: found '${destination}', expected ADDRESS:PORT/PROTO with PROTO tcp or udp, as in 198.51.100.10:80/tcp`,
      ExitCode.usage,
    )
  }
  const from = parseEndpoint(source, 'SRC')
  const to = parseEndpoint(destination.slice(0, slash), 'DST')
  if (from.ip.family !== to.ip.family) {
    throw new CliError(`SRC and DST are of two families: '${source}' and '${destination}'`, ExitCode.usage)
  }
  return {
    source: formatIp(from.ip),
    sourcePort: from.port,
    destination: formatIp(to.ip),
    destinationPort: to.port,
    protocol,
  }
}

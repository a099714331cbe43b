// `torii trace`: what this node does with one flow, and why.

import { Command } from 'commander'
import { callApi } from '../api/client.ts'
import { type FlowQuery, traceSchema, type Trace } from '../api/types.ts'
import { ExitCode } from './exit.ts'
import { parseFlow } from './flow.ts'
import { jsonOption, socketOption } from './socket.ts'

const help = `
Examples:
  torii trace 192.0.2.7:4711 198.51.100.10:80/tcp
  torii trace '[2001:db8::7]:4711' '[2001:db8:100::10]:80/tcp'
  torii trace --config /etc/torii 192.0.2.7:4711 198.51.100.10:80/tcp    without a daemon: all backends taken as healthy

The answer comes from the code that specifies the datapath, on the tables in force, so it is what the XDP
program does. Exit code 1 if the flow is not forwarded.`

function render(trace: Trace): string {
  const lines = [`flow      ${trace.flow}`, `verdict   ${trace.verdict}`]
  if (trace.service !== undefined) lines.push(`service   ${trace.service}`)
  if (trace.row !== undefined) lines.push(`row       ${trace.row} of ${trace.tableSize ?? 0}`)
  if (trace.backend !== undefined) lines.push(`backend   ${trace.backend.name} ${trace.backend.address}`)
  if (trace.dscp !== undefined) lines.push(`DSCP      ${trace.dscp}`)
  if (trace.nextHop !== undefined) lines.push(`next hop  ${trace.nextHop.mac} on ${trace.nextHop.interface}`)
  return [...lines, 'why', ...trace.why.map((reason) => `  ${reason}`), ''].join('\n')
}

function queryOf(flow: FlowQuery): string {
  const { sourcePort, destinationPort, ...texts } = flow
  return new URLSearchParams({
    ...texts,
    sourcePort: String(sourcePort),
    destinationPort: String(destinationPort),
  }).toString()
}

export function traceCommand(): Command {
  return new Command('trace')
    .description('which VIP, row, backend, DSCP and next hop a flow gets on this node, and why')
    .argument('<SRC>', 'the client: ADDRESS:PORT, IPv6 in brackets')
    .argument('<DST>', 'the VIP: ADDRESS:PORT/PROTO')
    .option('-c, --config <PATH...>', 'offline: from these documents instead of the running daemon')
    .addOption(socketOption())
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action(
      async (
        source: string,
        destination: string,
        options: { config?: string[]; socket: string; json?: true },
      ) => {
        const flow = parseFlow(source, destination)
        const trace =
          options.config === undefined
            ? await callApi(options.socket, 'GET', `/v1/trace?${queryOf(flow)}`, traceSchema)
            : await (await import('../daemon/offline.ts')).traceOffline(options.config, flow)
        process.stdout.write(options.json === true ? `${JSON.stringify(trace, null, 2)}\n` : render(trace))
        process.exitCode = trace.verdict === 'forward' ? ExitCode.done : ExitCode.no
      },
    )
}

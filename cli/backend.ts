// `torii backend`: what a backend host does for its VIPs, by an agent (`run`), as a file (`render`), or compared with
// what is there (`check`).

import { Command, InvalidArgumentError } from 'commander'
import { renderHost } from '../forwarder/backend/render.ts'
import { ExitCode } from './exit.ts'
import { createSource, type BackendSources, sourceOptions, type SourceFlags } from './backend-source.ts'
import { differences } from '../forwarder/backend/agent.ts'
import { jsonOption } from './socket.ts'

const runHelp = `
What it does, for every VIP of this host: puts the VIP on lo, restores it as the destination of packets that arrive
with its DSCP id (nftables table torii_backend), and keeps the kernel from answering ARP for it. It looks again every
few seconds and after every change of the network, and repairs what was changed.

SIGTERM and SIGINT undo all of it, unless --stay. A killed agent leaves everything in place; the next one goes on.

Examples:
  torii backend run --balancer http://10.0.1.11:7471 --balancer http://10.0.1.12:7471
  torii backend run --config /etc/torii --name be1      the same documents as the balancers, no daemon asked`

const renderHelp = `
Prints an nftables file, with the addresses and kernel settings that belong to it as comments: for hosts that other
tools manage. It loads as it is: torii backend render … | nft -f -`

const checkHelp = `
Exit code 0 if the host is as it should be, 1 if not: what differs is printed, nothing is changed.`

export function backendCommand(sources: BackendSources): Command {
  const backend = new Command('backend').description(
    'the backend side of L3DSR: VIPs on lo, restored by DSCP id',
  )
  const run = new Command('run')
    .description('keep this host ready for its VIPs')
    .option('--stay', 'leave everything in place when ending')
    .option(
      '--interval <DURATION>',
      'how often to ask and to look for changes, as in 500ms or 5s',
      parseDuration,
      2000,
    )
    .option('--undo <DIR>', 'where to remember what was changed', '/run/torii-backend')
    .option('--log-level <LEVEL>', 'debug, info, warn or error', 'info')
    .addHelpText('after', runHelp)
    .action(
      async (flags: SourceFlags & { stay?: true; interval: number; undo: string; logLevel: string }) => {
        const { runBackendAgent } = await import('./backend-run.ts')
        process.exitCode = await runBackendAgent(flags, sources)
      },
    )
  const render = new Command('render')
    .description('print the rules of a host as an nftables file')
    .addHelpText('after', renderHelp)
    .action(async (flags: SourceFlags) => {
      process.stdout.write(renderHost(await createSource(flags, sources).once()))
    })
  const check = new Command('check')
    .description('compare this host with what it should be')
    .option('--undo <DIR>', "the agent's memory of what it changed", '/run/torii-backend')
    .addOption(jsonOption())
    .addHelpText('after', checkHelp)
    .action(async (flags: SourceFlags & { undo: string; json?: true }) => {
      const bindings = await createSource(flags, sources).once()
      const { backendPorts } = await import('./backend-run.ts')
      const { ports, close } = backendPorts(flags.undo)
      try {
        const found = await differences(bindings, ports)
        const text = found.length === 0 ? ['in line: nothing differs'] : found
        process.stdout.write(
          flags.json === true
            ? `${JSON.stringify({ differences: found }, null, 2)}\n`
            : `${text.join('\n')}\n`,
        )
        process.exitCode = found.length === 0 ? ExitCode.done : ExitCode.no
      } finally {
        close()
      }
    })
  for (const command of [run, render, check]) {
    for (const option of sourceOptions()) command.addOption(option)
    backend.addCommand(command)
  }
  return backend
}

function parseDuration(text: string): number {
  const match = /^(\d+)(ms|s)$/.exec(text)
  const ms = Number(match?.[1] ?? NaN) * (match?.[2] === 's' ? 1000 : 1)
  if (ms >= 100 && ms <= 3_600_000) return ms
  throw new InvalidArgumentError('expected a duration from 100ms to 3600s, as in 500ms or 5s')
}

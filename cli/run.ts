// `torii run`: the daemon in the foreground, for a supervisor to keep.

import { hostname } from 'node:os'
import { Command, InvalidArgumentError, Option } from 'commander'
import { type LogLevel } from '../system/log.ts'
import { socketOption } from './socket.ts'

type Options = {
  readonly config: readonly string[]
  readonly node: string
  readonly socket: string
  readonly state: string
  readonly bpffs: string
  readonly listen?: { readonly host: string; readonly port: number }
  readonly logLevel: LogLevel
}

const help = `
What it does: reads the documents, gives every LoadBalancer its VIPs, programs the XDP datapath, checks the
backends through it, and announces each VIP over BGP once it can be served. Edits of the documents are taken
live; a refused edit changes nothing (torii status shows why).

Signals:
  SIGHUP            read the documents again now
  SIGTERM, SIGINT   withdraw, forward on for drainTime (Datapath document), then leave: no connection is lost
  a second SIGTERM  leave at once

A killed daemon leaves the datapath forwarding; the next start adopts it.

Needs CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF (or CAP_SYS_ADMIN) and CAP_NET_BIND_SERVICE: run it as root or by systemd.`

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3] ?? NaN)
  if (match === null || !(port >= 1 && port <= 65535)) {
    throw new InvalidArgumentError('expected ADDRESS:PORT, [IPV6]:PORT or :PORT for all addresses')
  }
  const host = match[1] ?? match[2] ?? ''
  return { host: host === '' ? '::' : host, port }
}

export function runCommand(): Command {
  return new Command('run')
    .description('be a load balancer on this machine')
    .requiredOption('-c, --config <PATH...>', 'documents: files or directories')
    .option('--node <NAME>', 'which Node document is this machine', hostname())
    .addOption(socketOption())
    .option('--state <FILE>', 'where allocations are kept', '/var/lib/torii/torii.db')
    .option('--bpffs <DIR>', 'where the datapath is pinned', '/sys/fs/bpf/torii')
    .option('--listen <ADDR:PORT>', "serve backends' bindings and /metrics there, read-only", parseListen)
    .addOption(
      new Option('--log-level <LEVEL>', 'least level to log')
        .choices(['debug', 'info', 'warn', 'error'])
        .default('info'),
    )
    .addHelpText('after', help)
    .action(async (options: Options) => {
      const { runDaemon } = await import('../daemon/daemon.ts')
      process.exitCode = await runDaemon({
        configPaths: options.config,
        node: options.node,
        socket: options.socket,
        statePath: options.state,
        bpffs: options.bpffs,
        listen: options.listen,
        logLevel: options.logLevel,
      })
    })
}

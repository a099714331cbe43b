// The command tree: one file per noun or verb, put together here with shell completion and exit codes. What only one
// command needs of the daemon is loaded when that command runs: the others, asked often by scripts, start sooner.

import tab from '@bomb.sh/tab/commander'
import { Command, CommanderError } from 'commander'
import { backendCommand } from './backend.ts'
import { checkCommand } from './check.ts'
import { ExitCode, fail } from './exit.ts'
import { reloadCommand } from './reload.ts'
import { runCommand } from './run.ts'
import { statusCommand } from './status.ts'
import { traceCommand } from './trace.ts'
import { version } from '../daemon/version.ts'

const epilogue = `
Examples:
  torii check /etc/torii                       are these documents right?
  torii run --config /etc/torii                be a load balancer
  torii status                                 peers, VIPs, backends
  torii trace 192.0.2.7:4711 198.51.100.10:80/tcp
  torii backend run --balancer http://10.0.1.2:7471

Completion:
  source <(torii complete bash)                also zsh, fish, powershell

Exit codes:
  0  done
  1  the answer is no: documents refused, drift found, no such flow
  2  wrong usage
  3  no daemon answers on the socket
  4  the system refused something (privileges, a busy address, a missing tool)`

export function program(): Command {
  const torii = new Command('torii')
    .description('L4 load balancer for bare metal: VIPs from pools, announced by BGP, forwarded by XDP L3DSR')
    .version(version, '-V, --version')
    .addHelpText('after', epilogue)
    .showSuggestionAfterError()
    .exitOverride()
  for (const command of [
    runCommand(),
    checkCommand(),
    statusCommand(),
    traceCommand(),
    reloadCommand(),
    backendCommand({
      bindingsFromConfig: async (paths, backend) =>
        (await import('../daemon/offline.ts')).bindingsFromConfig(paths, backend),
    }),
  ]) {
    torii.addCommand(command.copyInheritedSettings(torii))
  }
  tab(torii)
  return torii
}

/** Parses and runs; every failure ends as one line on stderr and its exit code. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    await program().parseAsync([...argv])
  } catch (error) {
    if (error instanceof CommanderError) {
      // commander has printed its own text by now; --help and --version arrive here with 0.
      process.exitCode = error.exitCode === 0 ? ExitCode.done : ExitCode.usage
      return
    }
    fail(error)
  }
}

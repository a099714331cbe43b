// `torii reload`: read the documents again now, and say whether they were taken.

import { Command } from 'commander'
import { callApi } from '../api/client.ts'
import { reloadSchema } from '../api/types.ts'
import { ExitCode } from './exit.ts'
import { socketOption } from './socket.ts'

export function reloadCommand(): Command {
  return new Command('reload')
    .description('read the documents again now (files are watched: this is for scripts that want the answer)')
    .addOption(socketOption())
    .addHelpText('after', '\nExit code 1 if the documents were refused; what was in force stays in force.')
    .action(async (options: { socket: string }) => {
      const answer = await callApi(options.socket, 'POST', '/v1/reload', reloadSchema)
      for (const problem of answer.problems) process.stderr.write(`${problem}\n`)
      process.stdout.write(
        answer.accepted
          ? 'documents are in force\n'
          : 'documents refused: the last good ones stay in force\n',
      )
      process.exitCode = answer.accepted ? ExitCode.done : ExitCode.no
    })
}

// `torii check`: every problem of the documents, with its place; nothing is applied.

import { Command } from 'commander'
import { ExitCode } from './exit.ts'
import { jsonOption } from './socket.ts'

const help = `
All problems are printed, not just the first, each with file, line, column, field, what was found and what was
expected. Exit code 0 if the documents would be accepted (warnings do not count), 1 if not.`

export function checkCommand(): Command {
  return new Command('check')
    .description('check documents: files or directories')
    .argument('<PATH...>', 'documents')
    .addOption(jsonOption())
    .addHelpText('after', help)
    .action(async (paths: readonly string[], options: { json?: true }) => {
      const { checkDocuments } = await import('../daemon/offline.ts')
      const report = await checkDocuments(paths)
      if (options.json === true) process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
      else {
        for (const line of report.problems) process.stdout.write(`error: ${line.text}\n`)
        for (const line of report.warnings) process.stdout.write(`warning: ${line.text}\n`)
        process.stdout.write(`${report.summary}\n`)
      }
      process.exitCode = report.accepted ? ExitCode.done : ExitCode.no
    })
}

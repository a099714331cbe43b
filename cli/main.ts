#!/usr/bin/env node
// Entry of the `torii` command. Refuses an old Node in words before anything that needs a new one is loaded.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 24 || (major === 24 && minor < 15)) {
  process.stderr.write(`torii: needs Node 24.15 or later, this is ${process.versions.node}\n`)
  process.exit(1)
}

const { runProgram } = await import('./program.ts')
await runProgram(process.argv)

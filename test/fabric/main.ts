// The runner by hand: `node test/fabric/main.ts deploy|destroy|exec -t FILE [NODE COMMAND...]`.

import { parseArgs } from 'node:util'
import { readFileSync } from 'node:fs'
import { deployFabric } from './fabric.ts'
import { clearLab } from './lab-folder.ts'
import { parseTopology } from './topology.ts'

const usage = `usage: node test/fabric/main.ts deploy -t FILE [--lab NAME] [--without-commands]
       node test/fabric/main.ts destroy -t FILE [--lab NAME]

deploy leaves the lab up. A node's shell: nsenter -t PID -m -u -p -n bash, with the PID that deploy prints.
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    topology: { type: 'string', short: 't' },
    lab: { type: 'string' },
    'without-commands': { type: 'boolean' },
  },
})
const { topology, lab } = values
if (topology === undefined || !['deploy', 'destroy'].includes(positionals[0] ?? '')) {
  process.stderr.write(usage)
  process.exit(2)
}
if (positionals[0] === 'deploy') {
  const fabric = await deployFabric({
    topology,
    ...(lab === undefined ? {} : { lab }),
    withoutCommands: values['without-commands'] ?? false,
    log: (line) => process.stderr.write(`${line}\n`),
  })
  fabric.keep()
  for (const { name, namespace, pid } of fabric.nodes) process.stdout.write(`${name}\t${namespace}\t${pid}\n`)
  process.exit(0)
}
const { name } = parseTopology(readFileSync(topology, 'utf8'), topology, { env: process.env })
if (!clearLab(lab ?? name)) {
  process.stderr.write(`no lab '${lab ?? name}' is up\n`)
  process.exit(1)
}

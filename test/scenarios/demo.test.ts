// `npm run demo` as a user runs it: exit codes, what it prints, and that nothing is left however it ends.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { run } from '../fabric/shell.ts'

const main = join(import.meta.dirname, '../../demo/main.ts')
const lab = `demo-${process.pid}`

async function nothingIsLeft(): Promise<void> {
  const { stdout } = await run(['ip', 'netns', 'list'])
  assert.ok(!stdout.includes(`clab-${lab}-`), stdout)
  assert.ok(!existsSync(join(tmpdir(), `torii-fabric-${lab}`)))
}

const resultSchema = z.object({
  held: z.boolean(),
  steps: z.array(z.object({ title: z.string(), state: z.string() })),
})

describe('npm run demo', function () {
  this.timeout(180_000)

  it('drains a balancer without losing anything, says so, and leaves nothing', async () => {
    const argv = [process.execPath, main, '--lab', lab, '--scenario', 'drain', '--json']
    const { status, stdout, stderr } = await run(argv, { timeoutMs: 170_000 })
    assert.equal(status, 0, stderr)
    const result = resultSchema.parse(JSON.parse(stdout))
    assert.equal(result.held, true)
    assert.deepEqual([...new Set(result.steps.map(({ state }) => state))], ['held'])
    assert.match(stderr, /0 of \d+ requests lost/)
    await nothingIsLeft()
  })

  it('cleans up when it is interrupted in the middle', async () => {
    const child = spawn(process.execPath, [main, '--lab', lab], { stdio: ['ignore', 'pipe', 'inherit'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (!said.includes('Balancers have VIPs') && (said += text).includes('Balancers have VIPs'))
        child.kill('SIGINT')
    })
    const [code] = (await once(child, 'exit')) as [number | null]
    assert.equal(code, 130)
    await nothingIsLeft()
  })

  it('refuses what it does not know', async () => {
    const { status, stderr } = await run([process.execPath, main, '--scenario', 'flood'])
    assert.equal(status, 2)
    assert.match(stderr, /found --scenario 'flood', expected one of drain, cut, backend, all/)
  })
})

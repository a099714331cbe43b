// The containerlab topology, deployed for one test file from a copy of its own, so that documents can be edited and
// files run side by side. Brought up by the demo's own steps: what the demo shows is what the tests start from.

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bringUp } from '../../../demo/bring-up.ts'
import { type Lab, labOf } from '../../../demo/lab.ts'
import { type Services } from '../../../demo/services.ts'
import { runSteps } from '../../../demo/step.ts'
import { deployFabric } from '../../fabric/fabric.ts'

const source = join(import.meta.dirname, '../../../deploy/containerlab')
const upWithinMs = 120_000

export type TestLab = {
  readonly lab: Lab
  readonly services: Services
  readonly directory: string
  readonly signal: AbortSignal
}

/** Deploys before the tests of the suite and destroys after them; the lab is what the returned function gives. */
export function useLab(name: string): () => TestLab {
  let directory: string | undefined
  let lab: Lab | undefined
  let services: Services | undefined
  const aborter = new AbortController()
  const there = <T>(value: T | undefined): T => value ?? assert.fail('the fabric is not up')

  before('deploy the fabric', async function () {
    this.timeout(upWithinMs)
    const copy = (directory = mkdtempSync(join(tmpdir(), `torii-${name}-`)))
    cpSync(source, copy, { recursive: true })
    const steps = bringUp({
      signal: aborter.signal,
      lab: () => there(lab),
      services: () => there(services),
      learned: (learned) => (services = learned),
      deploy: async () => {
        const topology = join(copy, 'l3dsr.clab.yml')
        lab = labOf(await deployFabric({ topology, lab: `${name}-${process.pid}` }))
        return lab
      },
    })
    const { failures } = await runSteps(steps, {
      signal: aborter.signal,
      nowMs: () => 0,
      show: () => undefined,
    })
    assert.deepEqual(failures, [])
  })

  after('destroy the fabric', async function () {
    this.timeout(30_000)
    aborter.abort()
    await lab?.fabric.destroy()
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  })

  return () => ({
    lab: there(lab),
    services: there(services),
    directory: there(directory),
    signal: aborter.signal,
  })
}

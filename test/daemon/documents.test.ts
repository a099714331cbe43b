// Documents are taken whole or not at all, and the last good ones outlive every bad edit. On real files.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDocuments, type HostCheck } from '../../daemon/documents.ts'
import { type Log } from '../../system/ports.ts'

const pool = (addresses: string): string => `apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: {name: public}
spec: {addresses: [${addresses}]}
`

describe('documents in force', () => {
  let directory: string
  let file: string
  let logged: string[]
  let now = 0
  const record = (fields: object, event: string): number => logged.push(`${event} ${JSON.stringify(fields)}`)
  const log: Log = {
    debug: () => undefined,
    info: record,
    warn: record,
    error: record,
    child: () => log,
  }
  const accept: HostCheck = () => Promise.resolve([])
  const open = (hostCheck = accept) =>
    createDocuments([file], { hostCheck, log, wall: () => new Date((now += 1000)) })

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'torii-documents-'))
    file = join(directory, 'torii.yaml')
    logged = []
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  it('are the last good ones after an edit that is refused, and status says which line', async () => {
    const documents = open()
    writeFileSync(file, pool('198.51.100.0/28'))
    assert.equal(await documents.load(), true)
    const before = documents.inForce()
    writeFileSync(file, pool('198.51.100.0/33'))
    assert.equal(await documents.load(), false)
    assert.equal(documents.inForce(), before)
    const status = documents.status()
    assert.equal(status.state, 'stale')
    assert.equal(status.problems.length, 1)
    assert.match(
      status.problems[0] ?? '',
      /torii\.yaml:4:\d+: IPAddressPool public: spec\.addresses\[0\]: .*198\.51\.100\.0\/33/,
    )
    writeFileSync(file, pool('198.51.100.0/29'))
    assert.equal(await documents.load(), true)
    assert.equal(documents.status().state, 'ok')
    assert.notEqual(documents.inForce()?.revision, before?.revision)
  })

  it('outlive the deletion of their file', async () => {
    const documents = open()
    writeFileSync(file, pool('198.51.100.0/28'))
    await documents.load()
    rmSync(file)
    assert.equal(await documents.load(), false)
    assert.equal(documents.inForce()?.config.pools.length, 1)
    assert.match(documents.status().problems[0] ?? '', /torii\.yaml/)
  })

  it('are refused for what only the host can tell', async () => {
    const place = { file, line: 4, column: 1 }
    const documents = open(() =>
      Promise.resolve([
        { place, document: 'Datapath', field: 'spec.interfaces[0]', message: "found 'eth9'" },
      ]),
    )
    writeFileSync(file, pool('198.51.100.0/28'))
    assert.equal(await documents.load(), false)
    assert.equal(documents.inForce(), undefined)
    assert.match(documents.status().problems[0] ?? '', /:4:1: Datapath: spec\.interfaces\[0\]: found 'eth9'/)
  })

  it('keep their revision and time when the same content is read again, and a refusal is logged once', async () => {
    const documents = open()
    writeFileSync(file, pool('198.51.100.0/28'))
    await documents.load()
    const before = documents.inForce()
    await documents.load()
    assert.equal(documents.inForce(), before)
    writeFileSync(file, 'kind: [')
    await documents.load()
    await documents.load()
    assert.equal(logged.filter((line) => line.startsWith('documents refused')).length, 1)
  })
})

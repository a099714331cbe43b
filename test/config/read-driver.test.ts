import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readSources } from '../../config/read-driver.ts'
import { formatProblem } from '../../config/problem.ts'

describe('reading sources', () => {
  let root = ''
  const at = (name: string): string => join(root, name)
  const put = (name: string, text: string | Uint8Array = name): string => {
    writeFileSync(at(name), text)
    return at(name)
  }
  const read = async (...paths: readonly string[]): Promise<readonly string[]> => {
    const result = await readSources(paths)
    return result.kind === 'ok'
      ? result.sources.map(({ file, text }) => `${file.replace(`${root}/`, '')}=${text}`)
      : result.problems.map((each) => formatProblem(each).replaceAll(`${root}/`, ''))
  }
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), `torii-config-${process.pid}-`))
    mkdirSync(at('d/deeper'), { recursive: true })
  })
  afterEach(() => rmSync(root, { recursive: true }))

  it('takes files as named and of directories every YAML file, sorted, not deeper', async () => {
    for (const name of [
      'd/b.yml',
      'd/a.yaml',
      'd/.hidden.yaml',
      'd/c.json',
      'd/deeper/e.yaml',
      'd/x.yaml~',
      'z.txt',
    ])
      put(name)
    assert.deepEqual(await read(at('z.txt'), at('d')), [
      'z.txt=z.txt',
      'd/a.yaml=d/a.yaml',
      'd/b.yml=d/b.yml',
    ])
    assert.deepEqual(await read(at('d'), at('d/b.yml')), ['d/a.yaml=d/a.yaml', 'd/b.yml=d/b.yml'])
  })

  it('follows links, as a ConfigMap is mounted', async () => {
    mkdirSync(at('d/..data'))
    put('d/..data/a.yaml', 'x')
    symlinkSync('..data/a.yaml', at('d/a.yaml'))
    assert.deepEqual(await read(at('d')), ['d/a.yaml=x'])
  })

  it('names every path that it cannot read, and why', async () => {
    const bytes = put('bytes.yaml', Uint8Array.of(0x61, 0xff))
    mkdirSync(at('d/sub.yaml'))
    assert.deepEqual(await read(at('none'), bytes, at('d'), at('d/deeper')), [
      'none: no such file or directory',
      'bytes.yaml: not UTF-8 text',
      'd/sub.yaml: is a directory, expected a file',
      'd/deeper: no *.yaml or *.yml in this directory, expected at least one',
    ])
    symlinkSync('loop.yaml', at('loop.yaml'))
    assert.deepEqual(await read(at('loop.yaml')), ['loop.yaml: symbolic links go in a circle'])
  })

  it('says that a file may not be read', async function () {
    const path = put('secret.yaml')
    chmodSync(path, 0)
    const found = await read(path)
    // Root may read everything.
    if (process.getuid?.() === 0) assert.deepEqual(found, ['secret.yaml=secret.yaml'])
    else assert.deepEqual(found, ['secret.yaml: not readable: permission denied'])
  })

  it('leaves a byte order mark out', async () => {
    assert.deepEqual(await read(put('bom.yaml', Uint8Array.of(0xef, 0xbb, 0xbf, 0x61))), ['bom.yaml=a'])
  })
})

// The dependency directions of docs/architecture.md, as a test: who may import whom, and where Node's own
// modules and the addon may appear.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'

const root = join(import.meta.dirname, '../..')
const folders = [
  'net',
  'system',
  'native',
  'config',
  'allocator',
  'speaker',
  'forwarder',
  'daemon',
  'api',
  'cli',
]

// Folder → folders of ours that it may import, itself aside.
const mayImport: Readonly<Record<string, readonly string[]>> = {
  net: [],
  native: ['net', 'system'],
  system: ['net', 'native'],
  config: ['net', 'system'],
  allocator: ['net', 'system'],
  speaker: ['net', 'system'],
  forwarder: ['net', 'system', 'native'],
  api: ['net', 'system'],
  daemon: ['net', 'native', 'system', 'config', 'allocator', 'speaker', 'forwarder', 'api'],
  cli: ['net', 'system', 'config', 'api', 'daemon', 'forwarder', 'speaker'],
}
const planes = ['config', 'allocator', 'speaker', 'forwarder']
// Files of the planes that touch the outside; all others are pure.
const driver = /(?:^|\/)(?:[a-z-]*driver|worker|datapath|agent)\.ts$|\/stores\/|^forwarder\/xdp\//
const libraries: Readonly<Record<string, RegExp>> = {
  net: /^ip-bigint$/,
  config: /^(?:zod|yaml)$/,
  forwarder: /^zod$/,
  allocator: /^zod$/,
}

type Import = { readonly file: string; readonly target: string; readonly typeOnly: boolean }

function sources(folder: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name))
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const pattern = /^(?:import|export)\s+(type\s+)?([^'"]*?from\s+)?['"]([^'"]+)['"]/gm
  return [...text.matchAll(pattern)].map((match) => {
    const names = match[2] ?? ''
    const inner = /\{([^}]*)\}/.exec(names)?.[1]
    const allTypes =
      inner?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false
    const specifier = match[3] ?? ''
    const target = specifier.startsWith('.')
      ? relative(root, normalize(join(root, dirname(file), specifier)))
      : specifier
    return { file, target, typeOnly: match[1] !== undefined || allTypes }
  })
}

const all = folders.flatMap(sources).flatMap(importsOf)
const folderOf = (path: string): string => path.split('/')[0] ?? ''
const ours = (target: string): boolean => folders.includes(folderOf(target)) && target.endsWith('.ts')
const describeImport = (each: Import): string => `${each.file} imports ${each.target}`

describe('dependency directions', () => {
  it('finds the imports of every folder', () => {
    for (const folder of folders) assert.ok(sources(folder).length > 0, `${folder} has no sources`)
    assert.ok(all.length > 100)
  })

  it('go only downwards between folders', () => {
    const wrong = all.filter(
      (each) =>
        ours(each.target) &&
        folderOf(each.target) !== folderOf(each.file) &&
        !(mayImport[folderOf(each.file)] ?? []).includes(folderOf(each.target)),
    )
    assert.deepEqual(wrong.map(describeImport), [])
  })

  it('never leave the checked folders', () => {
    const wrong = all.filter((each) => /^(?:test|bench|demo|deploy|\.\.)(?:\/|$)/.test(each.target))
    assert.deepEqual(wrong.map(describeImport), [])
  })

  it('keep the pure files of the planes free of system, native and Node modules', () => {
    const wrong = all.filter(
      (each) =>
        planes.includes(folderOf(each.file)) &&
        !driver.test(each.file) &&
        (each.target.startsWith('node:') ||
          (folderOf(each.target) === 'native' && !each.typeOnly) ||
          (folderOf(each.target) === 'system' && !each.typeOnly && each.target !== 'system/errors.ts')),
    )
    assert.deepEqual(wrong.map(describeImport), [])
  })

  it('give drivers the types of the ports, never their implementations', () => {
    const wrong = all.filter(
      (each) =>
        planes.includes(folderOf(each.file)) &&
        folderOf(each.target) === 'system' &&
        !['system/ports.ts', 'system/errors.ts'].includes(each.target),
    )
    assert.deepEqual(wrong.map(describeImport), [])
  })

  it('let only net, config and the edges use libraries', () => {
    const wrong = all.filter((each) => {
      const folder = folderOf(each.file)
      if (each.target.startsWith('node:') || ours(each.target)) return false
      if (folder === 'net' || planes.includes(folder)) return !(libraries[folder]?.test(each.target) ?? false)
      return false
    })
    assert.deepEqual(wrong.map(describeImport), [])
  })
})

describe('files', () => {
  it('have one job: none is longer than 400 lines, nine in ten are under 300', () => {
    const lengths = folders
      .flatMap(sources)
      .map((file) => ({ file, lines: readFileSync(join(root, file), 'utf8').split('\n').length }))
    assert.deepEqual(
      lengths.filter(({ lines }) => lines > 400),
      [],
    )
    const long = lengths.filter(({ lines }) => lines > 300)
    assert.ok(long.length <= lengths.length / 10, JSON.stringify(long))
  })

  it('say at their head what they are for', () => {
    const silent = folders
      .flatMap(sources)
      .filter((file) => !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(readFileSync(join(root, file), 'utf8')))
    assert.deepEqual(silent, [])
  })
})

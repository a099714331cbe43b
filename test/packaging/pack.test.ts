// The published package: what `npm pack` puts in it, that it installs without a compiler and without running
// anything, and that what was installed is a load balancer.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { statusSchema } from '../../api/types.ts'
import { found, notYet, until } from '../../demo/until.ts'
import { deployFabric } from '../fabric/fabric.ts'

const checkout = join(import.meta.dirname, '../..')
const documents = join(checkout, 'deploy/containerlab/torii')
// The system's own Node may be too old for the package; the one that runs this is not.
const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}` }
const lockSchema = z.object({
  packages: z.record(z.string(), z.object({ hasInstallScript: z.boolean().optional() })),
})

describe('the package', function () {
  this.timeout(180_000)
  const directory = mkdtempSync(join(tmpdir(), 'torii-pack-'))
  const installed = join(directory, 'host')
  const torii = join(installed, 'node_modules/.bin/torii')
  let files: readonly string[] = []

  before('npm pack, npm install', () => {
    const npm = (cwd: string, ...args: string[]): string => {
      const { status, stdout, stderr } = spawnSync('npm', args, { cwd, env, encoding: 'utf8' })
      assert.equal(status, 0, `npm ${args.join(' ')}: ${stderr}`)
      return stdout
    }
    npm(checkout, 'pack', '--pack-destination', directory)
    const { version } = z
      .object({ version: z.string() })
      .parse(JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')))
    const tarball = join(directory, `torii-lb-${version}.tgz`)
    files = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' })
      .trim()
      .split('\n')
      .map((name) => name.replace(/^package\//, ''))
    mkdirSync(installed)
    writeFileSync(join(installed, 'package.json'), '{"private": true}')
    npm(installed, 'install', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', tarball)
  })
  after(() => rmSync(directory, { recursive: true }))

  const run = (...args: string[]): ReturnType<typeof spawnSync> =>
    spawnSync(torii, args, { env, cwd: installed, encoding: 'utf8' })

  it('holds JavaScript with its types, the addon and the BPF object', () => {
    const wanted = [
      ...['dist/cli/main.js', 'dist/daemon/daemon.js', 'dist/daemon/daemon.d.ts'],
      ...['prebuilds/bpf/torii.bpf.o', `prebuilds/linux-${process.arch}/torii.node`],
      ...['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'],
    ]
    assert.deepEqual(
      wanted.filter((name) => !files.includes(name)),
      [],
    )
  })

  it('holds the addon for the other machine where this one can build it', function () {
    const [compiler, arch] =
      process.arch === 'x64' ? ['aarch64-linux-gnu-gcc', 'arm64'] : ['x86_64-linux-gnu-gcc', 'x64']
    if (spawnSync(compiler, ['--version']).status !== 0) this.skip()
    const addon = `prebuilds/linux-${arch}/torii.node`
    assert.ok(files.includes(addon))
    // ELF e_machine: EM_AARCH64 and EM_X86_64.
    const header = readFileSync(join(installed, 'node_modules/torii-lb', addon))
    assert.equal(header.readUInt16LE(18), arch === 'arm64' ? 183 : 62)
  })

  it('holds no source that it does not run, and no test', () => {
    const foreign = files.filter((name) => !/^(?:dist\/|prebuilds\/|[^/]+$)/.test(name))
    assert.deepEqual(foreign, [])
    assert.deepEqual(
      files.filter((name) => /\.c$|\.h$|\.test\.|(?<!\.d)\.ts$/.test(name)),
      [],
    )
  })

  it('runs nothing when it is installed, nor does anything that comes with it', () => {
    const lock = readFileSync(join(installed, 'node_modules/.package-lock.json'), 'utf8')
    const { packages } = lockSchema.parse(JSON.parse(lock))
    assert.ok(packages['node_modules/torii-lb'])
    assert.deepEqual(
      Object.keys(packages).filter((name) => packages[name]?.hasInstallScript === true),
      [],
    )
    assert.ok(!existsSync(join(installed, 'node_modules/torii-lb/binding.gyp')))
  })

  it('says its version', () => {
    const { stdout, status } = run('--version')
    assert.equal(status, 0)
    assert.match(String(stdout), /^\d+\.\d+\.\d+\n$/)
  })

  it('accepts good documents and names what is wrong with bad ones', () => {
    const good = run('check', documents)
    assert.equal(good.status, 0, String(good.stderr))
    const bad = join(directory, 'bad.yaml')
    const pool = readFileSync(join(documents, 'pools.yaml'), 'utf8')
    writeFileSync(bad, pool.replace('addresses:', 'adresses:'))
    const refused = run('check', bad)
    assert.equal(refused.status, 1)
    assert.match(`${String(refused.stdout)}${String(refused.stderr)}`, /bad\.yaml:\d+.*adresses/s)
  })

  it('loads its addon and its XDP program on a machine', async () => {
    const topology = join(directory, 'one.clab.yml')
    writeFileSync(
      topology,
      `name: one
topology:
  defaults: {kind: linux, network-mode: none}
  nodes:
    lb1:
      cmd: /opt/torii/node_modules/.bin/torii run --config /etc/torii
      binds: ["host:/opt/torii:ro", "${documents}:/etc/torii:ro"]
    peer: {}
  links:
    - {endpoints: ["lb1:eth1", "peer:eth1"], mtu: 1500}
    - {endpoints: ["lb1:eth2", "peer:eth2"], mtu: 1500}
`,
    )
    const fabric = await deployFabric({ topology, lab: `pack${process.pid}` })
    try {
      const balancer = fabric.node('lb1')
      const interfaces = await until(
        async () => {
          const argv = ['/opt/torii/node_modules/.bin/torii', 'status', '--json']
          const { status, stdout } = await balancer.exec(argv)
          if (status !== 0) return notYet(balancer.main?.tail() ?? '')
          const { datapath } = statusSchema.parse(JSON.parse(stdout))
          const attached = datapath.interfaces.filter(({ mode }) => mode === 'native')
          return attached.length === 2 ? found(attached) : notYet(JSON.stringify(datapath))
        },
        {
          what: 'XDP attached by the installed package',
          withinMs: 30_000,
          signal: new AbortController().signal,
        },
      )
      assert.deepEqual(interfaces.map(({ name }) => name).sort(), ['eth1', 'eth2'])
    } finally {
      await fabric.destroy()
    }
  })
})

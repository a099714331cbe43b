// The runner on this machine: nodes that are apart, links that can be cut, and nothing left whichever way a lab ends.

import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { found, notYet, until } from '../../demo/until.ts'
import { deployFabric, type Fabric } from './fabric.ts'

const directory = mkdtempSync(join(tmpdir(), 'torii-runner-'))
const signal = new AbortController().signal
const labName = (suffix: string): string => `t${process.pid}${suffix}`

const pair = `
name: pair
topology:
  defaults:
    kind: linux
    network-mode: none
    sysctls: {net.ipv6.conf.default.accept_dad: 0, net.ipv6.conf.all.accept_dad: 0}
  nodes:
    a:
      cmd: sh -c 'echo started; trap "echo bye; exit 3" TERM; while :; do sleep 0.05; done'
      binds: ["greeting:/etc/lab/greeting:ro"]
      env: {COLOUR: "\${COLOUR:=red}"}
      exec: [ip addr add 10.7.0.1/24 dev eth1, ip addr add fd00:7::1/64 dev eth1, "false"]
    b:
      exec: [ip addr add 10.7.0.2/24 dev eth1, ip addr add fd00:7::2/64 dev eth1]
  links: [{endpoints: ["a:eth1", "b:eth1"], mtu: 1500}]
`
const pairFile = join(directory, 'pair.clab.yml')

function namespacesOf(lab: string): readonly string[] {
  const all = execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' })
  return all.split('\n').filter((line) => line.startsWith(`clab-${lab}-`))
}

/** Whatever of a lab can be seen from outside: namespaces, files, mounts, processes. */
function leftOf(lab: string): readonly string[] {
  const processes = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
  return [
    ...namespacesOf(lab),
    ...[join(tmpdir(), `torii-fabric-${lab}`)].filter((path) => existsSync(path)),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(`-${lab}`)),
    ...processes.split('\n').filter((line) => line.includes(`clab-${lab}-`)),
  ]
}

async function reaches(fabric: Fabric, from: string, address: string): Promise<boolean> {
  const { status } = await fabric.node(from).exec(['ping', '-n', '-c', '1', '-W', '1', address])
  return status === 0
}

describe('the fabric runner', function () {
  this.timeout(60_000)
  const log: string[] = []
  let fabric: Fabric
  before(async () => {
    writeFileSync(join(directory, 'greeting'), 'hello\n')
    writeFileSync(pairFile, pair)
    fabric = await deployFabric({
      topology: pairFile,
      lab: labName('p'),
      env: { COLOUR: 'blue' },
      log: (line) => log.push(line),
    })
  })
  after(async () => {
    await fabric.destroy()
    rmSync(directory, { recursive: true })
  })
  const sh = async (node: string, script: string): Promise<string> =>
    (await fabric.node(node).exec(['sh', '-c', script])).stdout.trim()

  it('gives each node its own name, processes, links, temporary files and bpffs', async () => {
    assert.equal(await sh('a', 'hostname'), 'a')
    assert.equal(await sh('a', 'ls /sys/class/net'), 'eth1\nlo')
    const mine = ['/tmp', '/etc', '/var/lib', '/run', '/sys/fs/bpf'].map(
      (each) => `${each}/${labName('mine')}`,
    )
    await sh('a', `mkdir ${mine.join(' ')}`)
    assert.equal(await sh('a', `ls -d ${mine.join(' ')} | wc -l`), '5')
    assert.equal(await sh('b', `ls -d ${mine.join(' ')} 2>/dev/null | wc -l`), '0')
    assert.deepEqual(
      mine.filter((path) => existsSync(path)),
      [],
    )
    assert.equal(await sh('b', 'ps -eo args | grep -c "[e]cho bye" || true'), '0')
  })

  it('runs torii and the pinned Node by their names', async () => {
    assert.equal(await sh('a', 'node --version'), process.version)
    assert.match(await sh('a', 'torii --version'), /^\d+\.\d+\.\d+$/)
  })

  it('shows binds, read-only where so written, and edits of them at once', async () => {
    assert.equal(await sh('a', 'cat /etc/lab/greeting'), 'hello')
    assert.equal(await sh('a', 'echo no >/etc/lab/greeting || echo refused'), 'refused')
    writeFileSync(join(directory, 'greeting'), 'edited\n')
    assert.equal(await sh('a', 'cat /etc/lab/greeting'), 'edited')
  })

  it('hands over env with variables replaced, and sets sysctls', async () => {
    assert.equal(await sh('a', 'echo $COLOUR $CLAB_INTFS'), 'blue 1')
    assert.equal(await sh('a', 'cat /proc/sys/net/ipv6/conf/eth1/accept_dad'), '0')
  })

  it('makes veth links with the MTU asked for and transmit checksums in software', async () => {
    const features = await sh('a', 'ethtool -k eth1')
    assert.match(features, /^tx-checksumming: off$/m)
    assert.match(await sh('a', 'ip link show eth1'), /mtu 1500/)
    assert.ok(await reaches(fabric, 'a', '10.7.0.2'))
    assert.ok(await reaches(fabric, 'a', 'fd00:7::2'))
  })

  it('tells of an exec that fails and goes on', () => {
    assert.equal(log.length, 1)
    assert.match(log[0] ?? '', /^a: false: exit code 1/)
  })

  it('ends a program that takes too long, and says so', async () => {
    const { status, stderr } = await fabric.node('a').exec(['sleep', '60'], { timeoutMs: 200 })
    assert.notEqual(status, 0)
    assert.match(stderr, /200 ms/)
    assert.equal(await sh('a', 'ps -eo args | grep -c "[s]leep 60" || true'), '0')
  })

  it('gives input to a program, and its output and exit code back', async () => {
    const outcome = await fabric.node('a').exec(['sh', '-c', 'cat; echo oh >&2; exit 7'], { input: 'text' })
    assert.deepEqual(outcome, { status: 7, stdout: 'text', stderr: 'oh\n' })
  })

  it('lets signals reach a spawned program, which may answer them', async () => {
    const child = fabric
      .node('a')
      .spawn(['sh', '-c', 'trap "echo caught; exit 5" INT; echo up; while :; do sleep 0.05; done'])
    let said = ''
    child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await until(() => (said.includes('up') ? found(undefined) : notYet(said)), {
      what: 'the trap is set',
      withinMs: 10_000,
      everyMs: 5,
      signal,
    })
    child.kill('SIGINT')
    assert.deepEqual(await once(child, 'close'), [5, null])
    assert.equal(said, 'up\ncaught\n')
  })

  it('starts the command, signals it, starts it again and keeps what it said', async () => {
    const node = fabric.node('a')
    assert.ok(node.main)
    const first = node.main.pid
    const said = (): string => node.main?.tail() ?? ''
    const waitFor = (text: string): Promise<unknown> =>
      until(() => (said().endsWith(text) ? found(undefined) : notYet(said())), {
        what: `the command says '${text}'`,
        withinMs: 10_000,
        everyMs: 5,
        signal,
      })
    await waitFor('started')
    // The shell may not have set its trap yet.
    await sh('a', 'until [ "$(ps -eo args | grep -c "[s]leep 0.05")" -gt 0 ]; do sleep 0.01; done')
    node.signalMain('SIGTERM')
    assert.equal(await node.main.exited, 3)
    await waitFor('bye')
    await node.startMain()
    await waitFor('bye\nstarted')
    assert.notEqual(node.main.pid, first)
    assert.equal(fabric.node('b').main, undefined)
  })

  it('cuts a node off in both directions while its link stays up', async () => {
    const received = (): Promise<string> => sh('a', 'cat /sys/class/net/eth1/statistics/rx_packets')
    const icmp = (): Promise<string> => sh('b', 'grep "^Icmp: [0-9]" /proc/net/snmp')
    await fabric.node('a').cutOff()
    assert.match(await sh('a', 'ip link show eth1'), /state UP/)
    assert.match(await sh('b', 'ip link show eth1'), /state UP/)
    const before = [await received(), await icmp()]
    assert.equal(await reaches(fabric, 'a', '10.7.0.2'), false)
    assert.equal(await reaches(fabric, 'b', 'fd00:7::1'), false)
    assert.deepEqual([await received(), await icmp()], before)
    await fabric.node('a').restore()
    assert.ok(await reaches(fabric, 'a', '10.7.0.2'))
    assert.ok(await reaches(fabric, 'b', 'fd00:7::1'))
  })

  it('takes a link down and up', async () => {
    await fabric.node('b').linkDown('eth1')
    assert.match(await sh('a', 'ip link show eth1'), /NO-CARRIER/)
    await fabric.node('b').linkUp('eth1')
    await until(
      async () => ((await reaches(fabric, 'a', '10.7.0.2')) ? found(undefined) : notYet('no answer')),
      { what: 'the link is back', withinMs: 10_000, signal },
    )
  })

  it('has two labs of one topology side by side', async () => {
    const other = await deployFabric({ topology: pairFile, lab: labName('q') })
    try {
      await other.node('a').cutOff()
      assert.equal(await reaches(other, 'a', '10.7.0.2'), false)
      assert.ok(await reaches(fabric, 'a', '10.7.0.2'))
    } finally {
      await other.destroy()
    }
    assert.ok(await reaches(fabric, 'a', '10.7.0.2'))
  })

  it('leaves nothing after destroy, which may be called again', async () => {
    const lab = await deployFabric({ topology: pairFile, lab: labName('d') })
    assert.equal(namespacesOf(lab.lab).length, 2)
    await lab.destroy()
    await lab.destroy()
    assert.deepEqual(leftOf(lab.lab), [])
  })

  it('leaves nothing when a deployment fails', async () => {
    const broken = join(directory, 'broken.clab.yml')
    writeFileSync(broken, pair.replace('"greeting:', '"missing:'))
    await assert.rejects(deployFabric({ topology: broken, lab: labName('f') }), /missing/)
    assert.deepEqual(leftOf(labName('f')), [])
  })

  describe('when the process that deployed', () => {
    const script = (lab: string): string => `
      const { deployFabric } = await import(${JSON.stringify(join(import.meta.dirname, 'fabric.ts'))})
      await deployFabric({ topology: ${JSON.stringify(pairFile)}, lab: ${JSON.stringify(lab)} })
      console.log('up')
      process.stdin.on('data', (text) => { if (String(text).startsWith('throw')) throw new Error('on purpose') })
      process.stdin.on('end', () => process.exit(0))
    `
    const start = async (lab: string): Promise<ChildProcess> => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', script(lab)])
      const said: string[] = []
      child.stdout.on('data', (chunk: Buffer) => said.push(chunk.toString()))
      child.stderr.on('data', (chunk: Buffer) => said.push(chunk.toString()))
      await until(() => (said.includes('up\n') ? found(undefined) : notYet(said.join(''))), {
        what: 'the lab is up',
        withinMs: 20_000,
        everyMs: 10,
        signal,
      })
      return child
    }

    for (const [how, end] of [
      ['exits', (child: ChildProcess) => child.stdin?.end()],
      ['fails', (child: ChildProcess) => child.stdin?.write('throw\n')],
      ['gets SIGINT', (child: ChildProcess) => child.kill('SIGINT')],
      ['gets SIGTERM', (child: ChildProcess) => child.kill('SIGTERM')],
    ] as const) {
      it(`${how}, nothing is left`, async () => {
        const lab = labName(how.replace(/\W/g, ''))
        const child = await start(lab)
        assert.equal(namespacesOf(lab).length, 2)
        const ended = once(child, 'close')
        end(child)
        await ended
        assert.deepEqual(leftOf(lab), [])
      })
    }

    it('is killed, the next deployment clears away what it left', async () => {
      const lab = labName('killed')
      const child = await start(lab)
      const ended = once(child, 'close')
      child.kill('SIGKILL')
      await ended
      assert.equal(namespacesOf(lab).length, 2)
      await (await deployFabric({ topology: pairFile, lab: labName('next') })).destroy()
      assert.deepEqual(leftOf(lab), [])
    })
  })
})

describe('the lab of deploy/containerlab', function () {
  this.timeout(90_000)
  const topology = join(import.meta.dirname, '../../deploy/containerlab/l3dsr.clab.yml')
  const log: string[] = []
  let fabric: Fabric
  before(async () => {
    fabric = await deployFabric({ topology, lab: labName('l'), log: (line) => log.push(line) })
  })
  after(() => fabric.destroy())

  it('runs every exec without a complaint', () => assert.deepEqual(log, []))

  it('has the ToRs exchange their subnets, so that the client reaches every backend in both families', async () => {
    for (const backend of fabric.nodes.filter(({ name }) => name.startsWith('be'))) {
      const { stdout } = await backend.exec([
        'ip',
        '-br',
        'address',
        'show',
        'dev',
        'eth1',
        'scope',
        'global',
      ])
      const addresses = stdout.trim().split(/\s+/).slice(2)
      assert.equal(addresses.length, 2, stdout)
      for (const address of addresses.map((each) => each.replace(/\/\d+$/, ''))) {
        await until(
          async () => ((await reaches(fabric, 'client', address)) ? found(undefined) : notYet('no answer')),
          {
            what: `ping ${address} of ${backend.name}`,
            withinMs: 30_000,
            signal,
            lookAt: [fabric.node('tor1').main?.tail() ?? ''],
          },
        )
      }
    }
  })

  it('spreads flows by their ports, and lets XDP send to the ToRs', async () => {
    for (const tor of ['tor1', 'tor2']) {
      const { stdout } = await fabric
        .node(tor)
        .exec([
          'sh',
          '-c',
          'cat /proc/sys/net/ipv[46]/fib_multipath_hash_policy; for i in 1 2 3; do ethtool -k eth$i; done',
        ])
      assert.match(stdout, /^1\n1\n/)
      assert.equal(stdout.match(/^generic-receive-offload: on$/gm)?.length, 3)
    }
  })
})

// The datapath on real interfaces: it is attached, outlives its process, is taken over, changed and removed, and packets
// go on meanwhile.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { loadAddon, packageRoot } from '../../../native/binding.ts'
import { until } from '../../system/namespace.ts'
import {
  answersPing,
  createLab,
  type Lab,
  linkNames,
  type NodeProcess,
  onlyOn,
  optionsOf,
  resolved,
  restored,
  service6,
  serviceOf,
  startNode,
  startPings,
  vip4,
  vip6,
} from './lab.ts'

const both = [serviceOf(), service6]

describe('the XDP datapath', function () {
  this.timeout(60_000)
  let lab: Lab
  let nodes: NodeProcess[]

  /** A process of this test, and its first state in force with all next hops known. */
  const start = async (objectPath?: string, pins = lab.pins): Promise<NodeProcess> => {
    const node = await startNode({ ...lab, pins }, objectPath)
    nodes.push(node)
    return node
  }
  const forwarding = async (
    services = both,
    options = optionsOf(),
    objectPath?: string,
  ): Promise<NodeProcess> => {
    const node = await start(objectPath)
    await node.set(services, options)
    await resolved(node)
    return node
  }
  const generations = (): readonly string[] => readdirSync(lab.pins).filter((name) => name.startsWith('gen_'))
  const xdpOf = (device: string): string | undefined =>
    /prog\/xdp id (\d+)/.exec(lab.balancer.run(`ip -d link show ${device}`))?.[1]

  beforeEach(() => {
    lab = createLab()
    nodes = []
  })
  afterEach(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    lab.delete()
  })

  for (const xdpMode of ['native', 'generic'] as const) {
    it(`forwards IPv4 and IPv6 (${xdpMode})`, async () => {
      const node = await forwarding([onlyOn('be1'), onlyOn('be2', service6)], optionsOf({ xdpMode }))
      const status = await node.status()
      assert.deepEqual(status.interfaces, [{ name: 'c0', mode: xdpMode, problem: undefined }])
      assert.deepEqual(status.problems, [])
      assert.ok(status.vips.every(({ programmed }) => programmed))
      assert.ok(answersPing(lab, vip4, 5))
      assert.ok(answersPing(lab, vip6, 7))
      assert.deepEqual(lab.backends.map(restored), [5, 7])
      assert.equal((await node.status()).packets['forwarded'], 12)
    })
  }

  it('loses no packet when tables are swapped over and over', async () => {
    const node = await forwarding()
    const pings = startPings(lab, vip4)
    for (let round = 0; round < 20; round += 1)
      await node.set([onlyOn(round % 2 === 0 ? 'be1' : 'be2'), service6], optionsOf())
    const { sent, lost } = await pings.stop()
    assert.equal(lost, 0)
    assert.ok(sent > 20, `only ${sent} packets were sent`)
    assert.ok(lab.backends.every((backend) => restored(backend) > 0))
  })

  it('forwards on when its process is killed, and is adopted by the next one', async () => {
    const first = await forwarding()
    const [digest] = (await first.status()).vips.map((each) => each.digest)
    const program = xdpOf('c0')
    const pings = startPings(lab, vip4)
    await until('packets on their way', async () => ((await first.status()).packets['forwarded'] ?? 0) > 10)
    await first.kill()
    assert.ok(answersPing(lab, vip4, 20), 'nobody forwards after the kill')
    assert.equal(xdpOf('c0'), program)

    const second = await start()
    const adopted = await until('the pins to be adopted', async () => {
      const { packets } = await second.status()
      return (packets['forwarded'] ?? 0) > 30 && packets
    })
    assert.ok(adopted['notVip'] !== undefined)
    await second.set(both, optionsOf())
    assert.equal((await pings.stop()).lost, 0)
    assert.equal(xdpOf('c0'), program, 'the program was replaced by an equal one')
    assert.deepEqual(generations(), ['gen_1'])
    assert.equal((await second.status()).vips[0]?.digest, digest)
  })

  it('changes the table size under traffic without loss', async () => {
    const node = await forwarding()
    const pings = startPings(lab, vip4)
    for (const tableSize of [65537, 503, 4099]) await node.set(both, optionsOf({ tableSize }))
    await until('more packets', async () => ((await node.status()).packets['forwarded'] ?? 0) > 50)
    const { sent, lost } = await pings.stop()
    assert.equal(lost, 0)
    // Counted across all generations.
    assert.equal((await node.status()).packets['forwarded'], sent)
    assert.deepEqual(generations(), ['gen_4'])
    assert.equal((await node.status()).vips[0]?.tableSize, 4099)
  })

  it('is taken over by another version of the program without loss', async () => {
    const other = buildOther()
    try {
      const old = await forwarding(both, optionsOf(), other)
      const before = xdpOf('c0')
      const pings = startPings(lab, vip4)
      await until('packets on their way', async () => ((await old.status()).packets['forwarded'] ?? 0) > 10)
      await old.kill()
      const next = await start()
      // Not adopted, and yet nothing changes until there is something to put in its place.
      assert.equal(xdpOf('c0'), before)
      await next.set(both, optionsOf())
      await until(
        'the new program to forward',
        async () => ((await next.status()).packets['forwarded'] ?? 0) > 10,
      )
      assert.equal((await pings.stop()).lost, 0)
      assert.notEqual(xdpOf('c0'), before)
      assert.deepEqual(generations(), ['gen_2'])
    } finally {
      rmSync(dirname(other), { recursive: true })
    }
  })

  it('finishes what a crash between filling and switching over left', async () => {
    const old = await forwarding()
    await old.kill()
    // As if killed while a next generation was being filled.
    mkdirSync(join(lab.pins, 'new_2'))
    const bpf = loadAddon()
    const fd = bpf.bpfGetPinned(join(lab.pins, 'gen_1/vips'))
    bpf.bpfPin(fd, join(lab.pins, 'new_2/vips'))
    bpf.close(fd)
    const node = await forwarding()
    assert.deepEqual(readdirSync(lab.pins).sort(), ['gen_1', ...linkNames(lab)])
    assert.ok(answersPing(lab, vip4))
    assert.deepEqual((await node.status()).problems, [])
  })

  it('keeps two processes out of one directory, and two programs off one interface', async () => {
    const first = await forwarding()
    const second = await start()
    const third = await start(undefined, `${lab.pins}-too`)
    await second.set(both, optionsOf())
    await third.set(both, optionsOf())
    const [locked] = (await second.status()).problems
    assert.ok(locked?.includes(`in use by process ${first.pid}`), locked)
    const [busy] = (await third.status()).interfaces
    assert.equal(busy?.mode, 'none')
    assert.match(busy.problem ?? '', /^c0 has another XDP program, 'torii' \(id \d+, native\): detach it/)
    assert.ok((await third.status()).vips.every(({ programmed }) => !programmed))
    assert.ok(answersPing(lab, vip4))

    await first.close({ detach: true })
    await until('one of the others to take over', () => answersPing(lab, vip4))
  })

  it('says where a directory cannot be', async () => {
    const wrong = [
      [
        '/tmp/torii-not-there',
        /found a file system of type 0x[0-9a-f]+ at \/tmp, expected a bpffs; mount one/,
      ],
      [`${dirname(lab.pins)}/has.dot`, /'has\.dot' has a dot/],
      ['relative', /expected an absolute path/],
    ] as const
    for (const [pins, pattern] of wrong) {
      const node = await start(undefined, pins)
      await node.set(both, optionsOf())
      assert.match((await node.status()).problems.join(), pattern)
      assert.ok(!existsSync(pins))
      await node.stop()
    }
  })

  it('says in one line what is wrong with an object, and forwards as soon as there is a right one', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'torii-object-'))
    const object = join(folder, 'torii.bpf.o')
    try {
      const node = await start(object)
      await node.set(both, optionsOf())
      assert.match(
        (await node.status()).problems.join(),
        /^read .*torii\.bpf\.o: ENOENT; in a checkout run: npm run setup$/,
      )
      writeFileSync(object, 'nonsense')
      await node.set(both, optionsOf())
      assert.match(
        (await node.status()).problems.join(),
        /^load torii\.bpf\.o: bpf open: Invalid argument: libbpf: .* is not a proper ELF object$/,
      )
      cpSync(join(packageRoot(), 'prebuilds/bpf/torii.bpf.o'), object)
      await until('it to be tried again', async () => (await node.status()).problems.length === 0)
      await resolved(node)
      assert.ok(answersPing(lab, vip4))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves nothing when it is detached', async () => {
    const node = await forwarding()
    assert.notEqual(xdpOf('c0'), undefined)
    await node.close({ detach: true })
    assert.equal(xdpOf('c0'), undefined)
    assert.ok(!existsSync(lab.pins))
    assert.ok(!answersPing(lab, vip4))
  })
})

/** The program with one constant changed: other instructions, the same behaviour. */
function buildOther(): string {
  const folder = mkdtempSync(join(tmpdir(), 'torii-other-'))
  cpSync(join(packageRoot(), 'forwarder/xdp'), folder, { recursive: true })
  const layout = join(folder, 'layout.h')
  const text = readFileSync(layout, 'utf8')
  const changed = text.replace(/(#define MAX_EXTENSIONS +)8/, '$17')
  assert.notEqual(changed, text)
  writeFileSync(layout, changed)
  const object = join(folder, 'other.bpf.o')
  const include = `/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`
  execFileSync('clang', [
    ...['-O2', '-g', '-target', 'bpfel', '-mcpu=v3', '-I', include],
    ...['-c', join(folder, 'torii.bpf.c'), '-o', object],
  ])
  return object
}

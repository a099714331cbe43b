// The README's five minutes, word by word: its documents, its router configuration, its commands, on a rack of four
// hosts. What is typed here is taken out of README.md itself.

import assert from 'node:assert/strict'
import { type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { deployFabric, type Fabric, type FabricNode } from '../fabric/fabric.ts'
import { found, notYet, until as untilFound } from '../../demo/until.ts'

const readme = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')

/** The first fenced block of that language after `heading`. */
function block(heading: string, language: string): string {
  const from = readme.indexOf(heading)
  assert.ok(from >= 0, `README.md has no '${heading}'`)
  const match = new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``).exec(readme.slice(from))
  assert.ok(match?.[1] !== undefined, `no ${language} block after '${heading}'`)
  return match[1]
}

/** A command line of a block: the words before its comment. */
function command(heading: string, start: string): readonly string[] {
  const line = block(heading, 'sh')
    .split('\n')
    .find((each) => each.startsWith(start))
  assert.ok(line !== undefined, `no '${start}' after '${heading}'`)
  return line.replace(/\s+#.*$/, '').split(/\s+/)
}

async function until(what: string, look: () => Promise<boolean | string>): Promise<void> {
  await untilFound(
    async () => {
      const seen = await look()
      return seen === true ? found(undefined) : notYet(String(seen))
    },
    { what, withinMs: 30_000, signal: new AbortController().signal },
  )
}

async function ok(node: FabricNode, argv: readonly string[], input?: string): Promise<string> {
  const { status, stdout, stderr } = await node.exec(argv, {
    timeoutMs: 30_000,
    ...(input === undefined ? {} : { input }),
  })
  assert.equal(status, 0, `${node.name}: ${argv.join(' ')}: ${stdout}${stderr}`)
  return stdout
}

describe("the README's five minutes", function () {
  this.timeout(120_000)
  let fabric: Fabric
  const running: ChildProcess[] = []
  const start = (node: FabricNode, argv: readonly string[]): void => {
    running.push(node.spawn(argv, { stdio: 'ignore' }))
  }
  before(async () => {
    const topology = join(import.meta.dirname, 'readme.clab.yml')
    fabric = await deployFabric({ topology, lab: `readme-${process.pid}` })
  })
  after(async () => {
    for (const child of running) child.kill('SIGKILL')
    await fabric.destroy()
  })

  it('2. its documents are accepted', async () => {
    const balancer = fabric.node('balancer')
    const yaml = block('**2. Say what you want**', 'yaml')
    await ok(balancer, ['sh', '-c', 'mkdir -p /etc/torii && cat >/etc/torii/torii.yaml'], yaml)
    const said = await ok(balancer, command('**2. Say what you want**', 'torii check'))
    assert.match(said, /accepted: 1 pool, 1 load balancer, 1 VIP/)
    assert.doesNotMatch(said, /warning/)
  })

  it('3. FRR takes its configuration', async () => {
    const tor = fabric.node('tor')
    const frr = block('**3. Tell the router**', '')
    await ok(
      tor,
      ['sh', '-c', 'mkdir -p /etc/frr /run/frr /var/log/frr && chown frr /run/frr && cat >/etc/frr/frr.conf'],
      frr,
    )
    await ok(tor, [
      'sh',
      '-c',
      ': >/etc/frr/vtysh.conf; /usr/lib/frr/zebra -d && /usr/lib/frr/bgpd -d && vtysh -b',
    ])
  })

  it('4. and 5. the VIP appears at the router once a backend is healthy', async () => {
    const balancer = fabric.node('balancer')
    const tor = fabric.node('tor')
    start(balancer, command('**4. Run the balancer.**', 'torii run'))
    await until('torii status', async () => (await balancer.exec(['torii', 'status'])).status === 0)
    const waiting = await ok(balancer, ['torii', 'status'])
    assert.match(waiting, /nobody: /)
    assert.equal(await ok(tor, ['ip', 'route', 'show', '198.51.100.1']), '')

    const be1 = fabric.node('be1')
    start(be1, [
      process.execPath,
      '-e',
      "require('http').createServer((q, s) => s.end('hello from be1')).listen(80)",
    ])
    start(be1, command('**5. Run the agent', 'torii backend run'))
    await until('the route at the router', async () => {
      const route = await ok(tor, ['ip', 'route', 'show', '198.51.100.1'])
      return route.includes('via 10.0.1.2') || route
    })
    const rules = await ok(be1, command('**5. Run the agent', 'torii backend render'))
    assert.match(rules, /ip daddr 10\.0\.2\.2 ip dscp \S+ counter ip daddr set 198\.51\.100\.1/)
    const config = command('**5. Run the agent', 'torii backend run').slice(3)
    assert.match(await ok(be1, ['torii', 'backend', 'check', ...config]), /in line/)
  })

  it('6. it is used, and told where a flow goes', async () => {
    const curl = command('**6. Use it', 'curl')
    assert.equal(await ok(fabric.node('client'), [...curl, '-s', '-m', '5']), 'hello from be1')
    const trace = await ok(fabric.node('balancer'), command('**6. Use it', 'torii trace'))
    assert.match(trace, /verdict {3}forward/)
    assert.match(trace, /backend {3}be1 10\.0\.2\.2/)
    assert.match(trace, /next hop {2}\S+ on eth1/)
  })

  it('the agent puts the host back when it leaves', async () => {
    const be1 = fabric.node('be1')
    assert.match(await ok(be1, ['ip', 'addr', 'show', 'lo']), /198\.51\.100\.1\/32/)
    await ok(be1, ['pkill', '-TERM', '-f', 'backend run'])
    await until('lo without the VIP', async () => {
      const shown = await ok(be1, ['ip', 'addr', 'show', 'lo'])
      return !shown.includes('198.51.100.1') || shown
    })
    const rules = await ok(be1, ['nft', 'list', 'ruleset'])
    assert.doesNotMatch(rules, /torii/)
    assert.equal(await ok(be1, ['cat', '/proc/sys/net/ipv4/conf/all/arp_ignore']), '0\n')
  })
})

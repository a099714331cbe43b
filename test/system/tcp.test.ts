// TCP between two namespaces: what routers ask of a BGP session's socket, for both address families.

import assert from 'node:assert/strict'
import { formatIp, ip, type Ip } from '../../net/ip.ts'
import { type Endpoint, type TcpConnectOptions } from '../../system/ports.ts'
import { connectNamespaces, createNamespace, type Inside, type Namespace, startInside } from './namespace.ts'

const families = [
  { name: 'IPv4', server: '10.77.0.1', client: '10.77.0.2', second: '10.77.0.3', any: '0.0.0.0', bits: 24 },
  { name: 'IPv6', server: 'fd77::1', client: 'fd77::2', second: 'fd77::3', any: '::', bits: 64 },
]
/** How long silence must last until it counts as a refusal. */
const silenceMs = 400

describe('TCP in namespaces', () => {
  let a: Namespace, b: Namespace
  let server: Inside, client: Inside

  before(async () => {
    a = createNamespace()
    b = createNamespace()
    connectNamespaces(a, b)
    for (const family of families) {
      const flags = family.bits === 64 ? ' nodad' : ''
      a.run(`ip addr add ${family.server}/${family.bits} dev eth0${flags}`)
      b.run(`ip addr add ${family.client}/${family.bits} dev eth0${flags}`)
      // Deprecated, so that it is nobody's source unless asked for.
      b.run(`ip addr add ${family.second}/${family.bits} dev eth0 preferred_lft 0${flags}`)
    }
    ;[server, client] = await Promise.all([startInside(a), startInside(b)])
  })

  after(async () => {
    await Promise.all([server.stop(), client.stop()])
    a.delete()
    b.delete()
  })

  for (const family of families) {
    describe(family.name, () => {
      const serverIp = ip(family.server)
      const clientIp = ip(family.client)
      const anyPort: Endpoint = { ip: ip(family.any), port: 0 }
      const to = (local: Endpoint, more: Partial<TcpConnectOptions> = {}): TcpConnectOptions => ({
        remote: { ip: serverIp, port: local.port },
        timeoutMs: 5000,
        ...more,
      })
      const silent = (local: Endpoint, more: Partial<TcpConnectOptions> = {}): Promise<void> =>
        assert.rejects(client.connect(to(local, { timeoutMs: silenceMs, ...more })), {
          name: 'SystemError',
          code: 'ETIMEDOUT',
        })

      it('carries bytes, and both ends know their addresses', async () => {
        const { id, local } = await server.listen({ local: { ip: serverIp, port: 0 } })
        assert.notEqual(local.port, 0)
        const connection = await client.connect(to(local))
        assert.deepEqual(connection.remote, local)
        assert.deepEqual(connection.local.ip, clientIp)
        assert.deepEqual(await server.peersOf(id), [connection.local])
        await server.closeListener(id)
      })

      it('comes from the source address asked for', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        await client.connect(to(local, { local: ip(family.second) }))
        const peers: readonly Endpoint[] = await server.peersOf(id)
        assert.deepEqual(
          peers.map((peer) => formatIp(peer.ip)),
          [family.second],
        )
        await assert.rejects(client.connect(to(local, { local: serverIp })), { code: 'EADDRNOTAVAIL' })
        await server.closeListener(id)
      })

      it('connects with the MD5 key of the listener, and not with another or none', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        await server.setMd5Key(id, { peer: clientIp, password: 'secret' })
        await client.connect(to(local, { md5Password: 'secret' }))
        await Promise.all([silent(local, { md5Password: 'other' }), silent(local)])
        await server.closeListener(id)
      })

      it('asks only the peer that has a key for it', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        await server.setMd5Key(id, { peer: clientIp, password: 'secret' })
        await client.connect(to(local, { local: ip(family.second) }))
        await server.closeListener(id)
      })

      it('changes and removes keys while it listens', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        await server.setMd5Key(id, { peer: clientIp, password: 'first' })
        await server.setMd5Key(id, { peer: clientIp, password: 'second' })
        await silent(local, { md5Password: 'first' })
        await client.connect(to(local, { md5Password: 'second' }))
        await server.setMd5Key(id, { peer: clientIp, password: undefined })
        await client.connect(to(local))
        // There is none any more: removing it again is nothing.
        await server.setMd5Key(id, { peer: clientIp, password: undefined })
        await server.closeListener(id)
      })

      it('takes keys of 80 bytes and refuses longer ones by name', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        const longest = 'k'.repeat(80)
        await server.setMd5Key(id, { peer: clientIp, password: longest })
        await client.connect(to(local, { md5Password: longest }))
        const refused = { name: 'SystemError', code: 'EINVAL', message: /has 81 bytes/ }
        await assert.rejects(server.setMd5Key(id, { peer: clientIp, password: `${longest}k` }), refused)
        await assert.rejects(client.connect(to(local, { md5Password: `${longest}k` })), refused)
        await server.closeListener(id)
      })

      it('hears only neighbours where GTSM asks for the full hop limit (RFC 5082)', async () => {
        const { id, local } = await server.listen({ local: anyPort, ttl: 255, minTtl: 255 })
        await client.connect(to(local, { ttl: 255, minTtl: 255 }))
        await silent(local, { ttl: 64 })
        await server.closeListener(id)
      })

      it('drops answers with too low a hop limit at the connecting end', async () => {
        const { id, local } = await server.listen({ local: anyPort, ttl: 64 })
        await silent(local, { minTtl: 65 })
        await client.connect(to(local, { minTtl: 64 }))
        await server.closeListener(id)
      })

      it('marks its packets', async () => {
        const table = `inet marks${family.bits}`
        b.input(
          'nft -f -',
          `add table ${table}
           add chain ${table} out { type filter hook output priority 0; }
           add rule ${table} out meta mark 0xfedcba98 counter`,
        )
        const count = (): number => Number(/packets (\d+)/.exec(b.run(`nft list table ${table}`))![1])
        const { id, local } = await server.listen({ local: anyPort })
        await client.connect(to(local))
        assert.equal(count(), 0)
        await client.connect(to(local, { mark: 0xfedcba98 }))
        assert.ok(count() > 0)
        await server.closeListener(id)
      })

      it('binds to an interface, and names one that is not there', async () => {
        const { id, local } = await server.listen({ local: anyPort, device: 'eth0' })
        await client.connect(to(local, { device: 'eth0' }))
        await assert.rejects(client.connect(to(local, { device: 'nope0' })), {
          code: 'ENODEV',
          message: /no such interface/,
        })
        // Through lo nobody is reached.
        await assert.rejects(client.connect(to(local, { device: 'lo', timeoutMs: silenceMs })), {
          name: 'SystemError',
        })
        await server.closeListener(id)
      })

      it('tells refusal, silence and cancellation apart', async () => {
        const closed = await server.listen({ local: anyPort })
        await server.closeListener(closed.id)
        await assert.rejects(client.connect(to(closed.local)), {
          name: 'SystemError',
          code: 'ECONNREFUSED',
          message: /connection refused/,
        })
        const table = `inet quiet${family.bits}`
        a.input(
          'nft -f -',
          `add table ${table}
           add chain ${table} in { type filter hook input priority 0; }
           add rule ${table} in tcp dport 9 drop`,
        )
        const quiet: Endpoint = { ip: serverIp, port: 9 }
        await silent(quiet)
        const error = { name: 'SystemError', code: 'ECANCELED' }
        await assert.rejects(client.connectAndCancel(to(quiet, { timeoutMs: 60_000 })), error)
        a.run(`nft delete table ${table}`)
      })

      it('refuses a second listener on the same port', async () => {
        const { id, local } = await server.listen({ local: anyPort })
        await assert.rejects(server.listen({ local }), { name: 'SystemError', code: 'EADDRINUSE' })
        await server.closeListener(id)
        const again = await server.listen({ local })
        await server.closeListener(again.id)
      })

      it('listens at an address of this machine only', async () => {
        await assert.rejects(server.listen({ local: { ip: clientIp, port: 0 } }), {
          name: 'SystemError',
          code: 'EADDRNOTAVAIL',
        })
      })
    })
  }

  it('has no route to a network that nobody announced', async () => {
    const remote = { ip: ip('192.0.2.1'), port: 179 }
    await assert.rejects(client.connect({ remote, timeoutMs: 5000 }), { code: 'ENETUNREACH' })
  })

  it('listens at both wildcards on one port, each for its own family', async () => {
    const v4 = await server.listen({ local: { ip: ip('0.0.0.0'), port: 0 } })
    const v6 = await server.listen({ local: { ip: ip('::'), port: v4.local.port } })
    const reach = (address: Ip): Promise<unknown> =>
      client.connect({ remote: { ip: address, port: v4.local.port }, timeoutMs: 5000 })
    await Promise.all([reach(ip('10.77.0.1')), reach(ip('fd77::1'))])
    const counts = await Promise.all([v4, v6].map(async ({ id }) => (await server.peersOf(id)).length))
    assert.deepEqual(counts, [1, 1])
    await Promise.all([v4, v6].map(({ id }) => server.closeListener(id)))
  })

  it('reaches a link-local address through the interface named', async () => {
    const addresses = await server.addresses()
    const linkLocal = addresses.find(({ ip: each, scope }) => each.family === 6 && scope === 'link')!.ip
    const { id, local } = await server.listen({ local: { ip: ip('::'), port: 0 } })
    const remote = { ip: linkLocal, port: local.port }
    await client.connect({ remote, device: 'eth0', timeoutMs: 5000 })
    await server.closeListener(id)
  })

  it('refuses a key of the other family and one without a peer', async () => {
    const { id, local } = await server.listen({ local: { ip: ip('0.0.0.0'), port: 0 } })
    await assert.rejects(server.setMd5Key(id, { peer: ip('fd77::2'), password: 'x' }), {
      code: 'EAFNOSUPPORT',
    })
    await server.closeListener(id)
    await assert.rejects(server.listen({ local, md5Password: 'x' }), { code: 'EINVAL', message: /setMd5Key/ })
  })
})

// The speaker and FRR 8.4, each in a namespace of its own: both ends' views of one session, judged by FRR's own output.

import assert from 'node:assert/strict'
import { type Family } from '../../../net/ip.ts'
import { type Announcement, type PeerStatus } from '../../../speaker/speaker.ts'
import { type Frr, startFrr } from './frr.ts'
import { addresses, eventually } from './link.ts'
import { peer, useRig, vip4 as plain4, vip6 as plain6 } from './rig.ts'

const { torii: us } = addresses

/** FRR's neighbour for our session over one family's addresses, with both address families in it. */
function neighbour(over: Family, more: readonly string[] = [], families: readonly Family[] = [4, 6]): string {
  const name = us[over]
  return [
    ` neighbor ${name} remote-as 65001`,
    ` neighbor ${name} timers 3 9`,
    ` neighbor ${name} timers connect 1`,
    ...more.map((line) => ` neighbor ${name} ${line}`),
    ...families.flatMap((family) => [
      ` address-family ipv${family} unicast`,
      `  neighbor ${name} activate`,
      ' exit-address-family',
    ]),
  ].join('\n')
}

// Beside ours a well-known one, NO_EXPORT.
const vip4: Announcement = { ...plain4, communities: [...plain4.communities, 0xffffff01] }
const vip6: Announcement = { ...plain6, communities: vip4.communities }

type FrrPath = {
  readonly aspath: { readonly string: string }
  readonly origin: string
  readonly localPref?: number
  readonly locPrf?: number
  readonly community?: { readonly string: string }
  readonly largeCommunity?: { readonly string: string }
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[]
  readonly peer: { readonly peerId: string }
}
type FrrNeighbour = {
  readonly bgpState: string
  readonly lastErrorCodeSubcode?: string
  readonly lastNotificationReason?: string
  readonly lastShutdownDescription?: string
  readonly connectionsEstablished: number
  readonly bgpTimerHoldTimeMsecs: number
  readonly messageStats: Readonly<Record<string, number>>
}

describe('BGP with FRR', function () {
  this.timeout(90_000)
  const rig = useRig(startFrr)
  const { start } = rig
  const established = async (over: Family, router: Frr): Promise<PeerStatus> => {
    const status = await eventually('an established session', async () =>
      (await rig.torii().status()).find(
        ({ name, state }) => name === `tor-v${over}` && state === 'established',
      ),
    )
    await eventually('FRR to agree', () => stateOf(router, over).bgpState === 'Established')
    return status
  }
  const stateOf = (router: Frr, over: Family): FrrNeighbour => {
    const all = router.json(`show bgp neighbors ${us[over]} json`) as Readonly<Record<string, FrrNeighbour>>
    return all[us[over]]!
  }
  const pathsOf = (router: Frr, text: string): readonly FrrPath[] => {
    const family = text.includes(':') ? 'ipv6' : 'ipv4'
    const { paths } = router.json(`show bgp ${family} unicast ${text} json`) as { paths?: readonly FrrPath[] }
    return paths ?? []
  }
  const learnt = (router: Frr, text: string): Promise<FrrPath> =>
    eventually(`FRR to learn ${text}`, () => pathsOf(router, text)[0])
  const gone = (router: Frr, text: string): Promise<boolean> =>
    eventually(`FRR to forget ${text}`, () => pathsOf(router, text).length === 0)
  const routes = (family: Family): string => rig.link().router.run(`ip -${family} route`)

  for (const over of [4, 6] as const)
    for (const passive of [false, true])
      it(`over IPv${over}, both families in it, ${passive ? 'FRR' : 'we'} connecting`, async () => {
        const router = await start(neighbour(over, passive ? [] : ['passive']))
        await rig.torii().announce([vip4, vip6])
        await rig.torii().setPeers([peer(over, { passive })])
        const { established: session } = await established(over, router)
        assert.equal(session!.peerAsn, 65002)
        assert.equal(session!.peerRouterId, addresses.router[4])
        assert.equal(session!.holdTimeMs, 9000)
        assert.ok(session!.fourOctetAs && session!.routeRefresh)
        for (const [text, hop] of [
          ['198.51.100.1/32', us[4]],
          ['2001:db8::1/128', us[6]],
        ] as const) {
          const path = await learnt(router, text)
          assert.equal(path.aspath.string, '65001')
          assert.equal(path.origin, 'IGP')
          assert.equal(path.community?.string, '65001:100 no-export')
          assert.equal(path.largeCommunity?.string, '65001:2:3')
          assert.ok(
            path.nexthops.some((each) => each.ip === hop),
            JSON.stringify(path.nexthops),
          )
        }
        await eventually(
          'the kernel’s routes',
          () => routes(4).includes('198.51.100.1') && routes(6).includes('2001:db8::1'),
        )
        await rig.torii().announce([vip6])
        await gone(router, '198.51.100.1/32')
        assert.equal(pathsOf(router, '2001:db8::1/128').length, 1)
        await rig.torii().withdrawAll()
        await gone(router, '2001:db8::1/128')
        await eventually(
          'the kernel to follow',
          () => !routes(4).includes('198.51.100.1') && !routes(6).includes('2001:db8::1'),
        )
        assert.deepEqual(await rig.torii().advertisedBy(vip6.prefix), [])
      })

  it('over one session of each family, as balancers in our fabric have it', async () => {
    const router = await start(`${neighbour(4, [], [4])}\n${neighbour(6, [], [6])}`)
    await rig.torii().announce([vip4, vip6])
    await rig.torii().setPeers([peer(4, { families: [4] }), peer(6, { families: [6] })])
    await established(4, router)
    await established(6, router)
    assert.equal((await learnt(router, '198.51.100.1/32')).peer.peerId, us[4])
    assert.equal((await learnt(router, '2001:db8::1/128')).peer.peerId, us[6])
    assert.deepEqual(await rig.torii().advertisedBy(vip4.prefix), ['tor-v4'])
    assert.deepEqual(await rig.torii().advertisedBy(vip6.prefix), ['tor-v6'])
  })

  it('whichever end connects first, when both may', async () => {
    const router = await start(neighbour(4))
    await rig.torii().setPeers([peer(4, { listenPort: 179 })])
    await established(4, router)
    await rig.torii().announce([vip4])
    await learnt(router, '198.51.100.1/32')
    assert.equal(stateOf(router, 4).connectionsEstablished, 1)
  })

  it('inside one AS, with a local preference and an empty path', async () => {
    const router = await start(neighbour(4).replace('remote-as 65001', 'remote-as internal'))
    await rig.torii().setPeers([peer(4, { localAsn: 65002, peerAsn: 'internal' })])
    await rig.torii().announce([vip4, { ...vip6, localPref: 200 }])
    await established(4, router)
    const [four, six] = [await learnt(router, '198.51.100.1/32'), await learnt(router, '2001:db8::1/128')]
    assert.deepEqual([four.aspath.string, six.aspath.string], ['Local', 'Local'])
    assert.deepEqual([four.localPref ?? four.locPrf, six.localPref ?? six.locPrf], [100, 200])
  })

  it('with a four-octet AS of ours', async () => {
    const router = await start(neighbour(4).replace('remote-as 65001', 'remote-as 4200000001'))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4, { localAsn: 4_200_000_001 })])
    await established(4, router)
    assert.equal((await learnt(router, '198.51.100.1/32')).aspath.string, '4200000001')
  })

  for (const passive of [false, true])
    it(`with a password, ${passive ? 'FRR' : 'we'} connecting; with a wrong one there is silence`, async () => {
      const router = await start(neighbour(4, ['password secret', ...(passive ? [] : ['passive'])]))
      await rig.torii().announce([vip4])
      await rig.torii().setPeers([peer(4, { passive, md5Password: 'wrong' })])
      if (!passive)
        await eventually('the reason', async () =>
          /MD5 password differs/.test((await rig.torii().status())[0]!.lastDown?.text ?? ''),
        )
      else {
        await eventually('FRR to try', () => rig.link().router.run('ss -Htn state syn-sent').includes(us[4]))
        assert.equal((await rig.torii().status())[0]!.state, 'active')
      }
      assert.equal(stateOf(router, 4).connectionsEstablished, 0)
      await rig.torii().setPeers([peer(4, { passive, md5Password: 'secret' })])
      await established(4, router)
      await learnt(router, '198.51.100.1/32')
    })

  it('sends everything again when FRR asks, and FRR counts nothing lost', async () => {
    const router = await start(neighbour(4))
    await rig.torii().announce([vip4, vip6])
    await rig.torii().setPeers([peer(4)])
    await established(4, router)
    await learnt(router, '198.51.100.1/32')
    await learnt(router, '2001:db8::1/128')
    const before = stateOf(router, 4).messageStats['updatesRecv']!
    router.vtysh('clear bgp ipv4 unicast * soft in')
    await eventually('one more UPDATE', () => stateOf(router, 4).messageStats['updatesRecv'] === before + 1)
    router.vtysh('clear bgp ipv6 unicast * soft in')
    await eventually('one more', () => stateOf(router, 4).messageStats['updatesRecv'] === before + 2)
    const [status] = await rig.torii().status()
    assert.equal(status!.received.routeRefreshes, 2)
    assert.equal(pathsOf(router, '198.51.100.1/32').length, 1)
  })

  it('tells FRR that it leaves, and why', async () => {
    const router = await start(neighbour(4))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4)])
    await established(4, router)
    await learnt(router, '198.51.100.1/32')
    await rig.torii().withdrawAll()
    await rig.torii().close({ cease: true })
    await eventually('FRR to hear it', () => stateOf(router, 4).lastErrorCodeSubcode === '0602')
    const seen = stateOf(router, 4)
    assert.equal(seen.lastNotificationReason, 'Cease/Administrative Shutdown')
    assert.equal(seen.lastShutdownDescription, 'torii is shutting down')
    assert.notEqual(seen.bgpState, 'Established')
  })

  it('hears that FRR leaves, and why', async () => {
    const router = await start(neighbour(4))
    await rig.torii().setPeers([peer(4)])
    await established(4, router)
    router.vtysh('configure', 'router bgp 65002', `neighbor ${us[4]} shutdown message new optics`)
    await eventually('the reason', async () =>
      /^the neighbour sent Cease \/ Administrative Shutdown: new optics$/.test(
        (await rig.torii().status())[0]!.lastDown?.text ?? '',
      ),
    )
  })

  it('loses FRR by the hold timer when it hangs, and FRR us when we do', async () => {
    const router = await start(neighbour(4).replace('timers 3 9', 'timers 1 3'))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4, { holdTimeMs: 3000 })])
    const { established: session } = await established(4, router)
    assert.equal(session!.holdTimeMs, 3000)
    assert.equal(stateOf(router, 4).bgpTimerHoldTimeMsecs, 3000)
    router.freeze()
    await eventually('our hold timer', async () =>
      /Hold Timer Expired/.test((await rig.torii().status())[0]!.lastErrorSent?.text ?? ''),
    )
    router.thaw()
    await established(4, router)
    await learnt(router, '198.51.100.1/32')
    rig.torii().freeze()
    await gone(router, '198.51.100.1/32')
    // FRR gives the code of what it sent.
    assert.equal(stateOf(router, 4).lastErrorCodeSubcode, '0400')
    rig.torii().thaw()
    await established(4, router)
    await learnt(router, '198.51.100.1/32')
  })

  it('is back, and tells everything again, after FRR died and came back', async () => {
    const router = await start(neighbour(4))
    await rig.torii().announce([vip4, vip6])
    await rig.torii().setPeers([peer(4)])
    await established(4, router)
    await router.killBgpd()
    await eventually('our end of it', async () => (await rig.torii().status())[0]!.state !== 'established')
    await router.startBgpd()
    await established(4, router)
    await learnt(router, '198.51.100.1/32')
    await learnt(router, '2001:db8::1/128')
    assert.equal((await rig.torii().status())[0]!.establishedCount, 2)
  })

  it('is told by FRR which AS it should have', async () => {
    const router = await start(neighbour(4).replace('remote-as 65001', 'remote-as 65099'))
    await rig.torii().setPeers([peer(4)])
    await eventually('the reason', async () =>
      /OPEN Message Error \/ Bad Peer AS/.test(
        (await rig.torii().status())[0]!.lastErrorReceived?.text ?? '',
      ),
    )
    assert.notEqual(stateOf(router, 4).bgpState, 'Established')
  })

  it('tells FRR that it has not the AS it should', async () => {
    const router = await start(neighbour(4))
    await rig.torii().setPeers([peer(4, { peerAsn: 65098 })])
    await eventually('FRR to hear it', () =>
      /NOTIFICATION: received from neighbor 10\.78\.0\.1 2\/2 /.test(router.log()),
    )
    assert.match(
      (await rig.torii().status())[0]!.lastErrorSent!.text,
      /Bad Peer AS: AS 65002, expected 65098/,
    )
  })
})

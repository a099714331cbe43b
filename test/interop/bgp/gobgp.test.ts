// The speaker and GoBGP 3: the same story as with FRR in short, judged by gobgp's own output.

import assert from 'node:assert/strict'
import { type Family } from '../../../net/ip.ts'
import { type GoBgp, startGoBgp } from './gobgp.ts'
import { addresses, eventually } from './link.ts'
import { peer, useRig, vip4, vip6 } from './rig.ts'

const { torii: us } = addresses

function neighbour(over: Family, lines: readonly string[] = [], transport: readonly string[] = []): string {
  return `[[neighbors]]
  [neighbors.config]
    neighbor-address = "${us[over]}"
    peer-as = 65001
    ${lines.join('\n    ')}
  [neighbors.transport.config]
    ${transport.join('\n    ')}
  [neighbors.timers.config]
    connect-retry = 1
    hold-time = 9
    idle-hold-time-after-reset = 1
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"`
}

describe('BGP with GoBGP', function () {
  this.timeout(90_000)
  const rig = useRig(startGoBgp)
  const { start } = rig
  const established = (): Promise<boolean> =>
    eventually('an established session', async () => (await rig.torii().status())[0]?.state === 'established')
  const rib = (router: GoBgp, family: Family): string => router.gobgp('global', 'rib', '-a', `ipv${family}`)

  for (const over of [4, 6] as const)
    for (const passive of [false, true])
      it(`over IPv${over}, both families in it, ${passive ? 'GoBGP' : 'we'} connecting`, async () => {
        const router = await start(neighbour(over, [], passive ? [] : ['passive-mode = true']))
        await rig.torii().announce([vip4, vip6])
        await rig.torii().setPeers([peer(over, { passive })])
        await established()
        for (const [family, text, hop] of [
          [4, '198.51.100.1/32', us[4]],
          [6, '2001:db8::1/128', us[6]],
        ] as const) {
          const line = await eventually(`GoBGP to learn ${text}`, () =>
            rib(router, family)
              .split('\n')
              .find((each) => each.includes(text)),
          )
          assert.match(line, new RegExp(`${text}\\s+${hop}\\s+65001\\s`))
          assert.match(line, /Origin: i/)
          assert.match(line, /Communities: 65001:100/)
          assert.match(line, /LargeCommunity: \[ ?65001:2:3\]/)
        }
        await rig.torii().withdrawAll()
        await eventually('GoBGP to forget both', () =>
          [4, 6].every((family) => rib(router, family as Family).includes('Network not in table')),
        )
      })

  it('with a password; with a wrong one there is silence', async () => {
    await start(neighbour(4, ['auth-password = "secret"'], ['passive-mode = true']))
    await rig.torii().setPeers([peer(4, { md5Password: 'wrong' })])
    await eventually('the reason', async () =>
      /MD5 password differs/.test((await rig.torii().status())[0]!.lastDown?.text ?? ''),
    )
    await rig.torii().setPeers([peer(4, { md5Password: 'secret' })])
    await established()
  })

  it('leaves and is left with Cease', async () => {
    const router = await start(neighbour(4))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4)])
    await established()
    router.gobgp('neighbor', us[4], 'disable')
    await eventually('GoBGP’s reason', async () =>
      /Cease \/ Administrative Shutdown/.test((await rig.torii().status())[0]!.lastErrorReceived?.text ?? ''),
    )
    router.gobgp('neighbor', us[4], 'enable')
    await established()
    await eventually('GoBGP to learn it', () => rib(router, 4).includes('198.51.100.1/32'))
    await rig.torii().close({ cease: true })
    await eventually('our reason in its log', () => /torii is shutting down/.test(router.output()))
    await eventually('GoBGP to forget it', () => !rib(router, 4).includes('198.51.100.1/32'))
  })

  it('is back after GoBGP died and came back', async () => {
    const first = await start(neighbour(4))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4)])
    await established()
    await first.stop()
    await eventually('our end of it', async () => (await rig.torii().status())[0]!.state !== 'established')
    const second = await start(neighbour(4))
    await established()
    await eventually('GoBGP to learn it again', () => rib(second, 4).includes('198.51.100.1/32'))
  })
})

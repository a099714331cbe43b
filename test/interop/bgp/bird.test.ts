// The speaker and BIRD 2: the same story as with FRR in short, judged by birdc.

import assert from 'node:assert/strict'
import { type Family } from '../../../net/ip.ts'
import { type Bird, startBird } from './bird.ts'
import { addresses, eventually } from './link.ts'
import { peer, useRig, vip4, vip6 } from './rig.ts'

const { torii: us, router } = addresses

function protocol(over: Family, lines = ''): string {
  return `protocol bgp tor {
  local ${router[over]} as 65002;
  neighbor ${us[over]} as 65001;
  connect delay time 0; connect retry time 1; error wait time 1,1; hold time 9;
  ipv4 { import all; export none; import table; };
  ipv6 { import all; export none; import table; };
  ${lines}
}`
}

describe('BGP with BIRD', function () {
  this.timeout(90_000)
  const rig = useRig(startBird)
  const { start } = rig
  const established = (router: Bird): Promise<boolean> =>
    eventually('an established session', async () => {
      const [status] = await rig.torii().status()
      return status?.state === 'established' && / Established/.test(router.birdc('show protocols tor'))
    })
  const route = (router: Bird, text: string): string => router.birdc(`show route all ${text}`)

  for (const over of [4, 6] as const)
    for (const passive of [false, true])
      it(`over IPv${over}, both families in it, ${passive ? 'BIRD' : 'we'} connecting`, async () => {
        const router = await start(protocol(over, passive ? '' : 'passive yes;'))
        await rig.torii().announce([vip4, vip6])
        await rig.torii().setPeers([peer(over, { passive })])
        await established(router)
        for (const [text, hop] of [
          ['198.51.100.1/32', us[4]],
          ['2001:db8::1/128', us[6]],
        ] as const) {
          const shown = await eventually(`BIRD to learn ${text}`, () => {
            const answer = route(router, text)
            return answer.includes('BGP.as_path') && answer
          })
          assert.match(shown, /BGP\.origin: IGP/)
          assert.match(shown, /BGP\.as_path: 65001\n/)
          assert.match(shown, new RegExp(`BGP\\.next_hop: ${hop}\\b`))
          assert.match(shown, /BGP\.community: \(65001,100\)/)
          assert.match(shown, /BGP\.large_community: \(65001, 2, 3\)/)
        }
        await rig.torii().withdrawAll()
        for (const text of ['198.51.100.1/32', '2001:db8::1/128'])
          await eventually(`BIRD to forget ${text}`, () => route(router, text).includes('Network not found'))
      })

  it('with a password; with a wrong one there is silence', async () => {
    const router = await start(protocol(4, 'password "secret"; passive yes;'))
    await rig.torii().setPeers([peer(4, { md5Password: 'wrong' })])
    await eventually('the reason', async () =>
      /MD5 password differs/.test((await rig.torii().status())[0]!.lastDown?.text ?? ''),
    )
    await rig.torii().setPeers([peer(4, { md5Password: 'secret' })])
    await established(router)
  })

  it('sends everything again when BIRD asks', async () => {
    const router = await start(protocol(4).replaceAll(' import table;', ''))
    await rig.torii().announce([vip4, vip6])
    await rig.torii().setPeers([peer(4)])
    await established(router)
    const sent = (await rig.torii().status())[0]!.sent.updates
    router.birdc('reload in tor')
    await eventually('two requests and their answers', async () => {
      const [status] = await rig.torii().status()
      return status!.received.routeRefreshes === 2 && status!.sent.updates === sent + 2
    })
  })

  it('leaves and is left with Cease and a text', async () => {
    const router = await start(protocol(4))
    await rig.torii().setPeers([peer(4)])
    await established(router)
    router.birdc('disable tor "new optics"')
    await eventually('BIRD’s reason', async () =>
      /Administrative Shutdown: new optics$/.test(
        (await rig.torii().status())[0]!.lastErrorReceived?.text ?? '',
      ),
    )
    router.birdc('enable tor')
    await established(router)
    await rig.torii().close({ cease: true })
    await eventually('our reason', () =>
      /Received: Administrative shutdown/.test(router.birdc('show protocols all tor')),
    )
    assert.match(router.birdc('show protocols all tor'), /torii is shutting down/)
  })

  it('is back after BIRD died and came back', async () => {
    const first = await start(protocol(4))
    await rig.torii().announce([vip4])
    await rig.torii().setPeers([peer(4)])
    await established(first)
    await first.stop()
    await eventually('our end of it', async () => (await rig.torii().status())[0]!.state !== 'established')
    const second = await start(protocol(4))
    await established(second)
    await eventually('BIRD to learn it again', () => route(second, '198.51.100.1/32').includes('BGP.as_path'))
  })
})

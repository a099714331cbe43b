// What the guides show is what the loader takes.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatIp } from '../../net/ip.ts'
import { accepted, document, says } from './read.ts'

const examples = (file: string): readonly string[] =>
  [...readFileSync(join(import.meta.dirname, '../..', file), 'utf8').matchAll(/^```yaml\n(.*?)^```/gms)].map(
    ([, text = '']) => text,
  )

describe('the examples', () => {
  it('of docs/config.md are accepted together, without a warning', () => {
    const blocks = examples('docs/config.md')
    const documents = blocks.filter((text) => text.startsWith('apiVersion:'))
    assert.ok(documents.length >= 6)
    const text = documents.join('---\n')
    assert.deepEqual(says(text), { problems: [], warnings: [] })
    const { loadBalancers, nodes, datapath, pools, peers, advertisements } = accepted(text)
    assert.deepEqual(loadBalancers[0]?.addresses.map(formatIp), ['198.51.100.10', '2001:db8:100::10'])
    assert.deepEqual(
      [nodes, pools, peers, advertisements].map(({ length }) => length),
      [1, 1, 1, 1],
    )
    assert.equal(datapath.slots, 64)
  })

  it("of docs/config.md for Torii's BGPPeer are fields that it has", () => {
    const [fragment, ...others] = examples('docs/config.md').filter((text) => text.startsWith('  '))
    assert.ok(fragment !== undefined && others.length === 0)
    const base = 'myASN: 1\npeerASN: 2\npeerAddress: 10.0.0.1'
    const [peer] = accepted(`${document('BGPPeer', 'torii.dev/v1alpha1', base)}${fragment}`).peers
    assert.equal(peer?.passive, true)
    assert.equal(peer.listenPort, 179)
  })

  it('of the README are accepted', () => {
    const [walk] = examples('README.md')
    assert.ok(walk !== undefined && walk.includes('kind: LoadBalancer'))
    assert.deepEqual(says(walk), { problems: [], warnings: [] })
  })
})

// ECN code points at the source: a client's packets get the one that bits 1 and 2 of their source port say.

import assert from 'node:assert/strict'
import { type FabricNode } from '../../fabric/fabric.ts'

const table = 'torii_ecn'

/** Runs `body` while packets that `node` sends leave with all four code points, by source port. */
export async function withEcn<T>(node: FabricNode, body: () => Promise<T>): Promise<T> {
  const rules = (['ip', 'ip6'] as const).flatMap((family) =>
    [0, 1, 2, 3].map(
      (ecn) => `    meta l4proto { tcp, udp } th sport & 6 == ${2 * ecn} ${family} ecn set ${ecn}`,
    ),
  )
  await nft(
    node,
    [
      `table inet ${table} {`,
      '  chain out {',
      '    type filter hook output priority mangle;',
      ...rules,
      '  }',
      '}',
      '',
    ].join('\n'),
  )
  try {
    return await body()
  } finally {
    await nft(node, `delete table inet ${table}\n`)
  }
}

async function nft(node: FabricNode, input: string): Promise<void> {
  const { status, stderr } = await node.exec(['nft', '-f', '-'], { input })
  assert.equal(status, 0, stderr)
}

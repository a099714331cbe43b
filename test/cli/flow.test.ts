import assert from 'node:assert/strict'
import { CliError } from '../../cli/exit.ts'
import { parseFlow } from '../../cli/flow.ts'

describe('a flow on the command line', () => {
  it('is read in both families', () => {
    assert.deepEqual(parseFlow('192.0.2.7:4711', '198.51.100.10:80/TCP'), {
      source: '192.0.2.7',
      sourcePort: 4711,
      destination: '198.51.100.10',
      destinationPort: 80,
      protocol: 'tcp',
    })
    assert.deepEqual(parseFlow('[2001:db8::7]:4711', '[2001:DB8:0:0::10]:53/udp'), {
      source: '2001:db8::7',
      sourcePort: 4711,
      destination: '2001:db8::10',
      destinationPort: 53,
      protocol: 'udp',
    })
  })

  it('is refused with the argument, what was found and what was expected', () => {
    for (const [source, destination, text] of [
      ['192.0.2.7', '198.51.100.10:80/tcp', /SRC: found '192.0.2.7', expected ADDRESS:PORT/],
      ['192.0.2.7:99999', '198.51.100.10:80/tcp', /SRC/],
      ['2001:db8::7:4711', '[2001:db8::10]:80/tcp', /brackets/],
      ['192.0.2.7:1', '198.51.100.10:80', /PROTO tcp or udp/],
      ['192.0.2.7:1', '198.51.100.10:80/sctp', /PROTO tcp or udp/],
      ['192.0.2.7:1', '[2001:db8::10]:80/tcp', /two families/],
    ] as const) {
      assert.throws(
        () => parseFlow(source, destination),
        (error: unknown) => error instanceof CliError && error.exitCode === 2 && text.test(error.message),
      )
    }
  })
})

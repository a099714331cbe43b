// `torii trace`: every way a flow can end, in words, and that the words agree with what packets get.

import assert from 'node:assert/strict'
import { ethernet, ipv4, tcp } from './packets.ts'
import {
  client4,
  client6,
  dscp,
  image,
  ingress,
  port,
  vip4,
  vip6,
  withoutHops,
  withoutReals,
} from './small-image.ts'
import { type Names, explainFlow } from '../../forwarder/explain.ts'
import { type Flow, type FlowTrace } from '../../forwarder/model.ts'
import { parseFrame } from '../../forwarder/parse.ts'
import { forward } from '../../forwarder/reference.ts'
import { formatIp, ip } from '../../net/ip.ts'

const names: Names = {
  service: () => 'default/web',
  real: (index) => ['be1', 'be2', 'be1', 'be2'][index],
  interface: (ifindex) => (ifindex === ingress ? 'eth1' : 'eth2'),
}
const nameless: Names = { service: () => undefined, real: () => undefined, interface: () => undefined }

function flow(changes: Partial<Flow> = {}): Flow {
  return {
    family: 4,
    source: ip(client4),
    sourcePort: 40_000,
    destination: ip(vip4),
    destinationPort: port,
    protocol: 'tcp',
    ...changes,
  }
}

function ending({ verdict, why }: FlowTrace): readonly [string, string | undefined] {
  return [verdict, why.at(-1)]
}

describe('explainFlow', () => {
  it('tells the whole way of a flow, in the order of the datapath', () => {
    assert.deepEqual(explainFlow(flow(), image, names), {
      verdict: 'forward',
      service: 'default/web',
      row: 59,
      tableSize: 251,
      real: { name: 'be2', ip: ip('10.1.2.2') },
      dscp,
      hop: { ...image.reals.get(1)!.hop!, interface: 'eth2' },
      why: [
        '198.51.100.10 serves 80/tcp for default/web: table 0, DSCP 5',
        'hash 0x3c3ac686 of the 5-tuple is row 59 of 251',
        'row 59 belongs to be2, 10.1.2.2',
        'next hop 02:00:00:00:00:dd out of eth2',
      ],
    })
  })

  it('names the real that the flow’s packets get', () => {
    for (let sourcePort = 1024; sourcePort < 1056; sourcePort += 1) {
      const header = { source: client4, destination: vip4 }
      const frame = ethernet(ipv4(header, tcp({ from: sourcePort, to: port })))
      const { destination } = parseFrame(forward(frame, ingress, image).frame)!
      const { real } = explainFlow(flow({ sourcePort }), image, names)
      assert.equal(formatIp(real!.ip), formatIp(destination))
    }
  })

  it('says why a flow is not forwarded', () => {
    const no = (changes: Partial<Flow>, tables = image): readonly [string, string | undefined] =>
      ending(explainFlow(flow(changes), tables, names))
    assert.deepEqual(no({ destination: ip('203.0.113.9') }), [
      'pass',
      '203.0.113.9 is no VIP here: the host gets the packet',
    ])
    assert.deepEqual(no({ destinationPort: 81 }), ['drop', 'it does not serve 81/tcp'])
    assert.deepEqual(no({ source: ip(vip4) }), ['drop', 'source and destination are both 198.51.100.10'])
    assert.deepEqual(no({}, withoutReals), ['drop', 'no backend holds row 59: none is up'])
    assert.deepEqual(no({}, withoutHops), ['drop', 'the next hop to 10.1.2.2 is not known'])
  })

  it('keeps what is known of a flow that is dropped', () => {
    const trace = explainFlow(flow(), withoutHops, names)
    assert.deepEqual(
      [trace.service, trace.row, trace.real?.name, trace.dscp, trace.hop],
      ['default/web', 59, 'be2', dscp, undefined],
    )
  })

  it('does with numbers where names are missing, and with IPv6', () => {
    const six = flow({ family: 6, source: ip(client6), destination: ip(vip6), protocol: 'udp' })
    const { why, real } = explainFlow(six, image, nameless)
    assert.equal(why[0], '2001:db8:1::10 serves 80/udp for a service without a name: table 1, DSCP 5')
    assert.match(real?.name ?? '', /^real [23]$/)
    assert.match(why[3] ?? '', /out of interface [34]$/)
  })
})

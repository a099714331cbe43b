// MetalLB's BGPPeer (metallb.io/v1beta1 and v1beta2), and the same with Torii's additions (torii.dev/v1alpha1).

import { type z } from 'zod'
import { formatFamily, hostAddress } from './addresses.ts'
import { bgpTimers } from './bgp-timers.ts'
import { refuseRepeats } from './distinct.ts'
import { type Document } from './document.ts'
import { anyDuration, duration } from './duration.ts'
import { fields, flag, integer, notYet, oneOf, parsed } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { metadata, served } from './metadata.ts'
import { type BgpPeer } from './model.ts'
import { labelSelectors, selectorKey } from './selector.ts'
import { parseIp } from '../net/ip.ts'

const asnMax = 0xffffffff
// TCP_MD5SIG_MAXKEYLEN of Linux.
const passwordBytesMax = 80

const password = parsed(`a password of at most ${passwordBytesMax} bytes in one line`, (written) =>
  new TextEncoder().encode(written).length <= passwordBytesMax && !/[\r\n]/.test(written)
    ? written
    : undefined,
)
const routerId = parsed('a router id: an IPv4 address other than 0.0.0.0', (written) => {
  const ip = parseIp(written)
  return ip?.family === 4 && ip.value !== 0n ? written : undefined
})

const v1beta1 = {
  myASN: integer(1, asnMax),
  // 0 is how Go writes that there is none.
  peerASN: integer(0, asnMax).default(0),
  peerAddress: hostAddress,
  sourceAddress: hostAddress.optional(),
  peerPort: integer(0, 16384).optional(),
  holdTime: anyDuration.optional(),
  keepaliveTime: anyDuration.optional(),
  routerID: routerId.optional(),
  nodeSelectors: labelSelectors,
  password: password.optional(),
  ebgpMultiHop: flag.default(false),
  bfdProfile: notYet,
}
const v1beta2 = {
  ...v1beta1,
  peerPort: integer(1, 16384).optional(),
  dynamicASN: oneOf('internal', 'external').optional(),
  connectTime: wholeSeconds().optional(),
  dualStackAddressFamily: flag.default(false),
  disableMP: flag.default(false),
  interface: notYet,
  localASN: notYet,
  passwordSecret: notYet,
  vrf: notYet,
  enableGracefulRestart: notYet,
}
const v1alpha1 = {
  ...v1beta2,
  peerPort: integer(1, 65535).optional(),
  passive: flag.default(false),
  listenPort: integer(1, 65535).optional(),
}

const peerOf = <S extends z.ZodRawShape>(spec: S) =>
  fields({ ...served, metadata: metadata(), spec: fields(spec) })
const schemas = {
  'metallb.io/v1beta1': peerOf(v1beta1),
  'metallb.io/v1beta2': peerOf(v1beta2),
  'torii.dev/v1alpha1': peerOf(v1alpha1),
}

type Spec = z.output<ReturnType<typeof fields<typeof v1beta1>>> &
  Partial<z.output<ReturnType<typeof fields<typeof v1alpha1>>>>

/** Undefined after its problems were reported. */
export function readPeer(
  version: keyof typeof schemas,
  document: Document,
  findings: Findings,
): BgpPeer | undefined {
  const read = conform<{ metadata: { name: string }; spec: Spec }>(schemas[version], document, findings)
  if (read === undefined) return undefined
  const { spec } = read
  const { peerAddress, sourceAddress, nodeSelectors = [], disableMP = false } = spec
  refuseRepeats(nodeSelectors.map(selectorKey), ['spec', 'nodeSelectors'], document, findings)
  if (sourceAddress !== undefined && sourceAddress.family !== peerAddress.family)
    findings.problem({
      ...document.at(['spec', 'sourceAddress']),
      message: `found an ${formatFamily(sourceAddress.family)} address, expected one of the peer address's family, ${formatFamily(peerAddress.family)}`,
    })
  if (disableMP)
    findings.warning({
      ...document.at(['spec', 'disableMP'], 'key'),
      message: 'disableMP is deprecated and has no effect',
      remedy: 'remove it',
    })
  const peerAsn = peerAsnOf(spec, document, findings)
  const timers = bgpTimers(spec, document, findings)
  if (peerAsn === undefined || timers === undefined) return undefined
  return {
    name: read.metadata.name,
    nodeSelectors,
    myAsn: spec.myASN,
    peerAsn,
    address: peerAddress,
    port: spec.peerPort === 0 ? undefined : spec.peerPort,
    sourceAddress,
    routerId: spec.routerID,
    ...timers,
    connectTimeMs: spec.connectTime,
    password: spec.password === '' ? undefined : spec.password,
    ebgpMultiHop: spec.ebgpMultiHop,
    dualStackAddressFamily: spec.dualStackAddressFamily ?? false,
    passive: spec.passive ?? false,
    listenPort: spec.listenPort,
    place: document.place,
  }
}

function peerAsnOf(
  { myASN, peerASN, dynamicASN, ebgpMultiHop }: Spec,
  document: Document,
  findings: Findings,
): BgpPeer['peerAsn'] | undefined {
  const peerAsn = dynamicASN ?? peerASN
  if (peerAsn === 0) {
    const message = 'neither peerASN nor dynamicASN, expected one of them'
    findings.problem({ ...document.at(['spec', 'peerASN']), message })
    return undefined
  }
  if (dynamicASN !== undefined && peerASN !== 0) {
    const message = 'both peerASN and dynamicASN, expected one of them'
    findings.problem({ ...document.at(['spec', 'dynamicASN'], 'key'), message, remedy: 'remove one' })
  }
  if (ebgpMultiHop && (peerAsn === myASN || peerAsn === 'internal'))
    findings.problem({
      ...document.at(['spec', 'ebgpMultiHop'], 'key'),
      message: 'found true for a peer of our own AS, expected it only with external peers',
      remedy: 'remove it: sessions inside an AS cross routers anyway',
    })
  return peerAsn
}

function wholeSeconds(): z.ZodType<number> {
  return duration(1000, 65_535_000).refine((value) => value % 1000 === 0, { error: 'whole seconds' })
}

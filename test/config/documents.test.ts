import assert from 'node:assert/strict'
import { parseDocuments } from '../../config/config.ts'
import { formatProblem } from '../../config/problem.ts'
import { accepted, all, peer, pool, problems, says } from './read.ts'

describe('documents', () => {
  it('may be none at all', () => {
    const parsed = parseDocuments([])
    assert.equal(parsed.kind, 'ok')
    assert.deepEqual(parsed.config.pools, [])
    assert.deepEqual(says('# later\n---\n'), {
      problems: [],
      warnings: ['f:1:1: no document in this file'],
    })
  })

  it('are not read from a file that is empty: it is being written', () => {
    assert.deepEqual(problems(' \n'), [
      'f:1:1: the file is empty, expected at least one document: remove the file if nothing is meant',
    ])
  })

  it('are taken as kubectl writes them: a List, with what the API server adds', () => {
    const text = `
apiVersion: v1
kind: List
metadata: {resourceVersion: ""}
items:
- apiVersion: metallb.io/v1beta1
  kind: IPAddressPool
  metadata:
    annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
    creationTimestamp: "2026-01-01T00:00:00Z"
    finalizers: [a/b]
    generation: 2
    labels: {zone: one, empty: ""}
    managedFields: [{manager: kubectl, fieldsV1: {"f:spec": {}}}]
    name: first
    namespace: metallb-system
    resourceVersion: "1234"
    uid: 0b1c6e0e-0000-0000-0000-000000000000
  spec:
    addresses: [192.168.10.0/24]
    autoAssign: true
    avoidBuggyIPs: false
  status: {assignedIPv4: 0, availableIPv4: 256}
- apiVersion: metallb.io/v1beta2
  kind: BGPPeer
  metadata: {name: tor, namespace: metallb-system}
  spec: {myASN: 64512, peerASN: 64500, peerAddress: 10.0.0.1, disableMP: false, passwordSecret: {}}
  status: {}
`
    const { pools, peers } = accepted(text)
    assert.deepEqual(pools[0]?.labels, { zone: 'one', empty: '' })
    assert.deepEqual(pools[0].place, { file: 'f', line: 6, column: 3 })
    assert.equal(peers[0]?.name, 'tor')
  })

  it('in a List are refused with paths of their own and lines of the file', () => {
    const text = `
kind: List
apiVersion: v1
items:
- apiVersion: metallb.io/v1beta1
  kind: IPAddressPool
  metadata: {name: one}
  spec: {}
- 5
- {}
`
    assert.deepEqual(problems(text), [
      'f:8:9: IPAddressPool one: spec.addresses: missing, expected a list of at least one prefix or range',
      'f:9:3: items[1]: found 5, expected a document: a mapping with apiVersion, kind, metadata and spec',
      'f:10:3: items[2].kind: missing, expected the kind of the document, such as LoadBalancer',
      'f:10:3: items[2].apiVersion: missing, expected a version, such as torii.dev/v1alpha1',
    ])
    assert.deepEqual(problems('kind: List\nitems: 3\n'), [
      'f:2:8: List: items: found 3, expected a list of documents',
    ])
  })

  it('are refused by name if their kind is not supported yet, or not known', () => {
    const of = (apiVersion: string, kind: string): readonly string[] =>
      problems(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\n`)
    for (const [apiVersion, kind] of [
      ['metallb.io/v1beta1', 'L2Advertisement'],
      ['metallb.io/v1beta1', 'BFDProfile'],
      ['metallb.io/v1beta1', 'Community'],
      ['v1', 'Service'],
      ['discovery.k8s.io/v1', 'EndpointSlice'],
    ] as const)
      assert.deepEqual(of(apiVersion, kind), [
        `f:2:7: ${kind} x: kind: Torii does not support the kind ${kind} (${apiVersion}) yet: remove the document`,
      ])
    const kinds = 'IPAddressPool, BGPPeer, BGPAdvertisement, LoadBalancer, Node, Datapath'
    assert.deepEqual(of('apps/v1', 'Deployment'), [
      `f:2:7: Deployment x: kind: found the kind 'Deployment' (apps/v1), expected one of: ${kinds}`,
    ])
    assert.deepEqual(of('torii.dev/v1alpha1', 'LoadBalncer'), [
      `f:2:7: LoadBalncer x: kind: found the kind 'LoadBalncer' (torii.dev/v1alpha1), expected one of: ${kinds}: did you mean 'LoadBalancer'?`,
    ])
    assert.deepEqual(of('v1', 'Node'), [
      `f:1:13: Node x: apiVersion: found 'v1', expected torii.dev/v1alpha1 for the kind Node`,
    ])
    assert.deepEqual(of('metallb.io/v1beta3', 'BGPPeer'), [
      `f:1:13: BGPPeer x: apiVersion: found 'metallb.io/v1beta3', expected metallb.io/v1beta2 or metallb.io/v1beta1 or torii.dev/v1alpha1 for the kind BGPPeer`,
    ])
  })

  it('are refused for metadata that Kubernetes would refuse', () => {
    const text = pool('addresses: [10.0.0.0/24]').replace(
      '{name: one}',
      '{name: A_b, namespace: a.b, lables: {}, labels: {-: x, a: "!", n: 5, __proto__: x}}',
    )
    assert.deepEqual(problems(text), [
      `f:3:18: IPAddressPool A_b: metadata.name: found 'A_b', expected a name: lower-case letters, digits, - and .`,
      `f:3:34: IPAddressPool A_b: metadata.namespace: found 'a.b', expected a namespace: lower-case letters, digits and -, at most 63`,
      `f:3:39: IPAddressPool A_b: metadata.lables: unknown field, expected one of: name, namespace, labels, annotations, creationTimestamp, finalizers, generation, managedFields, ownerReferences, resourceVersion, selfLink, uid: did you mean 'labels'?`,
      `f:3:60: IPAddressPool A_b: metadata.labels["-"]: found the key '-', expected a label key such as app or example.com/app`,
      `f:3:69: IPAddressPool A_b: metadata.labels.a: found '!', expected a label value: letters, digits, - . and _, at most 63`,
      `f:3:77: IPAddressPool A_b: metadata.labels.n: found 5, expected a label value: letters, digits, - . and _, at most 63, in quotes`,
      `f:3:80: found the key '__proto__', which is no field of anything`,
    ])
    assert.deepEqual(problems(pool('addresses: [10.0.0.0/24]').replace('{name: one}', '{}')), [
      'f:3:11: IPAddressPool: metadata.name: missing, expected a name: lower-case letters, digits, - and .',
    ])
  })

  it('have names of their own in each kind, LoadBalancers in each namespace', () => {
    const one = pool('addresses: [10.0.0.0/24]')
    assert.deepEqual(problems(all(one, one.replace('10.0.0', '10.0.1'))), [
      `f:9:18: IPAddressPool one: metadata.name: found the name 'one' again, first in f:1, expected each IPAddressPool only once: rename or remove one`,
    ])
    const lb = (namespace: string): string =>
      `apiVersion: torii.dev/v1alpha1\nkind: LoadBalancer\nmetadata: {name: one, namespace: ${namespace}}\nspec: {ports: [{port: 1}], backends: [{name: b, addresses: [10.9.9.9]}]}\n`
    const nameless = one.replace('{name: one}', '{}')
    assert.equal(problems(all(nameless, nameless.replace('10.0.0', '10.0.1'))).length, 2)
    accepted(all(one, lb('a'), lb('b')))
    assert.equal(problems(all(lb('default'), lb('default').replace(', namespace: default', ''))).length, 1)
  })

  it('give all their problems in the order of files and lines', () => {
    const sources = [
      {
        file: 'z',
        text: all(pool('addresses: [1.1.1.1/33]\nx: 1'), peer('myASN: 0\npeerASN: 1\npeerAddress: 10.0.0.1')),
      },
      { file: 'a', text: 'kind: Foo\napiVersion: v1\n---\na: 1\na: 2\n' },
    ]
    const parsed = parseDocuments(sources)
    assert.equal(parsed.kind, 'refused')
    assert.deepEqual(
      parsed.problems.map((each) => formatProblem(each).split(': ')[0]),
      ['z:5:15', 'z:6:3', 'z:12:10', 'a:1:7', 'a:4:1', 'a:4:1', 'a:5:1'],
    )
  })
})

describe('two BGPPeers', () => {
  const node = (name: string): string =>
    `apiVersion: torii.dev/v1alpha1\nkind: Node\nmetadata: {name: ${name}}\n`
  const base = 'myASN: 1\npeerASN: 2\npeerAddress: 10.0.0.1'
  const at = (host: string): string =>
    `${base}\nnodeSelectors: [{matchLabels: {kubernetes.io/hostname: ${host}}}]`

  it('are not one neighbour of one node', () => {
    assert.deepEqual(problems(all(peer(base, 'one'), peer(base, 'two'))), [
      'f:15:16: BGPPeer two: spec.peerAddress: found 10.0.0.1, which is also the address of BGPPeer one (f:1), expected one BGPPeer for each neighbour of a node: remove one, or give them node selectors that no Node matches both of',
    ])
    assert.equal(problems(all(peer(at('a'), 'one'), peer(at('b'), 'two'))).length, 1)
  })

  it('may be, each of another node', () => {
    accepted(all(peer(at('a'), 'one'), peer(at('b'), 'two'), node('a'), node('b')))
    assert.equal(problems(all(peer(at('a'), 'one'), peer(base, 'two'), node('a'), node('b'))).length, 1)
  })
})

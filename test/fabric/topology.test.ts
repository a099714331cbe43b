// What of containerlab's files the runner takes, how a node's settings come together, and that everything else is
// refused by name and line.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseTopology, type Topology, type TopologyNode } from './topology.ts'
import { TopologyError } from './words.ts'

const file = '/labs/x.clab.yml'
const parse = (source: string, options: Partial<Parameters<typeof parseTopology>[2]> = {}): Topology =>
  parseTopology(source, file, { env: {}, ...options })

function nodeOf(topology: Topology, name: string): TopologyNode {
  const node = topology.nodes.find((each) => each.name === name)
  assert.ok(node, `no node ${name}`)
  return node
}

const layered = `
name: x
topology:
  defaults:
    network-mode: none
    cmd: from-defaults
    env: {A: defaults, B: defaults, C: defaults, D: defaults}
    sysctls: {net.ipv4.ip_forward: 0, net.ipv4.conf.all.rp_filter: 0}
    exec: [echo defaults, echo twice]
    binds: [d:/etc/d, common:/etc/common]
  kinds:
    linux:
      env: {B: kind, C: kind, D: kind}
      exec: [echo kind]
  groups:
    g:
      kind: linux
      cmd: from-group
      env: {C: group, D: group}
      exec: [echo group, echo twice]
      binds: ["g:/etc/common:ro"]
  nodes:
    a:
      group: g
      cmd: from-node --flag
      entrypoint: sh -c
      env: {D: node}
      sysctls: {net.ipv4.ip_forward: 1}
      exec: [echo node]
    b: {group: g}
    c: {kind: linux}
`

describe('a node of a topology', () => {
  const topology = parse(layered)

  it('has scalars from the most specific: node, group, kind, defaults', () => {
    assert.deepEqual(nodeOf(topology, 'a').command, ['sh', '-c', 'from-node', '--flag'])
    assert.deepEqual(nodeOf(topology, 'b').command, ['from-group'])
    assert.deepEqual(nodeOf(topology, 'c').command, ['from-defaults'])
  })

  it('has env and sysctls merged key by key', () => {
    const { env, sysctls } = nodeOf(topology, 'a')
    assert.deepEqual([env['A'], env['B'], env['C'], env['D']], ['defaults', 'kind', 'group', 'node'])
    assert.deepEqual(sysctls, { 'net.ipv4.ip_forward': '1', 'net.ipv4.conf.all.rp_filter': '0' })
  })

  it('has exec one list after the other, repeats dropped', () => {
    assert.deepEqual(
      nodeOf(topology, 'a').exec.map((argv) => argv.join(' ')),
      ['echo defaults', 'echo twice', 'echo kind', 'echo group', 'echo node'],
    )
  })

  it('has of two binds on one target the more specific, relative to the file', () => {
    const binds = nodeOf(topology, 'a').binds.map(({ source, target, readOnly }) => [
      source,
      target,
      readOnly,
    ])
    assert.deepEqual(
      binds.sort(([a], [b]) => String(a).localeCompare(String(b))),
      [
        ['/labs/d', '/etc/d', false],
        ['/labs/g', '/etc/common', true],
      ],
    )
    assert.equal(nodeOf(topology, 'c').binds.find(({ target }) => target === '/etc/common')?.readOnly, false)
  })

  it('takes magic words in binds and exec, with the name that the lab was given', () => {
    const source = `
name: x
topology:
  nodes:
    n: {kind: linux, binds: ["__clabNodeName__:/x"], exec: [echo __clabLabName__], env: {E: __clabNodeName__}}
`
    const node = nodeOf(parse(source, { labName: 'other' }), 'n')
    assert.equal(node.binds[0]?.source, '/labs/n')
    assert.deepEqual(node.exec, [['echo', 'other']])
    assert.equal(node.env['E'], '__clabNodeName__', 'containerlab leaves env alone')
  })

  it('is told its name and how many links it has', () => {
    const source = `
name: x
topology:
  nodes: {a: {kind: linux}, b: {kind: linux}}
  links: [{endpoints: ["a:eth1", "b:eth1"]}, {endpoints: ["a:eth2", "b:eth2"]}]
`
    const { env } = nodeOf(parse(source), 'a')
    assert.deepEqual([env['CLAB_LABEL_CLAB_NODE_NAME'], env['CLAB_INTFS']], ['a', '2'])
  })
})

describe('a link of a topology', () => {
  it('is brief or extended, and has 9500 as MTU where it does not say', () => {
    const source = `
name: x
topology:
  nodes: {a: {kind: linux}, b: {kind: linux}}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
    - type: veth
      mtu: 1500
      endpoints: [{node: a, interface: eth2, mac: 02:00:00:00:00:01}, {node: b, interface: eth2}]
`
    assert.deepEqual(parse(source).links, [
      {
        mtu: 9500,
        ends: [
          { node: 'a', interface: 'eth1', mac: undefined },
          { node: 'b', interface: 'eth1', mac: undefined },
        ],
      },
      {
        mtu: 1500,
        ends: [
          { node: 'a', interface: 'eth2', mac: '02:00:00:00:00:01' },
          { node: 'b', interface: 'eth2', mac: undefined },
        ],
      },
    ])
  })
})

describe('what the runner does not have', () => {
  // Line 5 is the node's, line 6 the link's.
  const lab = (node: string, link = 'endpoints: ["a:eth1", "b:eth1"]'): string =>
    `name: x\ntopology:\n  nodes:\n    b: {kind: linux}\n    a: {${node}}\n  links: [{${link}}]\n`
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['ports', lab('kind: linux, ports: ["80:80"]'), /x\.clab\.yml:5: .*ports/],
    ['startup-config', lab('kind: linux, startup-config: x'), /x\.clab\.yml:5: .*startup-config/],
    ['wait', lab('kind: linux, wait: {}'), /x\.clab\.yml:5: .*wait/],
    ['another kind', lab('kind: nokia_srlinux'), /x\.clab\.yml:5: .*kind/],
    ['a management network', lab('kind: linux, network-mode: host'), /x\.clab\.yml:5: .*network-mode/],
    ['vars of a link', lab('kind: linux', 'endpoints: ["a:e1", "b:e1"], vars: {}'), /x\.clab\.yml:6: .*vars/],
    ['another type of link', lab('kind: linux', 'type: vxlan, endpoints: []'), /x\.clab\.yml:6: .*links/],
    ['a key at the top', `${lab('kind: linux')}mgmt: {}\n`, /x\.clab\.yml:7: mgmt/],
    ['a node that a link invents', lab('kind: linux', 'endpoints: ["a:eth1", "z:eth1"]'), /'z'/],
    ['a group that is not there', lab('kind: linux, group: nobody'), /'nobody'/],
    ['a bind without a target', lab('kind: linux, binds: ["a"]'), /bind 'a'/],
    ['a bind with another option', lab('kind: linux, binds: ["a:/b:z"]'), /'z'/],
    ['an interface with two links', lab('kind: linux', 'endpoints: ["a:eth1", "a:eth1"]'), /twice/],
    [
      'a name longer than the kernel takes',
      lab('kind: linux', 'endpoints: ["a:e123456789012345", "b:e"]'),
      /15/,
    ],
    ['YAML that is none', 'name: [', /x\.clab\.yml/],
  ]
  for (const [what, source, message] of cases) {
    it(`is refused: ${what}`, () => {
      assert.throws(
        () => parse(source),
        (error) => {
          assert.ok(error instanceof TopologyError, String(error))
          assert.match(error.message, message)
          return true
        },
      )
    })
  }

  it('is told all at once', () => {
    const source = lab('kind: linux, ports: [], dns: {}', 'endpoints: ["a:e1", "b:e1"], vars: {}')
    assert.throws(
      () => parse(source),
      (error) => error instanceof TopologyError && error.message.split('\n').length === 3,
    )
  })
})

describe('deploy/containerlab/l3dsr.clab.yml', () => {
  const path = join(import.meta.dirname, '../../deploy/containerlab/l3dsr.clab.yml')
  const topology = parseTopology(readFileSync(path, 'utf8'), path, { env: {} })

  it('is one client, two ToRs, three balancers and four backends', () => {
    assert.deepEqual(
      topology.nodes.map(({ name }) => name),
      ['tor1', 'tor2', 'lb1', 'lb2', 'lb3', 'be1', 'be2', 'be3', 'be4', 'client'],
    )
  })

  it('links every balancer and the client to both ToRs, all with an MTU that native XDP takes', () => {
    const towards = (name: string): readonly string[] =>
      topology.links
        .filter(({ ends }) => ends.some(({ node }) => node === name))
        .flatMap(({ ends }) => ends.map(({ node }) => node))
        .filter((node) => node !== name)
        .sort()
    for (const name of ['lb1', 'lb2', 'lb3', 'client']) assert.deepEqual(towards(name), ['tor1', 'tor2'])
    assert.deepEqual([...new Set(topology.links.map(({ mtu }) => mtu))], [1500])
  })
})

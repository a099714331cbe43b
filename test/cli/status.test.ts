// `torii status` as an operator reads it.

import assert from 'node:assert/strict'
import { type Status, statusSchema } from '../../api/types.ts'
import { duration, renderStatus } from '../../cli/status.ts'

const status: Status = statusSchema.parse({
  version: '0.1.0',
  node: 'lb1',
  pid: 7,
  state: 'running',
  startedAt: '2026-01-01T00:00:00.000Z',
  config: {
    paths: ['/etc/torii'],
    revision: 'abc123',
    loadedAt: '2026-01-01T00:00:00.000Z',
    state: 'ok',
    problems: [],
    warnings: [],
  },
  datapath: {
    state: 'ok',
    tableSize: 65537,
    interfaces: [{ name: 'eth1', mode: 'native' }],
    problems: [],
    packets: { forwarded: 12 },
  },
  peers: [
    {
      name: 'tor1',
      address: '10.0.1.1',
      port: 179,
      asn: '64500',
      state: 'established',
      since: '2026-01-01T00:00:00.000Z',
      uptimeSeconds: 192,
      families: ['ipv4'],
      holdTimeSeconds: 3,
      announced: { ipv4: 1, ipv6: 0 },
      received: 4,
    },
  ],
  vips: [
    {
      service: 'default/web',
      vip: '198.51.100.1',
      family: 'ipv4',
      pool: 'public',
      dscp: 2,
      ports: ['80/tcp'],
      programmed: true,
      announcedBy: ['tor1'],
      backends: {
        healthy: 1,
        total: 2,
        list: [
          {
            name: 'be1',
            address: '10.1.1.2',
            weight: 1,
            healthy: true,
            detail: 'connected in 0.4 ms',
            share: 1,
          },
          {
            name: 'be2',
            address: '10.1.2.2',
            weight: 1,
            healthy: false,
            detail: 'connection refused',
            share: 0,
          },
        ],
      },
      digest: '0123456789abcdef0123',
    },
  ],
  refused: [],
})

describe('torii status', () => {
  it('shows peers, VIPs and backends as aligned tables without colour into a pipe', () => {
    const lines = renderStatus(status).split('\n')
    const find = (start: string): string => lines.find((line) => line.startsWith(start)) ?? ''
    assert.match(find('node'), /lb1, torii 0\.1\.0, running/)
    assert.match(find('tor1'), /^tor1 +10\.0\.1\.1 +64500 +established +3m12s +3s +1 +0$/)
    assert.match(find('default/web'), /198\.51\.100\.1 +80\/tcp +public +2 +1\/2 +tor1 +0123456789abcdef$/)
    assert.match(lines.find((line) => line.includes('be2')) ?? '', /down +0\.00% +connection refused$/)
    assert.ok(!renderStatus(status).includes('\u001b'))
  })

  it('says what is wrong: stale documents, refused services, an interface without the program', () => {
    const text = renderStatus({
      ...status,
      config: {
        ...status.config,
        state: 'stale',
        problems: ['/etc/torii/a.yaml:3:5: spec.foo: unknown field'],
      },
      datapath: {
        ...status.datapath,
        state: 'degraded',
        interfaces: [{ name: 'eth1', mode: 'none', problem: 'MTU 9000 is too large' }],
      },
      refused: [{ service: 'default/x', reason: 'poolExhausted', message: 'pool p has no free address' }],
    })
    assert.match(text, /STALE: revision abc123 in force/)
    assert.match(text, /documents: \/etc\/torii\/a\.yaml:3:5: spec\.foo: unknown field/)
    assert.match(text, /interface eth1: MTU 9000 is too large/)
    assert.match(text, /default\/x +poolExhausted +pool p has no free address/)
  })

  it('tells why a VIP is announced to nobody', () => {
    const [vip] = status.vips
    assert.ok(vip)
    const text = renderStatus({
      ...status,
      vips: [{ ...vip, announcedBy: [], problem: 'no backend is healthy' }],
    })
    assert.match(text, /nobody: no backend is healthy/)
  })

  it('writes durations in at most two units', () => {
    assert.deepEqual([0, 8, 60, 192, 3600, 3725, 187_200].map(duration), [
      '0s',
      '8s',
      '1m',
      '3m12s',
      '1h',
      '1h2m',
      '2d4h',
    ])
  })
})

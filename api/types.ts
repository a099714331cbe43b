// The local API's answers, as schemas: the daemon is typed by them, the client checks what it reads with them.
// Version 1; fields are only ever added. Addresses are text, times are ISO 8601, durations are named by unit.

import { z } from 'zod'

const family = z.enum(['ipv4', 'ipv6'])

const backendStatus = z.object({
  name: z.string(),
  address: z.string(),
  weight: z.number(),
  healthy: z.boolean(),
  /** Why it is or is not healthy, in words. */
  detail: z.string(),
  /** Share of the table's rows, 0 to 1. */
  share: z.number(),
  /** Why this node cannot send to it: its next hop is not known. */
  unresolved: z.string().optional(),
})

const vipStatus = z.object({
  service: z.string(),
  vip: z.string(),
  family,
  pool: z.string(),
  dscp: z.number(),
  ports: z.array(z.string()),
  /** The datapath holds it. */
  programmed: z.boolean(),
  /** Peers whose session is up and that were sent it. */
  announcedBy: z.array(z.string()),
  backends: z.object({ healthy: z.number(), total: z.number(), list: z.array(backendStatus) }),
  /** Digest of the Maglev table; equal on every node that sees the same facts. */
  digest: z.string(),
  /** Why it is not announced, undefined if it is. */
  problem: z.string().optional(),
})

const peerStatus = z.object({
  name: z.string(),
  address: z.string(),
  port: z.number(),
  asn: z.string(),
  state: z.enum(['idle', 'connect', 'active', 'openSent', 'openConfirm', 'established']),
  since: z.string(),
  uptimeSeconds: z.number(),
  families: z.array(family),
  holdTimeSeconds: z.number().optional(),
  announced: z.object({ ipv4: z.number(), ipv6: z.number() }),
  received: z.number(),
  lastError: z.string().optional(),
})

const interfaceStatus = z.object({
  name: z.string(),
  mode: z.enum(['native', 'generic', 'none']),
  problem: z.string().optional(),
})

export const statusSchema = z.object({
  version: z.string(),
  node: z.string(),
  pid: z.number(),
  state: z.enum(['starting', 'running', 'draining']),
  startedAt: z.string(),
  config: z.object({
    paths: z.array(z.string()),
    /** Of the documents in force. */
    revision: z.string(),
    loadedAt: z.string(),
    /** `stale`: what is on disk was refused and the last good documents are in force. */
    state: z.enum(['ok', 'stale']),
    problems: z.array(z.string()),
    warnings: z.array(z.string()),
  }),
  datapath: z.object({
    state: z.enum(['ok', 'degraded']),
    tableSize: z.number(),
    interfaces: z.array(interfaceStatus),
    problems: z.array(z.string()),
    packets: z.record(z.string(), z.number()),
  }),
  peers: z.array(peerStatus),
  vips: z.array(vipStatus),
  /** Services that have no VIP, and why. */
  refused: z.array(z.object({ service: z.string(), reason: z.string(), message: z.string() })),
})
export type Status = z.infer<typeof statusSchema>
export type VipStatus = Status['vips'][number]
export type PeerStatus = Status['peers'][number]

export const traceSchema = z.object({
  flow: z.string(),
  verdict: z.enum(['forward', 'pass', 'drop']),
  service: z.string().optional(),
  vip: z.string().optional(),
  row: z.number().optional(),
  tableSize: z.number().optional(),
  backend: z.object({ name: z.string(), address: z.string() }).optional(),
  dscp: z.number().optional(),
  nextHop: z.object({ interface: z.string(), mac: z.string() }).optional(),
  /** One reason a line, in the order in which the datapath decides. */
  why: z.array(z.string()),
})
export type Trace = z.infer<typeof traceSchema>

export const flowQuerySchema = z.object({
  source: z.string(),
  sourcePort: z.coerce.number().int().min(0).max(65535),
  destination: z.string(),
  destinationPort: z.coerce.number().int().min(0).max(65535),
  protocol: z.enum(['tcp', 'udp']),
})
export type FlowQuery = z.infer<typeof flowQuerySchema>

/** What a backend's agent polls: its VIPs and the DSCP id of each. */
export const bindingsSchema = z.object({
  revision: z.string(),
  bindings: z.array(z.object({ vip: z.string(), dscp: z.number(), address: z.string() })),
})
export type Bindings = z.infer<typeof bindingsSchema>

export const reloadSchema = z.object({ accepted: z.boolean(), problems: z.array(z.string()) })
export type Reload = z.infer<typeof reloadSchema>

export const problemSchema = z.object({ error: z.string() })

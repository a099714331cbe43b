// `torii run`: opens the outside, wires the planes together, and takes them down again in order. The only place
// where real sockets, files and the kernel meet the planes.

import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ApiServer, serveApi } from '../api/server.ts'
import { type Reload, type Status } from '../api/types.ts'
import { createAllocator } from '../allocator/allocator.ts'
import { openAllocationStore } from '../allocator/stores/sqlite.ts'
import { createForwarder } from '../forwarder/forwarder-driver.ts'
import { createHealth } from '../forwarder/health/driver.ts'
import { type Flow } from '../forwarder/model.ts'
import { loadAddon } from '../native/binding.ts'
import { type Ip } from '../net/ip.ts'
import { hostPrefix, type Prefix } from '../net/prefix.ts'
import { createSpeaker } from '../speaker/speaker-driver.ts'
import { systemClock } from '../system/clock.ts'
import { watchPaths } from '../system/files.ts'
import { createLog, type LogLevel } from '../system/log.ts'
import { createNetlink } from '../system/netlink.ts'
import { systemNftables } from '../system/nftables.ts'
import { capabilities, effectiveCapabilities } from '../system/privileges.ts'
import { systemSysctl } from '../system/sysctl.ts'
import { systemTcp } from '../system/tcp.ts'
import { bindingsOf } from './desired.ts'
import { createDocuments } from './documents.ts'
import { checkInterfaces, createHostView } from './host.ts'
import { nextSignal } from './lifecycle.ts'
import { createReconciler, nodeWarning, type Planes, selfOf } from './reconcile.ts'
import { localRoutes, remoteRoutes } from './routes.ts'
import { assembleStatus } from './status.ts'
import { version } from './version.ts'

export type DaemonOptions = {
  readonly configPaths: readonly string[]
  readonly node: string
  readonly socket: string
  readonly statePath: string
  readonly bpffs: string
  readonly listen: { readonly host: string; readonly port: number } | undefined
  readonly logLevel: LogLevel
}

/** Runs until a signal ends it; resolves with the exit code. Rejects with `SystemError` if it cannot start. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const log = createLog(options.logLevel, { node: options.node })
  const clock = systemClock
  const startedAt = clock.wall()
  const lacking = capabilities.filter((each) => !effectiveCapabilities().has(each))
  if (lacking.length > 0) {
    process.stderr.write(`torii: needs ${lacking.join(', ')}: run it as root or give it these capabilities\n`)
    return 4
  }

  const netlink = createNetlink()
  const host = createHostView(netlink)
  await host.refresh()
  const routerId = host.routerId(options.node)
  const documents = createDocuments(options.configPaths, {
    hostCheck: (config, inForce) => checkInterfaces(netlink, config, inForce),
    log,
    wall: () => clock.wall(),
  })
  if (!(await documents.load())) {
    for (const problem of documents.status().problems) process.stderr.write(`torii: ${problem}\n`)
    netlink.close()
    return 1
  }

  const store = openAllocationStore(options.statePath)
  // What the planes report before the loop exists is found by its first pass.
  let onChange = (): void => undefined
  const changed = (): void => onChange()
  const planes: Planes = {
    allocator: createAllocator({ store }),
    forwarder: createForwarder(
      { bpffs: options.bpffs },
      { netlink, bpf: loadAddon(), clock, log: log.child({ plane: 'forwarder' }), onChange: changed },
    ),
    health: createHealth(
      { interfaces: documents.inForce()?.config.datapath.interfaces.map(({ name }) => name) ?? [] },
      {
        tcp: systemTcp,
        nftables: systemNftables,
        sysctl: systemSysctl,
        clock,
        random: Math.random,
        log: log.child({ plane: 'health' }),
        onChange: changed,
      },
    ),
    speaker: createSpeaker({
      tcp: systemTcp,
      clock,
      log: log.child({ plane: 'speaker' }),
      random: Math.random,
      nextHopFor: (local, family) => host.nextHopFor(local, family),
      onChange: changed,
    }),
  }
  const reconciler = createReconciler(planes, {
    clock,
    log,
    config: () => documents.inForce(),
    self: (config) => selfOf(config, options.node, routerId),
  })
  onChange = () => reconciler.dirty()

  let state: Status['state'] = 'running'
  const status = (): Status => {
    const inForce = documents.inForce()
    const warning = inForce === undefined ? undefined : nodeWarning(inForce.config, options.node)
    return assembleStatus({
      version,
      node: options.node,
      pid: process.pid,
      state,
      startedAt,
      now: clock.wall(),
      paths: options.configPaths,
      inForce,
      documents: documents.status(),
      warnings: warning === undefined ? [] : [warning],
      pass: reconciler.last(),
      forwarder: planes.forwarder.status(),
      health: planes.health.status(),
      peers: planes.speaker.status(),
      announcedBy: (vip, prefixes) => advertisers(planes, vip, prefixes),
    })
  }
  const reload = async (): Promise<Reload> => {
    const accepted = await documents.load()
    if (accepted) reconciler.dirty()
    return { accepted, problems: [...documents.status().problems] }
  }
  const answers = {
    status,
    reload,
    trace: (flow: Flow) => planes.forwarder.trace(flow),
    bindings: (backend: string) => {
      const pass = reconciler.last()
      const inForce = documents.inForce()
      if (pass === undefined || inForce === undefined) return undefined
      return { revision: inForce.revision, bindings: bindingsOf(backend, pass.config, pass.services) }
    },
  }

  const servers: ApiServer[] = []
  const unwatchFiles = watchPaths(options.configPaths, () => void reload())
  const unwatchHost = netlink.watch(() => {
    host.refresh().catch((error: unknown) => log.warn({ error }, 'addresses not read'))
  })
  try {
    mkdirSync(dirname(options.socket), { recursive: true })
    servers.push(await serveApi({ socket: options.socket }, localRoutes(answers)))
    if (options.listen !== undefined) servers.push(await serveApi(options.listen, remoteRoutes(answers)))
    log.info({ version, revision: documents.inForce()?.revision, routerId }, 'running')
    reconciler.dirty()
    await nextSignal(['SIGTERM', 'SIGINT'], () => void reload())

    state = 'draining'
    const drainTimeMs = documents.inForce()?.config.datapath.drainTimeMs ?? 0
    log.info({ drainTimeMs }, 'draining')
    const impatient = nextSignal(['SIGTERM', 'SIGINT'], () => undefined)
    reconciler.drain()
    await Promise.race([impatient, planes.speaker.withdrawAll().then(() => wait(drainTimeMs))])
    await planes.speaker.close({ cease: true })
  } finally {
    reconciler.close()
    unwatchFiles()
    unwatchHost()
    await Promise.all(servers.map((server) => server.close()))
    await planes.health.close()
    // In that order: the last packets that were under way are still forwarded.
    await planes.forwarder.close({ detach: true })
    store.close()
    netlink.close()
  }
  log.info({}, 'left')
  return 0
}

function advertisers(planes: Planes, vip: Ip, prefixes: readonly Prefix[]): readonly string[] {
  const covering = prefixes.length > 0 ? prefixes : [hostPrefix(vip)]
  return [...new Set(covering.flatMap((prefix) => planes.speaker.advertisedBy(prefix)))]
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => systemClock.after(ms, resolve))
}

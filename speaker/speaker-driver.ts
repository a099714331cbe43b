// The speaker for real: keeps one driver for each peer, the listening sockets they share, and the desired set.

import { type Prefix } from '../net/prefix.ts'
import { type Announcement } from './announcement.ts'
import { exporter } from './bgp/export.ts'
import { cease, errorCode } from './bgp/iana.ts'
import { createListeners } from './bgp/listener-driver.ts'
import { administrativeShutdown, type BgpError, notification } from './bgp/notification.ts'
import { normalisePeer, type Peer, type PeerConfig, sessionDiffers } from './bgp/peer-config.ts'
import { type PeerDriver, startPeer } from './bgp/peer-driver.ts'
import { type ExportFor } from './bgp/session-driver.ts'
import type { Speaker, SpeakerEvent, SpeakerPorts } from './speaker.ts'

const closeTimeoutMs = 2_000

const deconfigured: BgpError = {
  notification: notification(errorCode.cease, cease.peerDeconfigured),
  text: 'the peer is not configured any more',
}
const changed: BgpError = {
  notification: notification(errorCode.cease, cease.otherConfigurationChange),
  text: 'the configuration of the peer changed',
}
const leaving: BgpError = {
  notification: administrativeShutdown('torii is shutting down'),
  text: '',
}

/** A speaker without peers and announcements. */
export function createSpeaker(ports: SpeakerPorts): Speaker {
  const { clock } = ports
  const log = ports.log.child({ part: 'bgp' })
  const peers = new Map<string, PeerDriver>()
  // Stopped ones, until they have said good-bye.
  const leavers = new Set<PeerDriver>()
  const waiting = new Set<() => void>()
  let views = exporter([])
  let closed = false

  const listeners = createListeners({ tcp: ports.tcp, clock, log }, (connection, name) => {
    const driver = peers.get(name)
    if (driver === undefined) connection.destroy()
    else driver.accept(connection)
  })

  // Never from inside a call of ours: the listener may call back.
  const tell = (event: SpeakerEvent): void => queueMicrotask(() => ports.onChange(event))

  const settled = (): void => {
    for (const driver of leavers) if (driver.connections === 0) leavers.delete(driver)
    for (const check of waiting) check()
  }

  const exportFor =
    (name: string): ExportFor =>
    (view) =>
      views(name, view)

  const start = (peer: Peer): PeerDriver => {
    const { name } = peer
    return startPeer(peer, exportFor(name), {
      tcp: ports.tcp,
      clock,
      log: log.child({ peer: name }),
      random: ports.random,
      nextHopFor: ports.nextHopFor,
      onEstablished: (families) => tell({ kind: 'established', peer: name, families }),
      onDown: (reason) => tell({ kind: 'down', peer: name, reason }),
      onAdvertised: () => tell({ kind: 'advertised', peer: name }),
      onSettled: settled,
    })
  }

  const stop = (driver: PeerDriver, error: BgpError | undefined): void => {
    leavers.add(driver)
    driver.stop(error)
    settled()
  }

  const announce = (desired: readonly Announcement[]): void => {
    views = exporter(desired)
    for (const [name, driver] of peers) driver.announce(exportFor(name))
  }

  const until = (condition: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition()) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })

  return {
    setPeers: (configs) => {
      const wanted = normalisePeers(configs)
      if (closed) return
      for (const [name, driver] of peers) {
        const next = wanted.get(name)
        if (next !== undefined && !sessionDiffers(driver.peer, next)) continue
        peers.delete(name)
        stop(driver, next === undefined ? deconfigured : changed)
      }
      // Keys and sockets first: a new peer may be called back at once.
      listeners.set([...wanted.values()])
      for (const [name, peer] of wanted) {
        const driver = peers.get(name)
        if (driver === undefined) peers.set(name, start(peer))
        else driver.reconfigure(peer)
      }
    },
    announce,
    status: () => [...peers.values()].map((driver) => driver.status(listeners.problemOf(driver.peer))),
    advertisedBy: (prefix: Prefix) =>
      [...peers].filter(([, driver]) => driver.wasSent(prefix)).map(([name]) => name),
    withdrawAll: () => {
      announce([])
      return until(() => [...peers.values()].every(({ idle }) => idle))
    },
    close: async ({ cease: withCease }) => {
      closed = true
      listeners.close()
      for (const driver of peers.values()) stop(driver, withCease ? leaving : undefined)
      peers.clear()
      let late = false
      const cancel = clock.after(closeTimeoutMs, () => {
        late = true
        settled()
      })
      await until(() => late || leavers.size === 0)
      cancel()
    },
  }
}

function normalisePeers(configs: readonly PeerConfig[]): ReadonlyMap<string, Peer> {
  const peers = new Map<string, Peer>()
  for (const config of configs) {
    if (peers.has(config.name)) throw new TypeError(`BGP peer ${config.name}: the name is given twice`)
    peers.set(config.name, normalisePeer(config))
  }
  return peers
}

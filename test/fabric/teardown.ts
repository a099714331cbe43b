// The end of a lab: its processes, namespaces and files. Synchronous, so that it can also happen while this process
// exits. A network namespace names all processes of a node, whoever started them and whatever became of their parents.

import { readdirSync, readlinkSync, statSync } from 'node:fs'
import { ipBatch } from './commands.ts'
import { allRecords, isStale, type LabRecord, readRecord, removeRecord } from './record.ts'

const killWithinMs = 10_000

/** Leaves nothing of the lab. To be called again without harm. */
export function teardown(record: LabRecord): void {
  const namespaces = record.nodes
    .map(({ namespace }) => namespace)
    .filter((each) => inodeOf(each) !== undefined)
  killAll(new Set(namespaces.flatMap((each) => inodeOf(each) ?? [])))
  ipBatch(
    [
      ...record.hostInterfaces.map((name) => `link del ${name}`),
      ...namespaces.map((each) => `netns del ${each}`),
    ],
    { force: true },
  )
  removeRecord(record.lab)
}

/** Clears away the labs whose owners were killed. */
export function sweep(): readonly string[] {
  const stale = allRecords().filter(isStale)
  for (const record of stale) teardown(record)
  return stale.map(({ lab }) => lab)
}

function inodeOf(namespace: string): number | undefined {
  return statSync(`/run/netns/${namespace}`, { throwIfNoEntry: false })?.ino
}

function killAll(namespaces: ReadonlySet<number>): void {
  const deadline = performance.now() + killWithinMs
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (;;) {
    const members = membersOf(namespaces)
    if (members.length === 0) return
    if (performance.now() > deadline) throw new Error(`processes that do not end: ${members.join(' ')}`)
    for (const pid of members) kill(pid)
    Atomics.wait(pause, 0, 0, 10)
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // Gone by itself.
  }
}

function membersOf(namespaces: ReadonlySet<number>): readonly number[] {
  if (namespaces.size === 0) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => namespaces.has(namespaceOf(pid)))
}

function namespaceOf(pid: number): number {
  try {
    return Number(/^net:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/ns/net`))?.[1] ?? NaN)
  } catch {
    // It has ended, though its parent may not know yet.
    return NaN
  }
}

const owned = new Set<string>()
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** From now on the lab ends with this process, however that ends, kill -9 aside. */
export function own(lab: string): void {
  if (owned.size === 0) {
    process.on('exit', destroyOwned)
    for (const signal of signals) process.on(signal, onSignal)
  }
  owned.add(lab)
}

/** Takes `own` back. */
export function disown(lab: string): void {
  if (!owned.delete(lab) || owned.size > 0) return
  process.off('exit', destroyOwned)
  for (const signal of signals) process.off(signal, onSignal)
}

function destroyOwned(): void {
  for (const lab of owned) {
    const record = readRecord(lab)
    if (record !== undefined) teardown(record)
  }
}

function onSignal(signal: NodeJS.Signals): void {
  // Somebody else takes care of the signal: if the process exits by that, `exit` comes.
  if (process.listenerCount(signal) > 1) return
  destroyOwned()
  for (const lab of [...owned]) disown(lab)
  process.kill(process.pid, signal)
}

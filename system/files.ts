// Watches files and directories for edits, by inotify and, because inotify follows inodes and not names, by a slow
// look now and then. Whether anything changed is decided by content alone, so that every way of replacing a file
// counts the same: written in place, renamed over, a symbolic link swapped (as for a Kubernetes ConfigMap's `..data`),
// deleted and made again, its directory too.

import { createHash } from 'node:crypto'
import { type FSWatcher, readdirSync, readFileSync, realpathSync, statSync, watch } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Cancel } from './ports.ts'

export type WatchOptions = {
  /** So long nothing may happen before a change is told, so that an edit of several steps is told once. */
  readonly quietMs?: number
  /** A change is told no later than this, however long they go on. */
  readonly latestMs?: number
  /** How often to look without being told: for renamed parent directories and network file systems. */
  readonly pollMs?: number
}

/** Larger files are known by size and time of change. */
const contentMax = 1 << 22

/**
 * Calls `onChange` when a path, or in a directory an entry whose name does not begin with a dot, is not what it was.
 * Paths need not exist. Read the files after this was called, or an edit in between is missed. It keeps the process
 * running until cancelled.
 */
export function watchPaths(
  paths: readonly string[],
  onChange: () => void,
  { quietMs = 100, latestMs = 1000, pollMs = 5000 }: WatchOptions = {},
): Cancel {
  const watched = paths.map((path) => resolve(path))
  let watchers: readonly FSWatcher[] = []
  let quiet: NodeJS.Timeout | undefined
  let firstEventAt: number | undefined

  const rewatch = (): void => {
    const before = watchers
    // The new ones first: no moment without. All of them, because a directory may be a new one under its old name.
    watchers = [...new Set(watched.flatMap(directoriesOf))].flatMap((directory) => open(directory, onEvent))
    for (const each of before) each.close()
  }
  const look = (): void => {
    clearTimeout(quiet)
    firstEventAt = undefined
    rewatch()
    const now = fingerprint(watched)
    if (now === seen) return
    seen = now
    onChange()
  }
  const onEvent = (): void => {
    const now = performance.now()
    firstEventAt ??= now
    clearTimeout(quiet)
    quiet = setTimeout(look, Math.max(0, Math.min(quietMs, firstEventAt + latestMs - now)))
  }

  rewatch()
  let seen = fingerprint(watched)
  const poll = setInterval(() => {
    // Edits under way have events of their own.
    if (firstEventAt === undefined && fingerprint(watched) !== seen) look()
  }, pollMs)
  return () => {
    clearInterval(poll)
    clearTimeout(quiet)
    for (const each of watchers) each.close()
    watchers = []
  }
}

/** Where events about a path come from: itself if a directory, where its name stands, and where a link leads. */
function directoriesOf(path: string): readonly string[] {
  const directories = [nearestDirectory(dirname(path))]
  if (isDirectory(path)) directories.push(path)
  try {
    directories.push(dirname(realpathSync(path)))
  } catch {
    // It does not exist: the nearest directory above will tell when it does.
  }
  return directories
}

function nearestDirectory(path: string): string {
  return isDirectory(path) || dirname(path) === path ? path : nearestDirectory(dirname(path))
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory()
  } catch {
    return false
  }
}

function open(directory: string, onEvent: () => void): readonly FSWatcher[] {
  try {
    const watcher = watch(directory, onEvent)
    // The directory is gone, or the machine has no inotify watches left: the slow look goes on.
    watcher.on('error', () => watcher.close())
    return [watcher]
  } catch {
    return []
  }
}

function fingerprint(paths: readonly string[]): string {
  return paths.map((path) => (isDirectory(path) ? entriesOf(path) : contentOf(path))).join('\n')
}

function entriesOf(directory: string): string {
  try {
    const names = readdirSync(directory).filter((name) => !name.startsWith('.'))
    return names
      .sort()
      .map((name) => `${name}=${contentOf(join(directory, name))}`)
      .join('\n')
  } catch (error) {
    return String(error)
  }
}

function contentOf(file: string): string {
  try {
    const stat = statSync(file)
    if (!stat.isFile()) return 'not a file'
    if (stat.size > contentMax) return `${stat.size} ${stat.ctimeMs}`
    return createHash('sha256').update(readFileSync(file)).digest('hex')
  } catch (error) {
    return String(error)
  }
}

// The directory in bpffs where this node's program, maps and links outlive the process, and the lock that keeps two
// daemons out of one directory. bpffs takes no dots in names.
//
//   <directory>/gen_<n>/{program,vips,tables,reals,settings,counters}   one loaded program with its filled maps
//   <directory>/new_<n>/…                                               the same while it is being filled
//   <directory>/link_<ifindex>                                          what attaches a program to an interface

import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  statSync,
  statfsSync,
  unlinkSync,
} from 'node:fs'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { type BpfBinding } from '../../native/bpf.ts'
import { isAddonError } from '../../native/fd.ts'
import { SystemError } from '../../system/errors.ts'
import { bpfError } from './loader.ts'

const bpffsMagic = 0xcafe4a11

export type PinDirectory = {
  readonly path: string
  /** Numbers of the generations that are pinned and filled, ascending. */
  generations(): readonly number[]
  generationPath(number: number): string
  /** Where a generation is pinned before it is filled: rename it to `generationPath` then. */
  draftPath(number: number): string
  links(): readonly string[]
  linkPath(ifindex: number): string
  /** Removes all generations, and the directory too if nothing else is in it. */
  remove(): void
  /** Gives the lock back; the pins stay. */
  unlock(): void
}

/**
 * Makes the directory if it is not there, locks it, and removes what a former process left unfinished. Throws
 * `SystemError`: not a bpffs, a name with a dot, or another process has it.
 */
export function openPinDirectory(bpf: BpfBinding, path: string): PinDirectory {
  checkPlace(path)
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const lock = lockOf(bpf, path)
  const entries = (pattern: RegExp): readonly string[] =>
    readdirSync(path).filter((name) => pattern.test(name))
  for (const draft of entries(/^new_\d+$/)) removePins(join(path, draft))
  return {
    path,
    generations: () =>
      entries(/^gen_\d+$/)
        .map((name) => Number(name.slice(4)))
        .sort((a, b) => a - b),
    generationPath: (number) => join(path, `gen_${number}`),
    draftPath: (number) => join(path, `new_${number}`),
    links: () => entries(/^link_\d+$/).map((name) => join(path, name)),
    linkPath: (ifindex) => join(path, `link_${ifindex}`),
    remove: () => {
      for (const generation of entries(/^(?:gen|new)_\d+$/)) removePins(join(path, generation))
      if (readdirSync(path).length === 0) rmdirSync(path)
    },
    unlock: () => bpf.close(lock),
  }
}

/** Removes a directory of pins, if it is there. What is pinned elsewhere or in use lives on. */
export function removePins(path: string): void {
  if (!existsSync(path)) return
  for (const name of readdirSync(path)) unlinkSync(join(path, name))
  rmdirSync(path)
}

function checkPlace(path: string): void {
  const refuse = (message: string, remedy: string): never => {
    throw new SystemError({ op: 'use as bpffs directory', code: 'EINVAL', target: path, message, remedy })
  }
  if (!isAbsolute(path)) refuse('expected an absolute path', 'give one under a mounted bpffs')
  let existing = path
  while (!existsSync(existing)) {
    if (basename(existing).includes('.'))
      refuse(`'${basename(existing)}' has a dot, which bpffs takes in no name`, 'choose another name')
    existing = dirname(existing)
  }
  const { type } = statfsSync(existing)
  if (type !== bpffsMagic)
    refuse(
      `found a file system of type 0x${type.toString(16)} at ${existing}, expected a bpffs`,
      'mount one: mount -t bpf bpf /sys/fs/bpf',
    )
}

function lockOf(bpf: BpfBinding, path: string): number {
  try {
    return bpf.lockDirectory(path)
  } catch (error) {
    if (!isAddonError(error) || error.code !== 'EAGAIN') throw bpfError('lock', path, error)
    const owner = lockOwner(path)
    throw new SystemError({
      op: 'lock',
      code: 'EAGAIN',
      target: path,
      message: `in use by ${owner === undefined ? 'another process' : `process ${owner}`}`,
      remedy: 'stop it, or give this one a directory of its own',
    })
  }
}

// proc(5): `1: FLOCK ADVISORY WRITE 1234 00:2b:5678 0 EOF`, the fifth word being the process, the sixth ending in the inode.
function lockOwner(path: string): string | undefined {
  const { ino } = statSync(path)
  return readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find((words) => words[1] === 'FLOCK' && words[5]?.endsWith(`:${ino}`))?.[4]
}

// Types of the addon's BPF functions. Failures are thrown as `AddonError`; every descriptor that a function returns is
// the caller's to `close`, and none outlives the process unless it is pinned.

import { type Brand } from '../net/brand.ts'

/** An object file opened by libbpf; freed by `bpfClose` or when it is collected. */
export type BpfObject = Brand<object, 'BpfObject'>

/** Part of bpf_map_type in linux/bpf.h. */
export const mapType = { hash: 1, array: 2, perCpuArray: 6, arrayOfMaps: 12 } as const
/** Part of the flags of BPF_MAP_CREATE. */
export const mapFlag = { mmapable: 1 << 10 } as const
/** XDP_FLAGS of linux/if_link.h. */
export const xdpFlag = { generic: 1 << 1, native: 1 << 2 } as const
/** XDP actions as `bpfTestRun` returns them. */
export const xdpAction = { aborted: 0, drop: 1, pass: 2, tx: 3, redirect: 4 } as const

export type MapInfo = {
  readonly id: number
  readonly type: number
  readonly keySize: number
  readonly valueSize: number
  readonly maxEntries: number
  readonly flags: number
  /** At most 15 characters. */
  readonly name: string
}
export type ProgramInfo = {
  readonly id: number
  readonly type: number
  /** At most 15 characters. */
  readonly name: string
  /** The kernel's digest of the instructions, in hex: equal for equal programs, whatever maps they use. */
  readonly tag: string
  /** Bytes; 0 without the privilege to see it. */
  readonly jitedSize: number
  readonly verifiedInstructions: number
}
export type LinkInfo = {
  readonly id: number
  readonly type: number
  readonly programId: number
  /** 0 when the interface is gone or the link was detached. */
  readonly ifindex: number
}
export type XdpAttachment = {
  /** 0: nothing is attached. */
  readonly programId: number
  readonly mode: 'native' | 'generic' | 'none' | 'other'
}
export type TestRun = {
  /** The program's verdict. */
  readonly retval: number
  readonly data: Uint8Array
  /** Mean of one run. */
  readonly durationNs: number
}

export type BpfBinding = {
  /** Reads an object file. ERR_LIBBPF_MISSING where libbpf.so.1 is not installed. */
  readonly bpfOpen: (bytes: Uint8Array) => BpfObject
  readonly bpfSetMaxEntries: (object: BpfObject, map: string, entries: number) => void
  /** What inner maps of a map of maps look like; keep the descriptor open until the object is loaded. */
  readonly bpfSetInnerMap: (object: BpfObject, map: string, fd: number) => void
  /** Uses an existing map in place of a new one. */
  readonly bpfReuseMap: (object: BpfObject, map: string, fd: number) => void
  /** Creates the maps, verifies and loads the programs. The error ends with the log's end, `log` has all of it. */
  readonly bpfLoad: (object: BpfObject) => void
  readonly bpfObjectMapFd: (object: BpfObject, map: string) => number
  readonly bpfObjectProgFd: (object: BpfObject, program: string) => number
  /** Descriptors taken from it stay open. */
  readonly bpfClose: (object: BpfObject) => void

  /** `innerMapFd`, for a map of maps, is the template of the inner ones; otherwise -1. */
  readonly bpfMapCreate: (
    type: number,
    keySize: number,
    valueSize: number,
    maxEntries: number,
    flags: number,
    name: string,
    innerMapFd: number,
  ) => number
  readonly bpfMapInfo: (fd: number) => MapInfo
  /** The value for a map of maps is the inner map's descriptor. */
  readonly bpfMapUpdate: (fd: number, key: Uint8Array, value: Uint8Array) => void
  /** Per-CPU values one after the other, each in a multiple of 8 bytes. From a map of maps: the inner map's id. */
  readonly bpfMapLookup: (fd: number, key: Uint8Array) => Uint8Array | undefined
  /** False if there was no such key. */
  readonly bpfMapDelete: (fd: number, key: Uint8Array) => boolean
  readonly bpfMapNextKey: (fd: number, key: Uint8Array | undefined) => Uint8Array | undefined
  /** `keys` one after the other, `values` likewise. Not atomic as a whole; entries before a failing one stay. */
  readonly bpfMapUpdateBatch: (fd: number, keys: Uint8Array, values: Uint8Array, count: number) => void
  /** All values, packed, of an array made with `mapFlag.mmapable`. Readers see it half-written: use it aside. */
  readonly bpfMapWrite: (fd: number, values: Uint8Array) => void
  readonly bpfMapRead: (fd: number) => Uint8Array

  /** -1 if there is no such object any more. */
  readonly bpfFdById: (kind: 'map' | 'prog' | 'link', id: number) => number
  readonly bpfProgInfo: (fd: number) => ProgramInfo
  /**
   * Runs an XDP program on a frame of 14 bytes or more, without sending anything. `ingressIfindex` must exist here, 0
   * is the loopback. The frame is not restored between repetitions.
   */
  readonly bpfTestRun: (progFd: number, frame: Uint8Array, repeat: number, ingressIfindex: number) => TestRun

  readonly bpfPin: (fd: number, path: string) => void
  readonly bpfGetPinned: (path: string) => number

  /** Attaches for as long as the descriptor or a pin of it lives. `flags`: one of `xdpFlag`. */
  readonly bpfLinkXdp: (progFd: number, ifindex: number, flags: number) => number
  /** Replaces the program; every packet meets the old or the new one. */
  readonly bpfLinkUpdate: (linkFd: number, progFd: number) => void
  readonly bpfLinkDetach: (linkFd: number) => void
  readonly bpfLinkInfo: (linkFd: number) => LinkInfo
  /** What is attached to an interface, by whomever. */
  readonly bpfXdpQuery: (ifindex: number) => XdpAttachment

  /** A descriptor that holds an exclusive lock on a directory; EAGAIN while another process does. */
  readonly lockDirectory: (path: string) => number
  readonly close: (fd: number) => void
}

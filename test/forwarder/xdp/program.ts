// The real program in the kernel with an image's maps, to run single frames through (BPF_PROG_TEST_RUN).

import { type DatapathImage, type Reason, reasons } from '../../../forwarder/image.ts'
import {
  counterIndex,
  encodeIndex,
  encodeReal,
  encodeSettings,
  encodeTable,
  encodeVip,
  encodeVipKey,
  sumCounter,
} from '../../../forwarder/xdp/layout.ts'
import { vipKeyOf } from '../../../forwarder/xdp/changes.ts'
import {
  createTable,
  type LoadedProgram,
  loadProgram,
  readObject,
  unload,
} from '../../../forwarder/xdp/loader.ts'
import { loadAddon } from '../../../native/binding.ts'
import { type BpfBinding, type TestRun } from '../../../native/bpf.ts'

const object = readObject()

export type Program = {
  readonly run: (frame: Uint8Array, repeat?: number) => TestRun
  /** Counters since the last call. */
  readonly counted: () => ReadonlyMap<Reason, number>
  readonly close: () => void
  readonly loaded: LoadedProgram
}

/** `ingress` must be an interface of this namespace. */
export function openProgram(image: DatapathImage, ingress: number): Program {
  const bpf: BpfBinding = loadAddon()
  const loaded = loadProgram(bpf, { object, tableSize: image.tableSize })
  const fds = loaded.maps
  bpf.bpfMapUpdate(fds.settings, encodeIndex(0), encodeSettings(image))
  for (const [index, real] of image.reals) bpf.bpfMapUpdate(fds.reals, encodeIndex(index), encodeReal(real))
  for (const [index, rows] of image.tables) {
    const inner = createTable(bpf, image.tableSize)
    bpf.bpfMapWrite(inner, encodeTable(rows))
    bpf.bpfMapUpdate(fds.tables, encodeIndex(index), encodeIndex(inner))
    bpf.close(inner)
  }
  for (const [id, entry] of image.vips)
    bpf.bpfMapUpdate(fds.vips, encodeVipKey(vipKeyOf(id)), encodeVip(entry))
  let before = new Map<Reason, number>(reasons.map((reason) => [reason, 0]))
  return {
    loaded,
    run: (frame, repeat = 1) => bpf.bpfTestRun(loaded.program, frame, repeat, ingress),
    counted: () => {
      const now = new Map(
        reasons.map((reason) => {
          const value = bpf.bpfMapLookup(fds.counters, encodeIndex(counterIndex(reason)))
          return [reason, sumCounter(value ?? new Uint8Array())] as const
        }),
      )
      const grown = new Map([...now].map(([reason, count]) => [reason, count - (before.get(reason) ?? 0)]))
      before = now
      return grown
    },
    close: () => unload(bpf, loaded),
  }
}

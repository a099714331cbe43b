// The XDP datapath of one node: program, maps and links under one directory of bpffs, brought to what is wanted step by
// step. Whatever a former process left there goes on forwarding until something else is applied.

import { type BpfBinding } from '../../native/bpf.ts'
import { type Link, type Log } from '../../system/ports.ts'
import { type HeldMaps, emptyMaps } from '../build-image.ts'
import { type DatapathImage } from '../image.ts'
import { type DatapathOptions, type InterfaceState } from '../model.ts'
import { openAttachments } from './attachments.ts'
import { mapChanges } from './changes.ts'
import { type Generation, adoptGeneration, createGeneration, retireOthers } from './generation.ts'
import { bpfError, programTag, readObject, unload } from './loader.ts'
import { readCounters, readMaps, writeChanges, writeSettings } from './map-state.ts'
import { openPinDirectory } from './pins.ts'

export type WantedDatapath = Pick<DatapathOptions, 'interfaces' | 'xdpMode'> & {
  readonly image: DatapathImage
  /** The host's. */
  readonly links: readonly Link[]
}

export type Datapath = {
  /** What the maps of the running program hold: images are built upon it. */
  held(): HeldMaps
  /**
   * Brings maps, program and interfaces to what is wanted; what an interface refuses is in its state. Rejects with
   * `SystemError` when maps or program could not be changed; what was in force goes on, and the next call starts from
   * what the maps hold then. Not to be called again before it has settled.
   */
  apply(wanted: WantedDatapath): Promise<readonly InterfaceState[]>
  /** Packets by what became of them since the directory was first used. */
  counters(): Readonly<Record<string, number>>
  /** `detach`: nothing stays; otherwise all goes on without this process. */
  close(options: { readonly detach: boolean }): void
}

export type DatapathPlace = {
  /** A directory of this instance's own below a mounted bpffs. */
  readonly directory: string
  /** Instead of the object that comes with the package. */
  readonly objectPath?: string | undefined
}

/** Locks the directory and adopts what is pinned there. Throws `SystemError`. */
export function openDatapath(
  place: DatapathPlace,
  { bpf, log }: { readonly bpf: BpfBinding; readonly log: Log },
): Datapath {
  const object = readObject(place.objectPath)
  const directory = openPinDirectory(bpf, place.directory)
  const opened = attempt('open', place.directory, () => {
    try {
      const tag = programTag(bpf, object)
      const adopted = adoptGeneration(bpf, directory, tag)
      return { tag, adopted, attachments: openAttachments(bpf, directory, log) }
    } catch (error) {
      directory.unlock()
      throw error
    }
  })
  const { attachments } = opened
  let current: Generation | undefined = opened.adopted?.generation
  // Undefined after a failure: then only the maps know.
  let held: HeldMaps | undefined = opened.adopted?.held ?? emptyMaps
  if (current !== undefined)
    log.info({ generation: current.number, vips: held.vips.size }, 'datapath adopted as it was left')

  const observe = (): HeldMaps => (held ??= current === undefined ? emptyMaps : readMaps(bpf, current))

  const update = async (generation: Generation, image: DatapathImage): Promise<void> => {
    const changes = mapChanges(observe(), image)
    held = undefined
    writeSettings(bpf, generation, image)
    await writeChanges(bpf, generation, changes)
    held = image
  }

  const replace = async (before: Generation | undefined, image: DatapathImage): Promise<Generation> => {
    const generation = await createGeneration(bpf, directory, { object, image, before })
    log.info({ generation: generation.number, tableSize: image.tableSize }, 'datapath loaded')
    current = generation
    held = image
    return generation
  }

  const bring = async ({ image, ...wanted }: WantedDatapath): Promise<readonly InterfaceState[]> => {
    const before = current
    if (before?.tableSize === image.tableSize) {
      await update(before, image)
      return attachments.apply({ ...wanted, program: before })
    }
    const generation = await replace(before, image)
    const states = attachments.apply({ ...wanted, program: generation })
    if (before !== undefined) unload(bpf, before)
    return states
  }

  return {
    held: observe,
    apply: async (wanted) => {
      try {
        const states = await bring(wanted)
        // The links have left them. What a crash between the two steps left goes here too.
        if (current !== undefined) retireOthers(directory, current)
        return states
      } catch (error) {
        throw bpfError('program', place.directory, error)
      }
    },
    counters: () => (current === undefined ? {} : readCounters(bpf, current)),
    close: ({ detach }) => {
      if (detach) {
        attachments.detach()
        directory.remove()
      }
      attachments.close()
      if (current !== undefined) unload(bpf, current)
      current = undefined
      directory.unlock()
    },
  }
}

function attempt<T>(op: string, target: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw bpfError(op, target, error)
  }
}

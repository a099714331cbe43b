// A generation: one loaded program with its filled maps, pinned. Another program or another table size needs other
// maps; then a new generation is made beside the old one, and the links are switched over when it is complete.

import { mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { type BpfBinding } from '../../native/bpf.ts'
import { isAddonError } from '../../native/fd.ts'
import { type HeldMaps, emptyMaps } from '../build-image.ts'
import { type DatapathImage } from '../image.ts'
import { mapChanges } from './changes.ts'
import { decodeIndex, encodeIndex, maps } from './layout.ts'
import { type LoadedProgram, loadProgram, mapNames, unload } from './loader.ts'
import { readMaps, writeChanges, writeSettings } from './map-state.ts'
import { type PinDirectory, removePins } from './pins.ts'

export type Generation = LoadedProgram & {
  readonly number: number
  readonly programId: number
  readonly tag: string
}

/**
 * Loads a program beside whatever runs, fills its maps with the image, and pins it. Nothing of it is left if it fails.
 * `before` is the generation whose counters go on.
 */
export async function createGeneration(
  bpf: BpfBinding,
  directory: PinDirectory,
  options: {
    readonly object: Uint8Array
    readonly image: DatapathImage
    readonly before: Generation | undefined
  },
): Promise<Generation> {
  const { object, image, before } = options
  const counters = before?.maps.counters
  const loaded = loadProgram(bpf, { object, tableSize: image.tableSize, counters })
  const number = (directory.generations().at(-1) ?? 0) + 1
  const draft = directory.draftPath(number)
  try {
    writeSettings(bpf, loaded, image)
    await writeChanges(bpf, loaded, mapChanges(emptyMaps, image))
    removePins(draft)
    mkdirSync(draft)
    bpf.bpfPin(loaded.program, join(draft, 'program'))
    for (const name of mapNames) bpf.bpfPin(loaded.maps[name], join(draft, name))
    renameSync(draft, directory.generationPath(number))
    return { ...loaded, number, ...identify(bpf, loaded.program) }
  } catch (error) {
    removePins(draft)
    unload(bpf, loaded)
    throw error
  }
}

export type Adopted = { readonly generation: Generation; readonly held: HeldMaps }

/**
 * The last generation that a former process left, if it is this program with maps of this layout; its content is in
 * force and stays so. Undefined if it is another one: it goes on until a new generation takes its links over.
 */
export function adoptGeneration(bpf: BpfBinding, directory: PinDirectory, tag: string): Adopted | undefined {
  const number = directory.generations().at(-1)
  if (number === undefined) return undefined
  const path = directory.generationPath(number)
  const opened: number[] = []
  const open = (name: string): number => {
    const fd = bpf.bpfGetPinned(join(path, name))
    opened.push(fd)
    return fd
  }
  try {
    const program = open('program')
    const identity = identify(bpf, program)
    const fds = {
      vips: open('vips'),
      tables: open('tables'),
      reals: open('reals'),
      settings: open('settings'),
      counters: open('counters'),
    }
    const sameLayout = mapNames.every((name) => {
      const { keySize, valueSize, maxEntries } = bpf.bpfMapInfo(fds[name])
      const expected = maps[name]
      return (
        keySize === expected.keySize && valueSize === expected.valueSize && maxEntries === expected.maxEntries
      )
    })
    if (identity.tag === tag && sameLayout) {
      const tableSize = decodeIndex(
        (bpf.bpfMapLookup(fds.settings, encodeIndex(0)) ?? new Uint8Array(20)).subarray(16),
      )
      const generation = { program, maps: fds, tableSize, number, ...identity }
      return { generation, held: readMaps(bpf, generation) }
    }
  } catch (error) {
    // Pins that cannot be read are as good as another program's.
    if (!isAddonError(error)) throw error
  }
  for (const fd of opened) bpf.close(fd)
  return undefined
}

function identify(bpf: BpfBinding, program: number): Pick<Generation, 'programId' | 'tag'> {
  const { id, tag } = bpf.bpfProgInfo(program)
  return { programId: id, tag }
}

/** Removes the pins of all other generations. */
export function retireOthers(directory: PinDirectory, kept: Generation): void {
  for (const number of directory.generations())
    if (number !== kept.number) removePins(directory.generationPath(number))
}

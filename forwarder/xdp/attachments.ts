// Which interfaces the program is attached to. Links are pinned, so that they stay when the process ends, and are
// switched to another program without a moment between.

import { existsSync, unlinkSync } from 'node:fs'
import { type BpfBinding, xdpFlag } from '../../native/bpf.ts'
import { isAddonError } from '../../native/fd.ts'
import { type Link, type Log } from '../../system/ports.ts'
import { type DatapathOptions, type InterfaceState } from '../model.ts'
import { type Occupant, attachProblem, refusesBothModes } from './attach-error.ts'
import { type PinDirectory } from './pins.ts'

export type Attachments = {
  /**
   * Attaches the program to all wanted interfaces, then detaches it from others. Never throws for one interface's
   * sake: its state says what is wrong.
   */
  apply(wanted: WantedAttachments): readonly InterfaceState[]
  /** Detaches and unpins everything. */
  detach(): void
  /** Forgets everything; the pins stay. */
  close(): void
}
export type WantedAttachments = Pick<DatapathOptions, 'interfaces' | 'xdpMode'> & {
  readonly program: { readonly program: number; readonly programId: number }
  /** The host's. */
  readonly links: readonly Link[]
}

type Mode = 'native' | 'generic'
type Attached = { readonly fd: number; readonly ifindex: number }

/** Takes over the links that are pinned. */
export function openAttachments(bpf: BpfBinding, directory: PinDirectory, log: Log): Attachments {
  const attached = new Map<number, Attached>()
  for (const path of directory.links()) adopt(path)

  function adopt(path: string): void {
    const fd = bpf.bpfGetPinned(path)
    const { ifindex, programId } = bpf.bpfLinkInfo(fd)
    // Pinned for an interface that is gone, or one of that number in another network namespace.
    if (ifindex === 0 || path !== directory.linkPath(ifindex) || here(ifindex).programId !== programId) {
      unlinkSync(path)
      bpf.close(fd)
      return
    }
    attached.set(ifindex, { fd, ifindex })
  }

  function here(ifindex: number): ReturnType<BpfBinding['bpfXdpQuery']> {
    try {
      return bpf.bpfXdpQuery(ifindex)
    } catch (error) {
      if (isAddonError(error)) return { programId: 0, mode: 'none' }
      throw error
    }
  }

  const remove = ({ fd, ifindex }: Attached): void => {
    attached.delete(ifindex)
    const path = directory.linkPath(ifindex)
    if (existsSync(path)) unlinkSync(path)
    // The pin and the descriptor are all that holds it: closing detaches at once.
    bpf.close(fd)
  }

  const attach = (ifindex: number, program: number, mode: Mode): void => {
    const fd = bpf.bpfLinkXdp(program, ifindex, xdpFlag[mode])
    try {
      bpf.bpfPin(fd, directory.linkPath(ifindex))
    } catch (error) {
      bpf.close(fd)
      throw error
    }
    attached.set(ifindex, { fd, ifindex })
  }

  const occupantOf = (ifindex: number): Occupant | undefined => {
    const { programId, mode } = here(ifindex)
    if (programId === 0) return undefined
    const fd = bpf.bpfFdById('prog', programId)
    if (fd < 0) return undefined
    try {
      return { name: bpf.bpfProgInfo(fd).name, id: programId, mode }
    } finally {
      bpf.close(fd)
    }
  }

  /** Tries the modes in order; the last error's text if none is taken. */
  const tryModes = (link: Link, program: number, modes: readonly Mode[]): InterfaceState => {
    let problem: string | undefined
    for (const mode of modes) {
      try {
        attach(link.index, program, mode)
        log.info(
          { interface: link.name, mode, ...(problem === undefined ? {} : { because: problem }) },
          'XDP attached',
        )
        return { name: link.name, mode, problem: undefined }
      } catch (error) {
        if (!isAddonError(error)) throw error
        const occupant = occupantOf(link.index)
        problem = attachProblem({ code: error.code, interface: link.name, mtu: link.mtu, mode, occupant })
        if (refusesBothModes(error.code)) break
      }
    }
    return { name: link.name, mode: 'none', problem }
  }

  const ensure = (link: Link, { program, xdpMode }: WantedAttachments): InterfaceState => {
    const modes: readonly Mode[] = xdpMode === 'auto' ? ['native', 'generic'] : [xdpMode]
    const known = attached.get(link.index)
    if (known === undefined) return tryModes(link, program.program, modes)
    const now = bpf.bpfLinkInfo(known.fd)
    if (now.ifindex === 0) {
      log.warn({ interface: link.name }, 'XDP was detached by somebody')
      remove(known)
      return tryModes(link, program.program, modes)
    }
    if (now.programId !== program.programId) bpf.bpfLinkUpdate(known.fd, program.program)
    const { mode } = here(link.index)
    const current = mode === 'native' || mode === 'generic' ? mode : 'none'
    if (current === 'none' || modes.includes(current))
      return { name: link.name, mode: current, problem: undefined }
    // One mode excludes the other: packets of this moment go to the host.
    remove(known)
    const changed = tryModes(link, program.program, modes)
    if (changed.mode !== 'none') return changed
    return { ...tryModes(link, program.program, [current]), problem: changed.problem }
  }

  return {
    apply: (wanted) => {
      const byName = new Map(wanted.links.map((link) => [link.name, link]))
      const present = wanted.links.filter(({ name }) => name !== 'lo').map(({ name }) => name)
      const kept = new Set<number>()
      const states = [...new Set(wanted.interfaces)].map((name): InterfaceState => {
        const link = byName.get(name)
        if (link === undefined) {
          const found = present.length === 0 ? 'none' : present.join(', ')
          return { name, mode: 'none', problem: `this host has no interface '${name}', found: ${found}` }
        }
        kept.add(link.index)
        try {
          return ensure(link, wanted)
        } catch (error) {
          if (!isAddonError(error)) throw error
          return { name, mode: 'none', problem: `${name}: ${error.message}` }
        }
      })
      for (const each of [...attached.values()]) if (!kept.has(each.ifindex)) remove(each)
      return states
    },
    detach: () => [...attached.values()].forEach(remove),
    close: () => {
      for (const { fd } of attached.values()) bpf.close(fd)
      attached.clear()
    },
  }
}

// Why an interface takes no program, in words: the kernel answers only with a number.

/** What is attached there already, by somebody else. */
export type Occupant = { readonly name: string; readonly id: number; readonly mode: string }

export type Refused = {
  readonly code: string
  readonly interface: string
  readonly mtu: number
  readonly mode: 'native' | 'generic'
  readonly occupant: Occupant | undefined
}

const standardMtu = 1500

/** What was found, and what to do about it. */
export function attachProblem({ code, interface: name, mtu, mode, occupant }: Refused): string {
  const unexplained = `${name} does not take the program in ${mode} mode: ${code}`
  switch (code) {
    // EEXIST: a program in the other mode.
    case 'EBUSY':
    case 'EEXIST':
      return occupant === undefined
        ? `${name} has another XDP program: detach it (ip link set dev ${name} xdp off)`
        : `${name} has another XDP program, '${occupant.name}' (id ${occupant.id}, ${occupant.mode}): ` +
            `detach it (ip link set dev ${name} xdp off, or bpftool link detach)`
    // What veth says when its own or its peer's frames do not fit one page, and others when theirs do not.
    case 'ERANGE':
    case 'EINVAL':
      return code === 'EINVAL' && mtu <= standardMtu
        ? unexplained
        : `the MTU of ${name} (${mtu}) or of its peer is too large for native XDP: ` +
            `lower it to ${standardMtu} (veth takes about 3500), or set xdpMode: generic`
    case 'EOPNOTSUPP':
      return mode === 'native'
        ? `the driver of ${name} has no native XDP, or not with its settings (LRO, queues): set xdpMode: generic`
        : `${name} takes no XDP program`
    case 'ENODEV':
      return `${name} is gone`
    case 'EPERM':
      return `no permission to attach to ${name}: needs CAP_NET_ADMIN and CAP_BPF`
    default:
      return unexplained
  }
}

/** Whether the other mode would be refused for the same reason. */
export function refusesBothModes(code: string): boolean {
  return ['EBUSY', 'EEXIST', 'ENODEV', 'EPERM'].includes(code)
}

// Types of the addon's BPF functions.

export type BpfBinding = object

// Where the daemon's socket is, for every command that talks to it.

import { Option } from 'commander'
import { defaultSocket } from '../api/client.ts'

export function socketOption(): Option {
  return new Option('--socket PATH', "the daemon's API socket").env('TORII_SOCKET').default(defaultSocket)
}

export function jsonOption(): Option {
  return new Option('--json', 'machine-readable output')
}

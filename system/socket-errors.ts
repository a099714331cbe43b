// What the addon or an errno says, as the one error of this folder, with the remedy where there is one.

import { getSystemErrorMap } from 'node:util'
import { isAddonError } from '../native/fd.ts'
import { SystemError } from './errors.ts'

const errors = getSystemErrorMap()

function remedyFor(code: string, op: string): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return 'another program listens there: stop it or choose another port'
    case 'EADDRNOTAVAIL':
      return 'this machine does not have that address: add it or choose one that it has'
    case 'ENODEV':
      return 'there is no such interface here: ip link shows those there are'
    case 'EACCES':
      return op === 'bind' ? 'a port below 1024 needs CAP_NET_BIND_SERVICE: run as root' : undefined
    case 'EPERM':
      return op === 'connect'
        ? 'a firewall rule of this machine refuses it'
        : 'needs CAP_NET_ADMIN and CAP_NET_RAW: run as root'
    case 'EMFILE':
      return 'too many open files: raise LimitNOFILE (ulimit -n)'
    default:
      return undefined
  }
}

/** An errno (positive) that the kernel reported. */
export function errnoError(op: string, errno: number, target: string, remedy?: string): SystemError {
  const [code, message] = errors.get(-errno) ?? [`errno ${errno}`, `errno ${errno}`]
  return new SystemError({ op, code, target, message, remedy: remedy ?? remedyFor(code, op) })
}

/** An exception of the addon's; `SystemError`s pass, anything else is our own mistake and passes too. */
export function socketError(error: unknown, target: string): Error {
  if (isAddonError(error)) return errnoError(error.syscall, error.errno, target)
  return error instanceof Error ? error : new Error(String(error))
}

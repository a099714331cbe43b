// A speaker of ours in a namespace, as the tests hold it.

import { join } from 'node:path'
import { ended, type Remote, startRemote } from '../../support/remote-calls.ts'
import { type Namespace } from '../../system/namespace.ts'
// As a type only: importing the module runs it.
import type { Calls } from './inside.ts'

export type Torii = Remote<Calls> & {
  /** Stands still, as a machine that hangs; its sockets stay open. */
  readonly freeze: () => void
  readonly thaw: () => void
  readonly stop: () => Promise<void>
}

export function startTorii(namespace: Namespace): Promise<Torii> {
  return startRemote<Torii>(namespace.name, [join(import.meta.dirname, 'inside.ts')], (child) => ({
    freeze: () => void child.kill('SIGSTOP'),
    thaw: () => void child.kill('SIGCONT'),
    stop: () =>
      ended(child, () => {
        child.kill('SIGCONT')
        if (child.connected) child.disconnect()
      }),
  }))
}

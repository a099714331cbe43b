// /proc/sys.

import { readFileSync, writeFileSync } from 'node:fs'
import { SystemError } from './errors.ts'
import { type Sysctl } from './ports.ts'

function pathOf(key: string): string {
  // In sysctl's own notation a slash inside a name stands for a dot: net.ipv4.conf.eth0/100.rp_filter.
  return `/proc/sys/${key.replace(/[./]/g, (character) => (character === '.' ? '/' : '.'))}`
}

export const systemSysctl: Sysctl = {
  read: (key) => {
    try {
      return readFileSync(pathOf(key), 'utf8').trim()
    } catch {
      return undefined
    }
  },
  write: (key, value) => {
    try {
      writeFileSync(pathOf(key), value)
    } catch (error) {
      const { code = 'EIO', message } = error as NodeJS.ErrnoException
      const remedy =
        code === 'EROFS' || code === 'EACCES'
          ? `/proc/sys is read-only here: set ${key}=${value} from outside`
          : undefined
      throw new SystemError({ op: 'sysctl', code, target: key, message, remedy })
    }
  },
}

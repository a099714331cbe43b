// Signals: which end the daemon, and which only say "look again".

/** Resolves with the first of `ending`; SIGHUP meanwhile calls `onReload`. */
export function nextSignal(ending: readonly NodeJS.Signals[], onReload: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const finish = (signal: NodeJS.Signals): void => {
      for (const each of ending) process.off(each, finish)
      process.off('SIGHUP', onReload)
      // From here on until somebody listens again SIGHUP must not end the process.
      process.on('SIGHUP', () => undefined)
      resolve(signal)
    }
    for (const each of ending) process.on(each, finish)
    process.on('SIGHUP', onReload)
  })
}

// BGPPeer's holdTime and keepaliveTime: one follows from the other (RFC 4271 §4.2, §4.4).

import { type Document } from './document.ts'
import { formatDuration } from './duration.ts'
import { type Findings } from './findings.ts'

export type BgpTimers = {
  readonly holdTimeMs: number | undefined
  readonly keepaliveTimeMs: number | undefined
}

/** As written, in milliseconds. Undefined after a problem was reported. */
export function bgpTimers(
  {
    holdTime,
    keepaliveTime,
  }: { readonly holdTime?: number | undefined; readonly keepaliveTime?: number | undefined },
  document: Document,
  findings: Findings,
): BgpTimers | undefined {
  if (holdTime === undefined && keepaliveTime === undefined)
    return { holdTimeMs: undefined, keepaliveTimeMs: undefined }
  const hold = holdTime ?? 3 * (keepaliveTime ?? 0)
  const keepalive = keepaliveTime ?? hold / 3
  const holdField = ['spec', holdTime === undefined ? 'keepaliveTime' : 'holdTime']
  const keepaliveField = ['spec', keepaliveTime === undefined ? 'holdTime' : 'keepaliveTime']

  // The field of the OPEN message has whole seconds.
  const seconds = Math.trunc(hold / 1000)
  if (seconds < 0 || (seconds > 0 && seconds < 3) || seconds > 65535) {
    const implied = holdTime === undefined ? ` implies a hold time of ${formatDuration(hold)}` : ''
    findings.problem({
      ...document.at(holdField),
      message: `found ${document.describe(holdField) ?? ''}${implied}, expected a hold time of 0s, or 3s to 65535s`,
    })
    return undefined
  }
  if (keepalive < 0 || keepalive > hold) {
    findings.problem({
      ...document.at(keepaliveField),
      message: `found ${document.describe(keepaliveField) ?? ''}, expected no more than the hold time of ${formatDuration(hold)}`,
    })
    return undefined
  }
  if (seconds > 0 && keepalive === 0) {
    findings.warning({
      ...document.at(keepaliveField),
      message: 'without keepalives the neighbour would end the session: taken as a third of the hold time',
      remedy: 'remove it, or set holdTime to 0s',
    })
    return { holdTimeMs: seconds * 1000, keepaliveTimeMs: (seconds * 1000) / 3 }
  }
  return { holdTimeMs: seconds * 1000, keepaliveTimeMs: seconds === 0 ? 0 : keepalive }
}

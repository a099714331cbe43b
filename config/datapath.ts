// Torii's Datapath (torii.dev/v1alpha1): what all balancers' forwarders have in common.

import { type z } from 'zod'
import { refuseRepeats } from './distinct.ts'
import { type Document } from './document.ts'
import { defaultDscpIds, dscpIds } from './dscp.ts'
import { duration } from './duration.ts'
import { fields, integer, listOf, oneOf, parsed, word } from './fields.ts'
import { type Findings } from './findings.ts'
import { conform } from './issues.ts'
import { header, metadata } from './metadata.ts'
import { type Datapath } from './model.ts'
import { fromHex } from '../net/bytes.ts'

const tableSizeMin = 251
const tableSizeMax = 655373

/** Documented in docs/config.md: the same wherever no document names another. */
const defaultHashKey = Uint8Array.from({ length: 16 }, (_, i) => i)

/** In force where no document says anything else. */
export const defaultDatapath: Datapath = {
  interfaces: [],
  xdpMode: 'auto',
  tableSize: 65537,
  slots: undefined,
  hashKey: defaultHashKey,
  dscpIds: defaultDscpIds,
  drainTimeMs: 2000,
  place: undefined,
}

// IFNAMSIZ less its terminator; the kernel also refuses `/`, blanks, `.` and `..`.
const interfaceName = word(
  /^(?!\.{1,2}$)[^\s/:]{1,15}$/,
  'the name of a network interface, at most 15 characters',
)

const hashKey: z.ZodType<Uint8Array> = parsed('32 hexadecimal digits', (text) =>
  /^[0-9a-fA-F]{32}$/.test(text) ? fromHex(text) : undefined,
)

const primes = `a prime from ${tableSizeMin} to ${tableSizeMax}`
const tableSize = integer(tableSizeMin, tableSizeMax).superRefine((size, context) => {
  if (size < tableSizeMin || size > tableSizeMax || isPrime(size)) return
  let next = size
  while (!isPrime(next)) next += 1
  context.addIssue({ code: 'custom', message: `${primes}; the next one is ${next}` })
})

const schema = fields({
  ...header,
  metadata: metadata(),
  spec: fields({
    interfaces: listOf(interfaceName).default([]),
    xdpMode: oneOf('auto', 'native', 'generic').default(defaultDatapath.xdpMode),
    tableSize: tableSize.default(defaultDatapath.tableSize),
    slots: integer(1, tableSizeMax).optional(),
    hashKey: hashKey.default(defaultHashKey),
    dscp: fields({ ids: dscpIds.default(defaultDscpIds) }).default({ ids: defaultDscpIds }),
    drainTime: duration(0, 3_600_000).default(defaultDatapath.drainTimeMs),
  }).prefault({}),
})

/** Undefined after its problems were reported. */
export function readDatapath(document: Document, findings: Findings): Datapath | undefined {
  const read = conform(schema, document, findings)
  if (read === undefined) return undefined
  const { interfaces, slots, dscp, drainTime, ...rest } = read.spec
  refuseRepeats(interfaces, ['spec', 'interfaces'], document, findings)
  if (slots !== undefined && slots > rest.tableSize)
    findings.problem({
      ...document.at(['spec', 'slots']),
      message: `found ${slots}, expected no more than the table's ${rest.tableSize} rows`,
    })
  return {
    ...rest,
    interfaces: interfaces.map((name, index) => ({
      name,
      place: document.at(['spec', 'interfaces', index]).place,
    })),
    slots,
    dscpIds: dscp.ids,
    drainTimeMs: drainTime,
    place: document.place,
  }
}

function isPrime(number: number): boolean {
  if (number < 2) return false
  for (let divisor = 2; divisor * divisor <= number; divisor += 1) if (number % divisor === 0) return false
  return true
}

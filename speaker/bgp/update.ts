// UPDATE (RFC 4271 §4.3), close to the wire: the classic fields carry IPv4 unicast, MP_REACH_NLRI and
// MP_UNREACH_NLRI stand among the attributes (RFC 4760).
//
//   +-----------------------------------------------------+
//   |   Withdrawn Routes Length (2 octets)                |
//   |   Withdrawn Routes (variable)                       |
//   |   Total Path Attribute Length (2 octets)            |
//   |   Path Attributes (variable)                        |
//   |   Network Layer Reachability Information (variable) |
//   +-----------------------------------------------------+

import { type Reader, reader, writer } from '../../net/bytes.ts'
import { type Family } from '../../net/ip.ts'
import { type Prefix } from '../../net/prefix.ts'
import { type AttributeProblem, decodeAttributes } from './attribute-decoder.ts'
import { type CodecContext, encodeAttributes, type PathAttribute } from './attributes.ts'
import { attributeType, errorCode, updateError } from './iana.ts'
import { BadPrefix, readPrefixes, writePrefix } from './nlri.ts'
import { Malformed, notification } from './notification.ts'

export type Update = {
  readonly kind: 'update'
  readonly withdrawn: readonly Prefix[]
  /** In the order of the message. Malformed ones are not here but among the problems. */
  readonly attributes: readonly PathAttribute[]
  readonly nlri: readonly Prefix[]
  /** What RFC 7606 lets pass; with a `withdraw` among them, all that is announced here counts as withdrawn. */
  readonly problems: readonly AttributeProblem[]
}

export function encodeUpdateBody(update: Update, context: CodecContext): Uint8Array {
  const withdrawn = writer(64)
  for (const prefix of update.withdrawn) writePrefix(withdrawn, prefix)
  const attributes = encodeAttributes(update.attributes, context)
  const to = writer(256)
  to.u16(withdrawn.length).bytes(withdrawn.done()).u16(attributes.length).bytes(attributes)
  for (const prefix of update.nlri) writePrefix(to, prefix)
  return to.done()
}

/** Throws `Malformed` for what must reset the session (RFC 4271 §6.3 as revised by RFC 7606). */
export function decodeUpdateBody(body: Uint8Array, context: CodecContext): Update {
  const from = reader(body)
  const withdrawn = readField(section(from, 'withdrawn routes'), 'withdrawn routes')
  const attributes = decodeAttributes(section(from, 'path attributes').rest(), context)
  const nlri = readField(from, 'NLRI')
  const missing = missingWellKnown(attributes.attributes, nlri)
  return {
    kind: 'update',
    withdrawn,
    attributes: attributes.attributes,
    nlri,
    problems: [...attributes.problems, ...missing],
  }
}

export type Reachability = {
  readonly family: Family
  readonly announced: readonly Prefix[]
  readonly withdrawn: readonly Prefix[]
}

/** What an UPDATE says of each family, after RFC 7606's treat-as-withdraw. */
export function reachabilityOf(update: Update): readonly Reachability[] {
  const refused = update.problems.some(({ action }) => action === 'withdraw')
  const fields: Reachability[] = [
    { family: 4, announced: update.nlri, withdrawn: update.withdrawn },
    ...update.attributes.flatMap((attribute): readonly Reachability[] => {
      if (attribute.kind === 'mpReach')
        return [{ family: attribute.family, announced: attribute.nlri, withdrawn: [] }]
      if (attribute.kind === 'mpUnreach')
        return [{ family: attribute.family, announced: [], withdrawn: attribute.nlri }]
      return []
    }),
  ]
  if (!refused) return fields
  return fields.map(({ family, announced, withdrawn }) => ({
    family,
    announced: [],
    withdrawn: [...withdrawn, ...announced],
  }))
}

/** RFC 4724 §2: an UPDATE that says nothing (IPv4), or only an empty MP_UNREACH_NLRI. */
export function endOfRibOf(update: Update): Family | undefined {
  if (update.withdrawn.length > 0 || update.nlri.length > 0 || update.problems.length > 0) return undefined
  const [first, second] = update.attributes
  if (first === undefined) return 4
  if (second === undefined && first.kind === 'mpUnreach' && first.nlri.length === 0) return first.family
  return undefined
}

export function endOfRib(family: Family): Update {
  const attributes: readonly PathAttribute[] = family === 4 ? [] : [{ kind: 'mpUnreach', family, nlri: [] }]
  return { kind: 'update', withdrawn: [], attributes, nlri: [], problems: [] }
}

function section(from: Reader, name: string): Reader {
  const length = from.left < 2 ? undefined : from.u16()
  if (length === undefined || length > from.left)
    throw new Malformed(
      errorCode.updateMessage,
      updateError.malformedAttributeList,
      `${name}: length ${length ?? 'missing'}, ${from.left} octets are left`,
    )
  return from.sub(length)
}

function readField(from: Reader, name: string): readonly Prefix[] {
  try {
    return readPrefixes(from, 4)
  } catch (error) {
    if (!(error instanceof BadPrefix)) throw error
    throw new Malformed(errorCode.updateMessage, updateError.invalidNetworkField, `${name}: ${error.message}`)
  }
}

// RFC 4271 §5, RFC 4760 §3; treated as withdraw by RFC 7606 §3 d.
function missingWellKnown(
  attributes: readonly PathAttribute[],
  nlri: readonly Prefix[],
): readonly AttributeProblem[] {
  const reaches = attributes.some(({ kind }) => kind === 'mpReach')
  const needed = [
    ...(nlri.length > 0 || reaches ? (['origin', 'asPath'] as const) : []),
    ...(nlri.length > 0 ? (['nextHop'] as const) : []),
  ]
  return needed
    .filter((name) => !attributes.some(({ kind }) => kind === name))
    .map((name) => ({
      action: 'withdraw',
      error: {
        notification: notification(
          errorCode.updateMessage,
          updateError.missingWellKnown,
          Uint8Array.of(attributeType[name]),
        ),
        text: `the attribute ${name} is missing`,
      },
    }))
}

// `metadata`, the same for all kinds: what Kubernetes' tools write into it is accepted, though little of it means
// anything here.

import { z } from 'zod'
import { fields, listOf, text, word } from './fields.ts'

const dnsLabel = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?'
const objectName = new RegExp(`^(?=.{1,253}$)${dnsLabel}(?:\\.${dnsLabel})*$`)
const namespaceName = new RegExp(`^(?=.{1,63}$)${dnsLabel}$`)
const labelValue = /^(?=.{0,63}$)(?:[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?)?$/
const labelKey = new RegExp(
  `^(?:(?=.{1,253}/)${dnsLabel}(?:\\.${dnsLabel})*/)?(?=.{1,63}$)[A-Za-z0-9](?:[-\\w.]*[A-Za-z0-9])?$`,
)
const hostName = /^(?=.{1,253}$)[A-Za-z0-9](?:[-\w.]*[A-Za-z0-9])?$/

/** Names of hosts, which need not be as strict as those of objects. */
export const host = word(hostName, 'a host name: letters, digits, - . and _, at most 253')

export const namespace = word(namespaceName, 'a namespace: lower-case letters, digits and -, at most 63')

export const key = word(labelKey, 'a label key such as app or example.com/app')
export const labels = z.record(
  key,
  word(labelValue, 'a label value: letters, digits, - . and _, at most 63'),
  { error: 'a mapping of keys to text' },
)

const untouched = z.unknown().optional()

/** `name` is of the schema that is passed, DNS names if none is. */
export function metadata(name = word(objectName, 'a name: lower-case letters, digits, - and .')): z.ZodType<{
  readonly name: string
  readonly namespace?: string | undefined
  readonly labels?: Readonly<Record<string, string>> | undefined
}> {
  return fields({
    name,
    namespace: namespace.optional(),
    labels: labels.optional(),
    annotations: z.record(z.string(), text(), { error: 'a mapping of keys to text' }).optional(),
    creationTimestamp: untouched,
    finalizers: listOf(text()).optional(),
    generation: untouched,
    managedFields: untouched,
    ownerReferences: untouched,
    resourceVersion: untouched,
    selfLink: untouched,
    uid: untouched,
  })
}

/** What every document has beside its `spec`. */
export const header = { apiVersion: z.string(), kind: z.string() }
/** What the API server adds: `status` says nothing that is asked for. */
export const served = { ...header, status: untouched }

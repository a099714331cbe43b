// One Kubernetes-style document: its kind, its name, and the places of its fields. `kind: List` becomes its items.

import { type Findings, formatPath, type Path } from './findings.ts'
import { type Place } from './problem.ts'
import { type Located } from './yaml-place.ts'

export type Document = {
  readonly apiVersion: string
  readonly kind: string
  /** As written: undefined if there is none. */
  readonly name: string | undefined
  readonly value: unknown
  readonly place: Place
  /** The head of a problem about the value at `path`, or about its key. */
  at(
    path: Path,
    what?: 'value' | 'key',
  ): { readonly place: Place; readonly document: string; readonly field: string }
  describe(path: Path): string | undefined
  unquoted(path: Path): string | undefined
}

/** The documents of one YAML document: itself, or the items of a List. */
export function documentsOf(located: Located, findings: Findings): readonly Document[] {
  const { value } = located
  if (property(value, 'kind') !== 'List') return headed(located, [], value, findings)
  const items = property(value, 'items')
  if (Array.isArray(items))
    return items.flatMap((item, index) => headed(located, ['items', index], item, findings))
  findings.problem({
    place: located.placeOf(['items'], 'value'),
    document: 'List',
    field: 'items',
    message: `${found(located.describe(['items']))}, expected a list of documents`,
  })
  return []
}

function headed(located: Located, root: Path, value: unknown, findings: Findings): readonly Document[] {
  const refuse = (path: Path, expected: string): void =>
    findings.problem({
      place: located.placeOf([...root, ...path], 'value'),
      document: '',
      field: formatPath([...root, ...path]),
      message: `${found(located.describe([...root, ...path]))}, expected ${expected}`,
    })
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    refuse([], 'a document: a mapping with apiVersion, kind, metadata and spec')
    return []
  }
  const apiVersion = property(value, 'apiVersion')
  const kind = property(value, 'kind')
  if (typeof kind !== 'string') refuse(['kind'], 'the kind of the document, such as LoadBalancer')
  if (typeof apiVersion !== 'string') refuse(['apiVersion'], 'a version, such as torii.dev/v1alpha1')
  if (typeof kind !== 'string' || typeof apiVersion !== 'string') return []

  const name = property(property(value, 'metadata'), 'name')
  const document = labelOf(kind, value)
  return [
    {
      apiVersion,
      kind,
      name: typeof name === 'string' ? name : undefined,
      value,
      place: located.placeOf(root, 'value'),
      at: (path, what = 'value') => ({
        place: located.placeOf([...root, ...path], what),
        document,
        field: formatPath(path),
      }),
      describe: (path) => located.describe([...root, ...path]),
      unquoted: (path) => located.unquoted([...root, ...path]),
    },
  ]
}

function labelOf(kind: string, value: unknown): string {
  const metadata = property(value, 'metadata')
  const name = property(metadata, 'name')
  if (typeof name !== 'string') return kind
  if (kind !== 'LoadBalancer') return `${kind} ${name}`
  const namespace = property(metadata, 'namespace')
  return `${kind} ${typeof namespace === 'string' ? namespace : 'default'}/${name}`
}

function found(what: string | undefined): string {
  return what === undefined ? 'missing' : `found ${what}`
}

function property(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined
}

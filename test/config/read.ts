// Documents as text in, what the loader says of them out: the words that the tests of this folder are written in.

import assert from 'node:assert/strict'
import { type Config, parseDocuments, type Problem } from '../../config/config.ts'
import { formatProblem } from '../../config/problem.ts'

/** Problems, then warnings, as they are printed; the file is `f`. */
export function says(text: string): {
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
} {
  const parsed = parseDocuments([{ file: 'f', text }])
  const lines = (list: readonly Problem[]): readonly string[] => list.map(formatProblem)
  return {
    problems: parsed.kind === 'refused' ? lines(parsed.problems) : [],
    warnings: lines(parsed.warnings),
  }
}

export function problems(text: string): readonly string[] {
  return says(text).problems
}

/** What accepted documents say. */
export function accepted(text: string): Config {
  const parsed = parseDocuments([{ file: 'f', text }])
  assert.deepEqual(parsed.kind === 'refused' ? parsed.problems.map(formatProblem) : [], [])
  assert.equal(parsed.kind, 'ok')
  return parsed.config
}

/** One document; `spec` is indented by two, its first line is line 5. */
export function document(kind: string, apiVersion: string, spec: string, name = 'one'): string {
  const lines = spec.replace(/^\n/, '').replace(/\n *$/, '').split('\n')
  return [
    `apiVersion: ${apiVersion}`,
    `kind: ${kind}`,
    `metadata: {name: ${name}}`,
    'spec:',
    ...lines.map((line) => `  ${line}`),
    '',
  ].join('\n')
}

export const pool = (spec: string, name?: string): string =>
  document('IPAddressPool', 'metallb.io/v1beta1', spec, name)
export const peer = (spec: string, name?: string): string =>
  document('BGPPeer', 'metallb.io/v1beta2', spec, name)
export const advertisement = (spec: string, name?: string): string =>
  document('BGPAdvertisement', 'metallb.io/v1beta1', spec, name)
export const loadBalancer = (spec: string, name?: string): string =>
  document('LoadBalancer', 'torii.dev/v1alpha1', spec, name)
export const datapath = (spec: string, name?: string): string =>
  document('Datapath', 'torii.dev/v1alpha1', spec, name)

/** As a file would have them. */
export const all = (...documents: readonly string[]): string => documents.join('---\n')

// zod's issues → problems with a place, what was found and what was expected.

import { type z } from 'zod'
import { type Document } from './document.ts'
import { type Findings, type Path } from './findings.ts'
import { type Problem } from './problem.ts'
import { nearest } from './suggest.ts'

/** The document's value by the schema, or undefined after every issue was reported. */
export function conform<T>(schema: z.ZodType<T>, document: Document, findings: Findings): T | undefined {
  const result = schema.safeParse(document.value)
  if (result.success) return result.data
  const reported = new Set<string>()
  for (const problem of result.error.issues.flatMap((issue) => problemsOf(issue, document))) {
    // Two checks of one value say the same.
    if (reported.has(problem.field)) continue
    reported.add(problem.field)
    findings.problem(problem)
  }
  return undefined
}

function problemsOf(issue: z.core.$ZodIssue, document: Document): readonly Problem[] {
  const path = issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (issue.code === 'unrecognized_keys') {
    const known = issue.message === '' ? [] : issue.message.split(' ')
    return issue.keys.map((key) => unknownField([...path, key], key, known, document))
  }
  if (issue.code === 'custom' && issue.params?.['notYet'] === true)
    return [
      {
        ...document.at(path, 'key'),
        message: `Torii does not support '${String(path.at(-1))}' yet`,
        remedy: 'remove it',
      },
    ]
  if (issue.code === 'invalid_key')
    return [
      {
        ...document.at(path, 'key'),
        message: `found the key '${String(path.at(-1))}', expected ${issue.issues[0]?.message ?? 'another'}`,
      },
    ]
  const found = path.at(-1) === 'password' ? 'what is not shown here' : document.describe(path)
  return [
    {
      ...document.at(path),
      message: `${found === undefined ? 'missing' : `found ${found}`}, expected ${issue.message}`,
      remedy: remedyFor(issue, path, document),
    },
  ]
}

function unknownField(path: Path, key: string, known: readonly string[], document: Document): Problem {
  const meant = nearest(key, known)
  return {
    ...document.at(path, 'key'),
    message: `unknown field, expected one of: ${known.join(', ')}`,
    remedy: meant === undefined ? undefined : `did you mean '${meant}'?`,
  }
}

function remedyFor(issue: z.core.$ZodIssue, path: Path, document: Document): string | undefined {
  const meant = document.unquoted(path)
  if (meant !== undefined) return `put the address in quotes: "${meant}"`
  if (issue.code === 'invalid_value') {
    const found = document.describe(path)?.replaceAll("'", '') ?? ''
    const value = nearest(found, issue.values.map(String))
    return value === undefined ? undefined : `did you mean '${value}'?`
  }
  return undefined
}

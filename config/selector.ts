// Kubernetes' LabelSelector: matching, and its form in documents.

import { type z } from 'zod'
import { fields, listOf, oneOf, text } from './fields.ts'
import { key, labels } from './metadata.ts'
import { type Labels, type LabelSelector } from './model.ts'

/** Whether any of the selectors matches; an empty list selects everything. */
export function selects(selectors: readonly LabelSelector[], of: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => matches(selector, of))
}

/** Whether every expression holds: an empty selector matches everything, and `NotIn` a label that is not there. */
export function matches(selector: LabelSelector, of: Labels): boolean {
  return selector.every((expression) => {
    const value = Object.hasOwn(of, expression.key) ? of[expression.key] : undefined
    switch (expression.operator) {
      case 'In':
        return value !== undefined && expression.values.includes(value)
      case 'NotIn':
        return value === undefined || !expression.values.includes(value)
      case 'Exists':
        return value !== undefined
      case 'DoesNotExist':
        return value === undefined
    }
  })
}

/** Equal for selectors that are the same but for the order of writing. */
export function selectorKey(selector: LabelSelector): string {
  const expressions = selector.map(({ key, operator, values }) => [key, operator, ...values.toSorted()])
  return JSON.stringify(expressions.map((each) => JSON.stringify(each)).toSorted())
}

const expression = fields({
  key,
  operator: oneOf('In', 'NotIn', 'Exists', 'DoesNotExist'),
  values: listOf(text()).optional(),
}).superRefine(({ operator, values = [] }, context) => {
  const listed = operator === 'In' || operator === 'NotIn'
  if (listed === values.length > 0) return
  const message = listed ? `at least one value with ${operator}` : `no values with ${operator}`
  context.addIssue({ code: 'custom', path: ['values'], message })
})

export const labelSelector: z.ZodType<LabelSelector> = fields({
  matchLabels: labels.optional(),
  matchExpressions: listOf(expression).optional(),
}).transform(({ matchLabels = {}, matchExpressions = [] }): LabelSelector => [
  ...Object.entries(matchLabels).map(([label, value]) => ({
    key: label,
    operator: 'In' as const,
    values: [value],
  })),
  ...matchExpressions.map(({ key: label, operator, values = [] }) => ({ key: label, operator, values })),
])

export const labelSelectors = listOf(labelSelector).optional()

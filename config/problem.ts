// What is wrong with the documents, as a value: where, what was found, what was expected, what to do.

/** Lines and columns count from 1; 0 where only the file is known. */
export type Place = { readonly file: string; readonly line: number; readonly column: number }

export type Problem = {
  readonly place: Place
  /** `LoadBalancer default/web`; empty where no document is meant. */
  readonly document: string
  /** `spec.ports[0].port`; empty where the document as a whole is meant. */
  readonly field: string
  /** What was found and what was expected, in one sentence. */
  readonly message: string
  /** What to do, if that is not obvious. */
  readonly remedy?: string | undefined
}

/** One line: `FILE:LINE:COLUMN: DOCUMENT: FIELD: MESSAGE: REMEDY`. */
export function formatProblem({ place, document, field, message, remedy }: Problem): string {
  const where = place.line > 0 ? `${place.file}:${place.line}:${place.column}` : place.file
  return [where, document, field, message, remedy ?? ''].filter((part) => part !== '').join(': ')
}

// The one error of this folder: the environment refused something.

/** `op` is the system call or tool, `target` what it was applied to, `remedy` what an operator can do. */
export class SystemError extends Error {
  readonly op: string
  readonly code: string
  readonly target: string
  readonly remedy: string | undefined

  constructor(details: {
    op: string
    code: string
    target: string
    message?: string
    remedy?: string | undefined
  }) {
    const remedy = details.remedy === undefined ? '' : `; ${details.remedy}`
    super(`${details.op} ${details.target}: ${details.message ?? details.code}${remedy}`)
    this.name = 'SystemError'
    this.op = details.op
    this.code = details.code
    this.target = details.target
    this.remedy = details.remedy
  }
}

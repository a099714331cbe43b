// Replaces environment variables in a topology's text before YAML is read, as containerlab does:
// `$V`, `${V}`, `${V:=d}`, `${V:-d}`, `${V:+d}`, the same without the colon, and `$$` for one `$`.

export type Substituted =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'refused'
      readonly problems: readonly { readonly line: number; readonly reason: string }[]
    }

const pattern =
  /\$(?:(\$)|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)(?:(:?[-=+])([^}\n]*))?\}|(\{[^}\n]*\}?))/g

/**
 * With the colon an empty variable counts as unset. A variable that is not set and has no default is refused:
 * containerlab puts nothing in its place, which no topology means.
 */
export function envsubst(text: string, env: Readonly<Record<string, string | undefined>>): Substituted {
  const problems: { line: number; reason: string }[] = []
  const replaced = text.replace(pattern, (whole: string, ...groups: (string | number | undefined)[]) => {
    const [dollar, bare, braced, operator, operand, wrong] = groups
    if (dollar !== undefined) return '$'
    const offset = Number(groups[6])
    const refuse = (reason: string): string => {
      problems.push({ line: text.slice(0, offset).split('\n').length, reason })
      return whole
    }
    if (wrong !== undefined) return refuse(`${whole}: expected \${NAME}, or with :=, :- or :+ and a default`)
    const name = String(bare ?? braced)
    const value = env[name]
    const word = String(operand ?? '')
    const usable = value !== undefined && !(String(operator).startsWith(':') && value === '')
    if (operator === ':+' || operator === '+') return usable ? word : ''
    if (usable) return value
    if (operator !== undefined) return word
    return refuse(`the environment has no ${name}: set it, or write \${${name}:=default}`)
  })
  return problems.length === 0 ? { kind: 'text', text: replaced } : { kind: 'refused', problems }
}

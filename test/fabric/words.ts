// The three small languages inside a topology file: `${NAME:=default}` before YAML is read, magic words, and command
// lines split as a shell splits words but run without one.

/** What a topology says and the runner cannot do; the message names the place. */
export class TopologyError extends Error {}

const variable = /\$\$|\$\{([A-Za-z_]\w*)(?:(:?[-=+])([^}]*))?\}|\$([A-Za-z_]\w*)/g

/** envsubst as containerlab has it: `${V}`, `$V`, `${V:-d}`, `${V:=d}`, `${V:+d}`, `$$` for a dollar sign. */
export function substituteEnv(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(
    variable,
    (
      whole: string,
      braced: string | undefined,
      operator: string | undefined,
      word: string | undefined = '',
      bare?: string,
    ) => {
      if (whole === '$$') return '$'
      const value = env[braced ?? bare ?? '']
      // With a colon an empty value counts as none.
      const there = value !== undefined && (value !== '' || !(operator ?? '').startsWith(':'))
      if (operator?.endsWith('+') === true) return there ? word : ''
      return there ? value : word
    },
  )
}

export type MagicWords = {
  readonly node: string
  readonly nodeDir: string
  readonly lab: string
  readonly labDir: string
}

/** `__clabNodeName__` and its like, as they work in binds and exec. */
export function substituteMagic(text: string, words: MagicWords): string {
  return text
    .replaceAll('__clabNodeName__', words.node)
    .replaceAll('__clabNodeDir__', words.nodeDir)
    .replaceAll('__clabLabName__', words.lab)
    .replaceAll('__clabDir__', words.labDir)
}

/** Splits as a POSIX shell splits words: blanks, quotes, backslashes; nothing is expanded. Throws `TopologyError`. */
export function splitWords(text: string): readonly string[] {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at)
    if (quote === "'") {
      if (character === "'") quote = undefined
      else word = (word ?? '') + character
    } else if (character === '\\' && (quote === undefined || /["\\$`]/.test(text.charAt(at + 1)))) {
      at += 1
      word = (word ?? '') + text.charAt(at)
    } else if (character === quote) quote = undefined
    else if (quote === undefined && (character === '"' || character === "'")) {
      quote = character
      word ??= ''
    } else if (quote === undefined && /\s/.test(character)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else word = (word ?? '') + character
  }
  if (quote !== undefined) throw new TopologyError(`unclosed ${quote} in: ${text}`)
  return word === undefined ? words : [...words, word]
}

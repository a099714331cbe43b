// Splits a command line into words as containerlab does for cmd, entrypoint and exec: quotes and backslashes as in a
// shell, and nothing else of one: no variables, no globs, no redirections.

export type Split =
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | { readonly kind: 'refused'; readonly reason: string }

/** In double quotes a backslash takes the next character as it is; a word that begins with `#` ends the line. */
export function splitWords(text: string): Split {
  const words: string[] = []
  let word: string | undefined
  let quote: '"' | "'" | undefined
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    if (char === '\\' && quote !== "'") {
      at += 1
      if (at === text.length) return { kind: 'refused', reason: 'ends in a backslash' }
      word = (word ?? '') + text.charAt(at)
    } else if (quote !== undefined) {
      if (char === quote) quote = undefined
      else word = (word ?? '') + char
    } else if (char === '"' || char === "'") {
      quote = char
      word ??= ''
    } else if (/\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
    } else if (char === '#' && word === undefined) {
      const end = text.indexOf('\n', at)
      at = end < 0 ? text.length : end
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== undefined) return { kind: 'refused', reason: `a ${quote} is not closed` }
  if (word !== undefined) words.push(word)
  return { kind: 'words', words }
}

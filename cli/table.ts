// Tables for eyes: aligned columns, colour only where a terminal shows it (NO_COLOR is respected). Scripts use --json.

import { stripVTControlCharacters, styleText } from 'node:util'

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'strong'
export type Cell = string | number | { readonly text: string; readonly tone: Tone }
export type Column = { readonly title: string; readonly align?: 'left' | 'right' }
export type Row = readonly Cell[]

const styles = { good: 'green', warn: 'yellow', bad: 'red', dim: 'dim', strong: 'bold' } as const

/** Text in a tone, plain unless `stream` is a terminal that wants colour. */
export function paint(text: string, tone: Tone, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(styles[tone], text, { stream })
}

/**
 * A header line and one line per row, each ended by a newline; columns are two blanks apart. Cells missing at a
 * row's end are blank. Without rows: the header alone.
 */
export function renderTable(
  columns: readonly Column[],
  rows: readonly Row[],
  stream: NodeJS.WriteStream = process.stdout,
): string {
  const plain = rows.map((row) => columns.map((_, index) => textOf(row[index] ?? '')))
  const widths = columns.map((column, index) =>
    Math.max(column.title.length, ...plain.map((texts) => widthOf(texts[index] ?? ''))),
  )
  const line = (texts: readonly string[], tones: readonly (Tone | undefined)[]): string =>
    columns
      .map((column, index) => {
        const text = texts[index] ?? ''
        const tone = tones[index]
        const blanks = ' '.repeat((widths[index] ?? 0) - widthOf(text))
        const shown = tone === undefined || text === '' ? text : paint(text, tone, stream)
        if (column.align === 'right') return blanks + shown
        return index === columns.length - 1 ? shown : shown + blanks
      })
      .join('  ')
      .trimEnd()
  const header = line(
    columns.map((column) => column.title),
    columns.map(() => 'dim'),
  )
  const body = rows.map((row, index) =>
    line(
      plain[index] ?? [],
      columns.map((_, at) => toneOf(row[at] ?? '')),
    ),
  )
  return `${[header, ...body].join('\n')}\n`
}

function textOf(cell: Cell): string {
  return typeof cell === 'object' ? cell.text : String(cell)
}

function toneOf(cell: Cell): Tone | undefined {
  return typeof cell === 'object' ? cell.tone : undefined
}

function widthOf(text: string): number {
  return Array.from(stripVTControlCharacters(text)).length
}

// The live table: redrawn in place on a terminal; elsewhere one line for each step as it becomes true.

import { type StepState, type StepView } from './step.ts'

const marks: Readonly<Record<StepState, string>> = {
  waiting: ' ',
  running: '…',
  held: '✓',
  failed: '✗',
  skipped: '-',
}
const colours: Readonly<Record<StepState, string>> = {
  waiting: '2',
  running: '33',
  held: '32',
  failed: '31',
  skipped: '2',
}
const redrawEveryMs = 100
const indent = 3

/** One step in at least one line; details that do not fit go on below it. */
export function renderStep(view: StepView, nowMs: number, width: number): readonly string[] {
  const at = view.state === 'running' ? nowMs : view.atMs
  const time = at === undefined ? '' : `${(at / 1000).toFixed(1)} s`
  const head = `${time.padStart(8)}  ${marks[view.state]} ${view.title}`
  if (view.detail === '') return [head]
  if (view.state === 'held' || view.state === 'running') {
    const oneLine = `${head}: ${view.detail}`
    if (oneLine.length <= width && !view.detail.includes('\n')) return [oneLine]
  }
  const room = Math.max(20, width - 10 - indent)
  return [head, ...view.detail.split('\n').flatMap((line) => wrap(line, room))].map((line, index) =>
    index === 0 ? line : `${' '.repeat(10 + indent)}${line}`,
  )
}

/** At blanks; words longer than `width` stay whole. */
export function wrap(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line]
}

export type Board = {
  show(views: readonly StepView[]): void
  /** Leaves the last picture standing. */
  close(): void
}

export function createBoard(stream: NodeJS.WriteStream, nowMs: () => number): Board {
  return stream.isTTY ? liveBoard(stream, nowMs) : lineBoard(stream, nowMs)
}

function lineBoard(stream: NodeJS.WriteStream, nowMs: () => number): Board {
  const told = new Set<number>()
  return {
    show: (views) => {
      for (const [index, view] of views.entries()) {
        if (told.has(index) || (view.state !== 'held' && view.state !== 'failed')) continue
        told.add(index)
        stream.write(`${renderStep(view, nowMs(), 160).join('\n')}\n`)
      }
    },
    close: () => undefined,
  }
}

/** Never taller than the terminal: what has scrolled away cannot be redrawn. */
function liveBoard(stream: NodeJS.WriteStream, nowMs: () => number): Board {
  const plain = process.env['NO_COLOR'] !== undefined && process.env['NO_COLOR'] !== ''
  let views: readonly StepView[] = []
  let drawn = 0
  const paint = (view: StepView, line: string): string =>
    plain ? line : `\u001b[${colours[view.state]}m${line}\u001b[0m`
  const draw = (whole: boolean): void => {
    const width = stream.columns - 1
    const lines = views.flatMap((view) =>
      renderStep(view, nowMs(), width).map((line) => paint(view, line.slice(0, width))),
    )
    const shown = whole ? lines : lines.slice(-(stream.rows - 1))
    const up = drawn > 0 ? `\u001b[${drawn}A` : ''
    stream.write(`${up}\r\u001b[J${shown.join('\n')}\n`)
    drawn = shown.length
  }
  const timer = setInterval(() => draw(false), redrawEveryMs)
  return {
    show: (next) => {
      views = next
    },
    close: () => {
      clearInterval(timer)
      draw(true)
    },
  }
}

// Steps, the waiting in them, and how they look.

import assert from 'node:assert/strict'
import { renderStep } from '../../demo/board.ts'
import { parseOptions } from '../../demo/options.ts'
import { runSteps, type Step, type StepView } from '../../demo/step.ts'
import { found, notYet, StepFailure, until } from '../../demo/until.ts'

const never = new AbortController().signal
const step = (title: string, run: () => Promise<string>, needed = false): Step => ({ title, needed, run })
const ok = () => Promise.resolve('fine')
const bad = () => Promise.reject(new StepFailure('broken', ['the log']))
const states = (views: readonly StepView[]) => views.map(({ state }) => state)
const silent = { signal: never, nowMs: () => 1500, show: () => undefined }

describe('steps', () => {
  it('run in order; one that fails stops only those that need it', async () => {
    const soft = await runSteps([step('a', ok), step('b', bad), step('c', ok)], silent)
    assert.deepEqual(states(soft.views), ['held', 'failed', 'held'])
    assert.deepEqual(soft.failures, [{ title: 'b', message: 'broken', lookAt: ['the log'] }])
    const hard = await runSteps([step('a', ok), step('b', bad, true), step('c', ok)], silent)
    assert.deepEqual(states(hard.views), ['held', 'failed', 'skipped'])
  })

  it('are skipped after an abort', async () => {
    const aborter = new AbortController()
    const abort = () => {
      aborter.abort()
      return Promise.resolve('')
    }
    const { views } = await runSteps([step('a', abort), step('b', ok)], { ...silent, signal: aborter.signal })
    assert.deepEqual(states(views), ['held', 'skipped'])
  })

  it('wait until a condition is true, and say how far it was when it never is', async () => {
    let left = 3
    const patience = { what: 'three looks', withinMs: 5000, everyMs: 1, signal: never }
    assert.equal(
      await until(() => ((left -= 1) > 0 ? notYet(`${left} left`) : found('done')), patience),
      'done',
    )
    await assert.rejects(
      until(() => notYet('2 of 3'), { ...patience, withinMs: 0, lookAt: () => ['tor1'] }),
      (error: StepFailure) =>
        /three looks: not within 0 s: 2 of 3/.test(error.message) && error.lookAt[0] === 'tor1',
    )
  })

  it('stop waiting when aborted', async () => {
    const aborter = new AbortController()
    const waiting = until(() => notYet('no'), {
      what: 'x',
      withinMs: 60_000,
      everyMs: 60_000,
      signal: aborter.signal,
    })
    aborter.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
  })
})

describe('a step on the board', () => {
  const view: StepView = { title: 'Fabric up', state: 'held', detail: '10 nodes', atMs: 1234 }

  it('is one line where it fits, with the time since the start', () => {
    assert.deepEqual(renderStep(view, 9999, 80), ['   1.2 s  ✓ Fabric up: 10 nodes'])
  })

  it('goes on below where it does not, in no line wider than the terminal', () => {
    const lines = renderStep({ ...view, detail: 'word '.repeat(30).trim() }, 9999, 60)
    assert.equal(lines[0], '   1.2 s  ✓ Fabric up')
    assert.ok(lines.length > 2 && lines.every((line) => line.length <= 60))
    assert.equal(lines.join(' ').match(/word/g)?.length, 30)
  })

  it('shows the time that runs while it runs', () => {
    assert.deepEqual(renderStep({ ...view, state: 'running', detail: '', atMs: undefined }, 2000, 80), [
      '   2.0 s  … Fabric up',
    ])
  })
})

describe("the demo's options", () => {
  it('are all scenarios unless one is named', () => {
    assert.deepEqual(parseOptions([]), {
      kind: 'run',
      options: { keep: false, json: false, lab: undefined, scenarios: ['drain', 'cut', 'backend'] },
    })
    assert.deepEqual(parseOptions(['--keep', '--lab', 'mine', '--scenario', 'cut']), {
      kind: 'run',
      options: { keep: true, json: false, lab: 'mine', scenarios: ['cut'] },
    })
  })

  it('are refused by name when unknown', () => {
    const wrong = parseOptions(['--scenario', 'flood'])
    assert.ok(
      wrong.kind === 'wrong' &&
        wrong.message.includes("'flood'") &&
        wrong.message.includes('drain, cut, backend, all'),
    )
    const unknown = parseOptions(['--forever'])
    assert.ok(unknown.kind === 'wrong' && unknown.message.includes('--forever'))
  })
})

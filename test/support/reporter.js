// mocha's spec reporter, closed by one plain line that scripts can read.
import Mocha from 'mocha'

export default class TallyReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options)
    const skipped = []
    runner.on('pending', (test) => skipped.push(test))
    runner.once('end', () => {
      for (const test of skipped)
        console.log(`skipped: ${test.fullTitle()}${test.skipReason ? `: ${test.skipReason}` : ''}`)
      const { passes, failures, pending } = this.stats
      console.log(`${passes} passed, ${failures} failed${pending > 0 ? `, ${pending} skipped` : ''}`)
    })
  }
}

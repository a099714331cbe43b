// How far a spread of requests is from the one that the tables promise. Pure.

/** One VIP's: each backend's share of its table's rows, and the answers that came from each. */
export type Observed = {
  readonly shares: ReadonlyMap<string, number>
  readonly counts: ReadonlyMap<string, number>
}

export type SpreadRow = {
  readonly backend: string
  readonly count: number
  readonly expected: number
  /** Count over expected, less 1. */
  readonly deviation: number
  /** The binomial standard deviation of the count. */
  readonly sigma: number
  /** Distance from the expected count in sigmas; infinite where none was expected and some came. */
  readonly sigmas: number
}

/** Flows are independent draws by the hash, so that a count is a sum of binomials, one for each VIP. */
export function spreadOf(observed: readonly Observed[]): readonly SpreadRow[] {
  const names = new Set(observed.flatMap(({ shares, counts }) => [...shares.keys(), ...counts.keys()]))
  return [...names].sort().map((backend) => {
    let count = 0
    let expected = 0
    let variance = 0
    for (const { shares, counts } of observed) {
      const total = [...counts.values()].reduce((sum, each) => sum + each, 0)
      const share = shares.get(backend) ?? 0
      count += counts.get(backend) ?? 0
      expected += total * share
      variance += total * share * (1 - share)
    }
    const sigma = Math.sqrt(variance)
    const off = Math.abs(count - expected)
    return {
      backend,
      count,
      expected,
      deviation: expected === 0 ? (count === 0 ? 0 : Infinity) : count / expected - 1,
      sigma,
      sigmas: off === 0 ? 0 : off / sigma,
    }
  })
}

/** The furthest of them, in sigmas. */
export function worstSigmas(rows: readonly SpreadRow[]): number {
  return Math.max(0, ...rows.map(({ sigmas }) => sigmas))
}

/** `be1 503 (+0.6 %, 0.2σ)`. */
export function formatSpreadRow({ backend, count, deviation, sigmas }: SpreadRow): string {
  const percent = `${deviation >= 0 ? '+' : ''}${(deviation * 100).toFixed(1)} %`
  return `${backend} ${count} (${percent}, ${sigmas.toFixed(1)}σ)`
}

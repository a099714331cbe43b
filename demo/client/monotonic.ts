// One time for all processes of the machine: CLOCK_MONOTONIC, which the load generators in the client node and the
// demo outside share, so that "lost 1.2 s after the failure" needs no synchronisation.

/** Milliseconds of CLOCK_MONOTONIC, with fractions. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1000n) / 1000
}

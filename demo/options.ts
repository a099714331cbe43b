// The demo's command line.

import { parseArgs } from 'node:util'

export const scenarioNames = ['drain', 'cut', 'backend'] as const
export type ScenarioName = (typeof scenarioNames)[number]

export type Options = {
  readonly keep: boolean
  readonly json: boolean
  /** Another name for the fabric, to run beside another demo. */
  readonly lab: string | undefined
  readonly scenarios: readonly ScenarioName[]
}

export type Parsed =
  | { readonly kind: 'run'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string }

export const help = `Usage: npm run demo -- [OPTIONS]

Brings up a fabric of 10 nodes in network namespaces (1 client, 2 FRR routers, 3 Torii balancers, 4 backends),
sends TCP and UDP over IPv4 and IPv6 through the VIPs, and fails things under steady traffic.

Options:
  --scenario NAME   only this failure: drain (a balancer leaves by SIGTERM), cut (a balancer is cut off without
                    warning), backend (a backend dies); all (the default)
  --keep            leave the fabric up and say how to poke at it
  --lab NAME        another name for the fabric, to run beside another demo
  --json            the results as JSON on stdout, the table on stderr
  --help            this

Exit code 0 if every step held, 1 if not, 2 for a wrong option, 130 when interrupted.
`

export function parseOptions(args: readonly string[]): Parsed {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        keep: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
        lab: { type: 'string' },
        scenario: { type: 'string', default: 'all' },
      },
    })
    if (values.help) return { kind: 'help' }
    const scenarios = scenarioNames.filter((name) => values.scenario === 'all' || values.scenario === name)
    if (scenarios.length === 0) {
      const expected = [...scenarioNames, 'all'].join(', ')
      return { kind: 'wrong', message: `found --scenario '${values.scenario}', expected one of ${expected}` }
    }
    return { kind: 'run', options: { keep: values.keep, json: values.json, lab: values.lab, scenarios } }
  } catch (error) {
    return { kind: 'wrong', message: error instanceof Error ? error.message : String(error) }
  }
}

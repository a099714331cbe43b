// Where a backend learns its bindings from: balancers, documents, or the command line itself.

import { hostname } from 'node:os'
import { InvalidArgumentError, Option } from 'commander'
import { conflictsIn, type Binding } from '../forwarder/backend/bindings.ts'
import { askBalancers } from '../forwarder/backend/source-driver.ts'
import { parseIp } from '../net/ip.ts'
import { CliError, ExitCode } from './exit.ts'

/** How documents become bindings: the daemon's way, handed in. */
export type BackendSources = {
  readonly bindingsFromConfig: (paths: readonly string[], backend: string) => Promise<readonly Binding[]>
}

export type SourceFlags = {
  readonly balancer?: readonly string[]
  readonly config?: readonly string[]
  readonly binding?: readonly Binding[]
  readonly name: string
}

export const askTimeoutMs = 2000

export function sourceOptions(): readonly Option[] {
  return [
    new Option('-b, --balancer <URL>', "a balancer's --listen address; may be given several times").argParser(
      (url: string, before: readonly string[] | undefined) => [...(before ?? []), parseUrl(url)],
    ),
    new Option('-c, --config <PATH...>', 'documents instead of balancers'),
    new Option(
      '--binding <VIP=DSCP@ADDRESS>',
      "a VIP, its id and this host's address, as in 198.51.100.1=2@10.1.1.2; may be given several times",
    ).argParser((text: string, before: readonly Binding[] | undefined) => [
      ...(before ?? []),
      parseBinding(text),
    ]),
    new Option('-n, --name <NAME>', "this host's name among the backends").default(hostname()),
  ]
}

export type Source =
  | { readonly kind: 'balancers'; readonly urls: readonly string[]; once(): Promise<readonly Binding[]> }
  | { readonly kind: 'fixed'; once(): Promise<readonly Binding[]> }

/** Throws `CliError` (usage) unless exactly one source is named. */
export function createSource(flags: SourceFlags, sources: BackendSources): Source {
  const { balancer, config, binding, name } = flags
  const named = [balancer, config, binding].filter((each) => each !== undefined)
  if (named.length !== 1) {
    throw new CliError(
      'expected one of --balancer URL, --config PATH or --binding VIP=DSCP@ADDRESS: where to learn the VIPs from',
      ExitCode.usage,
    )
  }
  if (balancer !== undefined) {
    const ask = { balancers: balancer, name, pollMs: askTimeoutMs, timeoutMs: askTimeoutMs }
    return {
      kind: 'balancers',
      urls: balancer,
      once: async () => {
        try {
          return (await askBalancers(ask, { fetch })).bindings
        } catch (error) {
          throw new CliError(error instanceof Error ? error.message : String(error), ExitCode.noDaemon)
        }
      },
    }
  }
  if (config !== undefined) return { kind: 'fixed', once: () => sources.bindingsFromConfig(config, name) }
  const bindings = binding ?? []
  const conflicts = conflictsIn(bindings)
  if (conflicts.length > 0) throw new CliError(conflicts.join('; '), ExitCode.usage)
  return { kind: 'fixed', once: () => Promise.resolve(bindings) }
}

function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return text
  throw new InvalidArgumentError('expected a URL, as in http://10.0.1.11:7471')
}

function parseBinding(text: string): Binding {
  const match = /^([^=]+)=(\d{1,2})@(.+)$/.exec(text)
  const vip = parseIp(match?.[1] ?? '')
  const address = parseIp(match?.[3] ?? '')
  if (vip !== undefined && address !== undefined) return { vip, dscp: Number(match?.[2]), address }
  throw new InvalidArgumentError('expected VIP=DSCP@ADDRESS, as in 198.51.100.1=2@10.1.1.2')
}

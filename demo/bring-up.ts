// The steps from nothing to VIPs that answer.

import { statusOf, neighboursOf, ping, type Lab } from './lab.ts'
import { routedTo, sameDigests } from './scenarios/observe.ts'
import { type Services, servicesOf } from './services.ts'
import { type Step } from './step.ts'
import { found, notYet, StepFailure, until } from './until.ts'

export type Stage = {
  readonly signal: AbortSignal
  /** Both throw `StepFailure` before their step held. */
  readonly lab: () => Lab
  readonly services: () => Services
  readonly learned: (services: Services) => void
  readonly deploy: () => Promise<Lab>
}

const within = { withinMs: 40_000 }

export function bringUp(stage: Stage): readonly Step[] {
  return [
    {
      title: 'Fabric up',
      needed: true,
      run: async () => {
        const { client, routers, balancers, backends } = await stage.deploy()
        const count = 1 + routers.length + balancers.length + backends.length
        const names = [routers, balancers, backends].map((nodes) => nodes.map(({ name }) => name).join(' '))
        return `${count} nodes: ${client.name}, ${names.join(', ')}`
      },
    },
    daemonsStep(stage),
    ...['tor1', 'tor2'].map((name) => sessionsStep(stage, name)),
    routesStep(stage),
    pingStep(stage),
    digestStep(stage),
  ]
}

function daemonsStep({ lab, signal, learned }: Stage): Step {
  return {
    title: 'Balancers have VIPs',
    needed: true,
    run: (progress) =>
      until(
        async () => {
          const answers = await Promise.all(lab().balancers.map(statusOf))
          const lines = new Set<string>()
          for (const [index, status] of answers.entries()) {
            const name = lab().balancers[index]?.name ?? ''
            if (status === undefined) return notYet(`torii on ${name} does not answer`)
            const trouble = [...status.config.problems, ...status.datapath.problems]
            if (trouble.length > 0) return notYet(`${name}: ${trouble.join('; ')}`)
            const { vips } = status
            if (vips.length === 0) return notYet(`${name} has no VIP`)
            learned(servicesOf(status))
            for (const { vip, pool, dscp, service } of vips) {
              lines.add(`${service} ${vip} from ${pool}, DSCP ${dscp}`)
            }
          }
          return found([...lines].join('\n'))
        },
        {
          ...within,
          what: 'torii on every balancer',
          signal,
          progress,
          lookAt: () => lab().balancers.map(({ name, main }) => `${name}: ${main?.tail() ?? 'runs nothing'}`),
        },
      ),
  }
}

function sessionsStep({ lab, signal }: Stage, name: string): Step {
  return {
    title: `BGP sessions at ${name}`,
    needed: true,
    run: (progress) =>
      until(
        async () => {
          const neighbours = [...(await neighboursOf(lab().fabric.node(name)))]
          const up = neighbours.filter(([, state]) => state === 'Established').length
          if (neighbours.length > 0 && up === neighbours.length) return found(`${up} Established`)
          const down = neighbours.filter(([, state]) => state !== 'Established')
          return notYet(
            `${up} of ${neighbours.length} Established, not ${down.map((each) => each.join(' ')).join(', ')}`,
          )
        },
        {
          ...within,
          what: `sessions at ${name}`,
          signal,
          progress,
          lookAt: [`vtysh -c "show bgp summary" on ${name}`, 'torii status on the balancers: LAST ERROR'],
        },
      ),
  }
}

function routesStep({ lab, services, signal }: Stage): Step {
  return {
    title: 'Routes to the VIPs',
    needed: true,
    run: async (progress) => {
      const hops = await until(() => routedTo(lab(), services().vips, lab().balancers), {
        ...within,
        what: 'every balancer a next hop of every VIP at every router',
        signal,
        progress,
        lookAt: ['vtysh -c "show ip route" on the routers', 'torii status on the balancers: ANNOUNCED TO'],
      })
      const { vips } = services()
      return `${vips.length} VIPs, each with ${lab().balancers.length} next hops (${hops}) at ${lab()
        .routers.map(({ name }) => name)
        .join(' and ')}`
    },
  }
}

function pingStep({ lab, services, signal }: Stage): Step {
  return {
    title: 'VIPs answer pings',
    needed: false,
    run: async (progress) => {
      const times: string[] = []
      for (const vip of services().vips) {
        const ms = await until(
          async () => {
            const time = await ping(lab().client, vip)
            return time === undefined ? notYet('no answer') : found(time)
          },
          {
            what: `ping ${vip}`,
            withinMs: 15_000,
            signal,
            progress,
            lookAt: ['torii status on the balancers: BACKENDS', 'nft list ruleset on a backend'],
          },
        )
        times.push(`${vip} in ${ms.toFixed(2)} ms`)
      }
      return times.join(', ')
    },
  }
}

function digestStep({ lab, signal }: Stage): Step {
  return {
    title: 'Tables byte-identical on all balancers',
    needed: true,
    run: async (progress) => {
      await until(() => allHealthy(lab()), {
        ...within,
        what: 'every backend healthy everywhere',
        signal,
        progress,
        lookAt: ['torii status on the balancers: WHY', "the backends' agents: torii backend run"],
      })
      const digests = await until(() => sameDigests(lab()), {
        ...within,
        what: 'the same digests everywhere',
        signal,
        progress,
        lookAt: ['torii status on each balancer: DIGEST, BACKENDS'],
      })
      return [...digests].map(([vip, digest]) => `${vip} ${digest.slice(0, 12)}`).join(', ')
    },
  }
}

async function allHealthy({ balancers }: Lab) {
  for (const balancer of balancers) {
    const status = await statusOf(balancer)
    if (status === undefined) return notYet(`torii on ${balancer.name} does not answer`)
    for (const { vip, backends } of status.vips) {
      const sick = backends.list.find(({ healthy, unresolved }) => !healthy || unresolved !== undefined)
      if (sick !== undefined) {
        return notYet(`${balancer.name}: ${sick.name} for ${vip}: ${sick.unresolved ?? sick.detail}`)
      }
    }
  }
  return found(undefined)
}

/** For what has not been reached yet. */
export function missing(what: string): never {
  throw new StepFailure(`${what} is not there yet`)
}

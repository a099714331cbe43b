// What to do with a fabric that was left up.

import { join, relative } from 'node:path'
import { type Lab } from './lab.ts'
import { type Services } from './services.ts'

const checkout = join(import.meta.dirname, '..')

/** Commands to type, with the nodes' own process ids. */
export function keepText(
  { fabric, client, balancers, routers, backends }: Lab,
  services: Services | undefined,
  topology: string,
): string {
  const [balancer, router, backend] = [balancers[0], routers[0], backends[0]]
  const vip = services?.vips.find((each) => !each.includes(':')) ?? ''
  const lines = [
    [client, `curl -s http://${vip}/`],
    [client, 'bash'],
    [balancer, 'torii status'],
    [balancer, `torii trace 10.9.1.2:40000 ${vip}:80/tcp`],
    [router, `ip route show ${vip}`],
    [router, "vtysh -c 'show bgp summary'"],
    [backend, 'nft list ruleset'],
  ] as const
  const enter = lines.flatMap(([node, command]) =>
    node === undefined ? [] : [`  nsenter -t ${node.pid} -m -u -p -n ${command}   # on ${node.name}`],
  )
  const pids = fabric.nodes.map(({ name, pid }) => `${name} ${pid}`).join(', ')
  const running = balancer?.main
  return [
    '',
    'The fabric stays up. In the checkout, as root:',
    '',
    `  export PATH="${checkout}/bin:${checkout}/node_modules/.bin:$PATH"`,
    ...enter,
    ...(running === undefined
      ? []
      : [`  kill -TERM ${running.pid}   # torii on ${balancer?.name ?? ''} drains and leaves`]),
    '',
    `The nodes' first processes: ${pids}`,
    'Documents, to edit live: deploy/containerlab/torii',
    `To end it: node test/fabric/main.ts destroy -t ${relative(checkout, topology)} --lab ${fabric.lab}   (or run the demo again)`,
    '',
  ].join('\n')
}

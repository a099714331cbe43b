// What to do with a fabric that was left up.

import { type Lab } from './lab.ts'
import { type Services } from './services.ts'

export function keepText({ fabric, balancers, routers }: Lab, services: Services | undefined): string {
  const lb = balancers[0]?.name ?? 'lb1'
  const tor = routers[0]?.name ?? 'tor1'
  return `lab ${fabric.lab} ${lb} ${tor} ${services?.vips.join(' ') ?? ''}`
}

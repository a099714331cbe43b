// The words that every plane shares for what a VIP serves.

export type L4Protocol = 'TCP' | 'UDP'

/** IANA protocol numbers. */
export const protocolNumber = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 } as const

export type ServicePort = { readonly protocol: L4Protocol; readonly port: number }

export function formatServicePort(port: ServicePort): string {
  return `${port.port}/${port.protocol.toLowerCase()}`
}

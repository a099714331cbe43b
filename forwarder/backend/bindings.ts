// What a backend host must do for its VIPs, and the nftables file that does it: a packet that arrives at the host's
// own address with a VIP's DSCP id gets the VIP back as its destination. Stateless; the two ECN bits are kept.

import { type Ip } from '../../net/ip.ts'

/** `address` is the backend's own, of the VIP's family; packets for the VIP arrive there with `dscp` (1 to 63). */
export type Binding = { readonly vip: Ip; readonly dscp: number; readonly address: Ip }

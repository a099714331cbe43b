// What is to be announced, in the speaker's own words.

import { type Prefix } from '../net/prefix.ts'

/** RFC 1997: the first 16 bits are an AS, the last 16 its value. */
export type Community = number

/** RFC 8092, three 32-bit numbers. */
export type LargeCommunity = { readonly global: number; readonly local1: number; readonly local2: number }

/**
 * One prefix of the desired set. When several name the same prefix for a peer, it is sent once, with the union
 * of the communities and the highest local preference.
 */
export type Announcement = {
  readonly prefix: Prefix
  /** For internal peers only (RFC 4271 §5.1.5); absent = 100. */
  readonly localPref?: number
  readonly communities: readonly Community[]
  readonly largeCommunities: readonly LargeCommunity[]
  /** Names of the peers to tell; absent = all. */
  readonly peers?: readonly string[]
}

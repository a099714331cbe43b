/* The keyed flow hash of ../hash.ts, which says how and why. Words are the packet's bytes read little-endian.
 */
#pragma once
#include "layout.h"

static __always_inline __u32 fold64(__u64 value) {
    return (__u32)value ^ (__u32)(value >> 32);
}

static __always_inline __u64 multiply(__u32 a, __u32 b) {
    return (__u64)a * b;
}

static __always_inline __u32 mix(__u32 h) {
    h ^= h >> 16;
    h *= 0x7feb352d;
    h ^= h >> 15;
    h *= 0x846ca68b;
    h ^= h >> 16;
    return h;
}

static __always_inline __u32 hash_words(const __u32 *key, __u32 source, __u32 destination, __u32 ports,
                                        __u32 protocol) {
    return mix(fold64(multiply(source + key[0], ports + key[1]) +
                      multiply(destination + key[2], protocol + key[3])));
}

/* An IPv6 address as one word; source and destination use the key's words in opposite order. */
static __always_inline __u32 fold_address(const __u32 *addr, __u32 k0, __u32 k1, __u32 k2, __u32 k3) {
    return fold64(multiply(addr[0] + k0, addr[1] + k1) + multiply(addr[2] + k2, addr[3] + k3));
}

static __always_inline __u32 hash_ipv4(const __u32 *key, __u32 source, __u32 destination, __u32 ports,
                                       __u32 protocol) {
    return hash_words(key, source, destination, ports, protocol);
}

static __always_inline __u32 hash_ipv6(const __u32 *key, const __u32 *source, const __u32 *destination,
                                       __u32 ports, __u32 protocol) {
    return hash_words(key, fold_address(source, key[0], key[1], key[2], key[3]),
                      fold_address(destination, key[3], key[2], key[1], key[0]), ports, protocol);
}

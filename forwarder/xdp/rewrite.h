/* What changes in a forwarded packet, as in ../rewrite.ts: the sums of RFC 1624, equation 3, over unfolded
 * words. */
#pragma once
#include "layout.h"
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

static __always_inline __u16 fold_sum(__u64 sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

static __always_inline __u16 update_checksum(__u16 checksum, __u64 change) {
    return ~fold_sum((__u16)~checksum + change);
}

/* A UDP checksum of 0 is none and stays so; one that comes out as 0 is written 0xffff (RFC 768). */
static __always_inline __u16 update_udp_checksum(__u16 checksum, __u64 change) {
    if (checksum == 0)
        return 0;
    __u16 updated = update_checksum(checksum, change);
    return updated == 0 ? 0xffff : updated;
}

static __always_inline __u64 address_change_ipv4(__be32 before, __be32 after) {
    return (__u64)(__u32)~before + after;
}

static __always_inline __u64 address_change_ipv6(const __be32 *before, const __be32 *after) {
    return address_change_ipv4(before[0], after[0]) + address_change_ipv4(before[1], after[1]) +
           address_change_ipv4(before[2], after[2]) + address_change_ipv4(before[3], after[3]);
}

/* Version to protocol: DSCP := id, TTL - 1, destination := real, header checksum. Returns the address's
 * change. */
static __always_inline __u64 rewrite_ipv4(struct iphdr *ip, const struct vip *vip, const struct real *real) {
    __u16 *words = (__u16 *)ip;
    __u64 address = address_change_ipv4(ip->daddr, real->addr[0]);
    __u64 change = address + (__u16)~words[0] + (__u16)~words[4];
    ip->tos = vip->dscp << 2 | (ip->tos & 3);
    ip->ttl--;
    ip->daddr = real->addr[0];
    ip->check = update_checksum(ip->check, change + words[0] + words[4]);
    return address;
}

static __always_inline __u64 rewrite_ipv6(struct ipv6hdr *ip, const struct vip *vip,
                                          const struct real *real) {
    __u8 *bytes = (__u8 *)ip;
    __be32 *destination = ip->daddr.in6_u.u6_addr32;
    __u64 address = address_change_ipv6(destination, real->addr);
    bytes[0] = 0x60 | vip->dscp >> 2;
    bytes[1] = vip->dscp << 6 | (bytes[1] & 0x3f);
    ip->hop_limit--;
    __builtin_memcpy(destination, real->addr, 16);
    return address;
}

/* IPv6: which real gets the packet, by RFC 8200 and 4443. ../reference.ts says what is done with which
 * packet. */
#pragma once
#include "hash.h"
#include "icmp.h"
#include "lookup.h"
#include "rewrite.h"
#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define IPV6_OFFSET 0xfff8

/* Beyond what two runs of extension headers reach: tells the verifier that offsets are bounded. */
#define MAX_L4_OFFSET 0x9000

/* A flow as its client sends it: the destination is always the VIP. */
struct flow6 {
    const __be32 *source;
    __u32 ports; /* the transport header's first word */
    __u8 protocol;
};

/* A transport header, or what is in its place. */
struct place {
    __u32 at; /* behind the frame's start */
    __u8 protocol;
};

struct extension {
    __u8 next;
    __u8 length; /* in 8 bytes, the first 8 not counted */
    union {
        __be16 fragment_offset;
        struct {
            __u8 routing_type;
            __u8 segments_left;
        };
    };
    __be32 rest;
};

static __always_inline bool is_extension(__u8 protocol) {
    return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
           protocol == IPPROTO_FRAGMENT;
}

/*
 * Walks over the extension headers that begin at `at` with one of type `protocol`. Returns the place behind
 * them as offset << 8 | protocol, or a negated reason. A function of its own also to the verifier, which
 * follows it once.
 */
__noinline int walk_extensions(struct xdp_md *ctx, __u32 at, __u32 limit, __u8 protocol, bool quoted) {
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    for (int i = 0; i < MAX_EXTENSIONS && is_extension(protocol); i++) {
        struct extension *header = data + at;
        if (at > MAX_L4_OFFSET || at + sizeof(*header) > limit || (void *)(header + 1) > end)
            return -MALFORMED;
        at += 8;
        if (protocol == IPPROTO_FRAGMENT) {
            if (!quoted || header->fragment_offset & bpf_htons(IPV6_OFFSET))
                return -FRAGMENT;
        } else {
            if (protocol == IPPROTO_ROUTING && header->segments_left != 0)
                return -UNSUPPORTED_PROTOCOL;
            at += header->length * 8;
        }
        protocol = header->next;
    }
    return at > limit ? -MALFORMED : at << 8 | protocol;
}

/* Moves `place` behind the extension headers, if there are any. */
static __always_inline enum reason skip_extensions(struct xdp_md *ctx, struct place *place, __u32 limit,
                                                   bool quoted) {
    if (!is_extension(place->protocol))
        return FORWARDED;
    int found = walk_extensions(ctx, place->at, limit, place->protocol, quoted);
    if (found < 0)
        return -found;
    __u32 at = found >> 8;
    barrier_var(at); /* what is checked must be what is used, or the verifier does not see the bound */
    place->at = at;
    place->protocol = found;
    return at > MAX_L4_OFFSET ? MALFORMED : FORWARDED;
}

static __always_inline bool same_address(const __be32 *a, const __be32 *b) {
    return a[0] == b[0] && a[1] == b[1] && a[2] == b[2] && a[3] == b[3];
}

/* The flow that an ICMP error is about, from the packet that it quotes at `at`: one that the VIP has sent. */
static __always_inline enum reason quoted_flow6(struct xdp_md *ctx, __u32 at, __u32 limit,
                                                struct vip_key *key, struct flow6 *flow) {
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    struct ipv6hdr *ip = data + at;
    if (at + sizeof(*ip) > limit || (void *)(ip + 1) > end || ip->version != 6 ||
        !same_address(ip->saddr.in6_u.u6_addr32, key->addr))
        return BAD_QUOTE;
    struct place place = {.at = at + sizeof(*ip), .protocol = ip->nexthdr};
    if (skip_extensions(ctx, &place, limit, true) != FORWARDED)
        return BAD_QUOTE;
    __u32 *l4 = data + place.at;
    if (place.at + 8 > limit || (void *)(l4 + 2) > end)
        return BAD_QUOTE;
    flow->source = ip->daddr.in6_u.u6_addr32;
    flow->protocol = place.protocol;
    if (place.protocol == IPPROTO_TCP || place.protocol == IPPROTO_UDP) {
        flow->ports = *l4 << 16 | *l4 >> 16;
        key->port = *l4 & 0xffff;
        key->protocol = place.protocol;
        return FORWARDED;
    }
    flow->ports = 0;
    return place.protocol == IPPROTO_ICMPV6 && *(__u8 *)l4 == ICMP6_ECHO_REPLY ? FORWARDED : BAD_QUOTE;
}

static __always_inline enum reason icmp_flow6(struct xdp_md *ctx, struct icmp *icmp, __u32 at, __u32 limit,
                                              struct vip_key *key, struct flow6 *flow) {
    if (icmp->type == ICMP6_ECHO_REQUEST)
        return FORWARDED;
    if (icmp->type >= ICMP6_UNREACHABLE && icmp->type <= ICMP6_PARAMETER_PROBLEM)
        return quoted_flow6(ctx, at + sizeof(*icmp), limit, key, flow);
    if (icmp->type >= ICMP6_ROUTER_SOLICITATION && icmp->type <= ICMP6_REDIRECT)
        return NEIGHBOUR_DISCOVERY;
    return UNSUPPORTED_ICMP;
}

static __always_inline enum reason forward_ipv6(struct xdp_md *ctx, void *l3, void *end,
                                                const struct real **chosen) {
    struct ipv6hdr *ip = l3;
    if ((void *)(ip + 1) > end)
        return NOT_VIP;
    struct vip_key key = {.family = 6};
    __builtin_memcpy(key.addr, ip->daddr.in6_u.u6_addr32, sizeof(key.addr));
    struct place place = {.at = sizeof(struct ethhdr) + sizeof(*ip), .protocol = ip->nexthdr};
    __u32 limit = place.at + bpf_ntohs(ip->payload_len);
    if (ip->version != 6 || (void *)(ip + 1) + bpf_ntohs(ip->payload_len) > end)
        return refuse(&key, MALFORMED);
    enum reason reason = skip_extensions(ctx, &place, limit, false);
    if (reason != FORWARDED)
        return refuse(&key, reason);

    struct flow6 flow = {.source = ip->saddr.in6_u.u6_addr32, .protocol = place.protocol};
    struct vip *vip;
    __u32 room = limit - place.at;
    void *l4 = l3 - sizeof(struct ethhdr) + place.at;
    __u16 *check;
    switch (place.protocol) {
    case IPPROTO_TCP:
        if (room < sizeof(struct tcphdr) || l4 + sizeof(struct tcphdr) > end)
            return refuse(&key, MALFORMED);
        check = &((struct tcphdr *)l4)->check;
        break;
    case IPPROTO_UDP:
        if (room < sizeof(struct udphdr) || l4 + sizeof(struct udphdr) > end)
            return refuse(&key, MALFORMED);
        check = &((struct udphdr *)l4)->check;
        break;
    case IPPROTO_ICMPV6:
        if (room < sizeof(struct icmp) || l4 + sizeof(struct icmp) > end)
            return refuse(&key, MALFORMED);
        check = &((struct icmp *)l4)->check;
        break;
    default:
        return refuse(&key, UNSUPPORTED_PROTOCOL);
    }
    if (place.protocol != IPPROTO_ICMPV6) {
        flow.ports = *(__u32 *)l4;
        key.port = flow.ports >> 16;
        key.protocol = place.protocol;
        vip = bpf_map_lookup_elem(&vips, &key);
        if (!vip)
            return refuse(&key, PORT_NOT_SERVED);
    } else {
        vip = lookup_address(&key);
        if (!vip)
            return NOT_VIP;
        reason = icmp_flow6(ctx, l4, place.at, limit, &key, &flow);
        if (reason != FORWARDED)
            return reason;
        if (key.protocol != 0)
            vip = bpf_map_lookup_elem(&vips, &key);
        if (!vip)
            return PORT_NOT_SERVED;
    }

    if (same_address(ip->saddr.in6_u.u6_addr32, key.addr))
        return LAND;
    if (ip->hop_limit <= 1)
        return TTL_EXPIRED;
    const struct settings *config = load_settings();
    if (!config)
        return NO_REAL_UP;
    __u32 hash = hash_ipv6(config->hash_key, flow.source, key.addr, flow.ports, flow.protocol);
    const struct real *real = select_real(config, vip, hash);
    if (!real)
        return NO_REAL_UP;
    if (real->ifindex == 0)
        return NO_NEXT_HOP;

    __u64 change = rewrite_ipv6(ip, vip, real);
    *check =
        place.protocol == IPPROTO_UDP ? update_udp_checksum(*check, change) : update_checksum(*check, change);
    *chosen = real;
    return FORWARDED;
}

/* IPv4: which real gets the packet, by RFC 791 and 792. ../reference.ts says what is done with which packet.
 */
#pragma once
#include "hash.h"
#include "icmp.h"
#include "lookup.h"
#include "rewrite.h"
#include <bpf/bpf_endian.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define IPV4_FRAGMENT 0x3fff /* more fragments, or an offset */
#define IPV4_OFFSET   0x1fff

/* A flow as its client sends it: the destination is always the VIP. */
struct flow4 {
    __be32 source;
    __u32 ports; /* the transport header's first word */
    __u8 protocol;
};

/* The flow that an ICMP error is about, from the packet that it quotes: one that the VIP has sent. */
static __always_inline enum reason quoted_flow4(void *quote, void *end, __u32 room, struct vip_key *key,
                                                struct flow4 *flow) {
    struct iphdr *ip = quote;
    if (room < sizeof(*ip) || (void *)(ip + 1) > end)
        return BAD_QUOTE;
    __u32 header = ip->ihl * 4;
    if (ip->version != 4 || header < sizeof(*ip) || room < header + 8 || ip->saddr != key->addr[0] ||
        ip->frag_off & bpf_htons(IPV4_OFFSET))
        return BAD_QUOTE;
    __u32 *l4 = quote + header;
    if ((void *)(l4 + 2) > end)
        return BAD_QUOTE;
    flow->source = ip->daddr;
    flow->protocol = ip->protocol;
    if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP) {
        flow->ports = *l4 << 16 | *l4 >> 16;
        key->port = *l4 & 0xffff;
        key->protocol = ip->protocol;
        return FORWARDED;
    }
    flow->ports = 0;
    return ip->protocol == IPPROTO_ICMP && *(__u8 *)l4 == ICMP4_ECHO_REPLY ? FORWARDED : BAD_QUOTE;
}

static __always_inline enum reason icmp_flow4(void *message, void *end, __u32 room, struct vip_key *key,
                                              struct flow4 *flow) {
    struct icmp *icmp = message;
    if (room < sizeof(*icmp) || (void *)(icmp + 1) > end)
        return MALFORMED;
    switch (icmp->type) {
    case ICMP4_ECHO_REQUEST:
        return FORWARDED;
    case ICMP4_UNREACHABLE:
    case ICMP4_TIME_EXCEEDED:
    case ICMP4_PARAMETER_PROBLEM:
        return quoted_flow4(icmp + 1, end, room - sizeof(*icmp), key, flow);
    }
    return UNSUPPORTED_ICMP;
}

static __always_inline enum reason forward_ipv4(void *l3, void *end, const struct real **chosen) {
    struct iphdr *ip = l3;
    if ((void *)(ip + 1) > end)
        return NOT_VIP;
    struct vip_key key = {.addr = {ip->daddr}, .family = 4};
    __u32 header = ip->ihl * 4;
    __u32 total = bpf_ntohs(ip->tot_len);
    if (ip->version != 4 || header < sizeof(*ip) || total < header || (void *)ip + total > end)
        return refuse(&key, MALFORMED);
    if (ip->frag_off & bpf_htons(IPV4_FRAGMENT))
        return refuse(&key, FRAGMENT);

    struct flow4 flow = {.source = ip->saddr, .protocol = ip->protocol};
    struct vip *vip;
    __u32 room = total - header;
    void *l4 = (void *)ip + header;
    __u16 *check = l4;
    switch (ip->protocol) {
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
    case IPPROTO_ICMP: /* no pseudo header: its checksum does not change */
        break;
    default:
        return refuse(&key, UNSUPPORTED_PROTOCOL);
    }
    if (ip->protocol != IPPROTO_ICMP) {
        flow.ports = *(__u32 *)l4;
        key.port = flow.ports >> 16;
        key.protocol = ip->protocol;
        vip = bpf_map_lookup_elem(&vips, &key);
        if (!vip)
            return refuse(&key, PORT_NOT_SERVED);
    } else {
        vip = lookup_address(&key);
        if (!vip)
            return NOT_VIP;
        enum reason reason = icmp_flow4(l4, end, room, &key, &flow);
        if (reason != FORWARDED)
            return reason;
        if (key.protocol != 0)
            vip = bpf_map_lookup_elem(&vips, &key);
        if (!vip)
            return PORT_NOT_SERVED;
    }

    if (ip->saddr == ip->daddr)
        return LAND;
    if (ip->ttl <= 1)
        return TTL_EXPIRED;
    const struct settings *config = load_settings();
    if (!config)
        return NO_REAL_UP;
    __u32 hash = hash_ipv4(config->hash_key, flow.source, ip->daddr, flow.ports, flow.protocol);
    const struct real *real = select_real(config, vip, hash);
    if (!real)
        return NO_REAL_UP;
    if (real->ifindex == 0)
        return NO_NEXT_HOP;

    __u64 change = rewrite_ipv4(ip, vip, real);
    if (ip->protocol == IPPROTO_TCP)
        *check = update_checksum(*check, change);
    else if (ip->protocol == IPPROTO_UDP)
        *check = update_udp_checksum(*check, change);
    *chosen = real;
    return FORWARDED;
}

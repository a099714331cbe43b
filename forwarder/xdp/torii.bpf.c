/* The forwarder: packets for a VIP go to a backend by L3DSR, all others to the host. ../reference.ts is the
 * same in TypeScript and says what is done with which packet; a test holds both equal byte for byte. */
#include "ipv4.h"
#include "ipv6.h"
#include <linux/if_ether.h>

static __always_inline void count(__u32 reason) {
    __u64 *counter = bpf_map_lookup_elem(&counters, &reason);
    if (counter)
        ++*counter;
}

SEC("xdp")
int torii(struct xdp_md *ctx) {
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = (void *)(long)ctx->data;
    void *l3 = eth + 1;
    enum reason reason = NOT_VIP;
    const struct real *real = NULL;
    if (l3 > end)
        reason = NOT_VIP;
    else if (eth->h_proto == bpf_htons(ETH_P_IP))
        reason = forward_ipv4(l3, end, &real);
    else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
        reason = forward_ipv6(ctx, l3, end, &real);

    count(reason);
    if (reason == FORWARDED && real) {
        __builtin_memcpy((__u32 *)eth, real->macs, sizeof(real->macs));
        return real->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect(real->ifindex, 0);
    }
    return reason == NOT_VIP || reason == NEIGHBOUR_DISCOVERY ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Apache-2.0";

/* The forwarder: packets for a VIP go to a backend by L3DSR, all others to the host. ../reference.ts is the
 * same in TypeScript and says what is done with which packet; a test holds both equal byte for byte. */
#include "ipv4.h"

SEC("xdp")
int torii(struct xdp_md *ctx) {
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *eth = data;
    if ((void *)(eth + 1) > end)
        return finish(NOT_VIP);
    if (eth->h_proto == bpf_htons(ETH_P_IP))
        return forward_ipv4(ctx, eth + 1, end);
    return finish(NOT_VIP);
}

char _license[] SEC("license") = "Apache-2.0";

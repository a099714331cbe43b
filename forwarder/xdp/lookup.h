/* Map lookups, and what a packet ends with. */
#pragma once
#include "layout.h"

/* Counts the packet under its reason, which decides what becomes of it unless it is forwarded. */
static __always_inline int finish(__u32 reason) {
    __u64 *counter = bpf_map_lookup_elem(&counters, &reason);
    if (counter)
        ++*counter;
    return reason == NOT_VIP || reason == NEIGHBOUR_DISCOVERY ? XDP_PASS : XDP_DROP;
}

/* The entry of the address as such; `key` holds the address. */
static __always_inline struct vip *lookup_address(struct vip_key *key) {
    key->port = 0;
    key->protocol = 0;
    return bpf_map_lookup_elem(&vips, key);
}

/* A packet that is not forwarded for `reason`: dropped if it is for a VIP, otherwise the host's. */
static __always_inline int refuse(struct vip_key *key, enum reason reason) {
    return finish(lookup_address(key) ? reason : NOT_VIP);
}

static __always_inline const struct settings *load_settings(void) {
    __u32 first = 0;
    return bpf_map_lookup_elem(&settings, &first);
}

/* The real that holds the hash's row of the VIP's table: multiply-shift instead of a division. */
static __always_inline const struct real *select_real(const struct settings *config, const struct vip *vip,
                                                      __u32 hash) {
    __u32 row = (__u64)hash * config->table_size >> 32;
    void *table = bpf_map_lookup_elem(&tables, &vip->table);
    if (!table)
        return NULL;
    __u32 *index = bpf_map_lookup_elem(table, &row);
    if (!index)
        return NULL;
    return bpf_map_lookup_elem(&reals, index); /* NO_REAL is past its end */
}

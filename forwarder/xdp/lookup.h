/* Map lookups: what is a VIP, and which real gets a flow. */
#pragma once
#include "layout.h"

/* The entry of the address as such; `key` holds the address. */
static __always_inline struct vip *lookup_address(struct vip_key *key) {
    key->port = 0;
    key->protocol = 0;
    return bpf_map_lookup_elem(&vips, key);
}

/* Why a packet is not forwarded: `reason` if it is for a VIP, otherwise it is the host's. Never on the fast
 * path. */
static __noinline enum reason refuse(struct vip_key *key, enum reason reason) {
    return lookup_address(key) ? reason : NOT_VIP;
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

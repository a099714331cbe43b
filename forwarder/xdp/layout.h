/* The maps of the XDP program, as user space sees them: layout.ts is the same in TypeScript. */
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <stdbool.h>

#define MAX_VIPS       65536
#define MAX_TABLES     4096
#define MAX_REALS      65536
#define DEFAULT_ROWS   65537
#define NO_REAL        0xffffffffu
#define MAX_EXTENSIONS 8

/* What became of a packet; counters are indexed by it, in the order of `reasons` in image.ts. */
enum reason {
    FORWARDED,
    NOT_VIP,
    NEIGHBOUR_DISCOVERY,
    MALFORMED,
    FRAGMENT,
    UNSUPPORTED_PROTOCOL,
    UNSUPPORTED_ICMP,
    BAD_QUOTE,
    PORT_NOT_SERVED,
    LAND,
    TTL_EXPIRED,
    NO_REAL_UP,
    NO_NEXT_HOP,
    REASONS,
};

/* Port and protocol 0: the address as such is a VIP. */
struct vip_key {
    __be32 addr[4]; /* IPv4: the first word, the others 0 */
    __be16 port;
    __u8 protocol;
    __u8 family; /* 4 or 6 */
};

struct vip {
    __u32 table;
    __u8 dscp;
    __u8 reserved[3];
};

struct real {
    __be32 addr[4];
    __u32 macs[3]; /* destination and source, as they stand in the frame */
    __u32 ifindex; /* 0: next hop not resolved */
};

struct settings {
    __u32 hash_key[4]; /* keyWords() of ../hash.ts */
    __u32 table_size;
};

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MAX_VIPS);
    __type(key, struct vip_key);
    __type(value, struct vip);
} vips SEC(".maps");

/*
 * One Maglev table: row to index into `reals`. All have the size of the template that is given to libbpf
 * before loading (bpf_map__set_inner_map_fd: bpf_map__set_max_entries of an inner map crashes libbpf 1.1).
 */
struct table {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, DEFAULT_ROWS);
    __type(key, __u32);
    __type(value, __u32);
};

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
    __uint(max_entries, MAX_TABLES);
    __type(key, __u32);
    __array(values, struct table);
} tables SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, MAX_REALS);
    __type(key, __u32);
    __type(value, struct real);
} reals SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, struct settings);
} settings SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
    __uint(max_entries, REASONS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

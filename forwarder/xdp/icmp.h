/* ICMP's header and types (RFC 792, RFC 4443, RFC 4861). <linux/icmp.h> pulls in libc headers for the host.
 */
#pragma once
#include <linux/types.h>

#define ICMP4_ECHO_REPLY        0
#define ICMP4_UNREACHABLE       3
#define ICMP4_ECHO_REQUEST      8
#define ICMP4_TIME_EXCEEDED     11
#define ICMP4_PARAMETER_PROBLEM 12

#define ICMP6_UNREACHABLE         1
#define ICMP6_PARAMETER_PROBLEM   4
#define ICMP6_ECHO_REQUEST        128
#define ICMP6_ECHO_REPLY          129
#define ICMP6_ROUTER_SOLICITATION 133
#define ICMP6_REDIRECT            137

/* Errors carry the packet they are about behind it. */
struct icmp {
    __u8 type;
    __u8 code;
    __sum16 check;
    __be32 rest;
};

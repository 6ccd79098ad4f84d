/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.h - addresses and prefixes of both families, MAC addresses
 *
 * A struct ip is a number: in HOST order everywhere above netlink, with the family that says how
 * wide it is. A zeroed one is no address; 0.0.0.0 and :: are addresses (ip_is_any()). Texts: dotted
 * quad, strict; RFC 4291 in, RFC 5952 out. What exists once a family is an array of N_FAMILIES,
 * index ip_fam().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"

#define IP_STR	 46 /* as INET6_ADDRSTRLEN */
#define CIDR_STR 50
#define MAC_STR	 18

enum { V4, V6, N_FAMILIES };

struct ip {
	uint64_t hi, lo; /* IPv4: lo */
	uint8_t family;	 /* 4, 6; 0: no address */
};

struct cidr {
	struct ip ip; /* may have host bits set until checked */
	uint8_t len;  /* 0..32, 0..128 */
};

int ip_parse(const char *s, struct ip *ret) MUST_CHECK;	    /* -EINVAL; no zone, no brackets */
const char *ip_str(struct ip ip, char out[IP_STR]);	    /* returns @out; no address: "" */
int cidr_parse(const char *s, struct cidr *ret) MUST_CHECK; /* "address/n" */
const char *cidr_str(struct cidr c, char out[CIDR_STR]);
/* network order, as sockets and netlink have it; return: 4, 16, or 0 without an address */
size_t ip_bytes(struct ip ip, uint8_t out[16]);
int ip_from_bytes(const void *bytes, size_t len, struct ip *ret) MUST_CHECK; /* 4 or 16 */

struct sockaddr_storage;
/* return: the length for bind() and connect() */
uint32_t ip_sockaddr(struct ip ip, uint16_t port, struct sockaddr_storage *ret);

static inline struct ip ip_v4(uint32_t host_order)
{
	return (struct ip){.lo = host_order, .family = 4};
}
static inline struct ip ip_any(int fam) /* V4, V6 */
{
	return (struct ip){.family = fam == V6 ? 6 : 4};
}
static inline bool ip_set(struct ip ip)
{
	return ip.family != 0;
}
static inline int ip_fam(struct ip ip)
{
	return ip.family == 6 ? V6 : V4;
}
static inline bool ip_is_any(struct ip ip)
{
	return ip.family && !ip.hi && !ip.lo;
}
static inline int ip_cmp(struct ip a, struct ip b) /* of one family: as numbers */
{
	if (a.family != b.family)
		return a.family < b.family ? -1 : 1;
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	return a.lo < b.lo ? -1 : a.lo > b.lo;
}
static inline bool ip_eq(struct ip a, struct ip b)
{
	return ip_cmp(a, b) == 0;
}
static inline uint8_t ip_width(struct ip ip)
{
	return ip.family == 6 ? 128 : 32;
}
struct ip ip_add(struct ip a, uint64_t n); /* wraps */
/* a - b, for a >= b of one family; more than 64 bits: UINT64_MAX */
uint64_t ip_distance(struct ip a, struct ip b);
bool ip_is_loopback(struct ip ip);   /* 127.0.0.0/8, ::1 */
bool ip_is_link_local(struct ip ip); /* 169.254.0.0/16, fe80::/10 */

struct ip cidr_first(struct cidr c);
struct ip cidr_last(struct cidr c);
bool cidr_has(struct cidr c, struct ip ip); /* other family: no */
bool cidr_overlap(struct cidr a, struct cidr b);
static inline struct cidr cidr_net(struct cidr c) /* without host bits */
{
	return (struct cidr){cidr_first(c), c.len};
}
static inline bool cidr_is_net(struct cidr c)
{
	return ip_eq(c.ip, cidr_first(c));
}

int mac_parse(const char *s, uint8_t out[6]) MUST_CHECK; /* 02:42:... or with '-' */
const char *mac_str(const uint8_t mac[6], char out[MAC_STR]);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ip.h - IPv4 addresses and prefixes in host order, MAC addresses
 *
 * struct ip4 values are uint32_t in HOST order everywhere above netlink; *_be means network order.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"

#define IP4_STR	  16
#define CIDR4_STR 20
#define MAC_STR	  18

struct cidr4 {
	uint32_t addr; /* host order; may have host bits set until checked */
	uint8_t len;   /* 0..32 */
};

int ip4_parse(const char *s, uint32_t *ret) MUST_CHECK;	      /* dotted quad, strict; -EINVAL */
const char *ip4_str(uint32_t addr, char out[IP4_STR]);	      /* returns @out */
int cidr4_parse(const char *s, struct cidr4 *ret) MUST_CHECK; /* "a.b.c.d/n" */
const char *cidr4_str(struct cidr4 c, char out[CIDR4_STR]);
static inline uint32_t cidr4_mask(uint8_t len)
{
	return len ? ~(uint32_t)0 << (32 - len) : 0;
}
static inline uint32_t cidr4_first(struct cidr4 c)
{
	return c.addr & cidr4_mask(c.len);
}
static inline uint32_t cidr4_last(struct cidr4 c)
{
	return cidr4_first(c) | ~cidr4_mask(c.len);
}
static inline bool cidr4_has(struct cidr4 c, uint32_t addr)
{
	return addr >= cidr4_first(c) && addr <= cidr4_last(c);
}
static inline bool cidr4_overlap(struct cidr4 a, struct cidr4 b)
{
	return cidr4_first(a) <= cidr4_last(b) && cidr4_first(b) <= cidr4_last(a);
}
int mac_parse(const char *s, uint8_t out[6]) MUST_CHECK; /* 02:42:... or with '-' */
const char *mac_str(const uint8_t mac[6], char out[MAC_STR]);

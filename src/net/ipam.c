/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipam.c - bitmaps of addresses, next-fit; strays outside the range in a small list */

#include "net/ipam.h"

#include <string.h>

#define RANGE_MAX (1u << 16)

struct ipam {
	struct cidr subnet;
	struct ip first;
	uint32_t count, next;
	uint64_t *bits;	   /* taken */
	uint64_t *kept;	   /* wanted back by somebody */
	struct ip *strays; /* taken addresses outside [first, first + count) */
	size_t n_strays;
};

/* The network's own address (IPv6: the subnet-router anycast, RFC 4291 2.6.1) and broadcast. */
static bool is_special(struct cidr subnet, struct ip ip)
{
	if (subnet.len >= ip_width(ip) - 1)
		return false;
	return ip_eq(ip, cidr_first(subnet)) || (ip.family == 4 && ip_eq(ip, cidr_last(subnet)));
}

int ipam_new(struct cidr subnet, struct cidr range, struct ipam **ret)
{
	struct ipam *p = calloc(1, sizeof(*p));
	struct ip last = cidr_last(range);
	uint64_t count;

	if (!p)
		return -ENOMEM;
	p->subnet = subnet;
	p->first = cidr_first(range);
	count = ip_distance(last, p->first);
	count = MIN(count, RANGE_MAX) + 1;
	if (is_special(subnet, p->first)) {
		p->first = ip_add(p->first, 1);
		count--;
	}
	if (count && is_special(subnet, last) && ip_distance(last, p->first) < count)
		count--;
	p->count = (uint32_t)MIN(count, RANGE_MAX);
	p->bits = calloc(p->count / 64 + 1, sizeof(*p->bits));
	p->kept = calloc(p->count / 64 + 1, sizeof(*p->kept));
	if (!p->bits || !p->kept) {
		ipam_free(p);
		return -ENOMEM;
	}
	*ret = p;
	return 0;
}

void ipam_free(struct ipam *p)
{
	if (!p)
		return;
	free(p->bits);
	free(p->kept);
	free(p->strays);
	free(p);
}

static bool taken(const struct ipam *p, uint32_t i)
{
	return p->bits[i / 64] >> (i % 64) & 1;
}

/* @ret: its bit; false: outside the range */
static bool in_range(const struct ipam *p, struct ip addr, uint32_t *ret)
{
	uint64_t i;

	if (addr.family != p->first.family || ip_cmp(addr, p->first) < 0)
		return false;
	i = ip_distance(addr, p->first);
	*ret = (uint32_t)i;
	return i < p->count;
}

static int take_stray(struct ipam *p, struct ip addr)
{
	struct ip *more;

	for (size_t i = 0; i < p->n_strays; i++)
		if (ip_eq(p->strays[i], addr))
			return -EADDRINUSE;
	more = reallocarray(p->strays, p->n_strays + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->strays = more;
	p->strays[p->n_strays++] = addr;
	return 0;
}

static int take_wanted(struct ipam *p, struct ip want)
{
	uint32_t i;

	if (!cidr_has(p->subnet, want) || is_special(p->subnet, want))
		return -ERANGE;
	if (!in_range(p, want, &i))
		return take_stray(p, want);
	if (taken(p, i))
		return -EADDRINUSE;
	p->bits[i / 64] |= 1ull << (i % 64);
	return 0;
}

/* The next free from where the last search ended; whole words of taken ones are stepped over. */
static bool next_free(const struct ipam *p, bool also_kept, uint32_t *ret)
{
	for (uint32_t n = 0; n < p->count; n++) {
		uint32_t i = (p->next + n) % p->count;
		uint64_t word = p->bits[i / 64] | (also_kept ? 0 : p->kept[i / 64]);

		if (i % 64 == 0 && word == ~0ull && i + 64 <= p->count) {
			n += 63;
			continue;
		}
		if (!(word >> (i % 64) & 1)) {
			*ret = i;
			return true;
		}
	}
	return false;
}

int ipam_take(struct ipam *p, struct ip want, struct ip *ret)
{
	uint32_t i;

	if (ip_set(want)) {
		int r = take_wanted(p, want);

		if (r >= 0)
			*ret = want;
		return r;
	}
	if (!next_free(p, false, &i) && !next_free(p, true, &i))
		return -ENOSPC;
	p->bits[i / 64] |= 1ull << (i % 64);
	p->next = (i + 1) % p->count;
	*ret = ip_add(p->first, i);
	return 0;
}

void ipam_keep(struct ipam *p, struct ip addr, bool keep)
{
	uint32_t i;

	if (!in_range(p, addr, &i))
		return;
	if (keep)
		p->kept[i / 64] |= 1ull << (i % 64);
	else
		p->kept[i / 64] &= ~(1ull << (i % 64));
}

void ipam_release(struct ipam *p, struct ip addr)
{
	uint32_t i;

	if (in_range(p, addr, &i)) {
		p->bits[i / 64] &= ~(1ull << (i % 64));
		return;
	}
	for (size_t k = 0; k < p->n_strays; k++)
		if (ip_eq(p->strays[k], addr)) {
			p->strays[k] = p->strays[--p->n_strays];
			return;
		}
}

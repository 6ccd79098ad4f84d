/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ipam.c - bitmaps of addresses, next-fit; strays outside the range in a small list */

#include "net/ipam.h"

#include <string.h>

#define RANGE_MAX (1u << 20)

struct ipam {
	struct cidr4 subnet;
	uint32_t first, count, next;
	uint64_t *bits;	  /* taken */
	uint64_t *kept;	  /* wanted back by somebody */
	uint32_t *strays; /* taken addresses outside [first, first + count) */
	size_t n_strays;
};

int ipam_new(struct cidr4 subnet, struct cidr4 range, struct ipam **ret)
{
	struct ipam *p = calloc(1, sizeof(*p));
	uint32_t last = cidr4_last(range);

	if (!p)
		return -ENOMEM;
	p->subnet = subnet;
	p->first = cidr4_first(range);
	if (subnet.len < 31 && p->first == cidr4_first(subnet))
		p->first++;
	if (subnet.len < 31 && last == cidr4_last(subnet))
		last--;
	p->count = last < p->first ? 0 : MIN(last - p->first, RANGE_MAX - 1) + 1;
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

static int take_stray(struct ipam *p, uint32_t addr)
{
	uint32_t *more;

	for (size_t i = 0; i < p->n_strays; i++)
		if (p->strays[i] == addr)
			return -EADDRINUSE;
	more = reallocarray(p->strays, p->n_strays + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	p->strays = more;
	p->strays[p->n_strays++] = addr;
	return 0;
}

static int take_wanted(struct ipam *p, uint32_t want)
{
	uint32_t i = want - p->first;

	if (!cidr4_has(p->subnet, want) || (p->subnet.len < 31 && (want == cidr4_first(p->subnet) ||
								   want == cidr4_last(p->subnet))))
		return -ERANGE;
	if (want < p->first || i >= p->count)
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

int ipam_take(struct ipam *p, uint32_t want, uint32_t *ret)
{
	uint32_t i;

	if (want) {
		int r = take_wanted(p, want);

		if (r >= 0)
			*ret = want;
		return r;
	}
	if (!next_free(p, false, &i) && !next_free(p, true, &i))
		return -ENOSPC;
	p->bits[i / 64] |= 1ull << (i % 64);
	p->next = (i + 1) % p->count;
	*ret = p->first + i;
	return 0;
}

void ipam_keep(struct ipam *p, uint32_t addr, bool keep)
{
	uint32_t i = addr - p->first;

	if (addr < p->first || i >= p->count)
		return;
	if (keep)
		p->kept[i / 64] |= 1ull << (i % 64);
	else
		p->kept[i / 64] &= ~(1ull << (i % 64));
}

void ipam_release(struct ipam *p, uint32_t addr)
{
	uint32_t i = addr - p->first;

	if (addr >= p->first && i < p->count) {
		p->bits[i / 64] &= ~(1ull << (i % 64));
		return;
	}
	for (size_t k = 0; k < p->n_strays; k++)
		if (p->strays[k] == addr) {
			p->strays[k] = p->strays[--p->n_strays];
			return;
		}
}

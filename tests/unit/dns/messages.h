/* SPDX-License-Identifier: GPL-2.0-or-later */
/* messages.h - queries for the tests of the resolver, written byte by byte */
#pragma once

#include <string.h>

#include "dns/wire.h"

struct msg {
	uint8_t data[1024];
	size_t len;
};

static inline void add(struct msg *m, const void *data, size_t len)
{
	memcpy(m->data + m->len, data, len);
	m->len += len;
}

static inline void add16(struct msg *m, unsigned v)
{
	add(m, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

struct counts { /* of questions, answers, authorities, additional records */
	unsigned qd, an, ns, ar;
};

static inline void header(struct msg *m, unsigned id, unsigned flags, struct counts n)
{
	m->len = 0;
	add16(m, id);
	add16(m, flags);
	add16(m, n.qd);
	add16(m, n.an);
	add16(m, n.ns);
	add16(m, n.ar);
}

/* "web.net" as labels, not compressed */
static inline void name(struct msg *m, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, ".");

		add(m, (uint8_t[]){(uint8_t)n}, 1);
		add(m, text, n);
		text += n + (text[n] == '.');
	}
	add(m, "", 1);
}

static inline void opt(struct msg *m, unsigned size, unsigned version, unsigned flags)
{
	add(m, "", 1);
	add16(m, TYPE_OPT);
	add16(m, size);
	add16(m, version);
	add16(m, flags);
	add16(m, 0);
}

static inline struct msg query(const char *text, unsigned type, bool edns)
{
	struct msg m;

	header(&m, 0x1234, DNS_RD, (struct counts){1, 0, 0, edns});
	name(&m, text);
	add16(&m, type);
	add16(&m, CLASS_IN);
	if (edns)
		opt(&m, 1232, 0, DNS_DO);
	return m;
}

/* a record whose owner is the name at @owner */
static inline void record(struct msg *m, unsigned owner, unsigned type, uint32_t ttl,
			  const void *data, size_t len)
{
	add16(m, 0xc000 | owner);
	add16(m, type);
	add16(m, CLASS_IN);
	add16(m, ttl >> 16);
	add16(m, ttl & 0xffff);
	add16(m, (unsigned)len);
	add(m, data, len);
}

static inline void soa(struct msg *m, uint32_t ttl, uint32_t minimum)
{
	uint8_t data[22] = {0};

	for (unsigned i = 0; i < 4; i++)
		data[18 + i] = (uint8_t)(minimum >> (24 - 8 * i));
	record(m, DNS_HEADER, TYPE_SOA, ttl, data, sizeof(data));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_cache.c - answers live as long as their TTL, apart by scope, within bounds */

#include "dns/cache.h"
#include "messages.h"
#include "tap.h"

#include "base/clock.h"

static struct dns_query question(const char *text, unsigned type, bool edns)
{
	struct msg m = query(text, type, edns);
	struct dns_query q;

	if (query_parse(m.data, m.len, false, &q) != 0)
		abort();
	return q;
}

static struct msg answer(const struct dns_query *q, uint32_t ttl)
{
	char text[DNAME_TEXT];
	struct msg m;

	header(&m, 99, DNS_QR | DNS_RA, (struct counts){1, 1, 0, 0});
	name(&m, dname_text(&q->name, text));
	add16(&m, q->type);
	add16(&m, CLASS_IN);
	record(&m, DNS_HEADER, TYPE_A, ttl, "\1\2\3\4", 4);
	return m;
}

int main(void)
{
	struct dns_query q = question("Example.com", TYPE_A, false), other;
	struct msg m = answer(&q, 60);
	uint8_t out[CACHE_MESSAGE], big[CACHE_MESSAGE + 1] = {0};
	struct dns_response info;
	struct cache *c;
	char text[32];
	size_t n;

	if (cache_new(&c) < 0)
		return 1;
	is_int(cache_get(c, "host", &q, 0, out), 0, "empty");
	cache_put(c, "host", &q, &(struct cached){m.data, m.len, 60}, 0);
	n = cache_get(c, "host", &q, 0, out);
	is_int(n, (int64_t)m.len, "kept");
	ok(out[0] == 0x12 && out[1] == 0x34, "with the asker's id");
	is_int(response_parse(out, n, &q, 0x1234, &info), 0, "sane");
	is_int(info.ttl, 60, "whole TTL at once");
	n = cache_get(c, "host", &q, 45 * NS_PER_S, out);
	is_int(response_parse(out, n, &q, 0x1234, &info), 0, "later");
	is_int(info.ttl, 15, "TTL has aged");
	is_int(cache_get(c, "container", &q, 0, out), 0, "another scope");
	other = question("example.COM", TYPE_A, false);
	ok(cache_get(c, "host", &other, 0, out) > 0, "case does not matter");
	ok(!memcmp(out + DNS_HEADER + 1, "example", 7), "the asker's spelling comes back");
	other = question("example.com", TYPE_AAAA, false);
	is_int(cache_get(c, "host", &other, 0, out), 0, "another type");
	other = question("example.com", TYPE_A, true);
	is_int(cache_get(c, "host", &other, 0, out), 0, "EDNS and DO are another answer");
	is_int(cache_get(c, "host", &q, 60 * NS_PER_S, out), 0, "over");
	is_int(cache_len(c), 0, "and gone");

	cache_put(c, "host", &q, &(struct cached){big, sizeof(big), 60}, 0);
	is_int(cache_len(c), 0, "too long a message is not kept");
	cache_put(c, "host", &q, &(struct cached){m.data, m.len, 60}, 0);
	cache_put(c, "host", &q, &(struct cached){m.data, m.len, 90}, 0);
	is_int(cache_len(c), 1, "replaced");
	ok(cache_get(c, "host", &q, 80 * NS_PER_S, out) > 0, "by the newer");

	for (unsigned i = 0; i < 3 * CACHE_ENTRIES; i++) {
		snprintf(text, sizeof(text), "n%u.example", i);
		other = question(text, TYPE_A, false);
		cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
		if (i % 64 == 0) /* used again and again */
			(void)cache_get(c, "host", &q, 0, out);
	}
	is_int(cache_len(c), CACHE_ENTRIES, "bounded in entries");
	ok(cache_get(c, "host", &q, 0, out) > 0, "what is used stays");
	other = question("n5.example", TYPE_A, false);
	is_int(cache_get(c, "host", &other, 0, out), 0, "what is not goes");
	for (unsigned i = 0; i < 2 * CACHE_BYTES / CACHE_MESSAGE; i++) {
		snprintf(text, sizeof(text), "b%u.example", i);
		other = question(text, TYPE_A, false);
		cache_put(c, "host", &other, &(struct cached){big, CACHE_MESSAGE, 60}, 0);
	}
	ok(cache_len(c) <= CACHE_BYTES / CACHE_MESSAGE + 1, "bounded in bytes: %zu", cache_len(c));
	other = question("once.example", TYPE_A, false);
	cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
	for (unsigned i = 0; i < CACHE_ENTRIES; i++) {
		snprintf(text, sizeof(text), "flood%u.example", i);
		other = question(text, TYPE_A, false);
		cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
	}
	ok(cache_get(c, "host", &q, 0, out) > 0, "a flood leaves alone what was asked for twice");
	other = question("once.example", TYPE_A, false);
	is_int(cache_get(c, "host", &other, 0, out), 0, "once is not twice");
	for (unsigned i = 0; i < 2 * CACHE_ENTRIES; i++) {
		snprintf(text, sizeof(text), "twice%u.example", i);
		other = question(text, TYPE_A, false);
		cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
		(void)cache_get(c, "host", &other, 0, out);
	}
	other = question("new.example", TYPE_A, false);
	cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
	for (unsigned i = 0; i < CACHE_ENTRIES / 5; i++) {
		snprintf(text, sizeof(text), "more%u.example", i);
		other = question(text, TYPE_A, false);
		cache_put(c, "host", &other, &(struct cached){m.data, m.len, 60}, 0);
	}
	other = question("new.example", TYPE_A, false);
	ok(cache_get(c, "host", &other, 0, out) > 0, "there is room left for what is new");
	cache_free(c);
	return tap_done();
}

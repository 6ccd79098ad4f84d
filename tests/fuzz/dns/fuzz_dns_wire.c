/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_dns_wire.c - any bytes as a container's query over a fixed zone, and as a server's answer
 *
 * An answer of ours must be readable by our own parser and fit; a server's answer that is liked
 * must survive ageing and fitting.
 */

#include <stdlib.h>
#include <string.h>

#include "dns/answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zone *fixed_zone(void)
{
	static char web[] = "web", www[] = "www", dotted[] = "my.svc";
	static char *const names[] = {web, www, dotted, NULL};
	static struct zone *z;
	struct zone_record rec = {.network_id = "n", .network_name = "net", .names = names};
	char sandbox[16];

	if (z)
		return z;
	if (zone_new(&z) < 0)
		abort();
	for (uint32_t i = 0; i < 300; i++) {
		(void)snprintf(sandbox, sizeof(sandbox), "c%u", i);
		rec.sandbox = sandbox;
		rec.addr[V4] = ip_v4(0xac120002 + i);
		rec.addr[V6] = (struct ip){0xfdull << 56, i + 2, 6};
		if (zone_set(z, &rec) < 0)
			abort();
	}
	return z;
}

static void check(int good)
{
	if (!good)
		abort();
}

static void as_query(const uint8_t *data, size_t size, bool tcp)
{
	static uint8_t out[DNS_TCP_MAX];
	struct answer_scope s = {.view = zone_view(fixed_zone(), "c0")};
	struct wire_out o = WIRE_OUT(out, tcp ? DNS_TCP_MAX : DNS_UDP_MAX);
	struct wire_in in;
	struct dns_query q;
	struct dname name;
	struct wire_rr rr;
	unsigned records;
	enum answer a;

	s.external = s.has_servers = size & 1;
	a = answer_query(&s, data, size, tcp, &q, &o);
	if (a == ANSWER_FORWARD) {
		uint8_t asked[300];
		ssize_t n = query_build(&q, 1, asked, sizeof(asked));

		check(n > 0);
		struct dns_query again;

		check(query_parse(asked, (size_t)n, tcp, &again) == 0 &&
		      dname_eq(&again.name, &q.name));
	}
	if (a != ANSWER_DONE)
		return;
	check(o.len >= DNS_HEADER && o.len <= query_room(&q) && out[2] & 0x80);
	check(!memcmp(out, data, 2)); /* the id */
	in = WIRE_IN(out, o.len);
	in.at = 6;
	records = wire_u16(&in);
	records += wire_u16(&in);
	records += wire_u16(&in);
	if (out[5]) {
		wire_name(&in, &name);
		wire_skip(&in, 4);
	}
	while (records--)
		wire_rr(&in, &rr);
	check(!in.fail && in.at == o.len);
}

/* A cut answer has whole records, and no more of them than it says. */
static void readable(const uint8_t *msg, size_t len)
{
	struct wire_in in = WIRE_IN(msg, len);
	struct dname name;
	struct wire_rr rr;
	unsigned records;

	in.at = 6;
	records = wire_u16(&in);
	records += wire_u16(&in);
	records += wire_u16(&in);
	if (msg[5]) {
		wire_name(&in, &name);
		wire_skip(&in, 4);
	}
	while (records--)
		wire_rr(&in, &rr);
	check(!in.fail && in.at == len);
}

static void fitted(const uint8_t *data, size_t size, const struct dns_query *q)
{
	uint8_t *copy = malloc(size);
	size_t n;

	if (!copy)
		return;
	memcpy(copy, data, size);
	response_age(copy, size, 100);
	n = response_fit(copy, size, q);
	check(n <= MAX(size, (size_t)DNS_UDP_MIN) && n <= MAX(query_room(q), (size_t)DNS_UDP_MIN));
	check(!q->exists || (copy[3] & DNS_RCODE) != RCODE_NXDOMAIN);
	if (copy[2] & 2 && q->have_question && (data[4] << 8 | data[5]) == 1)
		readable(copy, n);
	free(copy);
}

static void as_response(const uint8_t *data, size_t size)
{
	struct dns_query q = {.udp_size = DNS_UDP_MIN, .edns = true, .have_question = true};
	struct wire_in in = WIRE_IN(data, size);
	struct dns_response info;
	uint16_t id = wire_u16(&in);

	in.at = MIN(size, (size_t)DNS_HEADER);
	wire_name(&in, &q.name);
	q.type = wire_u16(&in);
	q.class = wire_u16(&in);
	if (response_parse(data, size, &q, id, &info) < 0)
		return;
	fitted(data, size, &q);
	q.edns = false;
	q.exists = true;
	fitted(data, size, &q);
	q.tcp = true;
	fitted(data, size, &q);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > DNS_TCP_MAX)
		return 0;
	as_query(data, size, false);
	as_query(data, size, true);
	as_response(data, size);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer.c - the rules
 *
 *  1. No query (too short, an answer): dropped. Malformed: FORMERR; another opcode: NOTIMP; another
 *     EDNS version: BADVERS; another class, a zone transfer or other meta type: REFUSED.
 *  2. A name of the sandbox's networks: its addresses for A and ANY, in random order; for every
 *     other type no data (NOERROR), so that neither AAAA nor MX of a local name is asked elsewhere
 *     or called missing.
 *  3. The reverse name of an address on its networks: name.network for PTR and ANY, no data else.
 *  4. Anything else, the sandbox being on internal networks alone: NXDOMAIN at once.
 *  5. Anything else, with nobody to ask: a single label NXDOMAIN at once, others SERVFAIL at once.
 *  6. Anything else is forwarded.
 */

#include "dns/answer.h"

#include "base/rand.h"

#define ADDRS_MAX 4096 /* more than a TCP answer holds */

/* xorshift: order only, nothing secret hangs on it */
static uint32_t shuffle_next(void)
{
	static uint32_t state;

	while (!state)
		rand_bytes(&state, sizeof(state));
	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

static void add_addresses(struct reply *r, const struct zone_name *name)
{
	uint32_t addrs[ADDRS_MAX], addr;
	size_t n = 0;

	for (size_t i = 0; i < name->n && n < ADDRS_MAX; i++)
		if (zone_addr(name->eps[i], &addr))
			addrs[n++] = addr;
	for (size_t i = n; i > 0; i--) { /* Fisher-Yates, written out as it goes */
		size_t pick = shuffle_next() % i;

		reply_a(r, addrs[pick], ZONE_TTL);
		addrs[pick] = addrs[i - 1];
	}
}

static enum answer finish(const struct dns_query *q, uint16_t rcode, struct wire_out *o)
{
	answer_rcode(q, (enum dns_rcode)rcode, o);
	return ANSWER_DONE;
}

static bool from_zone(const struct answer_scope *s, const struct dns_query *q, struct wire_out *o)
{
	char text[DNAME_TEXT];
	const struct zone_name *name = zone_find(s->view, dname_text(&q->name, text));
	struct dname target;
	struct reply r;
	uint32_t addr;

	if (name) {
		reply_begin(&r, q, o);
		if (q->type == TYPE_A || q->type == TYPE_ANY)
			add_addresses(&r, name);
		reply_end(&r, RCODE_NOERROR);
		return true;
	}
	if (dname_reverse4(&q->name, &addr) && zone_ptr(s->view, addr, &target)) {
		reply_begin(&r, q, o);
		if (q->type == TYPE_PTR || q->type == TYPE_ANY)
			reply_ptr(&r, &target, ZONE_TTL);
		reply_end(&r, RCODE_NOERROR);
		return true;
	}
	return false;
}

enum answer answer_query(const struct answer_scope *s, const uint8_t *msg, size_t len, bool tcp,
			 struct dns_query *q, struct wire_out *o)
{
	int r = query_parse(msg, len, tcp, q);

	if (r < 0)
		return ANSWER_DROP;
	if (r > 0)
		return finish(q, (uint16_t)r, o);
	if (q->class != CLASS_IN || q->type == TYPE_OPT || !q->type ||
	    (q->type >= TYPE_TKEY && q->type <= TYPE_MAILA))
		return finish(q, RCODE_REFUSED, o);
	if (from_zone(s, q, o))
		return ANSWER_DONE;
	if (!s->external)
		return finish(q, RCODE_NXDOMAIN, o);
	if (s->has_servers)
		return ANSWER_FORWARD;
	return finish(q, dname_single(&q->name) ? RCODE_NXDOMAIN : RCODE_SERVFAIL, o);
}

void answer_rcode(const struct dns_query *q, enum dns_rcode rcode, struct wire_out *o)
{
	struct reply r;

	reply_begin(&r, q, o);
	reply_end(&r, rcode);
}

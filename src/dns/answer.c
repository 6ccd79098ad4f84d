/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * answer.c - the rules
 *
 *  1. No query (too short, an answer): dropped. Malformed: FORMERR; another opcode: NOTIMP; another
 *     EDNS version: BADVERS; another class, a zone transfer or other meta type: REFUSED.
 *  2. A name of the sandbox's networks: its addresses for A, AAAA and ANY, in random order; where
 *     it has none, and for every other type, no data (NOERROR), so that neither the other family's
 *     address nor MX of a local name is asked elsewhere or called missing. An alias that is a
 *     domain's name (it has a dot) stands for that domain's addresses and mail alone: other types
 *     are asked of the servers as in Docker, but an answer that it is missing becomes "no data".
 *  3. The reverse name of an address on its networks: name.network for PTR and ANY, no data else.
 *  4. A single label's address, the user having set ndots: no data, so that the client goes on with
 *     its search domains, as in Docker.
 *  5. Anything else, with nobody to ask, is answered at once: NXDOMAIN on internal networks and for
 *     a single label, SERVFAIL else.
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

static void add_addresses(struct reply *r, const struct zone_view *v, const struct zone_name *name,
			  int fam)
{
	static struct zone_endpoint *eps[ADDRS_MAX]; /* one thread; too much for the stack */
	size_t n = 0;

	for (size_t i = 0; i < name->n && n < ADDRS_MAX; i++)
		if (ip_set(zone_addr(name->eps[i], fam)) && zone_sees(v, name->eps[i]))
			eps[n++] = name->eps[i];
	for (size_t i = n; i > 0; i--) { /* Fisher-Yates, written out as it goes */
		size_t pick = shuffle_next() % i;

		reply_addr(r, zone_addr(eps[pick], fam), ZONE_TTL);
		eps[pick] = eps[i - 1];
	}
}

enum dns_rcode answer_nobody(bool external, const struct dns_query *q)
{
	return !external || dname_single(&q->name) ? RCODE_NXDOMAIN : RCODE_SERVFAIL;
}

static enum answer finish(const struct dns_query *q, uint16_t rcode, struct wire_out *o)
{
	answer_rcode(q, (enum dns_rcode)rcode, o);
	return ANSWER_DONE;
}

/* What an alias like smtp.example.com says nothing about. Not SVCB and HTTPS: they have addresses.
 */
static bool beside_addresses(uint16_t type)
{
	return type != TYPE_A && type != TYPE_AAAA && type != TYPE_ANY && type != TYPE_MX &&
	       type != TYPE_SVCB && type != TYPE_HTTPS;
}

static bool from_zone(const struct answer_scope *s, struct dns_query *q, struct wire_out *o)
{
	char text[DNAME_TEXT];
	bool whole;
	const struct zone_name *name = zone_find(s->view, dname_text(&q->name, text), &whole);
	struct dname target;
	struct reply r;
	struct ip addr;

	if (name && s->has_servers && whole && !dname_single(&q->name) &&
	    beside_addresses(q->type)) {
		q->exists = true;
		return false;
	}
	if (name) {
		reply_begin(&r, q, o);
		if (q->type == TYPE_A || q->type == TYPE_ANY)
			add_addresses(&r, s->view, name, V4);
		if (q->type == TYPE_AAAA || q->type == TYPE_ANY)
			add_addresses(&r, s->view, name, V6);
		reply_end(&r, RCODE_NOERROR);
		return true;
	}
	if (dname_reverse(&q->name, &addr) && zone_ptr(s->view, addr, &target)) {
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
	if (s->ndots && dname_single(&q->name) && (q->type == TYPE_A || q->type == TYPE_AAAA))
		return finish(q, RCODE_NOERROR, o);
	if (s->has_servers)
		return ANSWER_FORWARD;
	return finish(q, answer_nobody(s->external, q), o);
}

void answer_rcode(const struct dns_query *q, enum dns_rcode rcode, struct wire_out *o)
{
	struct reply r;

	reply_begin(&r, q, o);
	reply_end(&r, rcode);
}

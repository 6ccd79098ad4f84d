/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - reading and writing DNS messages */

#include "dns/wire.h"

#include <string.h>

#define LABEL_MAX   63
#define POINTER	    0xc0
#define POINTER_MAX 0x3fff
#define TTL_MAX	    86400 /* a day is long enough for any cache of ours */

/* ---- names ---- */

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static char *put_text(char *p, uint8_t c)
{
	c = lower(c);
	if (c > ' ' && c < 127 && c != '.' && c != '\\') {
		*p++ = (char)c;
		return p;
	}
	*p++ = '\\';
	*p++ = (char)('0' + c / 100);
	*p++ = (char)('0' + c / 10 % 10);
	*p++ = (char)('0' + c % 10);
	return p;
}

const char *dname_text(const struct dname *n, char out[DNAME_TEXT])
{
	char *p = out;
	size_t at = 0;

	while (at < n->len && n->data[at]) {
		size_t end = at + 1 + n->data[at];

		if (at)
			*p++ = '.';
		for (at++; at < end; at++)
			p = put_text(p, n->data[at]);
	}
	*p = '\0';
	return out;
}

int dname_from_text(const char *text, struct dname *ret)
{
	struct dname n = {.len = 0};
	size_t at = 0;

	while (*text) {
		size_t len = strcspn(text, ".");

		if (!len || len > LABEL_MAX || at + len + 2 > sizeof(n.data))
			return -EINVAL;
		n.data[at++] = (uint8_t)len;
		memcpy(n.data + at, text, len);
		at += len;
		text += len;
		text += *text == '.';
	}
	if (!at)
		return -EINVAL;
	n.data[at++] = 0;
	n.len = (uint8_t)at;
	*ret = n;
	return 0;
}

bool dname_eq(const struct dname *a, const struct dname *b)
{
	if (a->len != b->len)
		return false;
	/* length bytes are below 'A', so that lowering them changes nothing */
	for (size_t i = 0; i < a->len; i++)
		if (lower(a->data[i]) != lower(b->data[i]))
			return false;
	return true;
}

bool dname_single(const struct dname *n)
{
	return n->data[0] && n->data[1 + n->data[0]] == 0;
}

static bool octet(const char **p, uint32_t *ret)
{
	uint32_t v = 0;
	size_t digits = 0;

	while (**p >= '0' && **p <= '9' && digits < 3) {
		v = v * 10 + (uint32_t)(**p - '0');
		(*p)++;
		digits++;
	}
	if (!digits || v > 255 || **p != '.')
		return false;
	(*p)++;
	*ret = v;
	return true;
}

static bool reverse4(const char *p, struct ip *ret)
{
	uint32_t addr = 0, v;

	for (unsigned i = 0; i < 4; i++) {
		if (!octet(&p, &v))
			return false;
		addr |= v << (8 * i);
	}
	*ret = ip_v4(addr);
	return !strcmp(p, "in-addr.arpa");
}

static bool reverse6(const char *p, struct ip *ret)
{
	static const char digits[] = "0123456789abcdef";
	uint64_t half[2] = {0};

	for (unsigned i = 0; i < 32; i++, p += 2) {
		const char *d = *p ? strchr(digits, *p) : NULL;

		if (!d || p[1] != '.')
			return false;
		half[i / 16] |= (uint64_t)(d - digits) << (4 * (i % 16));
	}
	*ret = (struct ip){.hi = half[1], .lo = half[0], .family = 6};
	return !strcmp(p, "ip6.arpa");
}

bool dname_reverse(const struct dname *n, struct ip *ret)
{
	char text[DNAME_TEXT];
	const char *p = dname_text(n, text);

	return reverse4(p, ret) || reverse6(p, ret);
}

/* ---- reading ---- */

static bool has(struct wire_in *in, size_t n)
{
	if (in->fail || in->len - in->at < n)
		in->fail = true;
	return !in->fail;
}

uint8_t wire_u8(struct wire_in *in)
{
	return has(in, 1) ? in->data[in->at++] : 0;
}

uint16_t wire_u16(struct wire_in *in)
{
	uint16_t v;

	if (!has(in, 2))
		return 0;
	v = (uint16_t)(in->data[in->at] << 8 | in->data[in->at + 1]);
	in->at += 2;
	return v;
}

uint32_t wire_u32(struct wire_in *in)
{
	uint32_t high = wire_u16(in);

	return high << 16 | wire_u16(in);
}

void wire_skip(struct wire_in *in, size_t n)
{
	if (has(in, n))
		in->at += n;
}

void wire_name(struct wire_in *in, struct dname *ret)
{
	struct wire_in from = *in;
	size_t out = 0, lowest = in->at;
	bool jumped = false;

	for (;;) {
		uint8_t len = wire_u8(&from);

		if (from.fail)
			break;
		if ((len & POINTER) == POINTER) {
			size_t target = (size_t)(len & ~POINTER) << 8 | wire_u8(&from);

			if (!jumped && !from.fail)
				in->at = from.at;
			jumped = true;
			/* strictly downwards, to what ends before it is pointed from: each pointer
			 * leaves less to point at, and a name never reads itself */
			if (from.fail || target >= lowest || target < DNS_HEADER)
				break;
			from.len = lowest;
			lowest = from.at = target;
			continue;
		}
		if (len > LABEL_MAX || out + len + 1u > sizeof(ret->data) || !has(&from, len))
			break;
		ret->data[out++] = len;
		memcpy(ret->data + out, from.data + from.at, len);
		out += len;
		from.at += len;
		if (len)
			continue;
		ret->len = (uint8_t)out;
		if (!jumped)
			in->at = from.at;
		return;
	}
	in->fail = true;
	*ret = (struct dname){.len = 1};
}

void wire_rr(struct wire_in *in, struct wire_rr *ret)
{
	wire_name(in, &ret->name);
	ret->type = wire_u16(in);
	ret->class = wire_u16(in);
	ret->ttl_at = in->at;
	ret->ttl = wire_u32(in);
	ret->rdata_len = wire_u16(in);
	ret->rdata = in->at;
	wire_skip(in, ret->rdata_len);
}

/* ---- a client's query ---- */

static void read_opt(const struct wire_rr *rr, struct dns_query *q, uint8_t *version)
{
	q->edns = true;
	q->udp_size = MAX((uint16_t)DNS_UDP_MIN, MIN(rr->class, (uint16_t)DNS_UDP_MAX));
	q->dnssec_ok = rr->ttl & DNS_DO;
	*version = (uint8_t)(rr->ttl >> 16);
}

int query_parse(const uint8_t *msg, size_t len, bool tcp, struct dns_query *ret)
{
	struct wire_in in = WIRE_IN(msg, len);
	struct wire_rr rr;
	uint8_t version = 0;
	unsigned records;

	*ret = (struct dns_query){.tcp = tcp, .udp_size = DNS_UDP_MIN};
	ret->id = wire_u16(&in);
	ret->flags = wire_u16(&in);
	for (unsigned i = 0; i < 4; i++)
		ret->counts[i] = wire_u16(&in);
	if (in.fail || ret->flags & DNS_QR)
		return -ENOMSG; /* an answer to an answer makes two machines talk for ever */
	if (ret->flags & DNS_OPCODE)
		return RCODE_NOTIMP;
	if (ret->counts[0] != 1)
		return RCODE_FORMERR;
	wire_name(&in, &ret->name);
	ret->type = wire_u16(&in);
	ret->class = wire_u16(&in);
	if (in.fail)
		return RCODE_FORMERR;
	ret->have_question = true;
	ret->question_end = in.at;
	records = (unsigned)ret->counts[1] + ret->counts[2] + ret->counts[3];
	for (unsigned i = 0; i < records; i++) {
		wire_rr(&in, &rr);
		if (in.fail)
			return RCODE_FORMERR;
		if (rr.type != TYPE_OPT)
			continue;
		if (ret->edns || rr.name.len != 1 || i < records - ret->counts[3])
			return RCODE_FORMERR; /* two of them, or in a wrong place */
		read_opt(&rr, ret, &version);
	}
	return version ? RCODE_BADVERS : 0;
}

size_t query_room(const struct dns_query *q)
{
	return q->tcp ? DNS_TCP_MAX : q->udp_size;
}

/* ---- writing ---- */

void wire_put(struct wire_out *o, const void *data, size_t len)
{
	if (o->fail || o->cap - o->len < len) {
		o->fail = true;
		return;
	}
	memcpy(o->data + o->len, data, len);
	o->len += len;
}

void wire_put_u8(struct wire_out *o, uint8_t v)
{
	wire_put(o, &v, 1);
}

void wire_put_u16(struct wire_out *o, uint16_t v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	wire_put(o, b, sizeof(b));
}

void wire_put_u32(struct wire_out *o, uint32_t v)
{
	wire_put_u16(o, (uint16_t)(v >> 16));
	wire_put_u16(o, (uint16_t)v);
}

/* Where the name @tail stands already in what was written; 0: nowhere. */
static uint16_t written_at(const struct wire_out *o, const struct dname *tail)
{
	struct dname there;

	for (unsigned i = 0; i < o->n_names; i++) {
		struct wire_in in = WIRE_IN(o->data, o->len);

		in.at = o->names[i];
		wire_name(&in, &there);
		if (!in.fail && there.len == tail->len &&
		    !memcmp(there.data, tail->data, tail->len))
			return o->names[i];
	}
	return 0;
}

void wire_put_name(struct wire_out *o, const struct dname *n)
{
	size_t at = 0;

	while (at < n->len && n->data[at]) {
		struct dname tail = {.len = (uint8_t)(n->len - at)};
		uint16_t seen;

		memcpy(tail.data, n->data + at, tail.len);
		seen = written_at(o, &tail);
		if (seen) {
			wire_put_u16(o, (uint16_t)(POINTER << 8 | seen));
			return;
		}
		wire_put(o, n->data + at, n->data[at] + 1u);
		if (!o->fail)
			at += n->data[at] + 1u;
		else
			return;
	}
	wire_put_u8(o, 0);
}

/* Later names may point at this one, just written at @at, and at its tails. */
static void remember_name(struct wire_out *o, size_t at)
{
	while (!o->fail && at <= POINTER_MAX && o->n_names < WIRE_NAMES_MAX) {
		uint8_t len = o->data[at];

		if (!len || len > LABEL_MAX)
			return;
		o->names[o->n_names++] = (uint16_t)at;
		at += len + 1u;
	}
}

static void put_name_remembered(struct wire_out *o, const struct dname *n)
{
	size_t at = o->len;

	wire_put_name(o, n);
	remember_name(o, at);
}

static void patch_u16(struct wire_out *o, size_t at, uint16_t v)
{
	o->data[at] = (uint8_t)(v >> 8);
	o->data[at + 1] = (uint8_t)v;
}

static void put_question(struct wire_out *o, const struct dns_query *q)
{
	put_name_remembered(o, &q->name);
	wire_put_u16(o, q->type);
	wire_put_u16(o, q->class);
}

static void put_header(struct wire_out *o, uint16_t id, uint16_t flags, bool question)
{
	wire_put_u16(o, id);
	wire_put_u16(o, flags);
	wire_put_u16(o, question);
	for (unsigned i = 0; i < 3; i++)
		wire_put_u16(o, 0);
}

static void put_opt(struct wire_out *o, uint16_t size, uint16_t rcode, bool dnssec_ok)
{
	wire_put_u8(o, 0);
	wire_put_u16(o, TYPE_OPT);
	wire_put_u16(o, size);
	wire_put_u8(o, (uint8_t)(rcode >> 4));
	wire_put_u8(o, 0); /* version */
	wire_put_u16(o, dnssec_ok ? DNS_DO : 0);
	wire_put_u16(o, 0);
}

void reply_begin(struct reply *r, const struct dns_query *q, struct wire_out *o)
{
	*r = (struct reply){.q = q, .o = o};
	o->len = 0;
	o->n_names = 0;
	o->fail = false;
	o->cap = MIN(o->cap, query_room(q));
	put_header(o, q->id, 0, q->have_question);
	if (q->have_question)
		put_question(o, q);
	if (q->edns)
		o->cap -=
			DNS_OPT_BYTES; /* kept free for the end; 512 hold header, question and it */
}

/* An answer's owner, type, class, TTL; the length goes in when the data are there. */
static size_t rr_begin(struct reply *r, uint16_t type, uint32_t ttl)
{
	/* the owner is the question's name, which always stands in one place */
	wire_put_u16(r->o, POINTER << 8 | DNS_HEADER);
	wire_put_u16(r->o, type);
	wire_put_u16(r->o, CLASS_IN);
	wire_put_u32(r->o, ttl);
	wire_put_u16(r->o, 0);
	return r->o->len;
}

static void rr_end(struct reply *r, size_t start, size_t data)
{
	if (r->o->fail) {
		r->truncated = true;
		r->o->fail = false;
		r->o->len = start;
		return;
	}
	patch_u16(r->o, data - 2, (uint16_t)(r->o->len - data));
	r->answers++;
}

void reply_addr(struct reply *r, struct ip addr, uint32_t ttl)
{
	size_t start = r->o->len, data;
	uint8_t bytes[16];

	if (r->truncated)
		return;
	data = rr_begin(r, addr.family == 6 ? TYPE_AAAA : TYPE_A, ttl);
	wire_put(r->o, bytes, ip_bytes(addr, bytes));
	rr_end(r, start, data);
}

void reply_ptr(struct reply *r, const struct dname *target, uint32_t ttl)
{
	size_t start = r->o->len, data;

	if (r->truncated)
		return;
	data = rr_begin(r, TYPE_PTR, ttl);
	put_name_remembered(r->o, target);
	rr_end(r, start, data);
}

void reply_end(struct reply *r, uint16_t rcode)
{
	const struct dns_query *q = r->q;
	uint16_t flags = (uint16_t)(DNS_QR | DNS_RA | (q->flags & (DNS_OPCODE | DNS_RD | DNS_CD)) |
				    (rcode & DNS_RCODE) | (r->truncated ? DNS_TC : 0));

	if (q->edns) {
		r->o->cap += DNS_OPT_BYTES;
		put_opt(r->o, DNS_UDP_MAX, rcode, q->dnssec_ok);
		patch_u16(r->o, 10, 1);
	}
	patch_u16(r->o, 2, flags);
	patch_u16(r->o, 6, r->answers);
}

/* ---- to and from servers ---- */

ssize_t query_build(const struct dns_query *q, uint16_t id, uint8_t *out, size_t room)
{
	struct wire_out o = WIRE_OUT(out, room);

	put_header(&o, id, q->flags & (DNS_RD | DNS_AD | DNS_CD), true);
	put_question(&o, q);
	if (q->edns) {
		put_opt(&o, q->udp_size, 0, q->dnssec_ok);
		if (!o.fail)
			patch_u16(&o, 10, 1);
	}
	return o.fail ? -ENOBUFS : (ssize_t)o.len;
}

/* The TTL of a negative answer: the lesser of the SOA record's own and its last field. */
static bool soa_ttl(const uint8_t *msg, const struct wire_rr *rr, uint32_t *ret)
{
	struct wire_in in = WIRE_IN(msg, rr->rdata + rr->rdata_len);
	struct dname skip;
	uint32_t minimum;

	in.at = rr->rdata;
	wire_name(&in, &skip);
	wire_name(&in, &skip);
	wire_skip(&in, 16);
	minimum = wire_u32(&in);
	*ret = MIN(rr->ttl, minimum);
	return !in.fail;
}

struct walk {
	uint32_t lowest;   /* of all TTLs */
	uint32_t negative; /* of the SOA record among the authorities */
	bool has_negative;
};

static int walk_records(struct wire_in *in, const uint16_t counts[4], struct walk *w)
{
	unsigned records = (unsigned)counts[1] + counts[2] + counts[3];
	struct wire_rr rr;

	*w = (struct walk){.lowest = TTL_MAX};
	for (unsigned i = 0; i < records; i++) {
		wire_rr(in, &rr);
		if (in->fail)
			return -EBADMSG;
		if (rr.type == TYPE_OPT)
			continue;
		if (rr.ttl > INT32_MAX)
			rr.ttl = 0; /* RFC 2181, 8 */
		w->lowest = MIN(w->lowest, rr.ttl);
		if (rr.type == TYPE_SOA && i >= counts[1] && i < (unsigned)counts[1] + counts[2])
			w->has_negative = soa_ttl(in->data, &rr, &w->negative);
	}
	return 0;
}

int response_parse(const uint8_t *msg, size_t len, const struct dns_query *q, uint16_t id,
		   struct dns_response *ret)
{
	struct wire_in in = WIRE_IN(msg, len);
	struct dns_response r = {0};
	uint16_t counts[4];
	struct dname name;
	struct walk w;
	bool negative;

	if (wire_u16(&in) != id)
		return -ENOMSG;
	r.flags = wire_u16(&in);
	for (unsigned i = 0; i < 4; i++)
		counts[i] = wire_u16(&in);
	if (in.fail || !(r.flags & DNS_QR) || r.flags & DNS_OPCODE)
		return -ENOMSG;
	r.rcode = (enum dns_rcode)(r.flags & DNS_RCODE);
	r.truncated = r.flags & DNS_TC;
	/* a server that understood nothing may leave the question out */
	if (counts[0] == 0 && r.rcode != RCODE_NOERROR && r.rcode != RCODE_NXDOMAIN) {
		*ret = r;
		return 0;
	}
	if (counts[0] != 1)
		return -ENOMSG;
	wire_name(&in, &name);
	if (!dname_eq(&name, &q->name) || wire_u16(&in) != q->type || wire_u16(&in) != q->class ||
	    in.fail)
		return -ENOMSG;
	if (r.truncated) { /* may end anywhere; the client asks again by TCP */
		*ret = r;
		return 0;
	}
	if (walk_records(&in, counts, &w) < 0)
		return -EBADMSG;
	negative = r.rcode == RCODE_NXDOMAIN || (r.rcode == RCODE_NOERROR && !counts[1]);
	r.ttl = negative && w.has_negative ? MIN(w.lowest, w.negative) : w.lowest;
	r.cacheable = r.ttl && (r.rcode == RCODE_NOERROR || r.rcode == RCODE_NXDOMAIN) &&
		      (!negative || w.has_negative);
	*ret = r;
	return 0;
}

void response_age(uint8_t *msg, size_t len, uint32_t seconds)
{
	struct wire_in in = WIRE_IN(msg, len);
	struct dname skip;
	struct wire_rr rr;
	unsigned records;

	wire_skip(&in, 6);
	records = wire_u16(&in);
	records += wire_u16(&in);
	records += wire_u16(&in);
	wire_name(&in, &skip);
	wire_skip(&in, 4);
	for (unsigned i = 0; i < records; i++) {
		uint32_t left;

		wire_rr(&in, &rr);
		if (in.fail)
			return;
		if (rr.type == TYPE_OPT)
			continue;
		left = rr.ttl > INT32_MAX || rr.ttl < seconds ? 0 : rr.ttl - seconds;
		for (unsigned b = 0; b < 4; b++)
			msg[rr.ttl_at + b] = (uint8_t)(left >> (24 - 8 * b));
	}
}

/* Keeps the whole answers that end before @room, for clients that never come by TCP. Return: how
 * many; @o->len is their end */
static uint16_t keep_answers(struct wire_out *o, size_t len, size_t question, size_t room)
{
	struct wire_in in = WIRE_IN(o->data, len);
	unsigned answers = (unsigned)(o->data[6] << 8 | o->data[7]);
	struct wire_rr rr;
	unsigned kept = 0;

	in.at = o->len = MIN(len, question);
	for (; kept < answers; kept++) {
		wire_rr(&in, &rr);
		if (in.fail || in.at > room)
			break;
		o->len = in.at;
	}
	return (uint16_t)kept;
}

size_t response_fit(uint8_t *msg, size_t len, const struct dns_query *q)
{
	struct wire_out o = WIRE_OUT(msg, len);
	bool asked = (msg[4] << 8 | msg[5]) == 1;
	size_t question = DNS_HEADER + (asked ? q->name.len + 4u : 0), end;

	patch_u16(&o, 0, q->id);
	/* servers write the question's name in full: nothing stands before it to point at */
	if (asked && len >= question)
		memcpy(msg + DNS_HEADER, q->name.data, q->name.len);
	if (q->exists && (msg[3] & DNS_RCODE) == RCODE_NXDOMAIN)
		msg[3] &= (uint8_t)~DNS_RCODE;
	if (len <= query_room(q) && !(msg[2] << 8 & DNS_TC))
		return len;
	patch_u16(&o, 2, (uint16_t)((msg[2] << 8 | msg[3]) | DNS_TC));
	patch_u16(&o, 6, keep_answers(&o, len, question, query_room(q) - DNS_OPT_BYTES));
	patch_u16(&o, 8, 0);
	patch_u16(&o, 10, 0);
	end = o.len;
	if (q->edns) {
		put_opt(&o, DNS_UDP_MAX, 0, q->dnssec_ok);
		if (o.fail) /* cut by the server, and not even one of its own */
			o.len = end;
		else
			patch_u16(&o, 10, 1);
	}
	return o.len;
}

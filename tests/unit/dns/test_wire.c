/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_wire.c - DNS messages: names, compression and its loops, queries, replies, servers' answers
 */

#include "dns/wire.h"
#include "messages.h"
#include "tap.h"

#define NIBBLES "b.a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.4.3.0.0.2.1.0.0.0.0.d.f"

static void names(void)
{
	static const char *const bad[] = {"256.0.18.172.in-addr.arpa",
					  "0.18.172.in-addr.arpa",
					  "1.5.0.18.172.in-addr.arpa",
					  "a.0.0.1.in-addr.arpa",
					  "5.0.18.172.in-addr.arpa.x",
					  "0001.0.0.1.in-addr.arpa",
					  NIBBLES ".ip6.int",
					  "0." NIBBLES ".ip6.arpa",
					  "0.ip6.arpa",
					  NIBBLES ".ip6.arpa.x",
					  "g" NIBBLES ".ip6.arpa",
					  "5.0.18.172.ip6.arpa"};
	struct dname a, b;
	char text[DNAME_TEXT], label[65], big[600] = "";
	struct ip addr;

	is_int(dname_from_text("Web.My-Net", &a), 0, "two labels");
	is_int(a.len, 12, "wire length");
	is_str(dname_text(&a, text), "web.my-net", "lower case in text");
	is_int(dname_from_text("web.my-net.", &b), 0, "a final dot");
	ok(dname_eq(&a, &b), "equal whatever the case");
	ok(!dname_single(&a), "two labels are not single");
	is_int(dname_from_text("db", &a), 0, "one label");
	ok(dname_single(&a), "one label is single");
	ok(!dname_eq(&a, &b), "different names differ");
	is_int(dname_from_text("a\\b \xc3\xbc", &a), 0, "odd bytes");
	is_str(dname_text(&a, text), "a\\092b\\032\\195\\188", "odd bytes are escaped");

	is_int(dname_from_text("", &a), -EINVAL, "no name");
	is_int(dname_from_text(".", &a), -EINVAL, "only a dot");
	is_int(dname_from_text("a..b", &a), -EINVAL, "an empty label");
	memset(label, 'x', 64);
	label[64] = '\0';
	is_int(dname_from_text(label, &a), -EINVAL, "a label of 64");
	label[63] = '\0';
	is_int(dname_from_text(label, &a), 0, "a label of 63");
	snprintf(big, sizeof(big), "%s.%s.%s.%.61s", label, label, label, label);
	is_int(dname_from_text(big, &a), 0, "a name of 255 bytes");
	is_int(a.len, 255, "255 bytes on the wire");
	snprintf(big, sizeof(big), "%s.%s.%s.%.62s", label, label, label, label);
	is_int(dname_from_text(big, &a), -EINVAL, "a name of 256 bytes");

	is_int(dname_from_text("5.0.18.172.IN-ADDR.arpa", &a), 0, "a reverse name");
	ok(dname_reverse(&a, &addr) && ip_eq(addr, ip_v4(0xac120005)), "its address");
	is_int(dname_from_text(NIBBLES ".IP6.arpa", &a), 0, "a reverse name of IPv6");
	ok(dname_reverse(&a, &addr), "is one");
	is_str(ip_str(addr, text), "fd00:12:34::ab", "its address");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		is_int(dname_from_text(bad[i], &a), 0, "%s is a name", bad[i]);
		ok(!dname_reverse(&a, &addr), "%s is no address", bad[i]);
	}
}

/* Reads the name at @at of @bytes behind a header's worth of zeroes. */
static bool reads(const void *bytes, size_t len, size_t at, char text[DNAME_TEXT], size_t *end)
{
	uint8_t msg[600] = {0};
	struct wire_in in = WIRE_IN(msg, DNS_HEADER + len);
	struct dname n;

	memcpy(msg + DNS_HEADER, bytes, len);
	in.at = DNS_HEADER + at;
	wire_name(&in, &n);
	*end = in.at - DNS_HEADER;
	dname_text(&n, text);
	return !in.fail;
}

static void compression(void)
{
	char text[DNAME_TEXT];
	uint8_t chain[600];
	size_t end, n = 0;

	ok(reads("\1a\1b\0", 5, 0, text, &end) && end == 5, "plain");
	is_str(text, "a.b", "plain text");
	ok(reads("\1a\1b\0\1c\xc0\x0c", 9, 5, text, &end) && end == 9, "pointer to the start");
	is_str(text, "c.a.b", "pointer followed");
	ok(reads("\1a\1b\0\xc0\x0e\xc0\x11", 9, 7, text, &end) && end == 9, "pointer to a pointer");
	is_str(text, "b", "both followed");

	ok(!reads("\xc0\x0c", 2, 0, text, &end), "a pointer to itself");
	ok(!reads("\xc0\x0e\xc0\x0c", 4, 0, text, &end), "two that point at each other");
	ok(!reads("\1a\xc0\x0c", 4, 0, text, &end), "a name that ends in itself");
	ok(!reads("\1a\xc0\x0e", 4, 0, text, &end), "into its own middle");
	ok(!reads("\3x\xc0\x0c\0", 5, 2, text, &end), "to a label that it is part of");
	ok(!reads("\xc0\x20\1a\0", 5, 0, text, &end), "forwards");
	ok(!reads("\1a\0\xc0\x02", 5, 3, text, &end), "into the header");
	ok(!reads("\xc0", 1, 0, text, &end), "half a pointer");
	ok(!reads("\3ab", 3, 0, text, &end), "label over the end");
	ok(!reads("\1a", 2, 0, text, &end), "no end");
	ok(!reads("\x41"
		  "a\0",
		  3, 0, text, &end),
	   "reserved label type");
	ok(!reads("", 0, 0, text, &end), "nothing");
	/* "a" then 200 pointers, each to the one before: one name of one label */
	memcpy(chain, "\1a\0", 3);
	for (n = 3; n < 403; n += 2) {
		size_t target = DNS_HEADER + (n == 3 ? 0 : n - 2);

		chain[n] = (uint8_t)(0xc0 | target >> 8);
		chain[n + 1] = (uint8_t)target;
	}
	ok(reads(chain, n, n - 2, text, &end) && end == n, "a long chain downwards ends");
	is_str(text, "a", "and is right");
	/* 10 labels of 31 bytes: over 255 */
	for (n = 0; n < 320; n += 32) {
		chain[n] = 31;
		memset(chain + n + 1, 'x', 31);
	}
	chain[n++] = 0;
	ok(!reads(chain, n, 0, text, &end), "a name over 255 bytes");
}

static void queries(void)
{
	struct msg m = query("Web.net", TYPE_A, true), cut;
	struct dns_query q;
	char text[DNAME_TEXT];

	is_int(query_parse(m.data, m.len, false, &q), 0, "a query");
	is_int(q.id, 0x1234, "id");
	is_int(q.type, TYPE_A, "type");
	is_int(q.class, CLASS_IN, "class");
	is_str(dname_text(&q.name, text), "web.net", "name");
	ok(q.edns && q.dnssec_ok && q.udp_size == 1232, "EDNS");
	is_int(query_room(&q), 1232, "room is the client's size");
	is_int(query_parse(m.data, m.len, true, &q), 0, "by TCP");
	is_int(query_room(&q), DNS_TCP_MAX, "room of TCP");

	for (size_t len = 0; len < m.len; len++) {
		int r = query_parse(m.data, len, false, &q);

		if (len < DNS_HEADER ? r != -ENOMSG : r != RCODE_FORMERR) {
			ok(false, "cut after %zu bytes gives %d", len, r);
			break;
		}
	}
	cut = query("web", TYPE_A, false);
	is_int(query_parse(cut.data, cut.len, false, &q), 0, "without EDNS");
	is_int(query_room(&q), 512, "room without EDNS");

	header(&m, 1, DNS_QR, (struct counts){1, 0, 0, 0});
	is_int(query_parse(m.data, m.len, false, &q), -ENOMSG, "an answer is no query");
	header(&m, 1, 0x2800, (struct counts){1, 0, 0, 0});
	is_int(query_parse(m.data, m.len, false, &q), RCODE_NOTIMP, "an update");
	header(&m, 1, 0, (struct counts){0, 0, 0, 0});
	is_int(query_parse(m.data, m.len, false, &q), RCODE_FORMERR, "no question");
	header(&m, 1, 0, (struct counts){2, 0, 0, 0});
	is_int(query_parse(m.data, m.len, false, &q), RCODE_FORMERR, "two questions");
	header(&m, 1, 0, (struct counts){1, 0, 0, 1});
	name(&m, "web");
	add16(&m, TYPE_A);
	add16(&m, CLASS_IN);
	opt(&m, 100, 0, 0);
	is_int(query_parse(m.data, m.len, false, &q), 0, "a small EDNS size");
	is_int(query_room(&q), 512, "is at least 512");
	m.data[m.len - 6] = 1; /* version */
	cut = m;
	m = query("web", TYPE_A, false);
	m.data[11] = 1;
	opt(&m, 0xffff, 0x0001, 0);
	is_int(query_parse(m.data, m.len, false, &q), RCODE_BADVERS, "another EDNS version");
	is_int(query_room(&q), DNS_UDP_MAX, "a huge EDNS size is bounded");
	m = query("web", TYPE_A, true);
	m.data[11] = 2;
	opt(&m, 512, 0, 0);
	is_int(query_parse(m.data, m.len, false, &q), RCODE_FORMERR, "two OPT records");
	m = query("web", TYPE_A, false);
	m.data[7] = 1;
	opt(&m, 512, 0, 0);
	is_int(query_parse(m.data, m.len, false, &q), RCODE_FORMERR, "OPT among the answers");
}

static void replies(void)
{
	struct msg m = query("many.net", TYPE_A, true);
	uint8_t out[DNS_UDP_MAX];
	struct wire_out o = WIRE_OUT(out, sizeof(out));
	struct wire_in in;
	struct wire_rr rr;
	struct dns_query q;
	struct dname target, got;
	struct reply r;
	char text[DNAME_TEXT];
	unsigned n;

	is_int(query_parse(m.data, m.len, false, &q), 0, "query");
	reply_begin(&r, &q, &o);
	for (unsigned i = 0; i < 3; i++)
		reply_addr(&r, ip_v4(0x0a000001 + i), 7);
	reply_end(&r, RCODE_NOERROR);
	in = WIRE_IN(out, o.len);
	is_int(wire_u16(&in), 0x1234, "id");
	is_int(wire_u16(&in), DNS_QR | DNS_RD | DNS_RA, "flags");
	is_int(wire_u16(&in), 1, "one question");
	is_int(wire_u16(&in), 3, "three answers");
	is_int(wire_u16(&in), 0, "no authority");
	is_int(wire_u16(&in), 1, "OPT");
	wire_name(&in, &got);
	wire_skip(&in, 4);
	for (unsigned i = 0; i < 3; i++) {
		wire_rr(&in, &rr);
		ok(!in.fail && dname_eq(&rr.name, &q.name) && rr.type == TYPE_A && rr.ttl == 7 &&
			   rr.rdata_len == 4 && out[rr.rdata + 3] == i + 1,
		   "answer %u", i);
	}
	wire_rr(&in, &rr);
	ok(!in.fail && rr.type == TYPE_OPT && in.at == o.len, "OPT is last");
	is_int(o.len, DNS_HEADER + 14 + 3 * 16 + 11, "answers point at the question");

	/* truncation: 512 bytes without EDNS */
	m = query("many.net", TYPE_A, false);
	is_int(query_parse(m.data, m.len, false, &q), 0, "query without EDNS");
	o = WIRE_OUT(out, sizeof(out));
	reply_begin(&r, &q, &o);
	for (n = 0; n < 100; n++)
		reply_addr(&r, ip_v4(n), 0);
	reply_end(&r, RCODE_NOERROR);
	ok(o.len <= 512 && o.len > 512 - 16, "filled to 512: %zu", o.len);
	ok(out[2] & 2, "TC");
	is_int(out[6] << 8 | out[7], (o.len - DNS_HEADER - 14) / 16, "the count is what is there");
	q.tcp = true;
	o = WIRE_OUT(out, sizeof(out));
	reply_begin(&r, &q, &o);
	for (n = 0; n < 100; n++)
		reply_addr(&r, ip_v4(n), 0);
	reply_end(&r, RCODE_NOERROR);
	ok(!(out[2] & 2) && out[7] == 100, "all by TCP");

	m = query("six.net", TYPE_AAAA, false);
	is_int(query_parse(m.data, m.len, false, &q), 0, "query for IPv6");
	o = WIRE_OUT(out, sizeof(out));
	reply_begin(&r, &q, &o);
	for (n = 0; n < 100; n++)
		reply_addr(&r, (struct ip){0xfdull << 56, n, 6}, 0);
	reply_end(&r, RCODE_NOERROR);
	ok(o.len <= 512 && o.len > 512 - 28 && out[2] & 2, "filled to 512, TC: %zu", o.len);
	ok(out[o.len - 16] == 0xfd && out[o.len - 1] == out[7] - 1, "sixteen bytes, in order");

	/* PTR with a target that shares the question's tail */
	m = query("5.0.18.172.in-addr.arpa", TYPE_PTR, false);
	is_int(query_parse(m.data, m.len, false, &q), 0, "reverse query");
	is_int(dname_from_text("x.arpa", &target), 0, "target");
	o = WIRE_OUT(out, sizeof(out));
	reply_begin(&r, &q, &o);
	reply_ptr(&r, &target, 0);
	reply_end(&r, RCODE_NOERROR);
	in = WIRE_IN(out, o.len);
	in.at = q.question_end;
	wire_rr(&in, &rr);
	is_int(rr.rdata_len, 4, "x and a pointer to arpa");
	in.at = rr.rdata;
	wire_name(&in, &got);
	is_str(dname_text(&got, text), "x.arpa", "target read back");

	/* an extended rcode needs the OPT record */
	m = query("web", TYPE_A, false);
	m.data[11] = 1;
	opt(&m, 1232, 1, 0);
	is_int(query_parse(m.data, m.len, false, &q), RCODE_BADVERS, "bad version");
	o = WIRE_OUT(out, sizeof(out));
	reply_begin(&r, &q, &o);
	reply_end(&r, RCODE_BADVERS);
	is_int(out[3] & 15, 0, "low bits of BADVERS");
	is_int(out[o.len - 6], 1, "high bits of BADVERS");
}

static struct msg response(unsigned id, unsigned rcode, unsigned an, unsigned ns)
{
	struct msg m;

	header(&m, id, DNS_QR | DNS_RD | DNS_RA | rcode, (struct counts){1, an, ns, 0});
	name(&m, "eXample.com");
	add16(&m, TYPE_A);
	add16(&m, CLASS_IN);
	return m;
}

static void responses(void)
{
	struct msg ask = query("Example.com", TYPE_A, false), m;
	struct dns_response info;
	struct dns_query q, other;
	uint8_t built[512];
	size_t len;

	is_int(query_parse(ask.data, ask.len, false, &q), 0, "question");
	is_int(query_build(&q, 0x1234, built, sizeof(built)), (int64_t)ask.len, "asked again");
	ok(!memcmp(built, ask.data, ask.len), "byte for byte");
	is_int(query_build(&q, 1, built, 20), -ENOBUFS, "no room");

	m = response(7, 0, 2, 0);
	record(&m, DNS_HEADER, TYPE_A, 300, "\1\2\3\4", 4);
	record(&m, DNS_HEADER, TYPE_A, 60, "\1\2\3\5", 4);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "answer");
	ok(info.cacheable && info.ttl == 60, "the least TTL counts");
	is_int(response_parse(m.data, m.len, &q, 8, &info), -ENOMSG, "another id");
	is_int(response_parse(m.data, m.len - 1, &q, 7, &info), -EBADMSG, "cut short");
	other = q;
	other.type = TYPE_AAAA;
	is_int(response_parse(m.data, m.len, &other, 7, &info), -ENOMSG, "another type asked");
	is_int(dname_from_text("example.org", &other.name), 0, "another name");
	other.type = TYPE_A;
	is_int(response_parse(m.data, m.len, &other, 7, &info), -ENOMSG, "another name asked");
	m.data[2] &= 0x7f;
	is_int(response_parse(m.data, m.len, &q, 7, &info), -ENOMSG, "a query is no answer");
	m.data[2] |= 0x80;

	response_age(m.data, m.len, 100);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "aged");
	ok(!info.cacheable && info.ttl == 0, "the short one is over");
	is_int(m.data[DNS_HEADER + 17 + 9], 200, "the long one has 200 left");
	is_int(response_fit(m.data, m.len, &q), (int64_t)m.len, "fits");
	ok(m.data[0] == 0x12 && m.data[1] == 0x34, "the client's id");
	ok(m.data[DNS_HEADER + 1] == 'E' && m.data[DNS_HEADER + 2] == 'x', "the client's spelling");

	m = response(7, RCODE_NXDOMAIN, 0, 1);
	soa(&m, 900, 30);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "no such name");
	ok(info.cacheable && info.ttl == 30, "negative TTL: the SOA's last field");
	m = response(7, 0, 0, 1);
	soa(&m, 20, 300);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "no data");
	ok(info.cacheable && info.ttl == 20, "negative TTL: the SOA's own");
	m = response(7, RCODE_NXDOMAIN, 0, 0);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "no such name, no SOA");
	ok(!info.cacheable, "is not kept");
	m = response(7, RCODE_SERVFAIL, 0, 0);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "server failure");
	ok(!info.cacheable && info.rcode == RCODE_SERVFAIL, "is not kept");
	m = response(7, 0, 1, 0);
	record(&m, DNS_HEADER, TYPE_A, 0x80000000u, "\1\2\3\4", 4);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "a negative TTL");
	ok(!info.cacheable, "is none");
	header(&m, 7, DNS_QR | RCODE_FORMERR, (struct counts){0, 0, 0, 0});
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "an error without its question");

	m = response(7, 0, 1, 0);
	record(&m, DNS_HEADER, 16, 60, (uint8_t[600]){0}, 600);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "long");
	len = response_fit(m.data, m.len, &q);
	is_int(len, DNS_HEADER + 17, "cut to the question");
	ok(m.data[2] & 2 && m.data[7] == 0, "with TC and no answers");
	m = response(7, 0, 40, 1);
	for (unsigned i = 0; i < 40; i++)
		record(&m, DNS_HEADER, TYPE_A, 60, "\1\2\3\4", 4);
	soa(&m, 20, 300);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "many");
	len = response_fit(m.data, m.len, &q);
	is_int(len, DNS_HEADER + 17 + 29 * 16, "the answers that fit stay");
	ok(m.data[2] & 2 && m.data[7] == 29 && !m.data[9], "with TC, counted, the rest is gone");
	m = response(7, RCODE_NXDOMAIN, 0, 1);
	soa(&m, 900, 30);
	q.exists = true;
	is_int(response_fit(m.data, m.len, &q), (int64_t)m.len, "a name of ours that they miss");
	is_int(m.data[3] & DNS_RCODE, RCODE_NOERROR, "is there all the same");
	q.exists = false;
	m = response(7, DNS_TC, 3, 0);
	is_int(response_parse(m.data, m.len, &q, 7, &info), 0, "cut by the server");
	ok(info.truncated && !info.cacheable, "is known as such");
	q.edns = true;
	is_int(response_fit(m.data, m.len, &q), DNS_HEADER + 17, "no room for OPT: none");
	ok(m.data[7] == 0 && m.data[2] & 2, "TC is passed on, without counts");
}

int main(void)
{
	names();
	compression();
	queries();
	replies();
	responses();
	return tap_done();
}

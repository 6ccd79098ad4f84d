/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - DNS messages: read with a cursor that fails sticky, written with name compression
 *
 * Pure. Everything read here comes from strangers (containers, servers): nothing is trusted, no
 * read leaves the message, and a compression pointer must point before all that was read of its
 * name, so that no name loops. Fuzzed (tests/fuzz/dns).
 * Sources: RFC 1035 (4), RFC 2181, RFC 3596 (IPv6), RFC 6891 (EDNS0), RFC 2308 (negative answers).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "base/ip.h"

#define DNS_HEADER    12
#define DNS_UDP_MIN   512  /* what every client takes (RFC 1035, 4.2.1) */
#define DNS_UDP_MAX   4096 /* the largest datagram we send or ask for */
#define DNS_TCP_MAX   65535
#define DNS_OPT_BYTES 11 /* an OPT record without options */

enum { DNS_QR = 0x8000, DNS_AA = 0x0400, DNS_TC = 0x0200, DNS_RD = 0x0100, DNS_RA = 0x0080 };
enum { DNS_AD = 0x0020, DNS_CD = 0x0010, DNS_OPCODE = 0x7800, DNS_RCODE = 0x000f };
enum { DNS_DO = 0x8000 }; /* in the flags of an OPT record */
enum dns_rcode {
	RCODE_NOERROR,
	RCODE_FORMERR,
	RCODE_SERVFAIL,
	RCODE_NXDOMAIN,
	RCODE_NOTIMP,
	RCODE_REFUSED,
	RCODE_BADVERS = 16
};
enum {
	TYPE_A = 1,
	TYPE_SOA = 6,
	TYPE_PTR = 12,
	TYPE_MX = 15,
	TYPE_AAAA = 28,
	TYPE_OPT = 41,
	TYPE_SVCB = 64,
	TYPE_HTTPS = 65,
	TYPE_TKEY = 249, /* 249 to 254: meta queries, but for ANY never ours to answer or pass on */
	TYPE_MAILA = 254,
	TYPE_ANY = 255
};
enum { CLASS_IN = 1 };

/* A name in wire form, uncompressed, the root label included. Case is kept. */
struct dname {
	uint8_t len; /* 1..255 */
	uint8_t data[255];
};
#define DNAME_TEXT 1024 /* 253 bytes, each at most \ddd, and the NUL */

/* Lower-case text without the final dot; bytes that are no plain character become \ddd, so that
 * equal text means equal names. The root is "". Returns @out. */
const char *dname_text(const struct dname *n, char out[DNAME_TEXT]);
/* From the text of a container's or network's name: dots separate labels, nothing is an escape.
 * -EINVAL: an empty or too long label, too long a name. */
int dname_from_text(const char *text, struct dname *ret) MUST_CHECK;
bool dname_eq(const struct dname *a, const struct dname *b); /* ignoring case */
bool dname_single(const struct dname *n);		     /* exactly one label */
/* the address of a whole name under in-addr.arpa or ip6.arpa; false if it is none */
bool dname_reverse(const struct dname *n, struct ip *ret);

struct wire_in {
	const uint8_t *data;
	size_t len, at;
	bool fail; /* sticky: a read went over the end or met nonsense */
};
#define WIRE_IN(msg, length) ((struct wire_in){.data = (msg), .len = (length)})
uint8_t wire_u8(struct wire_in *in);
uint16_t wire_u16(struct wire_in *in);
uint32_t wire_u32(struct wire_in *in);
void wire_skip(struct wire_in *in, size_t n);
void wire_name(struct wire_in *in, struct dname *ret);

struct wire_rr {
	struct dname name;
	uint16_t type, class;
	uint32_t ttl;
	size_t ttl_at;		 /* offset of the TTL field */
	size_t rdata, rdata_len; /* offset and length within the message */
};
void wire_rr(struct wire_in *in, struct wire_rr *ret);

/* A client's question, with what of its header and OPT record matters. */
struct dns_query {
	uint16_t id, flags;
	struct dname name;
	uint16_t type, class;
	bool tcp, edns, dnssec_ok;
	uint16_t udp_size;   /* what the client takes: DNS_UDP_MIN..DNS_UDP_MAX */
	bool exists;	     /* the name is one of ours: no server may call it missing */
	bool have_question;  /* false: a malformed query, answered by its header alone */
	uint16_t counts[4];  /* as sent */
	size_t question_end; /* offset behind the question */
};
/* Return: 0 a sane query; > 0 the rcode to answer it with; -ENOMSG not a query: no answer at all */
int query_parse(const uint8_t *msg, size_t len, bool tcp, struct dns_query *ret) MUST_CHECK;
/* How long an answer to @q may be. */
size_t query_room(const struct dns_query *q);

#define WIRE_NAMES_MAX 32
struct wire_out {
	uint8_t *data;
	size_t cap, len;
	bool fail;			/* sticky: out of room */
	uint16_t names[WIRE_NAMES_MAX]; /* offsets of names (and their tails) to point at */
	unsigned n_names;
};
#define WIRE_OUT(buffer, room) ((struct wire_out){.data = (buffer), .cap = (room)})
void wire_put_u8(struct wire_out *o, uint8_t v);
void wire_put_u16(struct wire_out *o, uint16_t v);
void wire_put_u32(struct wire_out *o, uint32_t v);
void wire_put(struct wire_out *o, const void *data, size_t len);
void wire_put_name(struct wire_out *o, const struct dname *n); /* compressed */

/*
 * An answer to @q: reply_begin(), reply_addr()/reply_ptr() as often as wanted, reply_end(). What
 * does not fit is left out and TC set. Room: query_room(), at most what @o has.
 */
struct reply {
	const struct dns_query *q;
	struct wire_out *o;
	uint16_t answers;
	uint16_t rcode;
	bool truncated;
};
void reply_begin(struct reply *r, const struct dns_query *q, struct wire_out *o);
void reply_addr(struct reply *r, struct ip addr, uint32_t ttl); /* A or AAAA */
void reply_ptr(struct reply *r, const struct dname *target, uint32_t ttl);
void reply_end(struct reply *r, uint16_t rcode);

/* The question of @q as a query to a server, with @id. Return: length, -ENOBUFS */
ssize_t query_build(const struct dns_query *q, uint16_t id, uint8_t *out, size_t room) MUST_CHECK;

/* What a server's message is good for. */
struct dns_response {
	uint16_t flags;
	enum dns_rcode rcode;
	bool truncated;
	bool cacheable;
	uint32_t ttl; /* seconds, if cacheable */
};
/* Return: 0; -ENOMSG not an answer to question @q with @id; -EBADMSG malformed */
int response_parse(const uint8_t *msg, size_t len, const struct dns_query *q, uint16_t id,
		   struct dns_response *ret) MUST_CHECK;
/* Takes @seconds off every TTL of a message that response_parse() liked. */
void response_age(uint8_t *msg, size_t len, uint32_t seconds);
/* Makes a message that response_parse() liked @q's client's: its id, its spelling of the name; over
 * query_room() or cut by the server: the answers that fit, with TC. Return: the length to send */
size_t response_fit(uint8_t *msg, size_t len, const struct dns_query *q);

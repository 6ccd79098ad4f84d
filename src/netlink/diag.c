/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.c - conntrack entries deleted by address and port */

#include "netlink/diag.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

#include "netlink/msg.h"

/* ---- conntrack ---- */

struct tuple {
	struct ip src, dst;
	uint16_t sport, dport;
	uint8_t proto;
};

struct doomed { /* an entry's original tuple, as the kernel sent it, to be sent back with the delete
		 */
	uint8_t bytes[256];
	uint16_t len;
	uint8_t family;
};

struct ct_walk {
	bool (*match)(const struct tuple *orig, const struct tuple *reply, void *data);
	void *data;
	struct doomed *list;
	size_t n, room;
};

static void parse_ip(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		int type = mnl_attr_get_type(a);

		if (type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC)
			(void)!ip_from_bytes(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a),
					     &t->src);
		else if (type == CTA_IP_V4_DST || type == CTA_IP_V6_DST)
			(void)!ip_from_bytes(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a),
					     &t->dst);
	}
}

static void parse_proto(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) == CTA_PROTO_NUM)
			t->proto = mnl_attr_get_u8(a);
		else if (mnl_attr_get_type(a) == CTA_PROTO_SRC_PORT)
			t->sport = ntohs(mnl_attr_get_u16(a));
		else if (mnl_attr_get_type(a) == CTA_PROTO_DST_PORT)
			t->dport = ntohs(mnl_attr_get_u16(a));
	}
}

static void parse_tuple(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, nest)
	{
		if (mnl_attr_get_type(a) == CTA_TUPLE_IP)
			parse_ip(a, t);
		else if (mnl_attr_get_type(a) == CTA_TUPLE_PROTO)
			parse_proto(a, t);
	}
}

static int walk_ct(const struct nlmsghdr *nh, void *data)
{
	struct ct_walk *w = data;
	const struct nlattr *a, *raw = NULL;
	struct tuple orig = {0}, reply = {0};

	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == CTA_TUPLE_ORIG) {
			parse_tuple(a, &orig);
			raw = a;
		} else if (mnl_attr_get_type(a) == CTA_TUPLE_REPLY) {
			parse_tuple(a, &reply);
		}
	}
	if (!raw || raw->nla_len > sizeof(w->list->bytes) || !w->match(&orig, &reply, w->data))
		return 0;
	if (w->n == w->room) {
		size_t room = w->room ? w->room * 2 : 32;
		struct doomed *more = reallocarray(w->list, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		w->list = more;
		w->room = room;
	}
	w->list[w->n].len = raw->nla_len;
	w->list[w->n].family = ((const struct nfgenmsg *)mnl_nlmsg_get_payload(nh))->nfgen_family;
	memcpy(w->list[w->n++].bytes, raw, raw->nla_len);
	return 0;
}

static struct nlmsghdr *ct_msg(struct nlsock *s, uint8_t type, uint16_t flags, uint8_t family)
{
	struct nlmsghdr *nh = nlsock_begin(s, NFNL_SUBSYS_CTNETLINK << 8 | type, flags);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(nh, sizeof(*nf));

	nf->nfgen_family = family;
	nf->version = NFNETLINK_V0;
	return nh;
}

static int flush(struct ct_walk *w)
{
	struct nlsock *s = calloc(1, sizeof(*s));
	int r = s ? nlsock_open(s, NETLINK_NETFILTER) : -ENOMEM, n = 0;

	if (r < 0) {
		free(s);
		return r == -EPROTONOSUPPORT ? 0 : r;
	}
	r = nlsock_call(s, ct_msg(s, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC), walk_ct, w);
	for (size_t i = 0; r >= 0 && i < w->n; i++) {
		const struct nlattr *a = (const struct nlattr *)w->list[i].bytes;
		struct nlmsghdr *nh = ct_msg(s, IPCTNL_MSG_CT_DELETE, 0, w->list[i].family);

		nlsock_put(s, nh, a->nla_type, mnl_attr_get_payload(a),
			   mnl_attr_get_payload_len(a));
		r = nlsock_call(s, nh, NULL, NULL);
		if (r == -ENOENT) /* it timed out meanwhile */
			r = 0;
		n += r >= 0;
	}
	nlsock_close(s);
	free(s);
	free(w->list);
	return r == -EINVAL || r == -EOPNOTSUPP ? 0
	       : r < 0				? r
						: n; /* the first two: no conntrack here */
}

struct port_match {
	uint8_t proto;
	struct ip daddr;
	uint16_t port;
};

static bool match_port(const struct tuple *orig, const struct tuple *reply, void *data)
{
	const struct port_match *m = data;

	(void)reply;
	return orig->proto == m->proto && orig->dport == m->port &&
	       orig->dst.family == m->daddr.family &&
	       (ip_is_any(m->daddr) || ip_eq(orig->dst, m->daddr));
}

int conntrack_flush(uint8_t proto, struct ip daddr, uint16_t port)
{
	struct port_match m = {proto, daddr, port};
	struct ct_walk w = {.match = match_port, .data = &m};

	return flush(&w);
}

static bool match_addr(const struct tuple *orig, const struct tuple *reply, void *data)
{
	const struct ip *addr = data;

	return ip_eq(orig->src, *addr) || ip_eq(reply->src, *addr) || ip_eq(orig->dst, *addr);
}

int conntrack_flush_addr(struct ip addr)
{
	struct ct_walk w = {.match = match_addr, .data = &addr};

	return flush(&w);
}

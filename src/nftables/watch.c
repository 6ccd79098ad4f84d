/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - noticing what others do to our table, and putting it back
 *
 * NFNLGRP_NFTABLES tells of every transaction: what it changed, then a message of the new
 * generation with the thread that made it. One that is not ours and touched our table, were it a
 * single element, arms a short timer, then the table is made again whole. Our own thread is known
 * by a chain that comes and goes in one transaction under a random name: its number in the messages
 * is the initial pid namespace's, which we cannot know otherwise.
 *
 * Notifications that were lost (the socket holds thousands) are no proof of anything: then
 * nft_verify() counts chains, rules and elements.
 */

#include <netinet/in.h> /* before the kernel's headers, which then leave its names alone */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/map.h"
#include "base/rand.h"
#include "base/str.h"
#include "loop/loop.h"
#include "nftables/internal.h"

#define REPAIR_MS   100
#define WATCH_BYTES (16 << 20) /* a transaction of tens of thousands of elements */

/* ---- counting ---- */

struct count {
	unsigned n;
};

static int count_one(const struct nlmsghdr *nh, void *data)
{
	struct count *c = data;
	const struct nlattr *a;

	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		/* the same number as NFTA_CHAIN_TABLE */
		if (mnl_attr_get_type(a) == NFTA_RULE_TABLE && streq(mnl_attr_get_str(a), TABLE))
			c->n++;
	}
	return MNL_CB_OK;
}

static int count(uint8_t type, unsigned *ret)
{
	struct dump d = {.type = type,
			 .family = NFPROTO_INET,
			 .table = type == NFT_MSG_GETRULE ? TABLE : NULL};
	struct count c;
	int r = nft_dump(&d, count_one, &c, sizeof(c));

	*ret = c.n;
	return r;
}

struct sets {
	char names[64][32]; /* far more, and longer, than the ruleset has */
	unsigned n;
};

static int note_set(const struct nlmsghdr *nh, void *data)
{
	struct sets *s = data;
	const char *name = NULL, *table = NULL;
	const struct nlattr *a;
	uint32_t flags = 0;

	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_SET_TABLE)
			table = mnl_attr_get_str(a);
		else if (mnl_attr_get_type(a) == NFTA_SET_NAME)
			name = mnl_attr_get_str(a);
		else if (mnl_attr_get_type(a) == NFTA_SET_FLAGS)
			flags = ntohl(mnl_attr_get_u32(a));
	}
	if (name && streq(table, TABLE) && !(flags & NFT_SET_ANONYMOUS) &&
	    s->n < ARRAY_SIZE(s->names))
		(void)snprintf(s->names[s->n++], sizeof(s->names[0]), "%s", name);
	return MNL_CB_OK;
}

static int count_elements(const struct nlmsghdr *nh, void *data)
{
	struct count *c = data;
	const struct nlattr *a, *one;

	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(one, a)
		{
			(void)one;
			c->n++;
		}
	}
	return MNL_CB_OK;
}

/* One each, also of those that hold ranges: they are concatenations. */
static int elements(unsigned *ret)
{
	struct dump d = {NFT_MSG_GETSET, NFPROTO_INET, TABLE, NULL};
	struct sets s;
	int r = nft_dump(&d, note_set, &s, sizeof(s));

	*ret = 0;
	d.type = NFT_MSG_GETSETELEM;
	for (unsigned i = 0; r >= 0 && i < s.n; i++) {
		struct count c;

		d.name = s.names[i];
		r = nft_dump(&d, count_elements, &c, sizeof(c));
		*ret += c.n;
	}
	return r;
}

int nft_learn(struct nft *n)
{
	int r = count(NFT_MSG_GETCHAIN, &n->chains);

	return r < 0 ? r : count(NFT_MSG_GETRULE, &n->rules);
}

int nft_verify(struct nft *n, bool *ret_intact)
{
	unsigned chains = 0, rules = 0, elems = 0;
	int r = count(NFT_MSG_GETCHAIN, &chains);

	if (r >= 0)
		r = count(NFT_MSG_GETRULE, &rules);
	if (r >= 0)
		r = elements(&elems);
	if (r < 0)
		return r;
	*ret_intact = chains && chains == n->chains && rules == n->rules &&
		      elems == map_len(n->mirror) - n->guards;
	return 0;
}

/* ---- repair ---- */

static void arm(struct nft *n, int64_t ms)
{
	if (n->armed) /* or somebody who never rests keeps us from it */
		return;
	n->armed = true;
	source_timer_set(n->watch_timer, ms);
}

/* Return: 0 nothing to repair, 1 repaired, or -errno: later */
static int repair(struct nft *n)
{
	struct err e = {0};
	bool intact = false;
	int r;

	if (!n->dirty && !n->guards) { /* lost some: the bridge table is not counted */
		r = nft_verify(n, &intact);
		if (r < 0) /* others change the ruleset all the time */
			return r;
	}
	if (!intact) {
		r = nft_repair(n, &e);
		if (r < 0) {
			log_error("the firewall table was changed by somebody and cannot be put "
				  "back: %s",
				  e.msg);
			return r;
		}
		log_warn("the firewall table was changed by somebody and is as it was");
	}
	n->dirty = n->lost = false;
	return !intact;
}

static void check(void *data)
{
	struct nft *n = data;
	int r = 0;

	n->armed = false;
	if (n->dirty || n->lost)
		r = repair(n);
	if (r < 0)
		arm(n, 500);
	if (r > 0 && n->watch_fn)
		n->watch_fn(n->watch_data);
	if (n->news) {
		n->news = false;
		if (n->others_fn)
			n->others_fn(n->others_data);
	}
}

/* ---- what is told ---- */

static void generation(struct nft *n, const struct nlmsghdr *nh)
{
	const struct nlattr *a;
	uint32_t pid = 0;

	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(a) == NFTA_GEN_PROC_PID)
			pid = ntohl(mnl_attr_get_u32(a));
	}
	if (n->seen.self)
		n->self = pid;
	if (pid != n->self) {
		n->dirty = n->dirty || n->seen.ours;
		n->news = n->news || n->seen.others;
	}
	memset(&n->seen, 0, sizeof(n->seen));
}

static void told(struct nft *n, const struct nlmsghdr *nh)
{
	const struct nfgenmsg *nf = mnl_nlmsg_get_payload(nh);
	unsigned type = NFNL_MSG_TYPE(nh->nlmsg_type);
	const char *table = NULL, *chain = NULL;
	const struct nlattr *a;

	if (type == NFT_MSG_NEWGEN) {
		generation(n, nh);
		return;
	}
	mnl_attr_for_each(a, nh, sizeof(struct nfgenmsg))
	{
		/* the table has the same number in all of them */
		if (mnl_attr_get_type(a) == NFTA_RULE_TABLE)
			table = mnl_attr_get_str(a);
		else if (type == NFT_MSG_NEWCHAIN && mnl_attr_get_type(a) == NFTA_CHAIN_NAME)
			chain = mnl_attr_get_str(a);
	}
	if (streq(table, TABLE) &&
	    (nf->nfgen_family == NFPROTO_INET || nf->nfgen_family == NFPROTO_BRIDGE)) {
		n->seen.ours = true;
		n->seen.self = n->seen.self || (*n->self_mark && streq(chain, n->self_mark));
		return;
	}
	switch (type) {
	case NFT_MSG_DELTABLE:
	case NFT_MSG_NEWCHAIN:
	case NFT_MSG_DELCHAIN:
	case NFT_MSG_NEWRULE:
	case NFT_MSG_DELRULE:
		n->seen.others = true;
	}
}

static void notified(int fd, uint32_t events, void *data)
{
	static _Alignas(struct nlmsghdr) char buf[65536]; /* loop thread only */
	struct nft *n = data;

	(void)events;
	for (;;) {
		ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *nh = (const struct nlmsghdr *)buf;
		int left = (int)len;

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == ENOBUFS) {
			n->lost = n->news = true;
			memset(&n->seen, 0, sizeof(n->seen));
			continue;
		}
		if (len <= 0)
			break;
		for (; mnl_nlmsg_ok(nh, left); nh = mnl_nlmsg_next(nh, &left))
			if (mnl_nlmsg_get_payload_len(nh) >= sizeof(struct nfgenmsg))
				told(n, nh);
	}
	if (n->dirty || n->lost || n->news)
		arm(n, REPAIR_MS);
}

static int know_self(struct nft *n)
{
	auto_free char *text = NULL;
	uint32_t tag;
	int r;

	rand_bytes(&tag, sizeof(tag));
	(void)snprintf(n->self_mark, sizeof(n->self_mark), "self_%08x", tag);
	text = str_printf("add chain inet " TABLE " %s\ndelete chain inet " TABLE " %s\n",
			  n->self_mark, n->self_mark);
	if (!text)
		return -ENOMEM;
	r = nft_run(n, text, NULL);
	if (r < 0)
		return r;
	notified(mnl_socket_get_fd(n->watch_sock), EPOLLIN, n);
	return n->self ? 0 : -ENOMSG;
}

int nft_watch(struct nft *n, struct loop *l, void (*fn)(void *data), void *data)
{
	int group = NFNLGRP_NFTABLES, bytes = WATCH_BYTES, r = 0;

	n->loop = l;
	n->watch_fn = fn;
	n->watch_data = data;
	n->watch_sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!n->watch_sock || mnl_socket_bind(n->watch_sock, 0, MNL_SOCKET_AUTOPID) < 0)
		r = -errno;
	/* without the right to so much it is what it is */
	if (r >= 0)
		(void)setsockopt(mnl_socket_get_fd(n->watch_sock), SOL_SOCKET, SO_RCVBUFFORCE,
				 &bytes, sizeof(bytes));
	if (r >= 0 &&
	    mnl_socket_setsockopt(n->watch_sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		r = -errno;
	if (r >= 0)
		r = loop_timer(l, -1, check, n, &n->watch_timer);
	if (r >= 0)
		r = know_self(n);
	if (r >= 0)
		r = loop_io(l, mnl_socket_get_fd(n->watch_sock), EPOLLIN, notified, n,
			    &n->watch_io);
	if (r < 0)
		nft_watch_stop(n);
	return r;
}

void nft_watch_others(struct nft *n, void (*fn)(void *data), void *data)
{
	n->others_fn = fn;
	n->others_data = data;
}

void nft_watch_stop(struct nft *n)
{
	n->watch_io = source_free(n->watch_io);
	n->watch_timer = source_free(n->watch_timer);
	if (n->watch_sock)
		(void)mnl_socket_close(n->watch_sock);
	n->watch_sock = NULL;
	n->armed = false;
}

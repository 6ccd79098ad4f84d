/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * watch.c - noticing that somebody flushed or deleted our table, and putting it back
 *
 * Notifications of NFNLGRP_NFTABLES say that something changed; a table, chain or rule that goes, a
 * rule that comes, or a lost notification arms a short timer, then nft_verify() counts whether our
 * table has the chains and rules that we gave it. (Elements change all the time, and who changed
 * them is not told: a stranger who takes only elements away is not noticed.)
 */

#include <netinet/in.h> /* before the kernel's headers, which then leave its names alone */

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "loop/loop.h"
#include "nftables/internal.h"

#define REPAIR_MS  100
#define DUMP_TRIES 5 /* while others change the ruleset */

struct count {
	unsigned n;
};

static int count_one(const struct nlmsghdr *nh, void *data)
{
	struct count *c = data;
	const struct nlattr *a;

	mnl_attr_for_each(
		a, nh,
		sizeof(struct nfgenmsg)) if (mnl_attr_get_type(a) ==
						     NFTA_RULE_TABLE && /* the same number as
									   NFTA_CHAIN_TABLE */
					     !strcmp(mnl_attr_get_str(a), "atoll")) c->n++;
	return MNL_CB_OK;
}

static int dump_once(uint8_t type, unsigned *ret)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	static char buf[32768]; /* loop thread only */
	struct nlmsghdr *nh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nf;
	struct count c = {0};
	int r = 1;

	if (!s)
		return -errno;
	nh->nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | type;
	nh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nh->nlmsg_seq = 1;
	nf = mnl_nlmsg_put_extra_header(nh, sizeof(*nf));
	nf->nfgen_family = NFPROTO_INET;
	if (type == NFT_MSG_GETRULE)
		mnl_attr_put_strz(nh, NFTA_RULE_TABLE, "atoll");
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, nh, nh->nlmsg_len) < 0)
		r = -errno;
	while (r > 0) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

		r = n < 0 ? -errno
			  : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), count_one, &c);
		if (r < 0)
			r = -errno;
	}
	(void)mnl_socket_close(s);
	if (r == -ENOENT) /* no such table: nothing to count */
		r = 0;
	*ret = c.n;
	return r;
}

static int dump(uint8_t type, unsigned *ret)
{
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++)
		r = dump_once(type, ret);
	return r;
}

static int count(unsigned *chains, unsigned *rules)
{
	int r = dump(NFT_MSG_GETCHAIN, chains);

	return r < 0 ? r : dump(NFT_MSG_GETRULE, rules);
}

int nft_learn(struct nft *n)
{
	return count(&n->chains, &n->rules);
}

int nft_verify(struct nft *n, bool *ret_intact)
{
	unsigned chains = 0, rules = 0;
	int r = count(&chains, &rules);

	if (r < 0)
		return r;
	*ret_intact = chains && chains == n->chains && rules == n->rules;
	return 0;
}

static void check(void *data)
{
	struct nft *n = data;
	struct err e = {0};
	bool intact = true;

	if (nft_verify(n, &intact) < 0) { /* others change the ruleset all the time */
		source_timer_set(n->watch_timer, REPAIR_MS);
		return;
	}
	if (intact)
		return;
	if (nft_repair(n, &e) < 0) {
		log_error("the firewall table was taken away and cannot be put back: %s", e.msg);
		source_timer_set(n->watch_timer, 1000);
		return;
	}
	log_warn("the firewall table was taken away by somebody and is back");
	if (n->watch_fn)
		n->watch_fn(n->watch_data);
}

static void notified(int fd, uint32_t events, void *data)
{
	static char buf[32768]; /* loop thread only */
	struct nft *n = data;
	bool suspicious = false;

	(void)events;
	for (;;) {
		ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *nh = (const struct nlmsghdr *)buf;
		int left = (int)len;

		if (len < 0 && errno == ENOBUFS) { /* lost some: look */
			suspicious = true;
			continue;
		}
		if (len <= 0)
			break;
		for (; mnl_nlmsg_ok(nh, left); nh = mnl_nlmsg_next(nh, &left)) {
			unsigned type = NFNL_MSG_TYPE(nh->nlmsg_type);

			suspicious = suspicious || type == NFT_MSG_DELTABLE ||
				     type == NFT_MSG_DELCHAIN || type == NFT_MSG_DELRULE ||
				     type == NFT_MSG_NEWRULE;
		}
	}
	if (suspicious)
		source_timer_set(n->watch_timer, REPAIR_MS);
}

int nft_watch(struct nft *n, struct loop *l, void (*fn)(void *data), void *data)
{
	int group = NFNLGRP_NFTABLES, r = 0;

	n->loop = l;
	n->watch_fn = fn;
	n->watch_data = data;
	n->watch_sock = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!n->watch_sock || mnl_socket_bind(n->watch_sock, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(n->watch_sock, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		r = -errno;
	if (r >= 0)
		r = loop_timer(l, -1, check, n, &n->watch_timer);
	if (r >= 0)
		r = loop_io(l, mnl_socket_get_fd(n->watch_sock), EPOLLIN, notified, n,
			    &n->watch_io);
	if (r < 0)
		nft_watch_stop(n);
	return r;
}

void nft_watch_stop(struct nft *n)
{
	n->watch_io = source_free(n->watch_io);
	n->watch_timer = source_free(n->watch_timer);
	if (n->watch_sock)
		(void)mnl_socket_close(n->watch_sock);
	n->watch_sock = NULL;
}

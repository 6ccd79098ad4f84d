/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dump.c - the kernel's own list of chains, rules, sets and elements
 *
 * Asked by netlink and not by libnftables: counting, and looking for one rule of ours, needs no
 * text. Source: linux/netfilter/nf_tables.h
 */

#include <netinet/in.h> /* before the kernel's headers, which then leave its names alone */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "nftables/internal.h"

#define DUMP_TRIES 5 /* while others change the ruleset */

static int dump_once(const struct dump *d, mnl_cb_t cb, void *data)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	static char buf[32768]; /* loop thread only */
	struct nlmsghdr *nh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nf;
	int r = 1;

	if (!s)
		return -errno;
	nh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | d->type);
	nh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nh->nlmsg_seq = 1;
	nf = mnl_nlmsg_put_extra_header(nh, sizeof(*nf));
	nf->nfgen_family = d->family;
	/* the same numbers in rules, sets and elements */
	if (d->table)
		mnl_attr_put_strz(nh, NFTA_RULE_TABLE, d->table);
	if (d->name)
		mnl_attr_put_strz(nh, NFTA_RULE_CHAIN, d->name);
	if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(s, nh, nh->nlmsg_len) < 0)
		r = -errno;
	while (r > 0) {
		ssize_t n = mnl_socket_recvfrom(s, buf, sizeof(buf));

		r = n < 0 ? -errno
			  : mnl_cb_run(buf, (size_t)n, 1, mnl_socket_get_portid(s), cb, data);
		if (r < 0)
			r = -errno;
	}
	(void)mnl_socket_close(s);
	return r == -ENOENT ? 0 : r;
}

int nft_dump(const struct dump *d, mnl_cb_t cb, void *data, size_t size)
{
	int r = -EINTR;

	for (int i = 0; r == -EINTR && i < DUMP_TRIES; i++) {
		memset(data, 0, size);
		r = dump_once(d, cb, data);
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neighbours.h - living with what else is on this host: other firewalls, routes that come later
 *
 * Other firewalls, as --firewall says. Open: our networks are open to what our own rules let by, as
 * Docker's are. Respect: out, and answers; what comes in passes the host's forward rules, too.
 * None: others' chains are not touched. Chains of theirs that drop what is forwarded get one rule
 * of ours, which is put there again within a second when they were flushed, reloaded or first made
 * (nftables/nft.h, nft_pass(), tells how). A firewalld that owns its table (version 2) takes rules
 * from nobody: with open it is asked over D-Bus to have our bridges in its zone "trusted".
 * Routes: one that comes later, of a VPN, and overlaps a network of ours is reported once; that no
 * new network overlaps a route is host.c's.
 *
 * Loop thread. All that is reported is a line in the log and a call of event().
 */
#pragma once

#include <stdbool.h>

#include "net/net.h" /* enum firewall_mode */

struct loop;
struct neighbours;
struct nft;

struct neighbours_config {
	struct loop *loop;
	struct nft *nft;
	enum firewall_mode mode;
	bool (*ours)(int ifindex, void *data); /* a bridge of ours: its routes are no news */
	/* the name of a network of ours that overlaps @dst, or NULL */
	const char *(*overlap)(struct cidr dst, void *data);
	/* calls @fn with the name of each bridge of ours */
	void (*bridges)(void (*fn)(const char *bridge, void *ctx), void *ctx, void *data);
	/* "firewall" (a chain got our rule; @detail is its name), "overlap" (of a network, @detail
	 * is its name) */
	void (*event)(const char *what, const char *detail, void *data);
	void *data;
};

/* After the networks were loaded and before nft_replace(), which then brings all in one
 * transaction; others' changes are heard of once nft_watch() runs. */
int neighbours_open(const struct neighbours_config *c, struct neighbours **ret,
		    struct err *e) MUST_CHECK;
/* Networks came or went: a firewall that knows interfaces by their names is told soon. */
void neighbours_networks(struct neighbours *nb);
/* @remove: our rules are taken from others' chains; else they stay for the next life. Before
 * nft_delete() and nft_close(). NULL allowed */
void neighbours_close(struct neighbours *nb, bool remove);

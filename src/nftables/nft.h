/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.h - our one table "inet atoll": constant rules, changing elements; one transaction a change
 *
 * Text built here, applied through libnftables (text in). The rules are data/ruleset.nft, golden in
 * tests; only elements of sets and maps change at run time. A struct nft is bound to the network
 * namespace it was opened in; one thread. A transaction is collected in a struct nft_tx and applied
 * whole or not at all. The set of elements is mirrored here so that nft_repair() can replay the
 * table after somebody flushed it, and so that recovery can replace it in one transaction.
 *
 * Beside it stands "bridge atoll" (data/guard.nft) while a bridge port is guarded: its sets are
 * those called guard_*, which are changed as the others are.
 *
 * Where kernel and libnftables can (Linux 6.9, nft 1.1) the table is owned by this process and
 * persists: nobody else can flush it. Elsewhere nft_watch() notices and repairs.
 * Source: nft(8), libnftables(3).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct nft;
struct loop;

int nft_open(struct nft **ret, struct err *e) MUST_CHECK;
void nft_close(struct nft *n); /* the table stays */
DEFINE_AUTO(struct nft, nft_close);

/* Collects changes: elements by set name and text, e.g. ("pair_ok", "\"br-1\" . \"br-1\""), maps as
 * "key : value". */
struct nft_tx;
struct nft_tx *nft_tx_new(struct nft *n); /* NULL on OOM */
void nft_tx_free(struct nft_tx *tx);	  /* unapplied changes are dropped */
DEFINE_AUTO(struct nft_tx, nft_tx_free);
void nft_add(struct nft_tx *tx, const char *set, const char *element, ...)
	PRINTF(3, 4); /* in the mirror already: no-op */
void nft_del(struct nft_tx *tx, const char *set, const char *element, ...)
	PRINTF(3, 4); /* not in the mirror: no-op */
/* The bridge port @port may send as @mac and @ips alone (and as the link-local address of @mac):
 * its elements added, or @del deleted, with the same arguments. */
struct nft_guard {
	const char *port; /* the host's end of the veth */
	uint8_t mac[6];
	const struct ip *ips;
	size_t n_ips;
};
void nft_guard(struct nft_tx *tx, const struct nft_guard *g, bool del);
int nft_apply(struct nft_tx *tx,
	      struct err *e) MUST_CHECK; /* empties tx; on failure nothing changed, mirror neither.
If the kernel says the table is gone, nft_repair() runs and the transaction is tried once more. */

/* Start of the daemon: forget the mirror; collect with nft_add in a tx; then replace the whole
 * table in ONE transaction. */
int nft_replace(struct nft_tx *tx, struct err *e) MUST_CHECK;
int nft_repair(struct nft *n,
	       struct err *e) MUST_CHECK; /* table again from the mirror, one transaction */
/* as many chains, rules and elements as we made: for when nobody told what changed */
int nft_verify(struct nft *n, bool *ret_intact) MUST_CHECK;
int nft_delete(struct nft *n) MUST_CHECK; /* remove the table (tests, uninstall) */
/* Notices changes by others (NFNLGRP_NFTABLES): whatever they do to our table, were it one element,
 * is repaired within a second, @fn called after. Others are all but the calling thread. */
int nft_watch(struct nft *n, struct loop *l, void (*fn)(void *data), void *data) MUST_CHECK;
/* calls @fn soon after others' chains or rules changed; after nft_watch() */
void nft_watch_others(struct nft *n, void (*fn)(void *data), void *data);

/*
 * Other firewalls on this host. What our table accepts another may still drop: an accept is final
 * in its own chain only. So a packet of our bridges is marked (one bit, while it passes the forward
 * hook), and each chain of others in that hook that drops or rejects what no rule of it takes gets
 * one rule of ours at its head: what is marked is accepted. Our own chain stays the judge: what it
 * dropped comes nowhere. With NFT_PASS_OUT only what comes from our bridges, and its answers, is
 * marked: the others judge what comes in.
 */
#define NFT_PASS_COMMENT "atoll: its own table has judged these"
enum nft_pass { NFT_PASS_NONE, NFT_PASS_OUT, NFT_PASS_ALL };
/* @chain: "ip filter FORWARD"; @why: NULL our rule is there now, else why it could not be */
typedef void (*nft_pass_fn)(const char *chain, const char *why, void *data);
/* Looks, and puts our rules where they are missing and takes them from where they have no business;
 * with NFT_PASS_NONE from everywhere. Idempotent. Called before the first nft_replace() it leaves
 * our own table to that. @fn (may be NULL): each new rule, each failure.
 * Return: how many chains have our rule, or -errno */
int nft_pass(struct nft *n, enum nft_pass pass, nft_pass_fn fn, void *data) MUST_CHECK;
/* Does a rule of this chain of others compare an interface's name with @link? -errno */
int nft_names_link(const char *table, const char *chain, const char *link) MUST_CHECK;
/* Is iptables-legacy in use? Its changes are told by nobody: nft_pass() has to look now and then.
 */
bool nft_legacy_in_use(void);

/* In a container's namespace (the calling thread is inside): the four stateless rules that carry
 * 127.0.0.11:53 to
 * @port and back (table "ip atoll_dns"); own short-lived context. */
int nft_dns_redirect(uint16_t port, struct err *e) MUST_CHECK;

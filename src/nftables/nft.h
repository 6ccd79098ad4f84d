/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.h - our one table "inet atoll": constant rules, changing elements; one transaction a change
 *
 * Text built here, applied through libnftables (text in). The rules are data/ruleset.nft, golden in
 * tests; only elements of sets and maps change at run time. A struct nft is bound to the network
 * namespace it was opened in; one thread. A transaction is collected in a struct nft_tx and applied
 * whole or not at all. The set of elements is mirrored here so that nft_repair() can replay the
 * table after somebody flushed it, and so that recovery can replace it in one transaction.
 * Source: nft(8), libnftables(3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

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
int nft_apply(struct nft_tx *tx,
	      struct err *e) MUST_CHECK; /* empties tx; on failure nothing changed, mirror neither.
If the kernel says the table is gone, nft_repair() runs and the transaction is tried once more. */

/* Start of the daemon: forget the mirror; collect with nft_add in a tx; then replace the whole
 * table in ONE transaction. */
int nft_replace(struct nft_tx *tx, struct err *e) MUST_CHECK;
int nft_repair(struct nft *n,
	       struct err *e) MUST_CHECK; /* table again from the mirror, one transaction */
int nft_verify(struct nft *n,
	       bool *ret_intact) MUST_CHECK; /* cheap: as many chains and rules as we made */
int nft_delete(struct nft *n) MUST_CHECK;    /* remove the table (tests, uninstall) */
/* notices foreign changes (NFNLGRP_NFTABLES: table, chain or rule of ours gone, a rule added) and
 * repairs within a second, calling @fn after */
int nft_watch(struct nft *n, struct loop *l, void (*fn)(void *data), void *data) MUST_CHECK;

/* In a container's namespace (the calling thread is inside): the four stateless rules that carry
 * 127.0.0.11:53 to
 * @port and back (table "ip atoll_dns"); own short-lived context. */
int nft_dns_redirect(uint16_t port, struct err *e) MUST_CHECK;

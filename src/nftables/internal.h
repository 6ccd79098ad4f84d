/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - the object the files of this folder share */
#pragma once

#include <libmnl/libmnl.h>
#include <stddef.h>

#include "nftables/nft.h"

#define TABLE "atoll" /* of the families inet and bridge */
#define FLAGS " flags owner, persist;"
#define CLAIM "table inet " TABLE " {" FLAGS " }\n" /* an owned table: ours already or again */

struct map;
struct nft_ctx;
struct source;

/* A table that its owner's socket holds: nobody else can change or flush it, and it stays when the
 * socket goes (Linux 6.9, libnftables 1.1). */
enum nft_owned { OWNED_UNKNOWN, OWNED_YES, OWNED_NO };

struct nft {
	struct nft_ctx *ctx;
	unsigned calls;
	struct map *mirror; /* "set element" -> present */
	size_t guards;	    /* elements of the bridge table, which is there while it has some */
	enum nft_owned owned;
	enum nft_pass pass; /* chains that mark what other firewalls shall let by */
	/* watch.c */
	unsigned chains, rules; /* of the table as we made it */
	struct loop *loop;
	struct mnl_socket *watch_sock;
	struct source *watch_io, *watch_timer;
	bool armed;
	uint32_t self; /* our thread as the kernel calls it in its notifications, 0: not known */
	char self_mark[16]; /* the chain by which we know ourselves */
	struct {
		bool ours, others, self;
	} seen;			/* of the transaction that is being told */
	bool dirty, lost, news; /* a stranger changed our table; untold changes; others' chains */
	void (*watch_fn)(void *data);
	void *watch_data;
	void (*others_fn)(void *data);
	void *others_data;
};

/* nft.c */
int nft_context(struct nft *n, struct err *e) MUST_CHECK;
int nft_run(struct nft *n, const char *text, struct err *e) MUST_CHECK;
bool nft_is_guard(const char *key); /* a set of the bridge table */
/* watch.c */
int nft_learn(struct nft *n) MUST_CHECK; /* what nft_verify() compares with */
void nft_watch_stop(struct nft *n);
/* foreign.c */
const char *nft_pass_text(enum nft_pass pass); /* what is added to our table for it */

/*
 * dump.c: one dump request, asked again while others change the ruleset.
 * @table, @name: NULL all; @name is a chain's or a set's
 * @data is zeroed before each try (@size bytes)
 * Return: 0; nothing of that name: 0
 */
struct dump {
	uint8_t type, family; /* NFT_MSG_GET*, NFPROTO_* */
	const char *table, *name;
};
int nft_dump(const struct dump *d, mnl_cb_t cb, void *data, size_t size) MUST_CHECK;

/* legacy.c: the tables of the iptables-legacy program */
struct legacy {
	bool used;   /* the kernel has a filter table of it */
	bool denies; /* its FORWARD chain drops, or rejects something */
	bool ours;   /* has our rule */
};
int legacy_look(int family, struct legacy *ret) MUST_CHECK; /* AF_INET, AF_INET6 */
/* runs the program: 20 ms */
int legacy_change(int family, bool add, struct err *e) MUST_CHECK;

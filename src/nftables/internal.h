/* SPDX-License-Identifier: GPL-2.0-or-later */
/* internal.h - the object the files of this folder share */
#pragma once

#include "nftables/nft.h"

struct map;
struct mnl_socket;
struct nft_ctx;
struct source;

struct nft {
	struct nft_ctx *ctx;
	unsigned calls;
	struct map *mirror; /* "set element" -> present */
	/* watch.c */
	unsigned chains, rules; /* of the table as we made it */
	struct loop *loop;
	struct mnl_socket *watch_sock;
	struct source *watch_io, *watch_timer;
	void (*watch_fn)(void *data);
	void *watch_data;
};

int nft_context(struct nft *n, struct err *e) MUST_CHECK;
int nft_run(struct nft *n, const char *text, struct err *e) MUST_CHECK;
int nft_learn(struct nft *n) MUST_CHECK; /* what nft_verify() compares with */
void nft_watch_stop(struct nft *n);

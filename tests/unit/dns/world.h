/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a host and containers as network namespaces of this process, for tests of a real
 * atoll-dns driven through feed.h
 *
 * The process itself moves into a fresh namespace, "the host"; nothing outside is touched. Failures
 * of the harness itself abort.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "dns/feed.h"

struct box { /* a container */
	const char *id;
	int netns;
	uint16_t port;
	int udp, tcp; /* given to the feed */
	int client;   /* a UDP socket in it, connected to its resolver */
};

struct world {
	struct loop *loop;
	struct feed *feed;
	char dir[64], sock[80], resolv[80], program[80];
	/* what the last feed_open() found again */
	char found[512];
};

/* false: not root, no namespaces: skip. @atoll_dns: the real program */
bool world_new(struct world *w, const char *atoll_dns);
void world_free(struct world *w);
int world_open(struct world *w, struct err *e);
void world_resolv(const struct world *w, const char *text); /* replaces by rename */
bool world_pump(struct world *w, bool (*done)(struct world *w), int ms);

void box_new(struct box *b, const char *id);
void box_free(struct box *b);
int box_connect(const struct box *b); /* a TCP connection to its resolver */
void box_add(struct world *w, struct box *b, bool external, char *const *servers);
void box_add_ndots(struct world *w, struct box *b); /* external, the user having set ndots */
/* @addr, @names: with spaces between */
void box_join(struct world *w, const struct box *b, const char *net, const char *addr,
	      const char *names);

/* Runs a program in a namespace (-1: the host's) and gives its trimmed output (static). */
const char *run(int netns, const char *fmt, ...) PRINTF(2, 3);
/* dig with +short, and with the status alone */
const char *dig(const struct box *b, const char *question);
const char *status(const struct box *b, const char *question);
/* A question by the box's own socket, no process started: "NXDOMAIN", an address, "NODATA", "none"
 */
const char *quick(const struct box *b, const char *name, int ms);
pid_t upstream_start(int netns, const char *args); /* upstream.py; returns when it is ready */
void stop(pid_t pid);
double now_ms(void);

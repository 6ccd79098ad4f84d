/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feed_link.h - what feed.c (the mirror) and feed_link.c (the connection) share */
#pragma once

#include <jansson.h>

#include "base/fs.h"
#include "dns/feed.h"
#include "dns/protocol.h"

struct map;
struct source;

enum link_state {
	LINK_DOWN,     /* no resolver; perhaps a timer to try again */
	LINK_STARTING, /* started one, waiting for it to listen */
	LINK_HELLO,    /* connected, being told what it keeps */
	LINK_QUITTING, /* another version: told to quit, waiting for its end */
	LINK_UP,
};

struct feed_sandbox_rec {
	char *id;
	uint16_t port;
	bool external, ndots;
	char **servers;
	int fds[FD_PASS_MAX]; /* udp, tcp, pool... */
	size_t n_fds;
	bool claimed;  /* set again, or asked for, since feed_open() */
	bool reported; /* the connected resolver said it has it */
};
struct feed_hold_rec {
	char *key;
	int fd;
	struct relay_to to;
	bool claimed, reported;
	bool moved; /* reported, but with another target */
};
struct feed_endpoint_rec {
	char *id; /* key in the map */
	char *network_id, *network_name, *sandbox;
	char **names, **links;
	bool spoke;
	struct ip addr[N_FAMILIES];
};

struct feed {
	struct loop *loop;
	char *program, *path;
	void (*found_sandbox)(const char *sandbox, uint16_t port, void *data);
	void (*found_hold)(const char *key, void *data);
	void *data;
	struct map *sandboxes, *endpoints, *holds;
	bool swept;

	/* feed_link.c */
	enum link_state state;
	bool opening; /* within feed_open(): nothing is left to the loop */
	int sock, ready;
	struct source *sock_io, *ready_io, *child, *retry;
	pid_t pid;    /* our child, 0: none */
	int peer_pid; /* who listens */
	int64_t version;
	unsigned failures;
	int64_t up_ns;
	struct err last; /* why the link is down */
};

int link_open(struct feed *f, struct err *e) MUST_CHECK; /* blocks until up */
void link_close(struct feed *f);
void link_quit(struct feed *f); /* the resolver ends; blocks for its end */
/* A message of a resolver that says what it keeps; @fds are taken. */
void link_told(struct feed *f, const char *text, size_t len, int *fds, size_t n_fds);
/* Sends at once if the link is up, else leaves it to the mirror. Fails only for what can never be
 * sent: -E2BIG */
int link_say(struct feed *f, const struct buf *msg, const int *fds, size_t n_fds);

/* feed.c: the resolver keeps this; @fds are taken */
void feed_told_sandbox(struct feed *f, const json_t *msg, const int *fds, size_t n_fds);
void feed_told_hold(struct feed *f, const json_t *msg, const int *fds, size_t n_fds);
void feed_forget_reports(struct feed *f);
void feed_say_all(struct feed *f); /* the mirror, but for what was reported */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relay_internal.h - what relay.c (the whole, TCP) and relay_udp.c share */
#pragma once

#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/list.h"
#include "dns/relay.h"

#define PIPES_KEPT 16

struct map;

/* A descriptor in the relays' epoll. Its function may free it, and nothing else that is watched but
 * what belongs to it: events are taken one by one. */
struct watch {
	int fd;
	uint32_t events; /* 0: not in the epoll: even then it would tell of hang-ups */
	void (*fn)(struct watch *w, uint32_t events);
};

struct relays {
	struct loop *loop;
	int epfd;
	struct source *io, *retry;
	struct list paused; /* relays that do not accept for now */
	size_t n_conns;
	struct list flows; /* the longest idle first */
	size_t n_flows;
	struct source *idle;
	int pipes[PIPES_KEPT][2];
	size_t n_pipes;
};

struct relay {
	struct relays *all;
	struct relay_to to;
	struct watch in; /* the held socket */
	struct list paused;
	struct list conns;
	size_t n_conns;
	struct map *flows; /* UDP: client and the address it called -> flow */
};

int watch_set(struct relays *all, struct watch *w, uint32_t events);

/* relay_udp.c */
int flows_start(struct relay *r) MUST_CHECK;
void flows_end(struct relay *r);
void flows_on_idle(void *data);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * world.h - a host of its own for a test of net/: namespaces, a store, a loop, the resolver
 *
 * world_enter() moves the whole test into new process, network and mount namespaces with an empty
 * directory on tmpfs and its own /etc/resolv.conf; nothing of it outlives the process. A world may
 * be opened, dropped without a word (a crash) and opened again on the same store.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/ip.h"
#include "loop/job.h"
#include "loop/loop.h"
#include "net/net.h"
#include "state/db.h"

#define WORLD_DIR "/tmp/atoll-world"

struct world {
	struct loop *loop;
	struct job_pool *jobs;
	struct db *db;
	struct net *net;
	struct net_config config;
	bool no_forward; /* --ip-forward=false */
};

const char *world_enter(void); /* NULL, or why it cannot be */
int world_open(struct world *w, struct err *e);
void world_close(struct world *w, bool remove_all);
void world_settle(struct world *w); /* turns the loop until jobs and the reaper are done */

struct network *world_network(struct world *w, const char *name, const char *subnet);
struct network_spec world_spec(const char *name, const char *subnet); /* borrowed strings */
/* a container with one endpoint on each of @networks (NULL-terminated names) */
int world_join(struct world *w, const char *id, const char *name, const char *const *networks,
	       struct err *e);
int world_start(struct world *w, const char *id, const char *name, const char *const *publish,
		struct err *e);
const char *world_ns(char letter); /* the namespace's file; a few at a time */
struct ip world_ip(const char *text);
uint32_t world_ip4(const struct endpoint *ep); /* 0: none */
const char *world_id(char letter);	       /* 64 times that hex digit */

/* A neighbour of the host: a namespace with 198.51.100.2 and 2001:db8:64::2, the host's ext0 has
 * 198.51.100.1 and 2001:db8:64::1; its routes lead everything to the host. Before world_open(). */
int world_outside(struct err *e);
#define WORLD_OUTSIDE	 WORLD_DIR "/outside"
#define WORLD_HOST_ADDR	 0xc6336401u
#define WORLD_HOST_ADDR6 ((struct ip){0x20010db800640000, 1, 6})

/* ---- looking at it ---- */
int world_run(struct buf *out, const char *const *argv); /* a program in this namespace */
/* what a shell command says, in @ns (NULL: the host), without its last newline; static */
const char *world_ask(const char *ns, const char *command);
bool world_element(const char *set, const char *element); /* the firewall's set has that text */
char *world_state(void); /* links, addresses, routes and firewall elements as text; malloc'ed */
int world_pid(const char *ns); /* a sleeping process inside, as a container's; its pid */
void world_end(int pid);
/* from inside @sb (NULL: the host) connect to addr:port, send "hello", read the answer */
int world_talk(const struct sandbox *sb, uint32_t addr, uint16_t port, int timeout_ms);
/* the same where there is no struct sandbox: by the namespace's file */
int world_serve_at(const char *ns, uint16_t port);
uint32_t world_lookup_at(const char *ns, const char *name);
int world_talk_from(const char *ns, uint32_t addr, uint16_t port, int timeout_ms);
int world_reach(const char *ns, struct ip addr, uint16_t port, int timeout_ms); /* both families */
int world_serve(const struct sandbox *sb,
		uint16_t port); /* both families; a child that echoes on TCP; its pid */
/* an A question over UDP to 127.0.0.11 from inside; the address, 0: none or NXDOMAIN */
uint32_t world_lookup(const struct sandbox *sb, const char *name); /* UINT32_MAX: no answer */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * feed.h - atolld's side of the resolver: starts atoll-dns, tells it names, hands it sockets
 *
 * One SOCK_SEQPACKET connection, JSON messages with descriptors by SCM_RIGHTS
 * (docs/internals/dns.md). Messages are sent at once, in order, and never wait for an answer:
 * atoll-dns reads its control socket again after it received a batch of queries and before it
 * answers them, so a query sent after feed_*() returned sees its effect. atoll-dns outlives us:
 * feed_open() connects to a running one and takes back the descriptors it keeps, or starts one. If
 * it dies it is started again and told everything from the mirror kept here. Loop thread only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/ip.h"

struct loop;
struct feed;

struct feed_config {
	const char *program;	 /* path of atoll-dns */
	const char *socket_path; /* <exec-root>/dns.sock, mode 0600 */
	int mntns;   /* -1, or the private mount namespace's fd: NOT entered, only for reference */
	int life_fd; /* not inherited: atoll-dns must outlive us */
	/* called when a record of the previous life is known again: its sockets came back */
	void (*found_sandbox)(const char *sandbox, uint16_t port, void *data);
	void (*found_hold)(const char *key, void *data);
	void *data;
};
int feed_open(struct loop *l, const struct feed_config *c, struct feed **ret,
	      struct err *e) MUST_CHECK; /* returns after the resolver's hello */
void feed_close(struct feed *f);	 /* atoll-dns goes on */
void feed_shutdown(struct feed *f); /* atoll-dns ends too (atolld --shutdown-containers, tests) */

/* A sandbox is one network namespace with resolver sockets (UDP and TCP listening,
 * 127.0.0.11:@port). Takes the fds. */
struct feed_sandbox {
	const char *id; /* container id */
	uint16_t port;
	int udp, tcp;
	bool external; /* false: only internal networks: the host's servers are not asked */
	bool ndots; /* its resolv.conf has ndots from the user or the host: no single label leaves
		     */
	char *const *servers; /* --dns, of either family; NULL: the host's */
	int *pool;	      /* for --dns servers: feed_pool_open() */
	size_t n_pool;
};
/* Unbound UDP and TCP sockets of the namespace the caller is in, of the families @servers need, to
 * ask them from there. Return: how many, 0 without servers */
#define FEED_POOL_MAX 12
size_t feed_pool_open(char *const *servers, int fds[FEED_POOL_MAX]);
int feed_sandbox_add(struct feed *f, const struct feed_sandbox *s, struct err *e) MUST_CHECK;
int feed_sandbox_external(struct feed *f, const char *id, bool external) MUST_CHECK;
void feed_sandbox_del(struct feed *f, const char *id); /* atoll-dns closes; our duplicates too */
bool feed_sandbox_known(const struct feed *f, const char *id); /* sockets alive (after feed_open) */

/* Names of one endpoint on one network. names[0] is the PTR name (name.network). Replaces an
 * earlier record. */
struct feed_endpoint {
	const char *network_id, *network_name;
	const char *sandbox;	    /* who sees this network by it */
	char *const *names;	    /* container name, aliases, 12-digit id, hostname */
	struct ip addr[N_FAMILIES]; /* not set: none of that family */
	bool spoke;	    /* of a hub network: neither finds other spokes nor is found by them */
	char *const *links; /* "name:alias": what @sandbox alone calls somebody of the network */
};
int feed_endpoint_set(struct feed *f, const struct feed_endpoint *ep,
		      struct err *e) MUST_CHECK; /* keyed by (network_id, sandbox) */
void feed_endpoint_del(struct feed *f, const char *network_id, const char *sandbox);

/* After recovery: everything not set again since feed_open() is dropped. Sandboxes and holds that
 * were asked for (feed_sandbox_known(), feed_held(), an endpoint of theirs) count as set again. */
int feed_sweep(struct feed *f) MUST_CHECK;

/*
 * Sockets that reserve published ports: a duplicate kept in atoll-dns, so that our death frees
 * nothing. One with a @target is served, too: what the firewall cannot translate ([::1], which the
 * kernel routes before any NAT, and IPv6 clients of a container that has IPv4 alone) comes to the
 * socket itself and is relayed to @target:@port, TCP by splice, UDP by a flow a client. Set again
 * with another @target the next connections go there.
 */
struct feed_hold {
	const char *key;
	int fd;		  /* taken; -1: held already, @target changes */
	uint8_t proto;	  /* IPPROTO_* */
	struct ip target; /* not set: not served */
	uint16_t port;
};
int feed_hold(struct feed *f, const struct feed_hold *h, struct err *e) MUST_CHECK;
void feed_release(struct feed *f, const char *key);
bool feed_held(const struct feed *f, const char *key);
bool feed_busy(const struct feed *f); /* the resolver has not yet read all it was told */
int feed_pid(const struct feed *f);   /* for tests and info; 0: none is connected */

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.c - published ports: reserved by a bound socket, programmed as map elements
 *
 * Reserving comes once a life, programming follows the container's gateway endpoint. A socket bound
 * to the host port refuses other programs; the resolver process keeps a duplicate, so that our
 * death frees nothing. Long contiguous ranges that keep their numbers are one row of the store and
 * one interval element, and are only looked at, not held: descriptors are finite.
 */

#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define EPHEMERAL_TRIES 64
#define HELD_MAX                                                                                   \
	1000 /* ports of one range that are held by sockets; longer ones are only checked */
#define RELEASED_NS    NS_PER_S
#define RELEASED_TRIES 20  /* half a millisecond apart, once the resolver has read of it */
#define BUSY_TRIES     400 /* or as long as it has not */
#define RANGE_MIN      8 /* shorter runs are single elements: exact matches change in constant time */

static void users_key(char out[24], uint8_t proto, uint16_t port)
{
	(void)snprintf(out, 24, "%u %u", proto, port);
}

static void hold_key(char out[128], const struct sandbox *sb, const struct net_port *p)
{
	char ip[IP4_STR];

	(void)snprintf(out, 128, "%s/%s/%s/%u", sb->container_id, proto_name(p->proto),
		       ip4_str(p->host_ip, ip), p->host_port);
}

static const struct sandbox *holder(struct net *n, const struct net_port *p)
{
	char key[24];
	struct port_users *us;
	struct port_user *u;

	users_key(key, p->proto, p->host_port);
	us = map_get(n->ports, key);
	if (us)
		list_for_each (u, &us->users, node)
			if (!u->host_ip || !p->host_ip || u->host_ip == p->host_ip)
				return u->sb;
	return NULL;
}

static int use(struct sandbox *sb, const struct net_port *p)
{
	char key[24];
	struct port_users *us;
	struct port_user *u = calloc(1, sizeof(*u));

	users_key(key, p->proto, p->host_port);
	us = map_get(sb->net->ports, key);
	if (u && !us) {
		us = calloc(1, sizeof(*us));
		if (us)
			list_init(&us->users);
		if (us && map_put(sb->net->ports, key, us) < 0) {
			free(us);
			us = NULL;
		}
	}
	if (!u || !us) {
		free(u);
		return -ENOMEM;
	}
	u->sb = sb;
	u->host_ip = p->host_ip;
	list_append(&us->users, &u->node);
	return 0;
}

static void unuse(struct sandbox *sb, const struct net_port *p)
{
	char key[24];
	struct port_users *us;
	struct port_user *u;

	users_key(key, p->proto, p->host_port);
	us = map_get(sb->net->ports, key);
	if (!us)
		return;
	list_for_each (u, &us->users, node)
		if (u->sb == sb && u->host_ip == p->host_ip) {
			list_remove(&u->node);
			free(u);
		}
	if (list_empty(&us->users)) {
		(void)map_del(sb->net->ports, key);
		free(us);
	}
}

/* What arrives and is not forwarded (from an internal network, say) must not queue up: drop all. */
static int drop_all(int fd)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog prog = {ARRAY_SIZE(nothing), nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

/* A bound socket; *port 0 is filled in. SO_REUSEADDR for the bind alone: it survives TIME_WAIT, and
 * others are refused. */
static int reserve_socket(uint8_t proto, uint32_t ip, uint16_t *port)
{
	struct sockaddr_in sa = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip), .sin_port = htons(*port)};
	socklen_t len = sizeof(sa);
	auto_close int fd = socket(AF_INET,
				   (proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
				   proto == IPPROTO_SCTP ? IPPROTO_SCTP : 0);
	int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	if (proto != IPPROTO_UDP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return -errno;
	if (proto != IPPROTO_UDP && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) < 0)
		return -errno;
	if (drop_all(fd) < 0)
		log_debug("a reserving socket takes what arrives");
	*port = ntohs(sa.sin_port);
	return TAKE_FD(fd);
}

/* A port that was given up a moment ago is free once the resolver has closed its duplicate. */
static int reserve_soon(const struct net *n, struct net_port *p)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS / 2};
	bool soon = n->released_ns && clock_mono_ns() - n->released_ns < RELEASED_NS;
	int fd = reserve_socket(p->proto, p->host_ip, &p->host_port);

	for (unsigned i = 0, idle = 0;
	     soon && fd == -EADDRINUSE && i < BUSY_TRIES && idle < RELEASED_TRIES; i++) {
		idle += !feed_busy(n->feed);
		(void)nanosleep(&pause, NULL);
		fd = reserve_socket(p->proto, p->host_ip, &p->host_port);
	}
	return fd;
}

static int fail_prefix(struct sandbox *sb, struct err *e)
{
	const struct endpoint *gw = sandbox_best_gateway(sb);

	return err_wrap(e, "driver failed programming external connectivity on endpoint %s (%s)",
			sb->container_name, gw ? gw->id : "");
}

static int remember(struct sandbox *sb, const struct net_port *p)
{
	struct net_port *more = reallocarray(sb->ports, sb->n_ports + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	sb->ports = more;
	sb->ports[sb->n_ports++] = *p;
	return 0;
}

static int clash(const struct net_port *p, const struct sandbox *by, struct err *e)
{
	char ip[IP4_STR];

	return err_set(e, ERR_INTERNAL, EADDRINUSE,
		       "Bind for %s:%u failed: port is already allocated (by container %s)",
		       ip4_str(p->host_ip, ip), p->host_port, by->container_name);
}

/* The socket, or -ENOTSUP where the kernel has no such protocol: then there is nobody to keep away.
 */
static int open_socket(struct sandbox *sb, struct net_port *p, struct err *e)
{
	char ip[IP4_STR];
	int fd = reserve_soon(sb->net, p);
	const struct sandbox *by;

	if ((fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT) && p->host_port)
		return -ENOTSUP;
	if (fd < 0)
		return err_set(e, ERR_INTERNAL, -fd, "failed to bind host port %s:%u/%s: %s",
			       ip4_str(p->host_ip, ip), p->host_port, proto_name(p->proto),
			       fd == -EADDRINUSE      ? "address already in use"
			       : fd == -EADDRNOTAVAIL ? "cannot assign requested address"
						      : strerror(-fd));
	by = holder(sb->net, p); /* an ephemeral one may be reserved without a socket */
	if (by) {
		(void)fd_close(fd);
		return clash(p, by, e);
	}
	return fd;
}

/* One host port. @hold: keep a socket on it. The row of the store is the caller's. */
static int reserve_one(struct sandbox *sb, struct net_port *p, bool hold, struct err *e)
{
	const struct sandbox *by = p->host_port ? holder(sb->net, p) : NULL;
	char key[128];
	int fd, r;

	if (by)
		return clash(p, by, e);
	fd = open_socket(sb, p, e);
	if (fd < 0 && fd != -ENOTSUP)
		return fd;
	r = use(sb, p);
	if (r >= 0) {
		r = remember(sb, p);
		if (r < 0)
			unuse(sb, p);
	}
	if (r < 0) {
		(void)fd_close(fd);
		return err_nomem(e);
	}
	if (!hold || fd < 0) {
		(void)fd_close(fd);
		return 0;
	}
	hold_key(key, sb, p);
	return feed_hold(sb->net->feed, key, fd, e); /* takes the socket */
}

static int save(struct sandbox *sb, const struct net_port *p, uint32_t count, struct err *e)
{
	struct port_row row = {.container_id = sb->container_id,
			       .proto = p->proto,
			       .host_ip = p->host_ip,
			       .host_port = p->host_port,
			       .host_port_end = (uint16_t)(p->host_port + count - 1),
			       .port = p->port};

	return port_put(sb->net->db, &row, e);
}

/* An ephemeral port (which may race with others, so try some), or the first free of "-p
 * 8000-8010:80". */
static int reserve_any(struct sandbox *sb, const struct net_publish *pub, struct net_port *p,
		       struct err *e)
{
	uint32_t tries = pub->host_port ? (uint32_t)(pub->host_port_end - pub->host_port) + 1
					: EPHEMERAL_TRIES;
	struct err why = {0};
	int r = -EADDRINUSE;

	for (uint32_t i = 0; r == -EADDRINUSE && i < tries; i++) {
		p->host_port = pub->host_port ? (uint16_t)(pub->host_port + i) : 0;
		r = reserve_one(sb, p, true, &why);
	}
	if (r >= 0)
		return save(sb, p, 1, e);
	if (e)
		*e = why;
	return r;
}

/* "-p 8000-8010:8000-8010": each host port its container port, numbers given. */
static int reserve_range(struct sandbox *sb, const struct net_publish *pub, uint32_t ip,
			 uint32_t count, struct err *e)
{
	struct net_port p = {.proto = pub->proto, .host_ip = ip};
	int r = 0;

	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		p.port = (uint16_t)(pub->port + i);
		p.host_port = (uint16_t)(pub->host_port + i);
		r = reserve_one(sb, &p, count <= HELD_MAX, e);
	}
	p.port = pub->port;
	p.host_port = pub->host_port;
	return r < 0 ? r : save(sb, &p, count, e);
}

static int reserve_publish(struct sandbox *sb, const struct net_publish *pub, uint32_t ip,
			   struct err *e)
{
	uint32_t count = (uint32_t)(pub->port_end - pub->port) + 1;
	int r = 0;

	if (pub->host_ip_given)
		ip = pub->host_ip;
	if (count > 1 && pub->host_port)
		return reserve_range(sb, pub, ip, count, e);
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		struct net_port p = {
			.proto = pub->proto, .host_ip = ip, .port = (uint16_t)(pub->port + i)};

		r = reserve_any(sb, pub, &p, e);
	}
	return r;
}

int ports_reserve(struct sandbox *sb, struct err *e)
{
	const struct endpoint *gw = sandbox_best_gateway(sb);

	/* Docker publishes nothing of a container that is on internal networks only */
	for (size_t i = 0; gw && i < sb->n_publish; i++) {
		int r = reserve_publish(sb, &sb->publish[i], gw->nw->bind_ip, e);

		if (r < 0)
			return fail_prefix(sb, e);
	}
	return 0;
}

int ports_restore(struct sandbox *sb, const struct port_row *r, struct err *e)
{
	struct net_port p = {.proto = r->proto, .host_ip = r->host_ip};

	for (uint32_t i = 0; i <= (uint32_t)(r->host_port_end - r->host_port); i++) {
		p.host_port = (uint16_t)(r->host_port + i);
		p.port = (uint16_t)(r->port + i);
		if (use(sb, &p) < 0 || remember(sb, &p) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int hold_again(struct sandbox *sb, const struct net_port *p)
{
	uint16_t port = p->host_port;
	struct err e = {0};
	char key[128];
	int fd;

	hold_key(key, sb, p);
	if (feed_held(sb->net->feed, key))
		return 0;
	fd = reserve_socket(p->proto, p->host_ip, &port);
	if (fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT)
		return 0;
	if (fd < 0) { /* taken while nobody held it: the map element still wins for what arrives */
		log_warn("a published port is held by another program container=%s port=%u",
			 sb->container_name, port);
		return 0;
	}
	return feed_hold(sb->net->feed, key, fd, &e);
}

int ports_hold(struct sandbox *sb)
{
	for (size_t i = 0; i < sb->n_ports;) {
		size_t run = ports_run(sb->ports, sb->n_ports, i);
		int r = 0;

		for (size_t k = 0; r >= 0 && run <= HELD_MAX && k < run; k++)
			r = hold_again(sb, &sb->ports[i + k]);
		if (r < 0)
			return r;
		i += run;
	}
	return 0;
}

void ports_release(struct sandbox *sb)
{
	if (sb->n_ports)
		sb->net->released_ns = clock_mono_ns();
	for (size_t i = 0; i < sb->n_ports; i++) {
		char key[128];

		hold_key(key, sb, &sb->ports[i]);
		feed_release(sb->net->feed, key);
		unuse(sb, &sb->ports[i]);
	}
	free(sb->ports);
	sb->ports = NULL;
	sb->n_ports = 0;
}

/* ---- elements ---- */

static void change(struct nft_tx *tx, bool del, const char *set, const char *text)
{
	if (del)
		nft_del(tx, set, "%s", text);
	else
		nft_add(tx, set, "%s", text);
}

size_t ports_run(const struct net_port *list, size_t n, size_t i)
{
	const struct net_port *p = &list[i];
	size_t k = 1;

	if (p->port != p->host_port)
		return 1;
	while (i + k < n && list[i + k].proto == p->proto && list[i + k].host_ip == p->host_ip &&
	       list[i + k].port == p->port + k && list[i + k].host_port == p->host_port + k)
		k++;
	return k;
}

static void single(struct nft_tx *tx, const struct net_port *p, const char *to, bool del)
{
	char ip[IP4_STR], text[160], where[24] = "";

	if (p->host_ip)
		(void)snprintf(where, sizeof(where), "%s . ", ip4_str(p->host_ip, ip));
	(void)snprintf(text, sizeof(text), "%s%s . %u : %s . %u", where, proto_name(p->proto),
		       p->host_port, to, p->port);
	change(tx, del, p->host_ip ? "pub4_addr" : "pub4_any", text);
}

static void range(struct nft_tx *tx, const struct net_port *p, size_t count, const char *to,
		  bool del)
{
	char ip[IP4_STR], text[160], where[24] = "";

	if (p->host_ip)
		(void)snprintf(where, sizeof(where), "%s . ", ip4_str(p->host_ip, ip));
	(void)snprintf(text, sizeof(text), "%s%s . %u-%u : %s", where, proto_name(p->proto),
		       p->host_port, (unsigned)(p->host_port + count - 1), to);
	change(tx, del, p->host_ip ? "range4_addr" : "range4", text);
}

void ports_elements(struct nft_tx *tx, const struct sandbox *sb, uint32_t target, bool del)
{
	char to[IP4_STR];

	(void)ip4_str(target, to);
	for (size_t i = 0; i < sb->n_ports;) {
		size_t run = ports_run(sb->ports, sb->n_ports, i);

		if (run >= RANGE_MIN)
			range(tx, &sb->ports[i], run, to, del);
		for (size_t k = 0; run < RANGE_MIN && k < run; k++)
			single(tx, &sb->ports[i + k], to, del);
		i += run;
	}
}

/* Flows of before keep their old way. What went to @old goes with its address; what went past us
 * before the port was published lives on only with UDP, TCP having been refused. */
static void flush(const struct sandbox *sb, uint32_t old, uint32_t target)
{
	if (old)
		reaper_stale(sb->net, (struct stale_flow){.addr = old});
	for (size_t i = 0; target && i < sb->n_ports; i++) {
		const struct net_port *p = &sb->ports[i];

		if (p->proto == IPPROTO_UDP)
			reaper_stale(sb->net,
				     (struct stale_flow){p->host_ip, p->host_port, p->proto});
	}
}

int ports_program(struct sandbox *sb, uint32_t target, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	uint32_t old = sb->ports_target;
	int r;

	if (!sb->n_ports || old == target)
		return 0;
	tx = nft_tx_new(sb->net->nft);
	if (!tx)
		return err_nomem(e);
	if (old)
		ports_elements(tx, sb, old, true);
	if (target)
		ports_elements(tx, sb, target, false);
	r = nft_apply(tx, e);
	if (r < 0)
		return r;
	sb->ports_target = target;
	flush(sb, old, target);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reserve.c - host ports: who has which, and the sockets that keep others away
 *
 * A socket bound to the host port refuses other programs; the resolver process keeps a duplicate,
 * so that our death frees nothing, and serves those that are IPv6 (dns/feed.h tells what comes to
 * them). A port of every address of both families has one socket, of IPv6, that has IPv4 too.
 */

#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define RELEASED_NS    NS_PER_S
#define RELEASED_TRIES 20  /* half a millisecond apart, once the resolver has read of it */
#define BUSY_TRIES     400 /* or as long as it has not */

/* ---- who has it ---- */

static void users_key(char out[24], uint8_t proto, uint16_t port)
{
	(void)snprintf(out, 24, "%u %u", proto, port);
}

static void hold_key(char out[128], const struct sandbox *sb, const struct net_port *p)
{
	char ip[IP_STR];

	(void)snprintf(out, 128, "%s/%s/%s/%u", sb->container_id, proto_name(p->proto),
		       ip_str(p->host_ip, ip), p->host_port);
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
			if (u->host_ip.family == p->host_ip.family &&
			    (ip_is_any(u->host_ip) || ip_is_any(p->host_ip) ||
			     ip_eq(u->host_ip, p->host_ip)))
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
		if (u->sb == sb && ip_eq(u->host_ip, p->host_ip)) {
			list_remove(&u->node);
			free(u);
		}
	if (list_empty(&us->users)) {
		(void)map_del(sb->net->ports, key);
		free(us);
	}
}

/* @sb has the port on every address of the other family as well. */
static bool on_both(const struct sandbox *sb, const struct net_port *p)
{
	char key[24];
	struct port_users *us;
	struct port_user *u;

	users_key(key, p->proto, p->host_port);
	us = ip_is_any(p->host_ip) ? map_get(sb->net->ports, key) : NULL;
	if (us)
		list_for_each (u, &us->users, node)
			if (u->sb == sb && ip_is_any(u->host_ip) &&
			    u->host_ip.family != p->host_ip.family)
				return true;
	return false;
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

static int claim(struct sandbox *sb, const struct net_port *p, struct err *e)
{
	int r = use(sb, p);

	if (r >= 0) {
		r = remember(sb, p);
		if (r < 0)
			unuse(sb, p);
	}
	return r < 0 ? err_nomem(e) : 0;
}

/* ---- sockets ---- */

/* What the firewall cannot translate comes to the socket itself, and the resolver process relays
 * it: [::1], and IPv6 clients of a container that has IPv4 alone. */
static bool is_served(const struct net_port *p)
{
	return p->host_ip.family == 6 && p->proto != IPPROTO_SCTP;
}

/* What arrives and is not forwarded (from an internal network, say) must not queue up: drop all. */
static int drop_all(int fd)
{
	struct sock_filter nothing[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
	struct sock_fprog prog = {ARRAY_SIZE(nothing), nothing};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)) < 0 ? -errno : 0;
}

static int prepare(int fd, const struct net_port *p, bool dual)
{
	int only = !dual, on = 1;

	if (p->host_ip.family == 6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0)
		return -errno;
	return p->proto != IPPROTO_UDP &&
			       setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0
		       ? -errno
		       : 0;
}

/* A bound socket; port 0 is filled in. SO_REUSEADDR for the bind alone: it survives TIME_WAIT, and
 * others are refused. @dual: of every IPv4 address, too. */
static int bound_socket(struct net_port *p, bool dual)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(p->host_ip, p->host_port, &sa), got = sizeof(sa);
	auto_close int fd = socket(
		sa.ss_family, (p->proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC,
		p->proto == IPPROTO_SCTP ? IPPROTO_SCTP : 0);
	int off = 0, r = fd < 0 ? -errno : prepare(fd, p, dual);

	if (r < 0)
		return r;
	if (bind(fd, (struct sockaddr *)&sa, len) < 0 ||
	    getsockname(fd, (struct sockaddr *)&sa, &got) < 0)
		return -errno;
	if (p->proto != IPPROTO_UDP &&
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &off, sizeof(off)) < 0)
		return -errno;
	if (!is_served(p) && drop_all(fd) < 0)
		log_debug("a reserving socket takes what arrives");
	p->host_port = ntohs(sa.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&sa)->sin6_port
						      : ((struct sockaddr_in *)&sa)->sin_port);
	return TAKE_FD(fd);
}

/* A port that was given up a moment ago is free once the resolver has closed its duplicate. */
static int bound_soon(const struct net *n, struct net_port *p, bool dual)
{
	const struct timespec pause = {.tv_nsec = NS_PER_MS / 2};
	bool soon = n->released_ns && clock_mono_ns() - n->released_ns < RELEASED_NS;
	int fd = bound_socket(p, dual);

	for (unsigned i = 0, idle = 0;
	     soon && fd == -EADDRINUSE && i < BUSY_TRIES && idle < RELEASED_TRIES; i++) {
		idle += !feed_busy(n->feed);
		(void)nanosleep(&pause, NULL);
		fd = bound_socket(p, dual);
	}
	return fd;
}

bool reserve_has_ipv6(void)
{
	struct net_port p = {.proto = IPPROTO_TCP, .host_ip = ip_any(V6)};
	auto_close int fd = bound_socket(&p, false);

	return fd >= 0;
}

/* ---- reserving ---- */

/* "0.0.0.0:80", "[::]:80" */
static const char *host_text(const struct net_port *p, char out[64])
{
	char ip[IP_STR];

	(void)snprintf(out, 64, p->host_ip.family == 6 ? "[%s]:%u" : "%s:%u",
		       ip_str(p->host_ip, ip), p->host_port);
	return out;
}

static int clash(const struct net_port *p, const struct sandbox *by, struct err *e)
{
	char host[64];

	return err_set(e, ERR_INTERNAL, EADDRINUSE,
		       "Bind for %s failed: port is already allocated (by container %s)",
		       host_text(p, host), by->container_name);
}

static int taken(const struct net_port *p, int r, struct err *e)
{
	char host[64], who[96] = "";

	if (r == -EADDRINUSE)
		owner_of_port(p, who, sizeof(who));
	return err_set(e, ERR_INTERNAL, -r, "failed to bind host port %s/%s: %s%s",
		       host_text(p, host), proto_name(p->proto),
		       r == -EADDRINUSE	     ? "address already in use"
		       : r == -EADDRNOTAVAIL ? "cannot assign requested address"
					     : strerror(-r),
		       who);
}

static int hold(struct sandbox *sb, const struct net_port *p, int fd, struct err *e)
{
	char key[128];
	struct feed_hold h = {.key = key, .fd = fd, .proto = p->proto, .port = p->port};

	hold_key(key, sb, p);
	if (is_served(p))
		h.target = sb->relayed_to;
	return feed_hold(sb->net->feed, &h, e); /* takes the socket */
}

/* The socket; -ENOTSUP where the kernel has no such protocol: then there is nobody to keep away.
 * @told: as which port errors name it */
static int open_socket(struct sandbox *sb, struct net_port *p, bool dual,
		       const struct net_port *told, struct err *e)
{
	struct net_port named = *told;
	const struct sandbox *by = p->host_port ? holder(sb->net, p) : NULL;
	int fd;

	if (by)
		return clash(told, by, e);
	fd = bound_soon(sb->net, p, dual);
	named.host_port = p->host_port;
	if ((fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT) && p->host_port)
		return -ENOTSUP;
	if (fd < 0)
		return taken(&named, fd, e);
	by = holder(sb->net, p); /* an ephemeral one may be reserved without a socket */
	if (by) {
		(void)fd_close(fd);
		return clash(&named, by, e);
	}
	return fd;
}

static int keep_or_close(struct sandbox *sb, const struct net_port *p, int fd, bool keep,
			 struct err *e)
{
	if (keep && fd >= 0)
		return hold(sb, p, fd, e);
	(void)fd_close(fd);
	return 0;
}

int reserve_port(struct sandbox *sb, struct net_port *p, bool keep, struct err *e)
{
	int fd = open_socket(sb, p, false, p, e);
	int r = fd < 0 && fd != -ENOTSUP ? fd : claim(sb, p, e);

	if (r < 0 && fd >= 0)
		(void)fd_close(fd);
	return r < 0 ? r : keep_or_close(sb, p, fd, keep, e);
}

int reserve_both(struct sandbox *sb, struct net_port *p, bool keep, struct err *e)
{
	struct net_port six = *p;
	const struct sandbox *by;
	int fd, r;

	p->host_ip = ip_any(V4);
	six.host_ip = ip_any(V6);
	fd = open_socket(sb, &six, true, p, e);
	if (fd < 0 && fd != -ENOTSUP)
		return fd;
	p->host_port = six.host_port;
	by = holder(sb->net, p);
	r = by ? clash(p, by, e) : claim(sb, p, e);
	if (r >= 0) {
		r = claim(sb, &six, e);
		if (r < 0)
			reserve_undo(sb);
	}
	if (r < 0) {
		(void)fd_close(fd);
		return r;
	}
	return keep_or_close(sb, &six, fd, keep, e);
}

int reserve_both_range(struct sandbox *sb, const struct net_port *first, uint32_t count, bool keep,
		       struct err *e)
{
	int r = 0;

	/* family by family, so that each is one run (ports_run()) */
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		struct net_port p = *first;
		const struct sandbox *by;

		p.host_ip = ip_any(V4);
		p.port = (uint16_t)(first->port + i);
		p.host_port = (uint16_t)(first->host_port + i);
		by = holder(sb->net, &p);
		r = by ? clash(&p, by, e) : claim(sb, &p, e);
	}
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		struct net_port p = *first, told;
		int fd;

		p.host_ip = ip_any(V6);
		p.port = (uint16_t)(first->port + i);
		p.host_port = (uint16_t)(first->host_port + i);
		told = p;
		told.host_ip = ip_any(V4);
		fd = open_socket(sb, &p, true, &told, e);
		r = fd < 0 && fd != -ENOTSUP ? fd : claim(sb, &p, e);
		if (r < 0 && fd >= 0)
			(void)fd_close(fd);
		else if (r >= 0)
			r = keep_or_close(sb, &p, fd, keep, e);
	}
	return r;
}

void reserve_undo(struct sandbox *sb)
{
	struct net_port *p = &sb->ports[--sb->n_ports];
	char key[128];

	hold_key(key, sb, p);
	feed_release(sb->net->feed, key);
	unuse(sb, p);
	sb->net->released_ns = clock_mono_ns();
}

/* ---- recovery ---- */

int reserve_restore(struct sandbox *sb, const struct net_port *p, struct err *e)
{
	return claim(sb, p, e);
}

int reserve_again(struct sandbox *sb, const struct net_port *p)
{
	struct net_port again = *p;
	bool both = on_both(sb, p);
	struct err e = {0};
	char key[128];
	int fd;

	if (both && p->host_ip.family == 4)
		return 0; /* the IPv6 one has it */
	hold_key(key, sb, p);
	if (feed_held(sb->net->feed, key))
		return 0;
	fd = bound_socket(&again, both);
	if (fd == -EPROTONOSUPPORT || fd == -ESOCKTNOSUPPORT)
		return 0;
	if (fd < 0) { /* taken while nobody held it: the map element still wins for what arrives */
		log_warn("a published port is held by another program container=%s port=%u",
			 sb->container_name, p->host_port);
		return 0;
	}
	return hold(sb, p, fd, &e);
}

int reserve_move_relay(struct sandbox *sb, struct ip to, struct err *e)
{
	int r = 0;

	if (ip_eq(to, sb->relayed_to) || !ip_set(to))
		return 0;
	sb->relayed_to = to;
	for (size_t i = 0; r >= 0 && i < sb->n_ports; i++) {
		char key[128];

		hold_key(key, sb, &sb->ports[i]);
		if (is_served(&sb->ports[i]) && feed_held(sb->net->feed, key))
			r = hold(sb, &sb->ports[i], -1, e);
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports.c - published ports: where they are published, and the elements of the firewall they become
 *
 * Reserving comes once a life (reserve.c), programming follows the container's gateway endpoints.
 * Long contiguous ranges that keep their numbers are one row of the store and one interval element,
 * and are only looked at, not held by sockets: descriptors are finite.
 */

#include <netinet/in.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define EPHEMERAL_TRIES 64
#define HELD_MAX                                                                                   \
	1000	    /* ports of one range that are held by sockets; longer ones are only checked */
#define RANGE_MIN 8 /* shorter runs are single elements: exact matches change in constant time */

static int fail_prefix(struct sandbox *sb, struct err *e)
{
	const struct endpoint *gw = sandbox_best_gateway(sb, V4);

	if (!gw)
		gw = sandbox_best_gateway(sb, V6);
	return err_wrap(e, "driver failed programming external connectivity on endpoint %s (%s)",
			sb->container_name, gw ? gw->id : "");
}

/* ---- where a port is published ---- */

struct hosts {
	struct ip list[N_FAMILIES];
	size_t n;
	bool both; /* 0.0.0.0 and :: */
};

static bool is_routed(const struct endpoint *gw, int fam)
{
	return gw && gw->nw->fam[fam].mode == GATEWAY_ROUTED;
}

/*
 * As asked, or where the network says, or everywhere: on IPv4 if the container has it (nobody
 * translates IPv4 to IPv6), on IPv6 in any case, the relay serving a container without it. A routed
 * family has no host ports: what is published there is reached at the container's own address.
 */
static struct hosts where(const struct sandbox *sb, const struct net_publish *pub)
{
	const struct endpoint *gw4 = sandbox_best_gateway(sb, V4),
			      *gw6 = sandbox_best_gateway(sb, V6);
	const struct network *nw = gw4 ? gw4->nw : gw6->nw;
	struct ip ip = ip_set(pub->host_ip) ? pub->host_ip : nw->bind_ip;
	bool v4 = gw4 && gw4->nw->driver->publishes && !is_routed(gw4, V4),
	     v6 = (gw6 && gw6->nw->driver->publishes && !is_routed(gw6, V6)) || (v4 && !gw6);
	struct hosts h = {.n = 0};

	if (v4 && (!ip_set(ip) || ip.family == 4))
		h.list[h.n++] = ip_set(ip) ? ip : ip_any(V4);
	if (v6 && (ip_set(ip) ? ip.family == 6 : reserve_has_ipv6()))
		h.list[h.n++] = ip_set(ip) ? ip : ip_any(V6);
	h.both = h.n == N_FAMILIES;
	return h;
}

/* @p on each address, by one number. */
static int reserve_hosts(struct sandbox *sb, const struct hosts *h, struct net_port *p, bool keep,
			 struct err *e)
{
	if (h->both)
		return reserve_both(sb, p, keep, e);
	p->host_ip = h->list[0];
	return reserve_port(sb, p, keep, e);
}

static int save(struct sandbox *sb, const struct hosts *h, const struct net_port *p, uint32_t count,
		struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < h->n; i++) {
		struct port_row row = {.container_id = sb->container_id,
				       .proto = p->proto,
				       .host_ip = h->list[i],
				       .host_port = p->host_port,
				       .host_port_end = (uint16_t)(p->host_port + count - 1),
				       .port = p->port};

		r = port_put(sb->net->db, &row, e);
	}
	return r;
}

/* The ephemeral port that this container's port had in its last life; 0: none. */
static uint16_t last_port(const struct sandbox *sb, const struct net_port *p)
{
	const struct container_eps *c = container_eps_find(sb->net, sb->container_id);

	for (size_t i = 0; c && i < c->n_last; i++)
		if (c->last[i].proto == p->proto && c->last[i].port == p->port)
			return c->last[i].host_port;
	return 0;
}

/* An ephemeral port (that of the last life; else the kernel's choice, which may race with others,
 * so try some), or the first free of "-p 8000-8010:80". */
static int reserve_any(struct sandbox *sb, const struct net_publish *pub, const struct hosts *h,
		       struct net_port *p, struct err *e)
{
	uint32_t tries = pub->host_port ? (uint32_t)(pub->host_port_end - pub->host_port) + 1
					: EPHEMERAL_TRIES;
	struct err why = {0};
	int r = -EADDRINUSE;

	for (uint32_t i = 0; r == -EADDRINUSE && i < tries; i++) {
		p->host_port = pub->host_port ? (uint16_t)(pub->host_port + i)
			       : i	      ? 0
					      : last_port(sb, p);
		r = reserve_hosts(sb, h, p, true, &why);
	}
	if (r >= 0)
		return save(sb, h, p, 1, e);
	if (e)
		*e = why;
	return r;
}

/* "-p 8000-8010:8000-8010": each host port its container port, numbers given. */
static int reserve_range(struct sandbox *sb, const struct net_publish *pub, const struct hosts *h,
			 uint32_t count, struct err *e)
{
	struct net_port p = {.proto = pub->proto, .host_port = pub->host_port, .port = pub->port};
	int r = 0;

	if (h->both) {
		r = reserve_both_range(sb, &p, count, count <= HELD_MAX, e);
		return r < 0 ? r : save(sb, h, &p, count, e);
	}
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		p.port = (uint16_t)(pub->port + i);
		p.host_port = (uint16_t)(pub->host_port + i);
		r = reserve_hosts(sb, h, &p, count <= HELD_MAX, e);
	}
	p.port = pub->port;
	p.host_port = pub->host_port;
	return r < 0 ? r : save(sb, h, &p, count, e);
}

static int reserve_publish(struct sandbox *sb, const struct net_publish *pub, struct err *e)
{
	uint32_t count = (uint32_t)(pub->port_end - pub->port) + 1;
	struct hosts h = where(sb, pub);
	int r = 0;

	if (!h.n && ip_set(pub->host_ip))
		log_warn("a port is not published: the container has no address of the family "
			 "container=%s port=%u",
			 sb->container_name, pub->port);
	if (!h.n)
		return 0;
	if (count > 1 && pub->host_port)
		return reserve_range(sb, pub, &h, count, e);
	for (uint32_t i = 0; r >= 0 && i < count; i++) {
		struct net_port p = {.proto = pub->proto, .port = (uint16_t)(pub->port + i)};

		r = reserve_any(sb, pub, &h, &p, e);
	}
	return r;
}

int ports_reserve(struct sandbox *sb, struct err *e)
{
	const struct endpoint *gw4 = sandbox_best_gateway(sb, V4),
			      *gw6 = sandbox_best_gateway(sb, V6);

	/* Docker publishes nothing of a container that is on internal networks only */
	if (!gw4 && !gw6)
		return 0;
	sb->relayed_to = gw6 ? gw6->ip[V6] : gw4->ip[V4];
	for (size_t i = 0; i < sb->n_publish; i++) {
		int r = reserve_publish(sb, &sb->publish[i], e);

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
		if (reserve_restore(sb, &p, e) < 0)
			return -ENOMEM;
	}
	return 0;
}

int ports_hold(struct sandbox *sb)
{
	for (size_t i = 0; i < sb->n_ports;) {
		size_t run = ports_run(sb->ports, sb->n_ports, i);
		int r = 0;

		for (size_t k = 0; r >= 0 && run <= HELD_MAX && k < run; k++)
			r = reserve_again(sb, &sb->ports[i + k]);
		if (r < 0)
			return r;
		i += run;
	}
	return 0;
}

/* What was ephemeral is asked for again at the next start. */
static void keep_numbers(struct sandbox *sb)
{
	struct container_eps *c = container_eps_find(sb->net, sb->container_id);

	if (!c || !sb->n_ports)
		return;
	free(c->last);
	c->n_last = 0;
	c->last = calloc(sb->n_ports, sizeof(*c->last));
	for (size_t i = 0; c->last && i < sb->n_ports; i++)
		for (size_t k = 0; k < sb->n_publish; k++) {
			const struct net_publish *pub = &sb->publish[k];

			if (!pub->host_port && pub->proto == sb->ports[i].proto &&
			    sb->ports[i].port >= pub->port && sb->ports[i].port <= pub->port_end) {
				c->last[c->n_last++] = sb->ports[i];
				break;
			}
		}
}

void ports_release(struct sandbox *sb)
{
	keep_numbers(sb);
	while (sb->n_ports)
		reserve_undo(sb);
	free(sb->ports);
	sb->ports = NULL;
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
	while (i + k < n && list[i + k].proto == p->proto &&
	       ip_eq(list[i + k].host_ip, p->host_ip) && list[i + k].port == p->port + k &&
	       list[i + k].host_port == p->host_port + k)
		k++;
	return k;
}

enum { ANY, ADDR, RANGE, RANGE_ADDR };

static const char *map_of(const struct net_port *p, bool range)
{
	static const char *const maps[N_FAMILIES][4] = {
		{"pub4_any", "pub4_addr", "range4", "range4_addr"},
		{"pub6_any", "pub6_addr", "range6", "range6_addr"}};

	return maps[ip_fam(p->host_ip)][(range ? RANGE : ANY) + !ip_is_any(p->host_ip)];
}

static const char *where_text(const struct net_port *p, char out[64])
{
	char ip[IP_STR];

	out[0] = '\0';
	if (!ip_is_any(p->host_ip))
		(void)snprintf(out, 64, "%s . ", ip_str(p->host_ip, ip));
	return out;
}

static void single(struct nft_tx *tx, const struct net_port *p, const char *to, bool del)
{
	char text[192], at[64];

	(void)snprintf(text, sizeof(text), "%s%s . %u : %s . %u", where_text(p, at),
		       proto_name(p->proto), p->host_port, to, p->port);
	change(tx, del, map_of(p, false), text);
}

static void range(struct nft_tx *tx, const struct net_port *p, size_t count, const char *to,
		  bool del)
{
	char text[192], at[64];

	(void)snprintf(text, sizeof(text), "%s%s . %u-%u : %s", where_text(p, at),
		       proto_name(p->proto), p->host_port, (unsigned)(p->host_port + count - 1),
		       to);
	change(tx, del, map_of(p, true), text);
}

/* What is published is let through to the container's own address: from everywhere in a routed
 * family, from trusted interfaces in others. */
static void direct(struct nft_tx *tx, const struct sandbox *sb, struct ip target, const char *set,
		   bool del)
{
	char to[IP_STR], text[128];

	for (size_t i = 0; i < sb->n_publish; i++) {
		const struct net_publish *p = &sb->publish[i];

		for (uint32_t k = p->port; k <= p->port_end; k++) {
			(void)snprintf(text, sizeof(text), "%s . %s . %u", ip_str(target, to),
				       proto_name(p->proto), k);
			change(tx, del, set, text);
		}
	}
}

void ports_elements(struct nft_tx *tx, const struct sandbox *sb, const struct published *at,
		    bool del)
{
	static const char *const routed[] = {"routed4", "routed6"}, *const trusted[] = {"direct4",
											"direct6"};

	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (ip_set(at->target[fam]) && (at->routed[fam] || at->trusted[fam]))
			direct(tx, sb, at->target[fam],
			       at->routed[fam] ? routed[fam] : trusted[fam], del);
	for (size_t i = 0; i < sb->n_ports;) {
		size_t run = ports_run(sb->ports, sb->n_ports, i);
		int fam = ip_fam(sb->ports[i].host_ip);
		bool none = !ip_set(at->target[fam]) || at->routed[fam];
		char to[IP_STR];

		(void)ip_str(at->target[fam], to);
		if (!none && run >= RANGE_MIN)
			range(tx, &sb->ports[i], run, to, del);
		for (size_t k = 0; !none && run < RANGE_MIN && k < run; k++)
			single(tx, &sb->ports[i + k], to, del);
		i += run;
	}
}

struct published ports_where(const struct sandbox *sb)
{
	struct published at = {0};

	for (int fam = 0; fam < N_FAMILIES; fam++) {
		const struct endpoint *gw = sb->gateway[fam];

		if (!gw || !gw->nw->driver->publishes)
			continue;
		at.target[fam] = gw->ip[fam];
		at.routed[fam] = is_routed(gw, fam);
		at.trusted[fam] = gw->nw->trusted != NULL;
	}
	return at;
}

/* Flows of before keep their old way. What went to @old goes with its address; what went past us
 * before the port was published lives on only with UDP, TCP having been refused. */
static void flush(const struct sandbox *sb, struct ip old, struct ip target)
{
	if (ip_set(old))
		reaper_stale(sb->net, (struct stale_flow){.addr = old});
	for (size_t i = 0; ip_set(target) && i < sb->n_ports; i++) {
		const struct net_port *p = &sb->ports[i];

		if (p->proto == IPPROTO_UDP && p->host_ip.family == target.family)
			reaper_stale(sb->net,
				     (struct stale_flow){p->host_ip, p->host_port, p->proto});
	}
}

static struct ip relay_target(const struct ip target[N_FAMILIES])
{
	return ip_set(target[V6]) ? target[V6] : target[V4];
}

static bool same(const struct published *a, const struct published *b)
{
	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (!ip_eq(a->target[fam], b->target[fam]) || a->routed[fam] != b->routed[fam] ||
		    a->trusted[fam] != b->trusted[fam])
			return false;
	return true;
}

int ports_program(struct sandbox *sb, const struct published *to, struct err *e)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct published old = sb->at;
	int r;

	if ((!sb->n_ports && !sb->n_publish) || same(&old, to))
		return 0;
	tx = nft_tx_new(sb->net->nft);
	if (!tx)
		return err_nomem(e);
	ports_elements(tx, sb, &old, true);
	ports_elements(tx, sb, to, false);
	r = nft_apply(tx, e);
	if (r >= 0)
		r = reserve_move_relay(sb, relay_target(to->target), e);
	if (r < 0)
		return r;
	sb->at = *to;
	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (!ip_eq(old.target[fam], to->target[fam]))
			flush(sb, old.target[fam], to->target[fam]);
	return 0;
}

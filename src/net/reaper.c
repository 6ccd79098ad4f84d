/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reaper.c - what is deleted later, by jobs: bridges of removed networks, dead veths, stale flows
 *
 * Deleting a link holds RTNL for 10 to 40 ms whoever does it, and stops every other link operation
 * meanwhile. So the removal of a network only sets its bridge down and renames it (0.3 ms):
 * GROUP_FREE. A create takes a free one over; once nothing changed for a second a job deletes the
 * group. Host ends of gone endpoints are down before their address may be used again (a port that
 * is down forwards nothing and its fdb entries are flushed), then wait in GROUP_DEAD a moment for
 * others to share the deletion with; most are gone by then with their namespace. Whoever moves a
 * link out of a group does so under RTNL, as the deletion does: a job never deletes what was taken
 * back.
 *
 * Flushing conntrack entries walks the whole table (9 ms with 262,144 buckets), and whoever waits
 * for an RCU grace period meanwhile, setting a link down for one, waits as long. So it begins when
 * the operation that asked for it is over, and runs one job at a time.
 *
 * Jobs outlive us if they must: net_close() cuts them off (chore.net = NULL).
 */

#include <fcntl.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"
#include "netlink/diag.h"

#define FREE_AFTER_MS 1000
#define DEAD_AFTER_MS 50
#define STALE_MAX     4096 /* more than that waiting: the oldest time out by themselves */

struct chore {
	struct list node;
	struct net *net; /* NULL: closed meanwhile */
	int netns;	 /* the host's: pool threads may live elsewhere */
	uint32_t group;
	struct stale_flow *flows;
	size_t n_flows;
};

static void flush_next(struct net *n);

static int delete_group(uint32_t group)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl);

	return r < 0 ? r : rtnl_group_del(nl, group, NULL);
}

static int flush_flows(const struct chore *c)
{
	int r = 0;

	for (size_t i = 0; i < c->n_flows && r >= 0; i++) {
		const struct stale_flow *f = &c->flows[i];

		r = f->port ? conntrack_flush(f->proto, f->addr, f->port)
			    : conntrack_flush_addr(f->addr);
	}
	return r < 0 ? r : 0;
}

static int chore_work(void *data)
{
	struct chore *c = data;
	struct netns_visit v;
	int r = netns_enter(c->netns, &v);

	if (r < 0)
		return r;
	r = c->group ? delete_group(c->group) : flush_flows(c);
	netns_leave(&v);
	return r;
}

static void chore_free(struct chore *c)
{
	list_remove(&c->node);
	(void)fd_close(c->netns);
	free(c->flows);
	free(c);
}

static void chore_done(int result, void *data)
{
	struct chore *c = data;
	struct net *n = c->net;
	bool flush = n && n->flushing == c;

	if (result < 0)
		log_warn("%s error=%s",
			 c->group ? "links could not be deleted"
				  : "stale connections could not be flushed",
			 strerror(-result));
	chore_free(c);
	if (flush) {
		n->flushing = NULL;
		flush_next(n);
	}
}

static struct chore *chore_start(struct net *n, uint32_t group, struct stale_flow *flows,
				 size_t n_flows)
{
	struct chore *c = calloc(1, sizeof(*c));

	if (!c) {
		free(flows);
		return NULL;
	}
	*c = (struct chore){.net = n, .group = group, .flows = flows, .n_flows = n_flows};
	c->netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (c->netns < 0 || job_run(n->jobs, chore_work, chore_done, c) < 0) {
		chore_free(c);
		return NULL;
	}
	list_append(&n->chores, &c->node);
	return c;
}

/* ---- stale flows ---- */

static void flush_now(void *data)
{
	struct net *n = data;
	size_t count = n->n_stale;

	n->flush_soon = NULL;
	if (!count || n->flushing)
		return;
	n->n_stale = 0;
	n->flushing = chore_start(n, 0, TAKE_PTR(n->stale), count);
	if (!n->flushing)
		log_warn("stale connections are not flushed: out of memory");
}

static void flush_next(struct net *n)
{
	if (n->n_stale && !n->flushing && !n->flush_soon &&
	    loop_defer(n->loop, flush_now, n, &n->flush_soon) < 0)
		log_warn("stale connections are not flushed: out of memory");
}

static bool same_flow(const struct stale_flow *a, const struct stale_flow *b)
{
	return ip_eq(a->addr, b->addr) && a->port == b->port && a->proto == b->proto;
}

void reaper_stale(struct net *n, struct stale_flow flow)
{
	struct stale_flow *more;

	if (n->n_stale >= STALE_MAX)
		return;
	for (size_t i = 0; i < n->n_stale; i++)
		if (same_flow(&n->stale[i], &flow))
			return;
	more = reallocarray(n->stale, n->n_stale + 1, sizeof(*more));
	if (!more)
		return; /* an entry more that times out by itself */
	n->stale = more;
	n->stale[n->n_stale++] = flow;
	flush_next(n);
}

/* ---- dead links ---- */

static void delete_dead(void *data)
{
	struct net *n = data;

	if (!chore_start(n, GROUP_DEAD, NULL, 0))
		log_warn("links of gone endpoints stay until the next are removed");
}

void reaper_dead(struct net *n)
{
	if (!n->dead_timer && loop_timer(n->loop, -1, delete_dead, n, &n->dead_timer) < 0)
		return; /* swept at shutdown and at the next start */
	source_timer_set(n->dead_timer, DEAD_AFTER_MS);
}

/* ---- free bridges ---- */

static void forget_names(struct net *n)
{
	while (n->n_free)
		free(n->free_names[--n->n_free]);
}

static void delete_free(void *data)
{
	struct net *n = data;

	forget_names(n); /* from now on nobody takes one */
	if (!chore_start(n, GROUP_FREE, NULL, 0))
		log_warn("free bridges stay until the next is removed");
}

static void touch(struct net *n)
{
	if (!n->bridge_timer && loop_timer(n->loop, -1, delete_free, n, &n->bridge_timer) < 0)
		return; /* swept at shutdown and at the next start */
	source_timer_set(n->bridge_timer, FREE_AFTER_MS);
}

void reaper_put(struct net *n, int ifindex)
{
	char name[16];
	struct err e = {0};
	int r;

	(void)snprintf(name, sizeof(name), "atoll-free-%04x", n->free_serial++ & 0xffff);
	r = rtnl_link_up(n->rtnl, ifindex, false, &e);
	if (r >= 0)
		r = rtnl_link_rename(n->rtnl, ifindex, name, &e);
	if (r >= 0)
		r = rtnl_link_group(n->rtnl, ifindex, GROUP_FREE, &e);
	if (r >= 0 && n->n_free < ARRAY_SIZE(n->free_names)) {
		n->free_names[n->n_free] = strdup(name);
		n->n_free += n->free_names[n->n_free] != NULL;
	}
	if (r < 0 && rtnl_link_del(n->rtnl, ifindex, &e) < 0)
		log_warn("a bridge could not be removed: %s", e.msg);
	touch(n);
}

int reaper_take(struct net *n, struct network *nw)
{
	auto_free char *name = NULL;
	struct rtnl_link l;
	int r;

	if (!n->n_free)
		return 0;
	name = n->free_names[--n->n_free];
	touch(n);
	if (rtnl_link_get(n->rtnl, name, &l) < 0 || l.group != GROUP_FREE)
		return 0;
	r = rtnl_link_group(n->rtnl, l.ifindex, GROUP_BRIDGE, NULL);
	if (r >= 0)
		r = rtnl_link_mac(n->rtnl, l.ifindex, nw->mac, NULL);
	if (r >= 0)
		r = rtnl_link_rename(n->rtnl, l.ifindex, nw->bridge, NULL);
	if (r >= 0)
		r = rtnl_link_mtu(n->rtnl, l.ifindex, nw->mtu ? nw->mtu : 1500, NULL);
	if (r >= 0)
		r = rtnl_link_up(n->rtnl, l.ifindex, true, NULL);
	if (r < 0) {
		(void)rtnl_link_del(n->rtnl, l.ifindex, NULL); /* a fresh one is made instead */
		return 0;
	}
	nw->ifindex = l.ifindex;
	return 1;
}

void reaper_close(struct net *n)
{
	struct chore *c;

	n->bridge_timer = source_free(n->bridge_timer);
	n->dead_timer = source_free(n->dead_timer);
	n->flush_soon = source_free(n->flush_soon);
	forget_names(n);
	free(TAKE_PTR(n->stale));
	n->n_stale = 0;
	if (n->chores.next)
		list_for_each (c, &n->chores, node) {
			c->net = NULL;
			list_remove(&c->node);
		}
	n->flushing = NULL;
	if (n->rtnl && (rtnl_group_del(n->rtnl, GROUP_FREE, NULL) < 0 ||
			rtnl_group_del(n->rtnl, GROUP_DEAD, NULL) < 0))
		log_warn("links of removed networks and endpoints stay until the next start");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * recover.c - the sandboxes of the last life: kept untouched where they are whole, mended, or swept
 *
 * A live container's links, addresses and rules were never taken away, so nothing is done to them
 * unless something is missing.
 */

#include <dirent.h>
#include <string.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

static int mend_endpoint(struct sandbox *sb, struct endpoint *ep, struct err *e)
{
	int r = 0;

	if (!ep->attached || !ep->nw->driver->whole(sb->net, ep, sb)) {
		log_info("an endpoint is made again container=%s network=%s", sb->container_name,
			 ep->nw->spec.name);
		sandbox_detach(sb, ep);
		r = sandbox_attach(sb, ep, e);
	} else if (ep->names) {
		r = sandbox_dns(sb, e);
	}
	return r < 0 ? r : sandbox_announce(sb, ep, e);
}

static int mend(struct net *n, struct sandbox *sb, int live_pid, struct err *e)
{
	struct container_eps *c = container_eps_find(n, sb->container_id);
	struct endpoint *ep;
	int r = 0;

	if (!netns_is_pinned(sb->path))
		r = netns_pin_pid(live_pid, sb->path, e);
	if (r >= 0)
		r = netns_open(sb->path, &sb->netns, e);
	if (r >= 0 && c)
		list_for_each (ep, &c->endpoints, cnode)
			if ((r = mend_endpoint(sb, ep, e)) < 0)
				break;
	if (r >= 0)
		r = sandbox_elect(sb, e);
	if (r >= 0 && sb->dns_port)
		r = feed_sandbox_external(n->feed, sb->container_id, sb->external);
	return r < 0 ? r : ports_hold(sb);
}

int net_recover_sandbox(struct net *n, const char *container_id, const char *name, int live_pid,
			struct err *e)
{
	struct sandbox *sb = map_get(n->sandboxes, container_id);
	int r;

	if (live_pid <= 0) {
		net_sandbox_stop(n, container_id);
		return 0;
	}
	if (!sb) {
		sb = sandbox_alloc(n, container_id, name);
		if (!sb || map_put(n->sandboxes, container_id, sb) < 0) {
			sandbox_free(sb);
			return err_nomem(e);
		}
	}
	sb->claimed = true;
	r = str_set(&sb->container_name, name) < 0
		    ? err_nomem(e)
		    : sandbox_put(n->db,
				  &(struct sandbox_row){.container_id = container_id,
							.dns_port = sb->dns_port},
				  e);
	return r < 0 ? r : mend(n, sb, live_pid, e);
}

/* ---- what nobody claimed ---- */

struct strays {
	struct net *net;
	int list[256];
	size_t n;
};

static bool known_link(struct net *n, const struct rtnl_link *l)
{
	struct network *nw;

	list_for_each (nw, &n->networks, node) {
		struct endpoint *ep;

		if (l->group == GROUP_BRIDGE && streq(nw->bridge, l->name))
			return true;
		if (l->group == GROUP_PARENT && nw->own_parent && streq(nw->parent, l->name))
			return true;
		if (l->group == GROUP_ENDPOINT)
			list_for_each (ep, &nw->endpoints, node)
				if (ep->attached && streq(ep->host_name, l->name))
					return true;
	}
	return false;
}

static int note_stray(const struct rtnl_link *l, void *data)
{
	struct strays *s = data;
	bool marked = l->group == GROUP_BRIDGE || l->group == GROUP_ENDPOINT ||
		      l->group == GROUP_PARENT;

	if (marked && s->n < ARRAY_SIZE(s->list) && !known_link(s->net, l))
		s->list[s->n++] = l->ifindex;
	return 0;
}

/*
 * Into the group of the dead first: deleting many together takes the kernel no longer than one.
 * Called before live sandboxes are mended, too: an attach that was not committed has left a link
 * whose other end takes a name in the container.
 */
int recover_sweep_links(struct net *n, struct err *e)
{
	struct strays s;
	int r;

	do {
		s = (struct strays){.net = n};
		r = rtnl_link_each(n->rtnl, note_stray, &s);
		if (r < 0)
			return err_sys(e, -r, "cannot list the host's links");
		for (size_t i = 0; r >= 0 && i < s.n; i++) {
			r = rtnl_link_group(n->rtnl, s.list[i], GROUP_DEAD, e);
			if (r == -ENODEV) /* it went with its namespace meanwhile */
				r = 0;
		}
		if (r >= 0 && s.n)
			log_info("%zu links of the last life are removed", s.n);
	} while (r >= 0 && s.n == ARRAY_SIZE(s.list));
	if (r >= 0)
		r = rtnl_group_del(n->rtnl, GROUP_DEAD, e);
	return r < 0 ? r : rtnl_group_del(n->rtnl, GROUP_FREE, e);
}

/* Endpoints that the store calls attached, of containers whose namespace is gone. */
static void rest_lost(struct net *n)
{
	struct network *nw;
	struct endpoint *ep;

	list_for_each (nw, &n->networks, node)
		list_for_each (ep, &nw->endpoints, node) {
			struct err e = {0};

			if (!ep->attached || map_get(n->sandboxes, ep->owner->id))
				continue;
			nw->driver->detach(n, ep, NULL, false);
			endpoint_rest(ep);
			if (endpoint_save(ep, &e) < 0)
				log_warn("an endpoint could not be saved: %s", e.msg);
		}
}

static void sweep_pins(struct net *n)
{
	auto_free char *dir = str_printf("%s/netns", n->config.exec_root);
	DIR *d = dir ? opendir(dir) : NULL;
	struct dirent *de;

	while (d && (de = readdir(d))) {
		auto_free char *path = NULL;
		struct sandbox *sb;
		size_t pos = 0;
		bool known = de->d_name[0] == '.';

		while (!known && (sb = map_next(n->sandboxes, &pos, NULL)))
			known = !strncmp(sb->container_id, de->d_name, strlen(de->d_name));
		path = known ? NULL : str_printf("%s/%s", dir, de->d_name);
		if (path && netns_unpin(path) < 0)
			log_warn("a namespace could not be unpinned path=%s", path);
	}
	if (d)
		(void)closedir(d);
}

int net_recovered(struct net *n, struct err *e)
{
	struct sandbox *sb;
	size_t pos = 0;
	int r;

	while ((sb = map_next(n->sandboxes, &pos, NULL)))
		if (!sb->claimed)
			net_sandbox_stop(n, sb->container_id);
	rest_lost(n);
	sweep_pins(n);
	r = recover_sweep_links(n, e);
	if (r >= 0) {
		r = feed_sweep(n->feed);
		if (r < 0)
			(void)err_sys(e, -r, "cannot bring the resolver up to date");
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* steps.h - what many tests of net/ do, each a test of its own (tap.h counts a file) */
#pragma once

#include "base/fs.h"
#include "tap.h"
#include "world.h"

/* Options of @s are taken. */
static inline struct network *world_make(struct world *w, const struct network_spec *s)
{
	struct network *nw = NULL;
	struct err e = {0};

	is_int(net_create(w->net, s, &nw, NULL, &e), 0, "network %s %s", s->name, e.msg);
	json_decref(s->options);
	return nw;
}

static inline void world_unmake(struct world *w, struct network *nw)
{
	struct err e = {0};

	if (nw)
		is_int(net_remove(w->net, nw, &e), 0, "removed %s", e.msg);
}

/* A container on @networks (NULL-terminated names), started. */
static inline bool world_runs(struct world *w, char letter, const char *name,
			      const char *const *networks, const char *const *publish)
{
	struct err e = {0};
	int r = world_join(w, world_id(letter), name, networks, &e);

	if (r >= 0)
		r = world_start(w, world_id(letter), name, publish, &e);
	return is_int(r, 0, "%s runs %s", name, e.msg);
}

/* Stopped, and without endpoints. */
static inline void world_leave(struct world *w, char letter)
{
	struct endpoint *ep;
	struct err e = {0};

	net_sandbox_stop(w->net, world_id(letter));
	while ((ep = net_container_endpoint_next(w->net, world_id(letter), NULL)))
		if (net_endpoint_remove(w->net, ep, &e) < 0) {
			ok(false, "%s", e.msg);
			break;
		}
}

/* The beginning of a test of both families: a neighbour outside, an engine with IPv6 addresses.
 * Return: false, the rest makes no sense; end with *@ret. */
static inline bool world_begins_dual(struct world *w, int *ret)
{
	const char *why = world_enter();
	struct err e = {0};

	if (!why && !fs_exists("/proc/sys/net/ipv6"))
		why = "a kernel without IPv6";
	if (why) {
		*ret = tap_skip_all(why);
		return false;
	}
	w->config.ula = (struct cidr){world_ip("fd12:3456:789a::"), 48};
	if (ok(world_outside(&e) >= 0, "a neighbour (%s)", e.msg) &&
	    ok(world_open(w, &e) >= 0, "a world (%s)", e.msg))
		return true;
	*ret = tap_done();
	return false;
}

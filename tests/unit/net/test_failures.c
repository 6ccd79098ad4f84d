/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_failures.c - when the store fails at the nth write, everything is as it was before
 *
 * Each operation is tried with its first write failing, then its second, until it has no more
 * writes to fail. What fails must leave links, addresses, routes and the firewall as they were, and
 * must work the next time.
 */

#include <string.h>

#include "base/str.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

#define WRITES_MAX 40

static struct world w;
static const char *const pub[] = {"8080:80", "9000-9019:9000-9019", NULL};

static void erase(char *line, const char *what)
{
	char *at = strstr(line, what);

	if (at)
		memmove(at, at + strlen(what), strlen(at + strlen(what)) + 1);
}

/* The carrier of a bridge follows its ports in the kernel's own time. */
static void without_carrier(char *line)
{
	erase(line, "NO-CARRIER,");
	erase(line, " linkdown");
	erase(line, "state DOWN");
	erase(line, "state UP");
	erase(line, ",LOWER_UP");
}

/* The state without what is only waiting to be deleted. */
static char *settled_state(void)
{
	auto_free char *all = world_state();
	auto_buf struct buf out = BUF_INIT(8 << 20);
	char dead[16], idle[16], *save = NULL;

	(void)snprintf(dead, sizeof(dead), "%d", (int)GROUP_DEAD);
	(void)snprintf(idle, sizeof(idle), "%d", (int)GROUP_FREE);
	for (char *l = strtok_r(all, "\n", &save); l; l = strtok_r(NULL, "\n", &save))
		if (!strstr(l, dead) && !strstr(l, idle)) {
			without_carrier(l);
			(void)buf_printf(&out, "%s\n", l);
		}
	return buf_take(&out);
}

/* A network of both families. */
static int dual(const char *name, const char *subnet, struct err *e)
{
	struct network_spec s = world_spec(name, subnet);
	struct network *nw;

	s.off[V6] = false;
	return net_create(w.net, &s, &nw, NULL, e);
}

static int create(struct err *e)
{
	return dual("new", "10.31.0.0/24", e);
}

static int delete (struct err *e)
{
	struct network *nw;
	int r = net_find(w.net, "new", &nw, e);

	return r < 0 ? r : net_remove(w.net, nw, e);
}

static int join(struct err *e)
{
	return world_join(&w, world_id('1'), "c", (const char *const[]){"a", NULL}, e);
}

static int start(struct err *e)
{
	return world_start(&w, world_id('1'), "c", pub, e);
}

static int join_second(struct err *e)
{
	return world_join(&w, world_id('1'), "c", (const char *const[]){"b", NULL}, e);
}

static int connect_second(struct err *e)
{
	struct endpoint *ep = net_container_endpoint_next(w.net, world_id('1'), NULL);

	return net_endpoint_attach(w.net, net_container_endpoint_next(w.net, world_id('1'), ep), e);
}

static int disconnect(struct err *e)
{
	struct endpoint *ep = net_container_endpoint_next(w.net, world_id('1'), NULL);

	return net_endpoint_remove(w.net, net_container_endpoint_next(w.net, world_id('1'), ep), e);
}

static void each_write(const char *what, int (*fn)(struct err *e))
{
	for (unsigned n = 1; n < WRITES_MAX; n++) {
		auto_free char *before = settled_state(), *after = NULL;
		struct err e = {0};
		int r;

		db_fail_at(w.db, n);
		r = fn(&e);
		db_fail_at(w.db, 0);
		if (r >= 0) {
			ok(n > 1, "%s: done, with %u writes", what, n - 1);
			return;
		}
		after = settled_state();
		ok(e.code < 0 && *e.msg, "%s: write %u fails: %s", what, n, e.msg);
		is_str(after, before, "%s: and everything is as it was", what);
	}
	ok(false, "%s: never done", what);
}

int main(void)
{
	const char *why = world_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	w.config.ula = (struct cidr){world_ip("fd12:3456:789a::"), 48};
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	is_int(dual("a", "10.32.0.0/24", &e), 0, "a network %s", e.msg);
	is_int(dual("b", "10.33.0.0/24", &e), 0, "another %s", e.msg);
	each_write("create", create);
	each_write("remove", delete);
	each_write("endpoint", join);
	each_write("start", start);
	each_write("second endpoint", join_second);
	each_write("connect", connect_second);
	each_write("disconnect", disconnect);
	/* a stop must succeed whatever the store does */
	db_fail_at(w.db, 1);
	net_sandbox_stop(w.net, world_id('1'));
	db_fail_at(w.db, 0);
	ok(!net_sandbox_find(w.net, world_id('1')), "stopped, though the store fails");
	is_int(start(&e), 0, "and started again (%s)", e.msg);
	world_close(&w, true);
	return tap_done();
}

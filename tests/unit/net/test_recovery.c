/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_recovery.c - killed at any point, what was begun is undone or finished, and who lives
 * notices nothing
 *
 * A life is a child process that opens the world, does something and is gone without a word. The
 * resolver, the namespaces and the store stay, as they do when a daemon is killed.
 */

#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

#define NS(digits) WORLD_DIR "/run/netns/" digits
#define WEB_NS	   NS("111111111111")
#define API_NS	   NS("222222222222")

static struct world w;
static const char *const site[] = {"site", NULL};
static const char *const pub[] = {"8080:80", "9000-9019:9000-9019", NULL};

static void life(void (*fn)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = {0};

		tap_failed = 0; /* its own */
		if (world_open(&w, &e) < 0) {
			printf("# a life did not begin: %s\n", e.msg);
			_exit(1);
		}
		fn();
		_exit(tap_failed ? 1 : 0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		ok(false, "a life did what it should");
}

static bool again(void)
{
	struct err e = {0};

	return ok(world_open(&w, &e) >= 0, "the next life begins (%s)", e.msg);
}

static void forget_all(void)
{
	struct network *nw;
	struct err e = {0};

	while ((nw = net_next(w.net, NULL)) && network_predefined(nw) &&
	       (nw = net_next(w.net, nw)) && network_predefined(nw) && (nw = net_next(w.net, nw)) &&
	       network_predefined(nw) && (nw = net_next(w.net, nw)))
		if (net_remove(w.net, nw, &e) < 0) {
			printf("# %s\n", e.msg);
			break;
		}
	world_settle(&w);
}

static bool there_is(const char *name)
{
	struct network *nw;

	return net_find(w.net, name, &nw, NULL) >= 0;
}

/* ---- networks ---- */

static struct network *half(const char *name, bool kernel)
{
	struct network_spec s = world_spec(name, NULL);
	struct network *nw = network_alloc(w.net);
	struct err e = {0};

	if (!nw || network_spec_copy(&s, &nw->spec) < 0)
		return NULL;
	rand_id(nw->id);
	nw->created_ns = clock_real_ns();
	nw->driver = &driver_bridge;
	if (nw->driver->parse(w.net, nw, &e) < 0 || network_save(nw, PHASE_MAKING, &e) < 0 ||
	    (kernel && nw->driver->create(w.net, nw, &e) < 0))
		ok(false, "%s", e.msg);
	return nw;
}

static void claimed(void)
{
	(void)half("claimed", false);
}

static void made(void)
{
	(void)half("made", true);
}

static void removing(void)
{
	struct network *nw = world_network(&w, "going", NULL);
	struct err e = {0};

	if (!nw || network_save(nw, PHASE_REMOVING, &e) < 0)
		ok(false, "%s", e.msg);
}

static void removed(void)
{
	struct network *nw = world_network(&w, "gone", NULL);
	struct err e = {0};

	if (!nw || network_save(nw, PHASE_REMOVING, &e) < 0)
		ok(false, "%s", e.msg);
	else
		nw->driver->destroy(w.net, nw);
}

static void half_networks(void)
{
	static const struct {
		void (*life)(void);
		const char *name, *what;
	} rows[] = {
		{claimed, "claimed", "killed after the claim"},
		{made, "made", "killed before it was done"},
		{removing, "going", "killed at the beginning of its removal"},
		{removed, "gone", "killed at the end of its removal"},
	};
	auto_free char *before = NULL;
	struct err e = {0};

	if (!again())
		return;
	is_int(net_recovered(w.net, &e), 0, "recovered");
	world_settle(&w);
	before = world_state();
	world_close(&w, false);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *after = NULL;

		life(rows[i].life);
		if (!again())
			return;
		ok(!there_is(rows[i].name), "%s: there is no such network", rows[i].what);
		is_int(net_recovered(w.net, &e), 0, "recovered (%s)", e.msg);
		after = world_state();
		is_str(after, before, "%s: nothing of it stays", rows[i].what);
		ok(world_network(&w, rows[i].name, NULL) != NULL, "and it can be made");
		forget_all();
		world_close(&w, false);
	}
}

static void ready(void)
{
	struct network_spec s = world_spec("keep", "10.55.0.0/24");
	struct network *nw;
	struct err e = {0};

	s.labels = json_pack("{ss}", "tier", "db");
	s.internal = true;
	if (net_create(w.net, &s, &nw, NULL, &e) < 0)
		ok(false, "%s", e.msg);
}

static void kept_networks(void)
{
	static const char *const del[] = {"ip", "link", "del", NULL, NULL};
	auto_free char *before = NULL, *after = NULL, *mended = NULL;
	auto_buf struct buf out = BUF_INIT(4096);
	const char *argv[5];
	struct network *nw;
	struct err e = {0};

	life(ready);
	before = world_state();
	if (!again())
		return;
	is_int(net_recovered(w.net, &e), 0, "recovered (%s)", e.msg);
	after = world_state();
	is_str(after, before, "what was done is as it was");
	is_int(net_find(w.net, "keep", &nw, &e), 0, "it is known");
	ok(network_internal(nw) && network_label_match(nw, "tier", "db"),
	   "with all that was asked");
	memcpy(argv, del, sizeof(del));
	argv[3] = network_bridge(nw);
	is_int(world_run(&out, argv), 0, "somebody deletes its bridge");
	world_close(&w, false);
	if (!again())
		return;
	is_int(net_recovered(w.net, &e), 0, "recovered (%s)", e.msg);
	mended = world_state();
	ok(mended && strstr(mended, "10.55.0.1/24"), "it is made again");
	forget_all();
	world_close(&w, false);
}

/* ---- sandboxes ---- */

static void run_two(void)
{
	struct network_spec s = world_spec("site", "10.44.0.0/24");
	struct network *nw;
	struct err e = {0};

	s.off[V6] = false;
	if (net_create(w.net, &s, &nw, NULL, &e) < 0 ||
	    world_join(&w, world_id('1'), "web", site, &e) < 0 ||
	    world_start(&w, world_id('1'), "web", pub, &e) < 0 ||
	    world_join(&w, world_id('2'), "api", site, &e) < 0 ||
	    world_start(&w, world_id('2'), "api", NULL, &e) < 0)
		ok(false, "%s", e.msg);
}

/* Talks to the published port without end, and counts what fails, until it is asked to end. */
static volatile sig_atomic_t enough;

static void on_term(int signo)
{
	(void)signo;
	enough = 1;
}

static pid_t watch_port(int *ret_count)
{
	int p[2];
	pid_t pid;

	if (pipe2(p, 0) < 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		int count[2] = {0, 0};

		(void)sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_term}, NULL);
		while (!enough) {
			count[0]++;
			count[1] += world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 200) != 0;
		}
		_exit(write(p[1], count, sizeof(count)) == sizeof(count) ? 0 : 1);
	}
	(void)close(p[1]);
	*ret_count = p[0];
	return pid;
}

static void read_watch(pid_t pid, int fd)
{
	int count[2] = {0, 1}, status;

	(void)kill(pid, SIGTERM);
	if (read(fd, count, sizeof(count)) != sizeof(count))
		count[1] = -1;
	(void)close(fd);
	(void)waitpid(pid, &status, 0);
	ok(count[0] > 1, "%d connections were made meanwhile", count[0]);
	is_int(count[1], 0, "none of them failed");
}

static int recover_both(void)
{
	struct err e = {0};
	int r = net_recover_sandbox(w.net, world_id('1'), "web", 1, &e);

	if (r >= 0)
		r = net_recover_sandbox(w.net, world_id('2'), "api", 1, &e);
	if (r >= 0)
		r = net_recovered(w.net, &e);
	if (r < 0)
		printf("# %s\n", e.msg);
	return r;
}

static void untouched(void)
{
	auto_free char *before = NULL, *after = NULL;
	int server, fd = -EBADF, resolver;
	pid_t watcher;

	life(run_two);
	server = world_serve_at(WEB_NS, 80);
	before = world_state();
	is_int(world_lookup_at(API_NS, "web"), 0x0a2c0002, "with no daemon, names are answered");
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 2000), 0, "and ports reached");
	is_int(world_reach(WORLD_OUTSIDE, WORLD_HOST_ADDR6, 8080, 2000), 0, "by IPv6, too");
	watcher = watch_port(&fd);
	if (!again())
		return;
	resolver = feed_pid(w.net->feed);
	is_int(recover_both(), 0, "both are recovered");
	read_watch(watcher, fd);
	after = world_state();
	is_str(after, before, "nothing was touched");
	is_int(world_reach(WORLD_OUTSIDE, WORLD_HOST_ADDR6, 8080, 2000), 0, "IPv6 neither");
	is_int(world_lookup_at(API_NS, "web"), 0x0a2c0002, "names are answered");
	world_close(&w, false);
	if (!again())
		return;
	is_int(feed_pid(w.net->feed), resolver, "the resolver is the same");
	is_int(recover_both(), 0, "and once more");
	is_int(world_start(&w, world_id('3'), "third", pub, &(struct err){0}), 0,
	       "nothing of web's ports: it has no network");
	net_sandbox_stop(w.net, world_id('3'));
	world_end(server);
	world_close(&w, false);
}

static void links_lost(void)
{
	struct network *nw;
	struct endpoint *ep;
	struct rtnl_link l;
	struct err e = {0};
	int server;

	if (!again())
		return;
	is_int(net_find(w.net, "site", &nw, &e), 0, "site");
	ep = net_endpoint_find(w.net, nw, world_id('1'));
	is_int(rtnl_link_get(w.net->rtnl, ep->host_name, &l), 0, "web's link");
	is_int(rtnl_link_del(w.net->rtnl, l.ifindex, &e), 0, "is deleted");
	is_int(nft_delete(w.net->nft), 0, "and the firewall's table");
	world_close(&w, false);
	if (!again())
		return;
	is_int(recover_both(), 0, "recovered");
	server = world_serve_at(WEB_NS, 80);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 2000), 0,
	       "web is reached again");
	is_int(world_reach(WORLD_OUTSIDE, WORLD_HOST_ADDR6, 8080, 2000), 0, "by IPv6, too");
	is_int(world_talk_from(API_NS, 0x0a2c0002, 80, 2000), 0, "by its old address");
	world_end(server);
	world_close(&w, false);
}

static void pin_and_resolver_lost(void)
{
	struct err e = {0};
	int pid = world_pid(WEB_NS), resolver, server;

	if (!again())
		return;
	resolver = feed_pid(w.net->feed);
	world_close(&w, false);
	is_int(umount2(WEB_NS, MNT_DETACH), 0, "a pin is lost");
	(void)kill(resolver, SIGKILL);
	if (!again())
		return;
	ok(feed_pid(w.net->feed) != resolver, "another resolver");
	is_int(net_recover_sandbox(w.net, world_id('1'), "web", pid, &e), 0,
	       "web from its process (%s)", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('2'), "api", 1, &e), 0, "api from its pin (%s)",
	       e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered");
	ok(netns_is_pinned(WEB_NS), "pinned again");
	server = world_serve_at(WEB_NS, 80);
	is_int(world_talk_from(WORLD_OUTSIDE, WORLD_HOST_ADDR, 8080, 2000), 0, "web is reached");
	is_int(world_lookup_at(API_NS, "web"), 0x0a2c0002, "by name too");
	is_int(world_lookup_at(WEB_NS, "api"), 0x0a2c0003, "and knows others");
	world_end(server);
	world_end(pid);
	world_close(&w, false);
}

static void start_cut_short(void)
{
	struct err e = {0};

	/* the commit never comes */
	if (db_begin(w.db, &e) < 0 || world_join(&w, world_id('5'), "cut", site, &e) < 0 ||
	    world_start(&w, world_id('5'), "cut", (const char *const[]){"8099:80", NULL}, &e) < 0)
		ok(false, "%s", e.msg);
}

static void ends(void)
{
	auto_free char *before = NULL, *after = NULL, *empty = NULL;
	struct err e = {0};

	if (!again())
		return;
	is_int(recover_both(), 0, "recovered");
	world_settle(&w);
	before = world_state();
	world_close(&w, false);
	life(start_cut_short);
	ok(fs_exists(NS("555555555555")), "a start cut short leaves a namespace");
	if (!again())
		return;
	is_int(recover_both(), 0, "recovered");
	after = world_state();
	is_str(after, before, "nothing of it stays");
	ok(!fs_exists(NS("555555555555")), "the pin neither");
	ok(!net_container_endpoint_next(w.net, world_id('5'), NULL), "it has no endpoint");
	world_close(&w, false);
	/* both died while nobody looked; the engine knows of web, nobody of api */
	if (!again())
		return;
	is_int(net_recover_sandbox(w.net, world_id('1'), "web", 0, &e), 0, "web is dead");
	is_int(net_recovered(w.net, &e), 0, "swept (%s)", e.msg);
	ok(!fs_exists(WEB_NS) && !fs_exists(API_NS), "no pins");
	empty = world_state();
	ok(empty && !strstr(empty, "veth"), "no links");
	ok(empty && !strstr(empty, "8080"), "no ports");
	ok(net_container_endpoint_next(w.net, world_id('1'), NULL) != NULL, "web's endpoint rests");
	is_int(world_start(&w, world_id('1'), "web", pub, &e), 0, "and web can be started (%s)",
	       e.msg);
	is_int(world_ip4(net_container_endpoint_next(w.net, world_id('1'), NULL)), 0x0a2c0002,
	       "with its old address");
	net_sandbox_stop(w.net, world_id('1'));
	forget_all();
	world_close(&w, true);
}

int main(void)
{
	const char *why = world_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	w.config.ula = (struct cidr){world_ip("fd12:3456:789a::"), 48};
	if (!ok(world_outside(&e) >= 0, "a neighbour (%s)", e.msg))
		return tap_done();
	half_networks();
	kept_networks();
	untouched();
	links_lost();
	pin_and_resolver_lost();
	ends();
	return tap_done();
}

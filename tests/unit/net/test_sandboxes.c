/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sandboxes.c - containers' namespaces: who reaches whom, by what name, connected while they
 * live */

#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

static struct world w;

static struct endpoint *on(const char *network, const char *id)
{
	struct network *nw;
	struct err e = {0};

	return net_find(w.net, network, &nw, &e) < 0 ? NULL : net_endpoint_find(w.net, nw, id);
}

static uint32_t addr_on(const char *network, const char *id)
{
	struct endpoint *ep = on(network, id);

	return world_ip4(ep);
}

static bool sees_link(const struct sandbox *sb, const char *name)
{
	const char *const argv[] = {"nsenter", NULL, "ip", "-o", "link", "show", name, NULL};
	auto_free char *ns = str_printf("--net=%s", sandbox_netns_path(sb));
	auto_buf struct buf out = BUF_INIT(1 << 16);
	const char *real[8];

	memcpy(real, argv, sizeof(real));
	real[1] = ns;
	return world_run(&out, real) == 0;
}

static int start(const char *id, const char *name, const char *const *networks)
{
	struct err e = {0};
	int r = world_join(&w, id, name, networks, &e);

	if (r >= 0)
		r = world_start(&w, id, name, NULL, &e);
	if (r < 0)
		printf("# %s: %s\n", name, e.msg);
	return r;
}

static bool reach_and_isolation(void)
{
	static const char *const front[] = {"front", NULL}, *const back[] = {"back", NULL};
	struct sandbox *web, *api, *db;
	int on_api, on_db, on_host;

	is_int(start(world_id('1'), "web", front), 0, "web on front");
	is_int(start(world_id('2'), "api", front), 0, "api on front");
	is_int(start(world_id('3'), "db", back), 0, "db on back");
	web = net_sandbox_find(w.net, world_id('1'));
	if (tap_failed)
		return false;
	api = net_sandbox_find(w.net, world_id('2'));
	db = net_sandbox_find(w.net, world_id('3'));
	on_api = world_serve(api, 80);
	on_db = world_serve(db, 5432);
	on_host = world_serve(NULL, 8000);
	is_int(world_talk(web, addr_on("front", world_id('2')), 80, 2000), 0,
	       "same network: reached");
	is_int(world_talk(web, addr_on("back", world_id('3')), 5432, 300), ETIMEDOUT,
	       "another network: not reached");
	is_int(world_talk(NULL, addr_on("front", world_id('2')), 80, 2000), 0,
	       "the host reaches a container by its address");
	is_int(world_talk(web, 0xac120001, 8000, 2000), 0,
	       "a container reaches the host by the gateway");
	world_end(on_api);
	world_end(on_db);
	world_end(on_host);
	return true;
}

static void names(void)
{
	struct sandbox *web = net_sandbox_find(w.net, world_id('1')),
		       *db = net_sandbox_find(w.net, world_id('3'));

	is_int(world_lookup(web, "api"), addr_on("front", world_id('2')),
	       "a name of the same network");
	is_int(world_lookup(web, "API"), addr_on("front", world_id('2')), "whatever its case");
	is_int(world_lookup(web, "web"), addr_on("front", world_id('1')), "its own");
	is_int(world_lookup(web, "222222222222"), addr_on("front", world_id('2')), "the 12 digits");
	ok(world_lookup(db, "api") != addr_on("front", world_id('2')), "not from another network");
	net_container_renamed(w.net, world_id('2'), "backend");
	is_int(world_lookup(web, "backend"), addr_on("front", world_id('2')),
	       "renamed: the new name");
	net_container_renamed(w.net, world_id('2'), "api");
}

static void connect_live(void)
{
	static const char *const back[] = {"back", NULL};
	struct sandbox *api = net_sandbox_find(w.net, world_id('2'));
	struct endpoint *ep;
	struct err e = {0};
	int on_db = world_serve(net_sandbox_find(w.net, world_id('3')), 5432);
	int64_t t0;

	is_int(world_join(&w, world_id('2'), "api", back, &e), 0, "api on back too");
	ep = on("back", world_id('2'));
	t0 = clock_mono_ns();
	is_int(net_endpoint_attach(w.net, ep, &e), 0, "connected (%s)", e.msg);
	printf("# connect %.2f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	ok(sees_link(api, "eth1"), "eth1 is there");
	is_int(world_talk(api, addr_on("back", world_id('3')), 5432, 2000), 0, "reaches db now");
	is_int(world_lookup(api, "db"), addr_on("back", world_id('3')), "and knows its name");
	is_int(world_join(&w, world_id('2'), "api", back, &e), -EPERM, "not twice");
	is_str(e.msg, "endpoint with name api already exists in network back", "told so");
	t0 = clock_mono_ns();
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "disconnected (%s)", e.msg);
	printf("# disconnect %.2f ms\n", (double)(clock_mono_ns() - t0) / 1e6);
	ok(!sees_link(api, "eth1"), "eth1 is gone at once");
	ok(world_talk(api, addr_on("back", world_id('3')), 5432, 300) != 0, "db is out of reach");
	ok(world_lookup(api, "db") != addr_on("back", world_id('3')), "and unknown");
	is_int(world_join(&w, world_id('2'), "api", back, &e), 0, "and again, at once");
	is_int(net_endpoint_attach(w.net, on("back", world_id('2')), &e), 0, "connected (%s)",
	       e.msg);
	ok(sees_link(api, "eth1"), "as eth1");
	is_int(world_talk(api, addr_on("back", world_id('3')), 5432, 2000), 0, "reaches db");
	world_end(on_db);
}

static void remove_in_use(void)
{
	auto_free char *want = NULL;
	struct network *nw;
	struct err e = {0};

	is_int(net_find(w.net, "front", &nw, &e), 0, "front");
	ok(network_in_use(nw), "is in use");
	is_int(net_remove(w.net, nw, &e), -EPERM, "so it stays");
	want = str_printf(
		"error while removing network: network front has active endpoints (name:\"web\" "
		"id:\"%.12s\", name:\"api\" id:\"%.12s\")",
		endpoint_id(on("front", world_id('1'))), endpoint_id(on("front", world_id('2'))));
	is_str(e.msg, want, "told so");
}

/* these texts have two lines, which TAP's have not */
static void refused(int r, const struct err *e, const char *text)
{
	ok(r < 0 && e->kind == ERR_INVALID && !strcmp(e->msg, text), "refused: %s",
	   strchr(text, '\n') + 1);
}

static void addresses(void)
{
	struct endpoint_spec s = {.container_id = world_id('4'),
				  .container_name = "fixed",
				  .ip = {ip_v4(0xac12002a)}};
	struct network *nw, *bridge;
	struct endpoint *ep;
	char *aliases[] = {(char[]){"a"}, NULL};
	struct err e = {0};
	uint32_t first;

	is_int(net_find(w.net, "front", &nw, &e), 0, "front");
	is_int(net_find(w.net, "bridge", &bridge, &e), 0, "bridge");
	refused(net_endpoint_add(w.net, bridge, &s, &ep, &e), &e,
		"invalid endpoint settings:\nuser-specified IP address is supported on "
		"user-defined "
		"networks only");
	s.ip[V4] = ip_v4(0x01020304);
	refused(net_endpoint_add(w.net, nw, &s, &ep, &e), &e,
		"invalid endpoint settings:\nno configured subnet contains IP address 1.2.3.4");
	s.ip[V4] = (struct ip){0};
	s.aliases = aliases;
	is_err(net_endpoint_add(w.net, bridge, &s, &ep, &e), e, ERR_INVALID,
	       "network-scoped aliases are only supported for user-defined networks");
	s.ip[V4] = ip_v4(addr_on("front", world_id('1')));
	is_int(net_endpoint_add(w.net, nw, &s, &ep, &e), 0, "web's address, while it runs");
	is_err(world_start(&w, world_id('4'), "fixed", NULL, &e), e, ERR_FORBIDDEN,
	       "Address already in use");
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "removed");
	s.ip[V4] = ip_v4(0xac12002a);
	is_int(net_endpoint_add(w.net, nw, &s, &ep, &e), 0, "a free one");
	is_int(world_start(&w, world_id('4'), "fixed", NULL, &e), 0, "started (%s)", e.msg);
	is_int(world_ip4(ep), 0xac12002a, "as asked");
	ok(!memcmp(endpoint_mac(ep), "\x02\x42\xac\x12\x00\x2a", 6), "MAC from the address");
	is_int(world_lookup(net_sandbox_find(w.net, world_id('1')), "a"), 0xac12002a,
	       "known by its alias");
	net_sandbox_stop(w.net, world_id('4'));
	is_int(world_ip4(ep), 0, "none while it rests");
	/* a container that comes back has its old address, though others came meanwhile */
	first = addr_on("front", world_id('2'));
	net_sandbox_stop(w.net, world_id('2'));
	is_int(start(world_id('5'), "other", (const char *const[]){"front", NULL}), 0,
	       "somebody else comes");
	ok(addr_on("front", world_id('5')) != first, "with another address");
	is_int(world_start(&w, world_id('2'), "api", NULL, &e), 0, "api comes back");
	is_int(addr_on("front", world_id('2')), first, "with its own");
	net_sandbox_stop(w.net, world_id('5'));
}

/* An address that moves to another MAC is answered at once: its neighbours are told. */
static void moved_address(void)
{
	struct endpoint_spec s = {
		.container_id = world_id('a'), .container_name = "old", .ip = {ip_v4(0xac120063)}};
	struct sandbox *web = net_sandbox_find(w.net, world_id('1'));
	struct network *nw;
	struct endpoint *a, *b;
	struct err e = {0};
	int pid;

	is_int(net_find(w.net, "front", &nw, &e), 0, "front");
	is_int(net_endpoint_add(w.net, nw, &s, &a, &e), 0, "old with 172.18.0.99");
	is_int(world_start(&w, world_id('a'), "old", NULL, &e), 0, "runs (%s)", e.msg);
	pid = world_serve(net_sandbox_find(w.net, world_id('a')), 80);
	is_int(world_talk(web, (uint32_t)s.ip[V4].lo, 80, 2000), 0, "web reaches it");
	world_end(pid);
	net_sandbox_stop(w.net, world_id('a'));
	s.container_id = world_id('b');
	s.container_name = "new";
	memcpy(s.mac, "\x02\x99\x01\x02\x03\x04", 6);
	is_int(net_endpoint_add(w.net, nw, &s, &b, &e), 0,
	       "new with the same address, another MAC");
	is_int(world_start(&w, world_id('b'), "new", NULL, &e), 0, "runs (%s)", e.msg);
	ok(!memcmp(endpoint_mac(b), s.mac, 6), "MAC as asked");
	pid = world_serve(net_sandbox_find(w.net, world_id('b')), 80);
	is_int(world_talk(web, (uint32_t)s.ip[V4].lo, 80, 300), 0, "web reaches it at once");
	world_end(pid);
	net_sandbox_stop(w.net, world_id('b'));
}

static void internal_network(void)
{
	static const char *const vault[] = {"vault", NULL};
	struct network_spec spec = world_spec("vault", "10.77.0.0/24");
	struct network *nw;
	struct sandbox *a;
	struct err e = {0};
	int on_b, on_host;

	spec.internal = true;
	is_int(net_create(w.net, &spec, &nw, NULL, &e), 0, "an internal network");
	is_int(start(world_id('6'), "a", vault), 0, "a on it");
	is_int(start(world_id('7'), "b", vault), 0, "b on it");
	a = net_sandbox_find(w.net, world_id('6'));
	on_b = world_serve(net_sandbox_find(w.net, world_id('7')), 80);
	on_host = world_serve(NULL, 8001);
	is_int(world_talk(a, addr_on("vault", world_id('7')), 80, 2000), 0,
	       "they reach each other");
	ok(world_talk(a, 0x0a4d0001, 8001, 300) != 0, "not the host");
	ok(world_talk(NULL, addr_on("vault", world_id('7')), 80, 300) != 0, "nor the host them");
	is_int(world_talk(a, 0xc0000201, 80, 300), ENETUNREACH, "there is no default route");
	is_int(world_lookup(a, "b"), addr_on("vault", world_id('7')), "names are answered");
	is_int(world_lookup(a, "example.org"), 0, "others do not exist, at once");
	ok(!ip_set(endpoint_gateway(on("vault", world_id('6')), V4)), "no gateway is shown");
	world_end(on_b);
	world_end(on_host);
	net_sandbox_stop(w.net, world_id('6'));
	net_sandbox_stop(w.net, world_id('7'));
}

static void icc_off(void)
{
	static const char *const hub[] = {"quiet", NULL};
	struct network_spec spec = world_spec("quiet", "10.78.0.0/24");
	struct network *nw;
	struct err e = {0};
	int on_b, on_host;

	spec.options = json_pack("{ss}", "com.docker.network.bridge.enable_icc", "false");
	is_int(net_create(w.net, &spec, &nw, NULL, &e), 0, "a network with icc off");
	json_decref(spec.options);
	is_int(start(world_id('6'), "qa", hub), 0, "qa on it");
	is_int(start(world_id('7'), "qb", hub), 0, "qb on it");
	on_b = world_serve(net_sandbox_find(w.net, world_id('7')), 80);
	on_host = world_serve(NULL, 8002);
	ok(world_talk(net_sandbox_find(w.net, world_id('6')), addr_on("quiet", world_id('7')), 80,
		      300) != 0,
	   "they do not reach each other");
	is_int(world_talk(net_sandbox_find(w.net, world_id('6')), 0x0a4e0001, 8002, 2000), 0,
	       "but the host");
	world_end(on_b);
	world_end(on_host);
	net_sandbox_stop(w.net, world_id('6'));
	net_sandbox_stop(w.net, world_id('7'));
}

/* Start, stop and what they leave behind. */
static void times_and_leftovers(void)
{
	static const char *const front[] = {"front", NULL};
	auto_free char *before = NULL, *after = NULL;
	int64_t t0, up = 0, down = 0;
	struct err e = {0};

	is_int(world_join(&w, world_id('8'), "turns", front, &e), 0, "a container");
	world_settle(&w);
	before = world_state();
	for (int i = 0; i < 20; i++) {
		t0 = clock_mono_ns();
		if (world_start(&w, world_id('8'), "turns", NULL, &e) < 0)
			printf("# %s\n", e.msg);
		up += clock_mono_ns() - t0;
		t0 = clock_mono_ns();
		net_sandbox_stop(w.net, world_id('8'));
		down += clock_mono_ns() - t0;
		(void)loop_run_once(w.loop, 0);
	}
	printf("# sandbox start %.2f ms, stop %.2f ms\n", (double)up / 20e6, (double)down / 20e6);
	world_settle(&w);
	after = world_state();
	is_str(after, before, "20 lives leave nothing");
	net_sandbox_stop(w.net, world_id('8'));
	net_sandbox_stop(w.net, world_id('9')); /* nobody */
}

static void resolv_conf_text(void)
{
	static const char *const bridge[] = {"bridge", NULL};
	char *dns[] = {(char[]){"9.9.9.9"}, NULL};
	auto_buf struct buf out = BUF_INIT(4096);
	struct err e = {0};

	is_int(net_resolv_conf(w.net, world_id('1'), NULL, NULL, NULL, &out, &e), 0, "of web");
	ok(strstr(buf_str(&out),
		  "\nnameserver 127.0.0.11\nsearch example.test\noptions edns0 ndots:0\n"),
	   "our resolver, the host's search and options: %s",
	   strstr(buf_str(&out), "nameserver") ? "yes" : "no");
	is_int(world_join(&w, world_id('9'), "plain", bridge, &e), 0, "one on the default bridge");
	buf_clear(&out);
	is_int(net_resolv_conf(w.net, world_id('9'), NULL, NULL, NULL, &out, &e), 0, "of that");
	ok(strstr(buf_str(&out), "\nnameserver 192.0.2.53\nsearch"), "the host's server");
	buf_clear(&out);
	is_int(net_resolv_conf(w.net, world_id('9'), dns, NULL, NULL, &out, &e), 0, "with --dns");
	ok(strstr(buf_str(&out), "\nnameserver 9.9.9.9\nsearch"), "that one");
}

int main(void)
{
	const char *why = world_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	(void)world_network(&w, "front", "172.18.0.0/16");
	(void)world_network(&w, "back", NULL);
	if (!reach_and_isolation())
		return tap_done();
	names();
	connect_live();
	remove_in_use();
	addresses();
	moved_address();
	internal_network();
	icc_off();
	times_and_leftovers();
	resolv_conf_text();
	world_close(&w, true);
	return tap_done();
}

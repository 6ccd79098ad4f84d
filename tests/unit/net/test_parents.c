/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_parents.c - macvlan and ipvlan networks on interfaces of the host
 *
 * lan0 is the host's, lan1 another machine's end of it. A kernel that lacks a kind of interface
 * says so in a sentence, and nothing of the network stays.
 */

#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "net/internal.h"
#include "steps.h"
#include "tap.h"
#include "world.h"

static struct world w;
static struct ip there4 = {0, 0x0a500009, 4}; /* 10.80.0.9, lan1's */

/* "key=value" options of a network of @driver on the subnet */
static int create(const char *driver, const char *name, const char *subnet,
		  const char *const *options, struct err *e)
{
	struct network_spec s = world_spec(name, subnet);
	struct network *nw;
	int r;

	s.driver = (char *)(uintptr_t)driver;
	s.options = json_object();
	for (; options && *options; options++) {
		const char *eq = strchr(*options, '=');
		auto_free char *key = strndup(*options, (size_t)(eq - *options));

		(void)json_object_set_new(s.options, key, json_string(eq + 1));
	}
	*e = (struct err){0};
	r = net_create(w.net, &s, &nw, NULL, e);
	json_decref(s.options);
	return r;
}

static void removed(const char *name)
{
	struct network *nw;
	struct err e = {0};

	is_int(net_find(w.net, name, &nw, &e), 0, "%s is there", name);
	is_int(net_remove(w.net, nw, &e), 0, "%s is removed %s", name, e.msg);
}

/* Refused, and neither a network nor a link of it stays. */
static void refused(int r, const struct err *e, enum err_kind kind, const char *text)
{
	auto_free char *links = strdup(world_ask(NULL, "ip -o link | wc -l"));

	is_err(r, *e, kind, text);
	is_str(world_ask(NULL, "ip -o link | wc -l"), links, "no link stays");
}

static void mistakes(void)
{
	static const struct {
		const char *driver, *options[3], *text;
	} rows[] = {
		{"macvlan",
		 {"parent=none0"},
		 "the requested parent interface none0 was not found on the host"},
		{"macvlan",
		 {"parent=none0.7"},
		 "the requested parent interface none0 was not found on the host"},
		{"macvlan",
		 {"parent=lan0.x"},
		 "the requested parent interface lan0.x was not found on the host"},
		{"macvlan",
		 {"parent=lan0.0"},
		 "the requested parent interface lan0.0 was not found on the host"},
		{"macvlan",
		 {"parent=lan0.4095"},
		 "the requested parent interface lan0.4095 was not found on the host"},
		{"macvlan", {"parent=lo"}, "loopback interface is not a valid macvlan parent link"},
		{"ipvlan", {"parent=lo"}, "loopback interface is not a valid ipvlan parent link"},
		{"macvlan", {"parent=a b"}, "a b interface is not a valid macvlan parent link"},
		{"macvlan",
		 {"parent=lan0", "macvlan_mode=fast"},
		 "requested macvlan mode 'fast' is not valid, 'bridge' mode is the macvlan driver "
		 "default"},
		{"ipvlan",
		 {"parent=lan0", "ipvlan_mode=l4"},
		 "requested ipvlan mode 'l4' is not valid, 'l2' mode is the ipvlan driver default"},
		{"ipvlan",
		 {"parent=lan0", "ipvlan_flag=x"},
		 "requested ipvlan flag 'x' is not valid, 'bridge' is the ipvlan driver default"},
	};
	struct network_spec s = world_spec("x", "10.80.0.0/24");
	struct network *nw;
	struct err e;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(create(rows[i].driver, "x", "10.80.0.0/24", rows[i].options, &e), &e,
			ERR_INVALID, rows[i].text);
	s.driver = (char *)(uintptr_t) "macvlan";
	s.internal = true;
	s.options = json_pack("{ss}", "parent", "lan0");
	e = (struct err){0};
	refused(net_create(w.net, &s, &nw, NULL, &e), &e, ERR_INVALID,
		"an internal macvlan network has no parent interface: what is on lan0 would reach "
		"it; leave out -o parent or --internal");
	json_decref(s.options);
}

/* What this kernel may lack: made and gone again, or refused with a sentence. */
static void kinds(void)
{
	static const struct {
		const char *what, *driver, *options[3];
	} rows[] = {
		{"ipvlan", "ipvlan", {"parent=lan0"}},
		{"ipvlan", "ipvlan", {"parent=lan0", "ipvlan_mode=l3s"}},
		{"vlan", "macvlan", {"parent=lan0.50"}},
		{"dummy", "macvlan", {NULL}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *before = world_state(), *after = NULL,
			       *start = str_printf("this kernel has no %s: cannot create ",
						   rows[i].what);
		struct err e;
		int r = create(rows[i].driver, "x", "10.81.0.0/24", rows[i].options, &e);

		if (r >= 0)
			removed("x");
		else
			ok(str_has_prefix(e.msg, start), "refused with a sentence: %s", e.msg);
		after = world_state();
		is_str(after, before, "%s: nothing of it stays", rows[i].what);
	}
}

static void shared_parent(void)
{
	static const char *const on[] = {"parent=lan0", NULL}, *const pass[] = {
								       "parent=lan0",
								       "macvlan_mode=passthru",
								       NULL};
	auto_free char *want = NULL, *other = NULL;
	struct network *nw;
	struct err e;

	is_int(create("macvlan", "one", "10.82.0.0/24", on, &e), 0, "one network on lan0 %s",
	       e.msg);
	is_int(create("macvlan", "two", "10.83.0.0/24", on, &e), 0, "another %s", e.msg);
	is_int(net_find(w.net, "one", &nw, &e), 0, "found");
	want = str_printf("cannot use mode passthru, macvlan network %s is already using parent "
			  "interface lan0",
			  network_id(nw));
	refused(create("macvlan", "x", "10.84.0.0/24", pass, &e), &e, ERR_FORBIDDEN, want);
	removed("one");
	removed("two");
	is_int(create("macvlan", "one", "10.82.0.0/24", pass, &e), 0, "passthru alone %s", e.msg);
	is_int(net_find(w.net, "one", &nw, &e), 0, "found");
	other = str_printf("macvlan network %s is already using parent interface lan0 in mode "
			   "passthru",
			   network_id(nw));
	refused(create("macvlan", "x", "10.84.0.0/24", on, &e), &e, ERR_FORBIDDEN, other);
	removed("one");
}

/* What was made for one network and serves another goes with the last. (A veth stands for the VLAN,
 * which this kernel may lack.) */
static void made_parent(void)
{
	static const char *const on[] = {"parent=lan0.50", NULL};
	struct rtnl_link l;
	struct err e;

	(void)world_ask(NULL, "ip link add lan0.50 type veth peer name other50");
	is_int(rtnl_link_get(w.net->rtnl, "lan0.50", &l), 0, "an interface");
	is_int(rtnl_link_group(w.net->rtnl, l.ifindex, GROUP_PARENT, &e), 0, "of ours");
	is_int(create("macvlan", "one", "10.82.0.0/24", on, &e), 0, "one network %s", e.msg);
	is_int(create("macvlan", "two", "10.83.0.0/24", on, &e), 0, "another %s", e.msg);
	world_close(&w, false);
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	removed("one");
	is_int(rtnl_link_get(w.net->rtnl, "lan0.50", &l), 0, "the other needs it still");
	removed("two");
	is_int(rtnl_link_get(w.net->rtnl, "lan0.50", &l), -ENODEV, "gone with the last");
}

/* ---- containers on it ---- */

static const char *const lan[] = {"lan", NULL};

static int make_lan(struct err *e)
{
	struct network_ipam rows[] = {
		{(char *)(uintptr_t) "10.80.0.0/24", (char *)(uintptr_t) "10.80.0.128/25",
		 (char *)(uintptr_t) "10.80.0.9", NULL},
		{(char *)(uintptr_t) "fd80::/64", NULL, (char *)(uintptr_t) "fd80::9", NULL}};
	struct network_spec s = {.name = (char *)(uintptr_t) "lan",
				 .driver = (char *)(uintptr_t) "macvlan",
				 .ipam = rows,
				 .n_ipam = 2};
	struct network *nw;
	int r;

	s.options = json_pack("{ssss}", "parent", "lan0", "com.docker.network.driver.mtu", "1400");
	r = net_create(w.net, &s, &nw, NULL, e);
	json_decref(s.options);
	return r;
}

static int run(char letter, const char *name, struct err *e)
{
	int r = world_join(&w, world_id(letter), name, lan, e);

	return r < 0 ? r : world_start(&w, world_id(letter), name, NULL, e);
}

#define ADDR "ip -o -4 addr show eth0 | grep -o 'inet [^ ]*'"
#define LINK "ip -o link show eth0 | cut -d: -f1; " ADDR

static void attached(void)
{
	struct endpoint *ep;
	struct err e = {0};
	int on_web, on_lan;

	is_int(make_lan(&e), 0, "a macvlan network of both families %s", e.msg);
	is_int(run('1', "web", &e), 0, "web on it %s", e.msg);
	is_int(run('2', "api", &e), 0, "api on it %s", e.msg);
	is_str(world_ask(world_ns('1'), "ip -o -4 addr show eth0 | grep -o 'inet [^ ]*'"),
	       "inet 10.80.0.128/24", "web's IPv4 address, of the range");
	is_str(world_ask(world_ns('1'),
			 "ip -o -6 addr show eth0 scope global | grep -o 'inet6 [^ ]*'"),
	       "inet6 fd80::1/64", "and IPv6 address");
	is_str(world_ask(world_ns('1'), "ip -4 route show default | cut -d' ' -f1-5"),
	       "default via 10.80.0.9 dev eth0", "its way out");
	is_str(world_ask(world_ns('1'), "ip -6 route show default | cut -d' ' -f1-5"),
	       "default via fd80::9 dev eth0", "in both families");
	is_str(world_ask(world_ns('1'), "ip -o link show eth0 | grep -o 'mtu [0-9]*'"), "mtu 1400",
	       "MTU");
	ep = net_container_endpoint_next(w.net, world_id('1'), NULL);
	is_str(world_ask(world_ns('1'), "ip -o link show eth0 | grep -o 'ether [^ ]*'"),
	       "ether 02:42:0a:50:00:80", "MAC from the address");
	ok(endpoint_attached(ep) && streq(endpoint_ifname(ep), "eth0"), "it is eth0");
	on_web = world_serve_at(world_ns('1'), 80);
	on_lan = world_serve_at(WORLD_DIR "/lan", 80);
	is_int(world_reach(world_ns('2'), world_ip("10.80.0.128"), 80, 2000), 0, "api reaches web");
	is_int(world_reach(world_ns('2'), world_ip("fd80::1"), 80, 2000), 0, "by IPv6 too");
	is_int(world_reach(world_ns('1'), there4, 80, 2000), 0, "web reaches another machine");
	is_int(world_reach(WORLD_DIR "/lan", world_ip("10.80.0.128"), 80, 2000), 0, "and it web");
	is_int(world_lookup_at(world_ns('2'), "web"), 0x0a500080, "names are answered");
	world_end(on_web);
	world_end(on_lan);
}

static void live_connect(void)
{
	struct endpoint *ep;
	struct network *nw;
	struct err e = {0};

	is_int(net_find(w.net, "lan", &nw, &e), 0, "lan");
	ep = net_endpoint_find(w.net, nw, world_id('2'));
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "api is disconnected %s", e.msg);
	is_str(world_ask(world_ns('2'), "ip -o link | grep eth || echo none"), "none",
	       "its interface is gone at once");
	is_int(world_join(&w, world_id('2'), "api", lan, &e), 0, "and again");
	is_int(net_endpoint_attach(w.net, net_endpoint_find(w.net, nw, world_id('2')), &e), 0,
	       "connected %s", e.msg);
	is_int(world_reach(world_ns('2'), there4, 81, 2000), ECONNREFUSED,
	       "it reaches the other machine");
}

/* A crash: who lives notices nothing; what somebody took away is made again. */
static void next_life(void)
{
	auto_free char *web = strdup(world_ask(world_ns('1'), LINK)),
		       *api = strdup(world_ask(world_ns('2'), ADDR));
	struct err e = {0};

	world_close(&w, false);
	(void)world_ask(world_ns('2'), "ip link del eth0");
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('1'), "web", 1, &e), 0, "web %s", e.msg);
	is_int(net_recover_sandbox(w.net, world_id('2'), "api", 1, &e), 0, "api %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	is_str(world_ask(world_ns('1'), LINK), web, "web's interface is the same");
	is_str(world_ask(world_ns('2'), ADDR), api, "api's is made again, with its address");
	is_int(world_reach(world_ns('2'), there4, 81, 2000), ECONNREFUSED, "and its way out");
}

static void stopped(void)
{
	struct network *nw;
	struct err e = {0};

	net_sandbox_stop(w.net, world_id('1'));
	ok(!fs_exists(world_ns('1')), "web is stopped");
	is_int(world_start(&w, world_id('1'), "web", NULL, &e), 0, "and started at once %s", e.msg);
	is_str(world_ask(world_ns('1'), "ip -o -4 addr show eth0 | grep -o 'inet [^ ]*'"),
	       "inet 10.80.0.128/24", "with its address");
	is_int(net_find(w.net, "lan", &nw, &e), 0, "lan");
	is_int(net_remove(w.net, nw, &e), -EPERM, "a network in use stays");
	net_sandbox_stop(w.net, world_id('1'));
	net_sandbox_stop(w.net, world_id('2'));
	removed("lan");
	is_str(world_ask(NULL, "ip -o link show lan0 | grep -o 'state UP'"), "state UP",
	       "lan0 is nobody's to take");
}

/* lan0 here, lan1 in a namespace of its own */
static int lan_there(struct err *e)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l = {0};
	auto_close int fd = -EBADF;
	int r = netns_create(WORLD_DIR "/lan", &fd, e);

	(void)world_ask(NULL, "ip link add lan0 type veth peer name lan1; ip link set lan0 up");
	if (r >= 0)
		r = rtnl_open(&nl);
	if (r >= 0)
		r = rtnl_link_get(nl, "lan1", &l);
	if (r >= 0)
		r = rtnl_link_netns(nl, l.ifindex, fd, e);
	(void)world_ask(WORLD_DIR "/lan", "ip link set lan1 up; ip addr add 10.80.0.9/24 dev lan1");
	return r;
}

int main(void)
{
	const char *why = world_enter();
	auto_free char *before = NULL, *after = NULL;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!ok(lan_there(&e) >= 0, "a LAN (%s)", e.msg))
		return tap_done();
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	before = world_state();
	mistakes();
	kinds();
	shared_parent();
	made_parent();
	attached();
	live_connect();
	next_life();
	stopped();
	world_settle(&w);
	after = world_state();
	is_str(after, before, "nothing of it stays");
	world_close(&w, true);
	return tap_done();
}

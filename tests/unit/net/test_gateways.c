/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_gateways.c - gateway modes in the firewall's sets and by packets, trusted interfaces, hubs;
 * which network has a container's default route, a family each
 */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>

#include "base/str.h"
#include "net/internal.h"
#include "steps.h"
#include "tap.h"
#include "world.h"

#define BR "com.docker.network.bridge."
#define EP "com.docker.network.endpoint."

static struct world w;

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* A network of both families with these options: "key=value", NULL-terminated. */
static struct network *network(const char *name, bool internal, const char *const *options)
{
	struct network_spec s = {.name = text(name), .internal = internal};

	s.options = json_object();
	for (; options && *options; options++) {
		const char *eq = strchr(*options, '=');
		auto_free char *key = strndup(*options, (size_t)(eq - *options));

		(void)json_object_set_new(s.options, key, json_string(eq + 1));
	}
	return world_make(&w, &s);
}

/* The set has an element of this network's bridge, with @more behind or before it. */
static bool knows(const char *set, const struct network *nw, const char *more)
{
	auto_free char *quoted = str_printf("\"%s\"%s", network_bridge(nw), more);

	return world_element(set, quoted);
}

/* ---- what a mode puts into the sets ---- */

static const struct row {
	const char *option;
	bool internal;
	const char *in, *out; /* sets that have it, that have not: words */
} rows[] = {
	{NULL, false, "nets same4 same6 masq4 masq6",
	 "internal nohost open4 open6 ping4 ping6 src_ok4 src_ok6 snat4 snat6 iso_gw trusted"},
	{BR "gateway_mode_ipv4=nat-unprotected", false, "masq4 masq6 open4", "open6 ping4"},
	{BR "gateway_mode_ipv6=nat-unprotected", false, "masq4 masq6 open6", "open4 ping6"},
	{BR "gateway_mode_ipv4=routed", false, "masq6 ping4", "masq4 open4 ping6 open6"},
	{BR "gateway_mode_ipv6=routed", false, "masq4 ping6", "masq6 open6 ping4 open4"},
	{BR "enable_ip_masquerade=false", false, "same4 same6", "masq4 masq6 snat4 snat6"},
	{"com.docker.network.host_ipv4=198.51.100.1", false, "snat4 masq6", "masq4 snat6"},
	{"com.docker.network.host_ipv6=2001:db8:64::1", false, "snat6 masq4", "masq6 snat4"},
	{BR "inhibit_ipv4=true", false, "src_ok4 same4 masq4", "src_ok6"},
	{NULL, true, "nets internal nohost same4 same6", "masq4 masq6 open4 ping4 src_ok4"},
	{"com.atoll.bridge.open_host=true", true, "internal", "nohost masq4"},
	{BR "gateway_mode_ipv4=isolated", true, "internal src_ok4", "src_ok6"},
	{BR "gateway_mode_ipv6=isolated", true, "internal src_ok6", "src_ok4"},
	{BR "enable_icc=false", false, "iso_gw", "trusted"},
	{"com.atoll.bridge.hub=true", false, "iso_gw", "trusted"},
	{BR "trusted_host_interfaces=ext0:wg0", false, "trusted", "iso_gw"},
};

static void each_word(const char *words, const struct network *nw, bool want, const char *what)
{
	auto_strv char **list = NULL;

	if (strv_split(words, " ", &list) < 0)
		return;
	for (char **s = list; s && *s; s++)
		ok(knows(*s, nw, "") == want, "%s: %s in %s", what, want ? "is" : "is not", *s);
}

static void modes(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *options[] = {rows[i].option, NULL};
		struct network *nw = network("moded", rows[i].internal, options);
		const char *what = rows[i].option ? rows[i].option : "nothing asked";

		if (!nw)
			continue;
		each_word(rows[i].in, nw, true, what);
		each_word(rows[i].out, nw, false, what);
		world_unmake(&w, nw);
	}
}

static const char *bridge_addr(const struct network *nw)
{
	auto_free char *cmd = str_printf("ip -o addr show dev %s scope global | grep -o "
					 "'inet6\\? [^ ]*' | sort",
					 network_bridge(nw));

	return world_ask(NULL, cmd);
}

/* The sets' values, and where the host has no address. */
static void values(void)
{
	struct network *nw = network("one", false,
				     (const char *const[]){
					     "com.docker.network.host_ipv4=198.51.100.1", NULL}),
		       *trust = network(
			       "two", false,
			       (const char *const[]){BR "trusted_host_interfaces=ext0:wg0", NULL});
	auto_free char *same = NULL, *mac = NULL;
	char m[MAC_STR];

	if (!nw || !trust)
		return;
	ok(knows("snat4", nw, " : 198.51.100.1"), "out as 198.51.100.1");
	same = str_printf("fd12:3456:789a::/64 . \"%s\"", network_bridge(nw));
	ok(world_element("same6", same), "its IPv6 subnet");
	for (int i = 0; i < 2; i++) {
		auto_free char *pair =
			str_printf("\"%s\" . \"%s\"", i ? "wg0" : "ext0", network_bridge(trust));

		ok(world_element("trusted", pair), "trusted: %s", pair);
	}
	world_unmake(&w, nw);
	world_unmake(&w, trust);
	nw = network("quiet", false, (const char *const[]){BR "enable_icc=false", NULL});
	mac = str_printf(" . \"%s\" . %s", network_bridge(nw), mac_str(nw->mac, m));
	ok(knows("iso_gw", nw, mac), "the way over the gateway's MAC is watched");
	world_unmake(&w, nw);
	nw = network("hidden", true,
		     (const char *const[]){BR "gateway_mode_ipv4=isolated",
					   BR "gateway_mode_ipv6=isolated", NULL});
	is_str(bridge_addr(nw), "", "isolated: the host has no address there");
	world_unmake(&w, nw);
	nw = network("half", false, (const char *const[]){BR "inhibit_ipv4=true", NULL});
	is_str(bridge_addr(nw), "inet6 fd12:3456:789a::1/64", "inhibit_ipv4: none of IPv4");
	world_unmake(&w, nw);
}

/* ---- by packets ---- */

static const struct ip web4 = {0, 0xac120002, 4}; /* the first address of the first network */

static void routed(void)
{
	static const char *const on[] = {"plain", NULL}, *const pub[] = {"8080:80", NULL};
	struct network *nw = network("plain", false,
				     (const char *const[]){BR "gateway_mode_ipv4=routed",
							   BR "gateway_mode_ipv6=routed", NULL});
	const struct net_port *p;
	int web, other;

	if (!nw || !world_runs(&w, '1', "web", on, pub))
		return;
	web = world_serve_at(world_ns('1'), 80);
	other = world_serve_at(world_ns('1'), 81);
	is_int(sandbox_ports(net_sandbox_find(w.net, world_id('1')), &p), 0, "no host port");
	is_int(world_reach(WORLD_OUTSIDE, web4, 80, 2000), 0, "published: reached by its address");
	is_int(world_reach(WORLD_OUTSIDE, world_ip("fd12:3456:789a::2"), 80, 2000), 0,
	       "by IPv6 too");
	ok(world_reach(WORLD_OUTSIDE, web4, 81, 300) != 0, "what is not published is not");
	ok(world_reach(WORLD_OUTSIDE, world_ip("fd12:3456:789a::2"), 81, 300) != 0,
	   "in either family");
	ok(world_reach(WORLD_OUTSIDE, ip_v4(WORLD_HOST_ADDR), 8080, 300) != 0,
	   "nobody listens at the host");
	ok(world_element("routed4", "172.18.0.2 . tcp . 80") &&
		   world_element("routed6", "fd12:3456:789a::2 . tcp . 80"),
	   "elements");
	world_leave(&w, '1');
	ok(!world_element("routed4", "172.18.0.2") && !world_element("routed6", "fd12:"),
	   "gone with it");
	world_end(web);
	world_end(other);
	world_unmake(&w, nw);
}

static void unprotected_and_trusted(void)
{
	static const char *const on[] = {"plain", NULL}, *const pub[] = {"8080:80", NULL};
	struct network *nw =
		network("plain", false,
			(const char *const[]){BR "gateway_mode_ipv4=nat-unprotected", NULL});
	int web, other;

	if (!nw || !world_runs(&w, '1', "web", on, pub))
		return;
	web = world_serve_at(world_ns('1'), 80);
	other = world_serve_at(world_ns('1'), 81);
	is_int(world_reach(WORLD_OUTSIDE, web4, 81, 2000), 0, "unprotected: every port");
	ok(world_reach(WORLD_OUTSIDE, world_ip("fd12:3456:789a::2"), 81, 300) != 0,
	   "of that family alone");
	is_int(world_reach(WORLD_OUTSIDE, ip_v4(WORLD_HOST_ADDR), 8080, 2000), 0,
	       "and published as ever");
	world_end(web);
	world_end(other);
	world_leave(&w, '1');
	world_unmake(&w, nw);
	nw = network("plain", false,
		     (const char *const[]){BR "trusted_host_interfaces=ext0", NULL});
	if (!nw || !world_runs(&w, '1', "web", on, pub))
		return;
	web = world_serve_at(world_ns('1'), 80);
	other = world_serve_at(world_ns('1'), 81);
	is_int(world_reach(WORLD_OUTSIDE, web4, 80, 2000), 0,
	       "trusted: what is published, by its address");
	is_int(world_reach(WORLD_OUTSIDE, world_ip("fd12:3456:789a::2"), 80, 2000), 0,
	       "by IPv6 too");
	ok(world_reach(WORLD_OUTSIDE, web4, 81, 300) != 0, "nothing else");
	world_end(web);
	world_end(other);
	world_leave(&w, '1');
	world_unmake(&w, nw);
}

/* Spokes reach the hub's containers and nobody else there. */
static void hubs(void)
{
	struct network *nw =
		network("star", false, (const char *const[]){"com.atoll.bridge.hub=true", NULL});
	static const char *const star[] = {"star", NULL};
	struct endpoint_spec hub = {.container_id = world_id('1'), .container_name = "hub"};
	struct endpoint *ep;
	struct err e = {0};
	int at_hub, at_spoke;

	if (!nw)
		return;
	hub.driver_opts = json_pack("{ss}", "com.atoll.endpoint.role", "hub");
	is_int(net_endpoint_add(w.net, nw, &hub, &ep, &e), 0, "the hub %s", e.msg);
	json_decref(hub.driver_opts);
	is_int(world_start(&w, world_id('1'), "hub", NULL, &e), 0, "runs %s", e.msg);
	if (!world_runs(&w, '2', "one", star, NULL) || !world_runs(&w, '3', "two", star, NULL))
		return;
	at_hub = world_serve_at(world_ns('1'), 80);
	at_spoke = world_serve_at(world_ns('3'), 80);
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		struct ip h = world_ip(fam ? "fd12:3456:789a::2" : "172.18.0.2"),
			  two = world_ip(fam ? "fd12:3456:789a::4" : "172.18.0.4");

		is_int(world_reach(world_ns('2'), h, 80, 2000), 0, "a spoke reaches the hub");
		is_int(world_reach(world_ns('1'), two, 80, 2000), 0, "and the hub a spoke");
		ok(world_reach(world_ns('2'), two, 80, 300) != 0, "a spoke no other spoke");
	}
	(void)world_ask(world_ns('2'), "ip route add 172.18.0.4 via 172.18.0.1;"
				       "ip -6 route add fd12:3456:789a::4 via fd12:3456:789a::1");
	ok(world_reach(world_ns('2'), world_ip("172.18.0.4"), 80, 300) != 0 &&
		   world_reach(world_ns('2'), world_ip("fd12:3456:789a::4"), 80, 300) != 0,
	   "nor over the gateway");
	world_end(at_hub);
	world_end(at_spoke);
	for (char c = '1'; c <= '3'; c++)
		world_leave(&w, c);
	world_unmake(&w, nw);
}

static void antispoof(void)
{
	struct network *nw = network(
		"strict", false, (const char *const[]){"com.atoll.bridge.antispoof=true", NULL});
	static const char *const on[] = {"strict", NULL};
	const char *list = "nft list table bridge atoll";

	if (!nw || !world_runs(&w, '1', "web", on, NULL) || !world_runs(&w, '2', "api", on, NULL))
		return;
	ok(strstr(world_ask(NULL, list), "172.18.0.2") && strstr(world_ask(NULL, list), "fd12:"),
	   "its addresses are the only ones it may send from");
	is_int(world_reach(world_ns('1'), world_ip("172.18.0.3"), 80, 2000), ECONNREFUSED,
	       "they reach each other");
	is_int(world_reach(world_ns('1'), world_ip("fd12:3456:789a::3"), 80, 2000), ECONNREFUSED,
	       "by IPv6");
	world_leave(&w, '1');
	ok(!strstr(world_ask(NULL, list), "172.18.0.2 "), "elements go with it");
	world_leave(&w, '2');
	world_unmake(&w, nw);
}

/* ---- which network leads out ---- */

static const char *way(char letter, int fam)
{
	return world_ask(world_ns(letter), fam ? "ip -6 route show default | cut -d' ' -f1-5"
					       : "ip -4 route show default | cut -d' ' -f1-5");
}

static struct endpoint *joined(struct network *nw, char letter, int priority)
{
	struct endpoint_spec s = {
		.container_id = world_id(letter), .container_name = "c", .gw_priority = priority};
	struct endpoint *ep = NULL;
	struct err e = {0};

	is_int(net_endpoint_add(w.net, nw, &s, &ep, &e), 0, "on %s with %d %s", network_name(nw),
	       priority, e.msg);
	return ep;
}

static void elections(void)
{
	static const char *const pub[] = {"8080:80", NULL};
	struct network_spec four = {.name = text("z4"), .off = {[V6] = true}};
	struct network *a = network("b-both", false, NULL), *z = world_make(&w, &four),
		       *in = network("a-inside", true, NULL);
	struct endpoint *ez;
	struct err e = {0};

	if (!a || !z || !in)
		return;
	(void)joined(a, '1', 0);
	ez = joined(z, '1', 5);
	(void)joined(in, '1', 100);
	is_int(world_start(&w, world_id('1'), "c", pub, &e), 0, "started %s", e.msg);
	is_str(way('1', V4), "default via 172.19.0.1 dev eth1", "IPv4 by the highest priority");
	is_str(way('1', V6), "default via fd12:3456:789a::1 dev eth0",
	       "IPv6 by the only one that has it; an internal network leads nowhere");
	ok(world_element("pub4_any", "tcp . 8080 : 172.19.0.2 . 80"), "ports follow, IPv4");
	ok(world_element("pub6_any", "tcp . 8080 : fd12:3456:789a::2 . 80"), "and IPv6");
	is_int(net_endpoint_remove(w.net, ez, &e), 0, "disconnected %s", e.msg);
	is_str(way('1', V4), "default via 172.18.0.1 dev eth0", "the other one takes over");
	ok(world_element("pub4_any", "tcp . 8080 : 172.18.0.2 . 80") &&
		   !world_element("pub4_any", "172.19.0.2"),
	   "with the ports");
	ez = joined(z, '1', 0);
	is_int(net_endpoint_attach(w.net, ez, &e), 0, "connected %s", e.msg);
	is_str(way('1', V4), "default via 172.18.0.1 dev eth0", "of equals the first by name");
	is_int(net_endpoint_remove(w.net, ez, &e), 0, "disconnected %s", e.msg);
	ez = joined(z, '1', -1);
	is_int(net_endpoint_attach(w.net, ez, &e), 0, "connected %s", e.msg);
	is_str(way('1', V4), "default via 172.18.0.1 dev eth0", "a negative one is the last");
	world_leave(&w, '1');
	world_unmake(&w, a);
	world_unmake(&w, z);
	world_unmake(&w, in);
}

/* The last network of a family goes: its way out and its ports with it, the other family stays. */
static void family_lost(void)
{
	static const char *const pub[] = {"8080:80", NULL};
	struct network_spec s4 = {.name = text("four"), .off = {[V6] = true}},
			    s6 = {.name = text("six"), .off = {[V4] = true}};
	struct network *four = world_make(&w, &s4), *six = world_make(&w, &s6);
	struct endpoint *ep;
	struct err e = {0};
	int pid;

	if (!four || !six)
		return;
	(void)joined(four, '1', 0);
	ep = joined(six, '1', 0);
	is_int(world_start(&w, world_id('1'), "c", pub, &e), 0, "started %s", e.msg);
	pid = world_serve_at(world_ns('1'), 80);
	ok(world_element("pub6_any", "tcp . 8080 : fd12:3456:789a::2 . 80"), "published on IPv6");
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "disconnected %s", e.msg);
	is_str(way('1', V6), "", "no way out by IPv6");
	is_str(way('1', V4), "default via 172.18.0.1 dev eth0", "IPv4 as before");
	ok(!world_element("pub6_any", "fd12:"), "nothing leads to the address that is gone");
	is_int(world_reach(WORLD_OUTSIDE, WORLD_HOST_ADDR6, 8080, 2000), 0,
	       "IPv6 clients are relayed to the other one");
	ep = joined(six, '1', 0);
	is_int(net_endpoint_attach(w.net, ep, &e), 0, "connected again %s", e.msg);
	ok(world_element("pub6_any", "tcp . 8080 : fd12:3456:789a::3 . 80"), "published again");
	is_int(world_reach(WORLD_OUTSIDE, WORLD_HOST_ADDR6, 8080, 2000), 0, "and reached");
	world_end(pid);
	world_leave(&w, '1');
	world_unmake(&w, four);
	world_unmake(&w, six);
}

/* ---- interfaces ---- */

static void interfaces(void)
{
	struct network *nw = network("lan", false,
				     (const char *const[]){
					     "com.docker.network.container_iface_prefix=lan",
					     "com.docker.network.driver.mtu=1400", NULL}),
		       *wan = network("wan", false, NULL);
	struct endpoint_spec s = {.container_id = world_id('1'), .container_name = "c"};
	struct endpoint *ep;
	struct err e = {0};

	(void)joined(nw, '1', 0);
	s.driver_opts = json_pack("{ssss}", EP "ifname", "wan7", EP "sysctls",
				  "net.ipv4.conf.IFNAME.mc_forwarding=0,"
				  "net.ipv4.conf.IFNAME.arp_ignore=2,"
				  "net.ipv6.conf.IFNAME.hop_limit=33");
	is_int(net_endpoint_add(w.net, wan, &s, &ep, &e), 0, "options of an endpoint %s", e.msg);
	json_decref(s.driver_opts);
	is_int(world_start(&w, world_id('1'), "c", NULL, &e), -EACCES, "one that is read-only");
	ok(strstr(e.msg, "cannot set the sysctl net.ipv4.conf.IFNAME.mc_forwarding to 0: ") != NULL,
	   "told so: %s", e.msg);
	is_int(net_endpoint_remove(w.net, ep, &e), 0, "taken back");
	s.driver_opts = json_pack("{ssss}", EP "ifname", "wan7", EP "sysctls",
				  "net.ipv4.conf.IFNAME.arp_ignore=2,"
				  "net.ipv6.conf.ifname.hop_limit=33");
	is_int(net_endpoint_add(w.net, wan, &s, &ep, &e), 0, "others %s", e.msg);
	json_decref(s.driver_opts);
	is_int(world_start(&w, world_id('1'), "c", NULL, &e), 0, "are set %s", e.msg);
	is_str(world_ask(world_ns('1'), "ip -o link | grep -o '[lw]an[0-9]*@' | sort"),
	       "lan0@\nwan7@", "a prefix of the network, a name of the endpoint");
	is_str(world_ask(world_ns('1'), "cat /proc/sys/net/ipv4/conf/wan7/arp_ignore "
					"/proc/sys/net/ipv6/conf/wan7/hop_limit"),
	       "2\n33", "its sysctls");
	is_str(world_ask(world_ns('1'), "ip -o link show lan0 | grep -o 'mtu [0-9]*'"), "mtu 1400",
	       "the network's MTU");
	world_leave(&w, '1');
	world_unmake(&w, nw);
	world_unmake(&w, wan);
}

/* ---- announcements ---- */

/* ARP frames on the bridge in which sender and target are the same address (RFC 5227, 3) */
static unsigned heard(int fd)
{
	uint8_t frame[128];
	unsigned n = 0;

	while (recv(fd, frame, sizeof(frame), MSG_DONTWAIT) >= 42)
		n += !memcmp(frame + 28, frame + 38, 4);
	return n;
}

static void announced(void)
{
	struct network *nw = network("loud", false, NULL);
	struct endpoint_spec s = {.container_id = world_id('1'), .container_name = "c"};
	struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ARP)};
	auto_close int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ARP));
	struct endpoint *ep;
	struct err e = {0};

	if (!nw)
		return;
	on.sll_ifindex = nw->ifindex;
	is_int(bind(fd, (struct sockaddr *)&on, sizeof(on)), 0, "somebody listens");
	s.driver_opts = json_pack("{ssss}", "com.docker.network.advertise_addr_nmsgs", "3",
				  "com.docker.network.advertise_addr_ms", "100");
	is_int(net_endpoint_add(w.net, nw, &s, &ep, &e), 0, "three times %s", e.msg);
	json_decref(s.driver_opts);
	is_int(world_start(&w, world_id('1'), "c", NULL, &e), 0, "started %s", e.msg);
	ok(heard(fd) >= 1, "its address is announced");
	is_int(ep->announce_left, 2, "two times more");
	for (int i = 0; i < 100 && ep->announcing; i++)
		(void)loop_run_once(w.loop, 100);
	ok(!ep->announcing && heard(fd) >= 2, "and it is");
	net_sandbox_stop(w.net, world_id('1'));
	is_int(world_start(&w, world_id('1'), "c", NULL, &e), 0, "again %s", e.msg);
	net_sandbox_stop(w.net, world_id('1'));
	ok(!ep->announcing, "whoever stops says no more");
	world_leave(&w, '1');
	world_unmake(&w, nw);
}

int main(void)
{
	auto_free char *before = NULL, *after = NULL;
	int ended;

	if (!world_begins_dual(&w, &ended))
		return ended;
	before = world_state();
	modes();
	values();
	routed();
	unprotected_and_trusted();
	hubs();
	antispoof();
	elections();
	family_lost();
	interfaces();
	announced();
	world_settle(&w);
	after = world_state();
	is_str(after, before, "nothing of it stays");
	world_close(&w, true);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_families.c - networks of IPv6, of both families and of one: the kernel, the firewall's sets,
 * the containers */

#include <string.h>

#include "base/str.h"
#include "net/internal.h"
#include "steps.h"
#include "tap.h"
#include "world.h"

#define GATEWAY6 "inet6 fd12:3456:789a::1/64"

static struct world w;

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static struct network_spec ask(const char *name, bool v4, bool v6)
{
	return (struct network_spec){.name = text(name), .off = {!v4, !v6}};
}

static bool run(char letter, const char *name, const char *network)
{
	return world_runs(&w, letter, name, (const char *const[]){network, NULL}, NULL);
}

static const char *conf6(const char *bridge, const char *name)
{
	auto_free char *cmd = str_printf("cat /proc/sys/net/ipv6/conf/%s/%s", bridge, name);

	return world_ask(NULL, cmd);
}

/* Addresses of the host there, without link-local ones. */
static const char *bridge_addr(const struct network *nw, const char *family)
{
	auto_free char *cmd = str_printf("ip -o %s addr show dev %s scope global | grep -o "
					 "'inet6\\? [^ ]*' || echo none",
					 family, network_bridge(nw));

	return world_ask(NULL, cmd);
}

/* ---- which subnets ---- */

static void chosen(void)
{
	struct network *a, *b;
	struct network_spec s = ask("auto", true, true);

	a = world_make(&w, &s);
	s.name = text("six");
	s.off[V4] = true;
	b = world_make(&w, &s);
	if (!a || !b)
		return;
	is_str(network_spec_of(a)->ipam[0].subnet, "172.18.0.0/16", "IPv4 of the default pools");
	is_str(network_spec_of(a)->ipam[1].subnet, "fd12:3456:789a::/64", "IPv6 of the ULA prefix");
	is_str(network_spec_of(a)->ipam[1].gateway, "fd12:3456:789a::1", "its first address");
	is_int(network_spec_of(b)->n_ipam, 1, "one row of a network of IPv6 alone");
	is_str(network_spec_of(b)->ipam[0].subnet, "fd12:3456:789a:1::/64", "the next /64");
	ok(network_has(a, V4) && network_has(a, V6) && !network_has(b, V4), "families are told");
	ok(!ip_set(network_gateway(b, V4)), "no IPv4 gateway");
	world_unmake(&w, a);
	world_unmake(&w, b);
}

static void sizes(void)
{
	static const struct {
		const char *subnet;
		const char *want;
		bool six;
	} rows[] = {{"0.0.0.0/24", "172.18.0.0/24", false},
		    {"0.0.0.0/28", "172.18.0.0/28", false},
		    {"::/64", "fd12:3456:789a::/64", true},
		    {"::/80", "fd12:3456:789a::/80", true}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct network_ipam row = {text(rows[i].subnet)};
		struct network_spec s = ask("sized", !rows[i].six, rows[i].six);
		struct network *nw;

		s.ipam = &row;
		s.n_ipam = 1;
		nw = world_make(&w, &s);
		is_str(nw ? network_spec_of(nw)->ipam[0].subnet : NULL, rows[i].want,
		       "%s: a size alone", rows[i].subnet);
		world_unmake(&w, nw);
	}
}

static void refused_sizes(void)
{
	static const struct {
		const char *subnet, *text;
	} rows[] = {
		{"0.0.0.0/8", "all predefined address pools have been fully subnetted"},
		{"::/32", "all predefined address pools have been fully subnetted"},
		{"0.0.0.0/31", "invalid network config:\ninvalid subnet 0.0.0.0/31: prefix lengths "
			       "from 1 to 30 have room for containers"},
		{"fd00::/127", "invalid network config:\ninvalid subnet fd00::/127: prefix lengths "
			       "from 1 to 126 have room for containers"},
		{"fe80::/64", "invalid network config:\ninvalid subnet fe80::/64: it clashes with "
			      "the Link-Local prefix 'fe80::/64'"},
	};
	struct network *nw;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct network_ipam row = {text(rows[i].subnet)};
		struct network_spec s = ask("sized", true, true);
		struct err e = {0};
		int r;

		s.ipam = &row;
		s.n_ipam = 1;
		r = net_create(w.net, &s, &nw, NULL, &e);
		ok(r < 0 && e.kind == ERR_INVALID && streq(e.msg, rows[i].text), "%s is refused",
		   rows[i].subnet);
	}
}

static void overlaps(void)
{
	struct network_ipam row = {text("fd77::/64")}, inside = {text("fd77::/96")};
	struct network_spec s = ask("first", false, true);
	struct network *nw, *x;
	struct err e = {0};

	s.ipam = &row;
	s.n_ipam = 1;
	nw = world_make(&w, &s);
	s.name = text("second");
	s.ipam = &inside;
	is_err(net_create(w.net, &s, &x, NULL, &e), e, ERR_FORBIDDEN,
	       "invalid pool request: Pool overlaps with other one on this address space");
	world_unmake(&w, nw);
}

/* A route of the host blocks an automatic subnet, in IPv6 as in IPv4. */
static void routes_block(void)
{
	struct network_spec s = ask("auto", false, true);
	struct network *nw;

	(void)world_ask(NULL, "ip -6 route add fd12:3456:789a::/63 dev ext0");
	nw = world_make(&w, &s);
	is_str(nw ? network_spec_of(nw)->ipam[0].subnet : NULL, "fd12:3456:789a:2::/64",
	       "behind the route");
	(void)world_ask(NULL, "ip -6 route del fd12:3456:789a::/63 dev ext0");
	world_unmake(&w, nw);
}

/* ---- the kernel ---- */

static void bridges(void)
{
	struct network_spec s = ask("dual", true, true);
	struct network *nw = world_make(&w, &s), *four, *six;

	if (!nw)
		return;
	is_str(bridge_addr(nw, "-4"), "inet 172.18.0.1/16", "the host's IPv4 address");
	is_str(bridge_addr(nw, "-6"), GATEWAY6, "and IPv6 address");
	is_str(conf6(network_bridge(nw), "disable_ipv6"), "0", "IPv6 is on");
	is_str(conf6(network_bridge(nw), "accept_dad"), "0", "without waiting");
	is_str(conf6(network_bridge(nw), "accept_ra"), "0", "nor believing a router");
	s = ask("four", true, false);
	four = world_make(&w, &s);
	is_str(conf6(network_bridge(four), "disable_ipv6"), "1", "off on a network of IPv4 alone");
	s = ask("six", false, true);
	six = world_make(&w, &s);
	is_str(bridge_addr(six, "-4"), "none", "no address of a family it has not");
	world_unmake(&w, nw);
	world_unmake(&w, four);
	world_unmake(&w, six);
}

/* A free bridge that had been of IPv6 serves IPv4 alone next, and the other way round. */
static void reused(void)
{
	for (int i = 0; i < 4; i++) {
		struct network_spec s = ask("turns", true, i % 2);
		struct network *nw = world_make(&w, &s);

		is_str(nw ? conf6(network_bridge(nw), "disable_ipv6") : NULL, i % 2 ? "0" : "1",
		       "IPv6 %s", i % 2 ? "on" : "off");
		is_str(nw ? bridge_addr(nw, "-6") : NULL, i % 2 ? GATEWAY6 : "none",
		       "its addresses go and come");
		world_unmake(&w, nw);
	}
}

/* ---- containers ---- */

static void dual_container(void)
{
	struct network_spec s = ask("dual", true, true);
	struct network *nw = world_make(&w, &s);
	int server;

	if (!run('1', "web", "dual") || !run('2', "api", "dual"))
		return;
	is_str(world_ask(world_ns('1'),
			 "ip -o -6 addr show eth0 scope global | grep -o 'inet6 [^ ]*'"),
	       "inet6 fd12:3456:789a::2/64", "web's address");
	is_str(world_ask(world_ns('1'), "ip -o -6 addr show eth0 tentative"), "",
	       "nothing is waited for");
	is_str(world_ask(world_ns('1'), "ip -6 route show default | cut -d' ' -f1-5"),
	       "default via fd12:3456:789a::1 dev eth0", "its way out");
	server = world_serve_at(world_ns('1'), 80);
	is_int(world_reach(world_ns('2'), world_ip("fd12:3456:789a::2"), 80, 2000), 0,
	       "api reaches it");
	is_int(world_reach(world_ns('2'), world_ip("172.18.0.2"), 80, 2000), 0, "by IPv4 too");
	is_int(world_reach(NULL, world_ip("fd12:3456:789a::2"), 80, 2000), 0, "and the host");
	ok(world_reach(WORLD_OUTSIDE, world_ip("fd12:3456:789a::2"), 80, 300) != 0,
	   "nobody from outside");
	world_end(server);
	server = world_serve_at(WORLD_OUTSIDE, 81);
	is_int(world_reach(world_ns('1'), world_ip("2001:db8:64::2"), 81, 2000), 0,
	       "web reaches the outside");
	world_end(server);
	world_leave(&w, '1');
	world_leave(&w, '2');
	world_unmake(&w, nw);
}

static void single_containers(void)
{
	struct network_spec s = ask("six", false, true);
	struct network *six = world_make(&w, &s), *four;

	s = ask("four", true, false);
	four = world_make(&w, &s);
	if (!run('1', "web", "six") || !run('2', "api", "four"))
		return;
	is_str(world_ask(world_ns('1'), "ip -o -4 addr show eth0"), "",
	       "no IPv4 on one of IPv6 alone");
	is_str(world_ask(world_ns('1'), "ip -4 route"), "", "nor a route");
	is_int(world_reach(world_ns('1'), world_ip("2001:db8:64::2"), 81, 2000), ECONNREFUSED,
	       "it reaches the outside");
	is_str(world_ask(world_ns('2'), "ip -o -6 addr show eth0"), "",
	       "no IPv6 on one of IPv4 alone");
	is_str(world_ask(world_ns('2'), "cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6"), "1",
	       "it is off");
	world_leave(&w, '1');
	world_leave(&w, '2');
	world_unmake(&w, six);
	world_unmake(&w, four);
}

/* Asked-for addresses of both families, and link-local ones. */
static void asked_addresses(void)
{
	char *local[] = {(char[]){"169.254.7.7"}, (char[]){"fe80::77"}, NULL};
	struct endpoint_spec es = {.container_id = world_id('3'),
				   .container_name = "fixed",
				   .ip = {ip_v4(0xac120063), world_ip("fd12:3456:789a::99")},
				   .link_local = local};
	struct network_spec s = ask("dual", true, true);
	struct network *nw = world_make(&w, &s);
	struct endpoint *ep;
	struct err e = {0};

	is_int(net_endpoint_add(w.net, nw, &es, &ep, &e), 0, "addresses as asked %s", e.msg);
	is_int(world_start(&w, world_id('3'), "fixed", NULL, &e), 0, "started %s", e.msg);
	is_str(world_ask(world_ns('3'), "ip -o addr show eth0 | grep -o 'inet6\\? [^ ]*' | sort"),
	       "inet 169.254.7.7/16\ninet 172.18.0.99/16\ninet6 fd12:3456:789a::99/64\n"
	       "inet6 fe80::42:acff:fe12:63/64\ninet6 fe80::77/64",
	       "all are there");
	ok(world_element("src_ok4", "169.254.7.7") && world_element("src_ok6", "fe80::77"),
	   "the firewall lets it send from them");
	world_leave(&w, '3');
	ok(!world_element("src_ok4", "169.254.7.7") && !world_element("src_ok6", "fe80::77"),
	   "no longer than it lives");
	es.ip[V6] = world_ip("fd13::1");
	is_int(net_endpoint_add(w.net, nw, &es, &ep, &e), -EINVAL, "one outside");
	ok(streq(e.msg, "invalid endpoint settings:\nno configured subnet contains IP address "
			"fd13::1"),
	   "told so");
	world_unmake(&w, nw);
}

/* ---- networks without addresses, networks that are a configuration ---- */

static void null_ipam(void)
{
	struct network_spec s = ask("bare", true, true);
	struct network *nw;

	s.ipam_driver = text("null");
	nw = world_make(&w, &s);
	if (!nw || !run('1', "web", "bare"))
		return;
	is_str(bridge_addr(nw, ""), "none", "the host has no address there");
	is_str(world_ask(world_ns('1'), "ip -o addr show eth0 scope global"), "",
	       "nor has a container");
	is_int(network_spec_of(nw)->n_ipam, 0, "none is shown");
	is_str(world_ask(world_ns('1'), "ip route"), "", "no route");
	world_leave(&w, '1');
	world_unmake(&w, nw);
}

static void config_only(void)
{
	struct network_ipam row = {text("10.7.0.0/24"), NULL, text("10.7.0.9"), NULL};
	struct network_spec s = ask("plan", true, false);
	struct endpoint_spec es = {.container_id = world_id('1'), .container_name = "web"};
	struct network *plan, *nw, *x;
	struct endpoint *ep;
	struct err e = {0};

	s.config_only = true;
	s.ipam = &row;
	s.n_ipam = 1;
	plan = world_make(&w, &s);
	if (!plan)
		return;
	is_str(network_driver(plan), "null", "a configuration has no driver");
	ok(!network_bridge(plan), "nor a bridge");
	is_err(net_endpoint_add(w.net, plan, &es, &ep, &e), e, ERR_FORBIDDEN,
	       "cannot create endpoint on configuration-only network");
	s = ask("made", true, false);
	s.config_from = text("plan");
	nw = world_make(&w, &s);
	is_str(nw ? bridge_addr(nw, "-4") : NULL, "inet 10.7.0.9/24", "a network made of it");
	s.name = text("again");
	is_err(net_create(w.net, &s, &x, NULL, &e), e, ERR_FORBIDDEN,
	       "invalid pool request: Pool overlaps with other one on this address space");
	is_err(net_remove(w.net, plan, &e), e, ERR_FORBIDDEN,
	       "configuration network \"plan\" is in use");
	world_close(&w, false);
	is_int(world_open(&w, &e), 0, "the next life %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	is_int(net_find(w.net, "plan", &plan, &e), 0, "it is known");
	is_int(net_find(w.net, "made", &nw, &e), 0, "and what was made of it");
	ok(network_spec_of(plan)->config_only && streq(network_spec_of(nw)->config_from, "plan"),
	   "as what they are");
	world_unmake(&w, nw);
	world_unmake(&w, plan);
}

/* ---- the default bridge: --ipv6, --bip6, --fixed-cidr-v6, --default-gateway-v6 ---- */

static void default_bridge(void)
{
	struct network *nw;
	struct err e = {0};

	world_close(&w, true);
	w.config.ipv6 = true;
	w.config.bip[V6] = (struct cidr){world_ip("fd99::1"), 64};
	w.config.fixed[V6] = (struct cidr){world_ip("fd99::100:0"), 112};
	w.config.default_gw[V6] = world_ip("fd99::fe");
	w.config.bip[V4] = (struct cidr){world_ip("10.99.0.1"), 24};
	w.config.fixed[V4] = (struct cidr){world_ip("10.99.0.128"), 25};
	w.config.default_gw[V4] = world_ip("10.99.0.254");
	is_int(world_open(&w, &e), 0, "a daemon with flags %s", e.msg);
	is_int(net_find(w.net, "bridge", &nw, &e), 0, "bridge");
	is_str(bridge_addr(nw, "-4"), "inet 10.99.0.1/24", "--bip");
	is_str(bridge_addr(nw, "-6"), "inet6 fd99::1/64", "--bip6");
	if (!run('1', "web", "bridge"))
		return;
	is_str(world_ask(world_ns('1'), "ip -o -4 addr show eth0 | grep -o 'inet [^ ]*'"),
	       "inet 10.99.0.128/24", "an address of --fixed-cidr");
	is_str(world_ask(world_ns('1'),
			 "ip -o -6 addr show eth0 scope global | grep -o 'inet6 [^ ]*'"),
	       "inet6 fd99::100:0/64", "and of --fixed-cidr-v6");
	is_str(world_ask(world_ns('1'), "ip -4 route show default | cut -d' ' -f1-3"),
	       "default via 10.99.0.254", "--default-gateway");
	is_str(world_ask(world_ns('1'), "ip -6 route show default | cut -d' ' -f1-3"),
	       "default via fd99::fe", "--default-gateway-v6");
	world_leave(&w, '1');
	world_close(&w, false);
	/* the flags are gone: so is what they asked for */
	w.config = (struct net_config){.ula = w.config.ula};
	is_int(world_open(&w, &e), 0, "without them %s", e.msg);
	is_int(net_recovered(w.net, &e), 0, "recovered %s", e.msg);
	is_int(net_find(w.net, "bridge", &nw, &e), 0, "bridge");
	is_str(conf6(network_bridge(nw), "disable_ipv6"), "1", "no IPv6 on the bridge");
	ok(!network_has(nw, V6) && network_spec_of(nw)->n_ipam == 1, "nor in what is shown");
}

int main(void)
{
	auto_free char *before = NULL, *after = NULL;
	int ended;

	if (!world_begins_dual(&w, &ended))
		return ended;
	before = world_state();
	chosen();
	sizes();
	refused_sizes();
	overlaps();
	routes_block();
	bridges();
	reused();
	dual_container();
	single_containers();
	asked_addresses();
	null_ipam();
	config_only();
	world_settle(&w);
	after = world_state();
	is_str(after, before, "nothing of it stays");
	default_bridge();
	world_close(&w, true);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ports.c - a bridge's ports: their flags; and BIG TCP on all links */

#include <net/if.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/ip.h"
#include "netlink/rtnl.h"
#include "space.h"
#include "tap.h"

static struct rtnl *nl;
static int here;
static int port_a;
static const uint8_t mac_a[6] = {2, 0x42, 0, 0, 0, 1}, mac_b[6] = {2, 0x42, 0, 0, 0, 2};
static const struct rtnl_gso big = {RTNL_BIG_TCP, RTNL_BIG_TCP};

static int port(const char *name, const char *peer, const uint8_t mac[6], struct rtnl_gso gso)
{
	struct rtnl_veth v = {.host_name = name,
			      .peer_name = peer,
			      .peer_netns = here,
			      .master = (int)if_nametoindex("br0"),
			      .gso = gso};
	struct err e = {0};
	int ifindex = 0;

	memcpy(v.peer_mac, mac, 6);
	if (rtnl_veth_add(nl, &v, &ifindex, &e) < 0 ||
	    rtnl_link_up(nl, (int)if_nametoindex(peer), true, &e) < 0)
		printf("# %s\n", e.msg);
	return ifindex;
}

static struct rtnl_gso gso_of(const char *name)
{
	struct rtnl_link l = {0};

	if (rtnl_link_get(nl, name, &l) < 0)
		printf("# no %s\n", name);
	return l.gso;
}

static void sizes(void)
{
	struct rtnl_bridge b = {.name = "br0", .mac = {2, 1, 1, 1, 1, 1}};
	struct rtnl_gso g;
	struct err e = {0};
	int br = 0;

	is_int(rtnl_bridge_add(nl, &b, &br, &e), 0, "a bridge %s", e.msg);
	port_a = port("va", "pa", mac_a, big);
	(void)port("vb", "pb", mac_b, (struct rtnl_gso){.ipv4 = RTNL_BIG_TCP});
	for (const char *const *n = (const char *const[]){"va", "pa", NULL}; *n; n++) {
		g = gso_of(*n);
		ok(g.ipv4 == RTNL_BIG_TCP && g.ipv6 == RTNL_BIG_TCP, "%s has it", *n);
	}
	for (const char *const *n = (const char *const[]){"vb", "pb", NULL}; *n; n++) {
		g = gso_of(*n);
		ok(g.ipv4 == RTNL_BIG_TCP && g.ipv6 == 65536, "%s for IPv4 alone", *n);
	}
	is_int(rtnl_link_gso(nl, br, big, &e), 0, "the bridge, now that it has ports %s", e.msg);
	g = gso_of("br0");
	ok(g.ipv4 == RTNL_BIG_TCP && g.ipv6 == RTNL_BIG_TCP, "it is: %u %u", g.ipv4, g.ipv6);
	is_int(rtnl_link_gso(nl, port_a, (struct rtnl_gso){65536, 65536}, &e), 0, "taken away");
	g = gso_of("va");
	ok(g.ipv4 == 65536 && g.ipv6 == 65536, "it is");
	is_int(rtnl_link_gso(nl, port_a, big, &e), 0, "and given");
	g = gso_of("va");
	ok(g.ipv4 == RTNL_BIG_TCP && g.ipv6 == RTNL_BIG_TCP, "again");
	ok(rtnl_link_gso(nl, 1, (struct rtnl_gso){1u << 30, 0}, &e) < 0,
	   "more than the link takes: %s", e.msg);
}

static void flags(void)
{
	static const struct {
		enum rtnl_port flag;
		const char *file, *on, *off;
	} rows[] = {{RTNL_PORT_HAIRPIN, "va/brport/hairpin_mode", "1", "0"},
		    {RTNL_PORT_ISOLATED, "va/brport/isolated", "1", "0"}};
	unsigned all = 0;
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		is_str(space_link(rows[i].file), rows[i].off, "%s at first", rows[i].file);
		is_int(rtnl_port_set(nl, port_a, rows[i].flag, rows[i].flag, &e), 0, "set");
		is_str(space_link(rows[i].file), rows[i].on, "it is");
		all |= rows[i].flag;
	}
	is_str(space_link(rows[0].file), rows[0].on, "those before are left alone");
	is_int(rtnl_port_set(nl, port_a, all, 0, &e), 0, "all taken back");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_str(space_link(rows[i].file), rows[i].off, "%s as at first", rows[i].file);
	ok(rtnl_port_set(nl, 1, all, 0, &e) < 0, "lo is no port: %s", e.msg);
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (rtnl_open(&nl) < 0)
		return 1;
	sizes();
	flags();
	close(here);
	rtnl_close(nl);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_addresses.c - addresses, routes, an endpoint's set-up and what its neighbours hear of it */

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "netlink/netns.h"
#include "netlink/rtnl.h"
#include "space.h"
#include "tap.h"

static struct rtnl *nl;
static int br;

/* what `ip ...` says, here or in @ns */
static const char *ip(int ns, const char *args)
{
	static char text[4096];
	auto_buf struct buf out = BUF_INIT(1 << 16);
	auto_free char *line = str_printf("ip %s | sed 's/ *$//'", args);
	const char *argv[] = {"sh", "-c", line, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.netns = ns;
	if (!line || spawn_wait(&s, &out) != 0)
		printf("# ip %s failed\n", args);
	(void)snprintf(text, sizeof(text), "%s", buf_str(&out));
	return text;
}

static struct cidr cidr(const char *text)
{
	struct cidr c = {0};

	if (cidr_parse(text, &c) < 0)
		printf("# not a prefix: %s\n", text);
	return c;
}

static int count(int ifindex, struct cidr addr, void *data)
{
	*(unsigned *)data += ifindex == br && !(addr.ip.family == 6 && ip_is_link_local(addr.ip));
	return 0;
}

static void addresses(void)
{
	struct err e = {0};
	unsigned n = 0;

	is_int(rtnl_addr_add(nl, br, cidr("172.18.0.1/16"), &e), 0, "an address %s", e.msg);
	ok(strstr(ip(-1, "-o -4 addr show dev br0"),
		  "inet 172.18.0.1/16 brd 172.18.255.255 scope global br0"),
	   "with its broadcast address");
	is_int(rtnl_addr_add(nl, br, cidr("172.18.0.1/16"), &e), 0, "there already is fine");
	is_int(rtnl_addr_add(nl, br, cidr("10.0.0.1/31"), &e), 0, "of two");
	ok(!strstr(ip(-1, "-o -4 addr show to 10.0.0.1"), "brd"), "none has a broadcast address");
	is_int(rtnl_addr_add(nl, br, cidr("10.0.0.9/32"), &e), 0, "of one");
	is_int(rtnl_addr_each(nl, count, &n), 0, "all addresses");
	is_int(n, 3, "are three there");
	is_int(rtnl_addr_del(nl, br, cidr("10.0.0.9/32"), &e), 0, "deleted");
	is_int(rtnl_addr_del(nl, br, cidr("10.0.0.9/32"), &e), 0, "gone already is fine");
	is_int(rtnl_addr_del(nl, 9999, cidr("10.0.0.9/32"), &e), 0, "with its link too");
	is_int(rtnl_addr_add(nl, 9999, cidr("10.0.0.9/32"), &e), -ENODEV, "no such link");
	ok(str_has_prefix(e.msg, "cannot add address 10.0.0.9/32: No such device"), "%s", e.msg);
	for (int i = 0; i < 40; i++) {
		char text[CIDR_STR];

		(void)snprintf(text, sizeof(text), "10.1.%d.1/24", i);
		if (rtnl_addr_add(nl, br, cidr(text), &e) < 0)
			printf("# %s\n", e.msg);
	}
	is_int(rtnl_addr_flush(nl, br, &e), 0, "flushed");
	n = 0;
	is_int(rtnl_addr_each(nl, count, &n), 0, "then");
	is_int(n, 0, "none is left of 42");
	is_int(rtnl_addr_flush(nl, br, &e), 0, "nothing to flush");
}

static int count_local(int ifindex, struct cidr addr, void *data)
{
	*(unsigned *)data += ifindex == br && addr.ip.family == 6 && ip_is_link_local(addr.ip);
	return 0;
}

static void addresses_six(void)
{
	struct err e = {0};
	unsigned n = 0, local = 0;

	is_int(rtnl_addr_add(nl, br, cidr("fd18::1/64"), &e), 0, "an IPv6 address %s", e.msg);
	is_str(ip(-1, "-o -6 addr show dev br0 scope global | grep -o 'inet6 [^ ]* scope global "
		      "nodad'"),
	       "inet6 fd18::1/64 scope global nodad\n", "used at once");
	is_int(rtnl_addr_add(nl, br, cidr("fd18::1/64"), &e), 0, "there already is fine");
	is_int(rtnl_addr_add(nl, br, cidr("10.3.0.1/24"), &e), 0, "beside one of IPv4");
	is_int(rtnl_addr_each(nl, count, &n), 0, "all addresses");
	is_int(n, 2, "of both families");
	is_int(rtnl_addr_add(nl, 9999, cidr("fd18::9/64"), &e), -ENODEV, "no such link");
	ok(str_has_prefix(e.msg, "cannot add address fd18::9/64: No such device"), "%s", e.msg);
	is_int(rtnl_addr_del(nl, br, cidr("fd18::1/64"), &e), 0, "deleted");
	is_int(rtnl_addr_del(nl, br, cidr("fd18::1/64"), &e), 0, "gone already is fine");
	is_int(rtnl_addr_add(nl, br, cidr("fd18::2/64"), &e), 0, "another");
	is_int(rtnl_addr_add(nl, br, cidr("fe80::5/64"), &e), 0, "and a link-local one");
	is_int(rtnl_addr_flush(nl, br, &e), 0, "flushed");
	n = 0;
	is_int(rtnl_addr_each(nl, count, &n), 0, "then");
	is_int(n, 0, "none of either family is left");
	is_int(rtnl_addr_each(nl, count_local, &local), 0, "but");
	is_int(local, 1, "the link-local one, without which there is no IPv6");
	is_int(rtnl_addr_del(nl, br, cidr("fe80::5/64"), &e), 0, "deleted by name");
}

struct routes {
	unsigned defaults, net, table7, local, six, default6;
};

static int sort_out(struct cidr dst, int oif, uint32_t table, void *data)
{
	struct routes *r = data;

	if (oif != br)
		return 0;
	r->defaults += dst.len == 0 && dst.ip.family == 4;
	r->default6 += dst.len == 0 && dst.ip.family == 6 && table == 254;
	r->six += dst.len == 48 && ip_eq(dst.ip, cidr("2001:db8:7::/48").ip) && table == 70000;
	r->net += dst.len == 16 && ip_eq(dst.ip, ip_v4(0xac120000)) && table == 254;
	r->table7 += dst.len == 24 && ip_eq(dst.ip, ip_v4(0xcb007100)) && table == 70000;
	r->local += dst.len == ip_width(dst.ip);
	return 0;
}

static int stop(struct cidr dst, int oif, uint32_t table, void *data)
{
	(void)dst;
	(void)oif;
	(void)table;
	(void)data;
	return 5;
}

static void routes(void)
{
	struct routes r = {0};
	struct err e = {0};

	is_int(rtnl_addr_add(nl, br, cidr("172.18.0.1/16"), &e), 0, "an address");
	is_int(rtnl_route_default(nl, V4, ip_v4(0xac120002), br, &e), 0, "a default route %s",
	       e.msg);
	is_str(ip(-1, "-4 route show default"),
	       "default via 172.18.0.2 dev br0 proto static linkdown\n", "is there");
	is_int(rtnl_route_default(nl, V4, ip_v4(0xac120003), br, &e), 0, "another %s", e.msg);
	is_str(ip(-1, "-4 route show default"),
	       "default via 172.18.0.3 dev br0 proto static linkdown\n", "in its place");
	(void)ip(-1, "route add 203.0.113.0/24 dev br0 table 70000");
	is_int(rtnl_route_each(nl, sort_out, &r), 0, "routes of all tables");
	ok(r.defaults == 1 && r.net == 1 && r.table7 == 1 && r.local == 0,
	   "without local and broadcast ones");
	is_int(rtnl_route_each(nl, stop, NULL), 5, "until the callback ends it");
	is_int(rtnl_route_default_del(nl, V4, &e), 0, "deleted %s", e.msg);
	is_str(ip(-1, "-4 route show default"), "", "is gone");
	is_int(rtnl_route_default_del(nl, V4, &e), 0, "none is fine");
	(void)ip(-1, "route add default via 172.18.0.9 proto boot");
	is_int(rtnl_route_default_del(nl, V4, &e), 0, "one that somebody else made");
	is_str(ip(-1, "-4 route show default"), "", "goes too");
	ok(rtnl_route_default(nl, V4, ip_v4(0xc0000201), br, &e) < 0,
	   "a gateway nobody can reach: %s", e.msg);
	ok(str_has_prefix(e.msg, "cannot route by 192.0.2.1: Network is unreachable"), "says so");
}

static void routes_six(void)
{
	struct routes r = {0};
	struct err e = {0};

	is_int(rtnl_addr_add(nl, br, cidr("fd18::1/64"), &e), 0, "an address");
	is_int(rtnl_route_default(nl, V6, cidr("fd18::2/64").ip, br, &e), 0, "a default route %s",
	       e.msg);
	is_str(ip(-1, "-6 route show default | cut -d' ' -f1-5"), "default via fd18::2 dev br0\n",
	       "is there");
	is_int(rtnl_route_default(nl, V6, cidr("fd18::3/64").ip, br, &e), 0, "another %s", e.msg);
	is_str(ip(-1, "-6 route show default | cut -d' ' -f1-5"), "default via fd18::3 dev br0\n",
	       "in its place");
	(void)ip(-1, "-6 route add 2001:db8:7::/48 dev br0 table 70000");
	is_int(rtnl_route_each(nl, sort_out, &r), 0, "routes of all tables");
	ok(r.default6 == 1 && r.six == 1 && r.defaults == 0 && r.local == 0,
	   "of IPv6, too, without local ones");
	is_int(rtnl_route_default_del(nl, V6, &e), 0, "deleted %s", e.msg);
	is_str(ip(-1, "-6 route show default"), "", "is gone");
	is_int(rtnl_route_default_del(nl, V6, &e), 0, "none is fine");
	ok(rtnl_route_default(nl, V6, cidr("2001:db8::1/64").ip, br, &e) < 0,
	   "a gateway nobody can reach: %s", e.msg);
	ok(str_has_prefix(e.msg, "cannot route by 2001:db8::1: "), "says so");
}

static bool hears(int fd, const char *what, const uint8_t mac[6], uint32_t addr)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint32_t be = htonl(addr);
	uint8_t frame[128];
	bool good = false;

	while (!good && poll(&p, 1, 1000) > 0)
		/* request or reply in which sender and target are the same address (RFC 5227, 3) */
		good = recv(fd, frame, sizeof(frame), 0) >= 42 && !memcmp(frame + 22, mac, 6) &&
		       !memcmp(frame + 28, &be, 4) && !memcmp(frame + 38, &be, 4);
	return ok(good, "%s", what);
}

static void endpoint(void)
{
	const struct cidr addrs[] = {cidr("172.18.0.5/16"), cidr("fd18::5/64")};
	struct rtnl_endpoint_setup setup = {.ifname = "eth0", .addrs = addrs, .n_addrs = 2};
	struct rtnl_veth v = {.host_name = "veth1", .peer_name = "eth0", .master = br};
	auto_close int ns = -EBADF,
		       arp = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	struct sockaddr_ll on = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	auto_(rtnl_close) struct rtnl *inside = NULL;
	struct netns_visit visit;
	struct err e = {0};
	int ifindex;

	memcpy(v.peer_mac, (uint8_t[]){2, 0x42, 0xac, 0x12, 0, 5}, 6);
	is_int(netns_create(SPACE_DIR "/ns", &ns, &e), 0, "a namespace %s", e.msg);
	v.peer_netns = ns;
	is_int(rtnl_veth_add(nl, &v, &ifindex, &e), 0, "a veth %s", e.msg);
	on.sll_ifindex = ifindex;
	is_int(bind(arp, (struct sockaddr *)&on, sizeof(on)), 0, "somebody listens");
	if (netns_enter(ns, &visit) < 0)
		return;
	is_int(rtnl_open(&inside), 0, "a socket inside");
	is_int(netns_sysctl("net/ipv4/conf/default/arp_notify", "1"), 0, "links tell who they are");
	netns_leave(&visit);
	is_int(rtnl_endpoint_setup(inside, &setup, &e), 0, "set up from outside %s", e.msg);
	is_str(ip(ns, "-4 -o addr show dev eth0 | grep -o 'inet [^ ]* brd [^ ]*'"),
	       "inet 172.18.0.5/16 brd 172.18.255.255\n", "address");
	is_str(ip(ns, "-6 -o addr show dev eth0 scope global | grep -o 'inet6 [^ ]* scope global "
		      ".*nodad'"),
	       "inet6 fd18::5/64 scope global nodad\n", "an IPv6 address, without waiting");
	is_int(rtnl_route_default(inside, V6, cidr("fd18::1/64").ip, 2, &e), 0, "%s", e.msg);
	is_str(ip(ns, "-6 route show default | cut -d' ' -f1-5"), "default via fd18::1 dev eth0\n",
	       "an IPv6 route");
	is_int(rtnl_route_default_del(inside, V6, &e), 0, "deleted %s", e.msg);
	is_str(ip(ns, "-6 route show default"), "", "gone");
	is_int(rtnl_route_default(inside, V4, (struct ip){0}, 2, &e), 0, "by the link %s", e.msg);
	is_str(ip(ns, "-4 route show default"), "default dev eth0 proto static scope link\n",
	       "without a gateway");
	/* what is sent when it comes up may meet a port that does not yet carry: once more */
	is_int(rtnl_link_mac(inside, 2, v.peer_mac, &e), 0, "its MAC once more %s", e.msg);
	hears(arp, "the neighbours are told", v.peer_mac, 0xac120005);
	setup.ifname = "eth9";
	is_int(rtnl_endpoint_setup(inside, &setup, &e), -ENODEV, "no such link");
	ok(str_has_prefix(e.msg, "cannot find link eth9"), "%s", e.msg);
}

int main(void)
{
	const char *why = space_enter();
	struct rtnl_bridge b = {.name = "br0", .mac = {2, 0x42, 1, 1, 1, 1}};
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (rtnl_open(&nl) < 0 || rtnl_bridge_add(nl, &b, &br, &e) < 0)
		return 1;
	addresses();
	addresses_six();
	routes();
	routes_six();
	endpoint();
	rtnl_close(nl);
	return tap_done();
}

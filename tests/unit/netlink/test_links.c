/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_links.c - bridges, veths and what is done to links, judged by sysfs */

#include <net/if.h>

#include "base/ip.h"
#include "base/str.h"
#include "netlink/netns.h"
#include "netlink/rtnl.h"
#include "space.h"
#include "tap.h"

static struct rtnl *nl;
static const uint8_t mac[6] = {2, 0x42, 1, 2, 3, 4}, peer_mac[6] = {2, 0x42, 172, 18, 0, 2};

static int bridge(const char *name, uint32_t group)
{
	struct rtnl_bridge b = {.name = name, .group = group, .mtu = 1400};
	struct err e = {0};
	int ifindex = 0;

	memcpy(b.mac, mac, 6);
	if (rtnl_bridge_add(nl, &b, &ifindex, &e) < 0)
		printf("# %s\n", e.msg);
	return ifindex;
}

static void bridges(void)
{
	struct rtnl_bridge b = {.name = "br0", .mac = {2, 1, 1, 1, 1, 1}};
	struct rtnl_link l = {0};
	struct err e = {0};
	int ifindex = bridge("br0", 7), other = 0;

	ok(ifindex > 0 && (unsigned)ifindex == if_nametoindex("br0"), "a bridge");
	is_str(space_link("br0/address"), "02:42:01:02:03:04", "with its MAC");
	is_str(space_link("br0/addr_assign_type"), "3", "set, so that no port changes it");
	is_str(space_link("br0/mtu"), "1400", "its MTU");
	is_str(space_link("br0/netdev_group"), "7", "its group");
	is_str(space_link("br0/bridge/stp_state"), "0", "without spanning tree");
	is_str(space_link("br0/flags"), "0x1003", "up");
	is_int(rtnl_link_get(nl, "br0", &l), 0, "found by its name");
	ok(l.ifindex == ifindex && l.mtu == 1400 && l.group == 7 && l.master == 0 &&
		   l.flags & IFF_UP && streq(l.kind, "bridge") && streq(l.name, "br0") &&
		   !memcmp(l.mac, mac, 6),
	   "as it is");
	is_int(rtnl_link_by_index(nl, ifindex, &l), 0, "by its index");
	is_str(l.name, "br0", "the same");
	is_int(rtnl_bridge_add(nl, &b, &other, &e), -EEXIST, "not twice");
	is_str(e.msg, "cannot create bridge br0: File exists", "with its name");
	ok(other == 0, "and no index");
	b.name = "a-name-that-is-too-long";
	ok(rtnl_bridge_add(nl, &b, &other, &e) < 0 &&
		   strstr(e.msg, "(Attribute failed policy validation)"),
	   "the kernel's explanation: %s", e.msg);
	is_int(rtnl_link_get(nl, "absent", &l), -ENODEV, "no such name");
	is_int(rtnl_link_by_index(nl, 9999, &l), -ENODEV, "no such index");
}

static void veths(void)
{
	struct rtnl_veth v = {.host_name = "veth1", .peer_name = "eth0", .mtu = 1300, .group = 8};
	auto_(rtnl_close) struct rtnl *inside = NULL;
	auto_close int ns = -EBADF;
	struct netns_visit visit;
	struct rtnl_link l = {0};
	struct err e = {0};
	int ifindex = 0;

	is_int(netns_create(SPACE_DIR "/ns", &ns, &e), 0, "a namespace %s", e.msg);
	memcpy(v.peer_mac, peer_mac, 6);
	v.peer_netns = ns;
	v.master = (int)if_nametoindex("br0");
	is_int(rtnl_veth_add(nl, &v, &ifindex, &e), 0, "a veth %s", e.msg);
	ok((unsigned)ifindex == if_nametoindex("veth1"), "its host end");
	is_int(rtnl_link_get(nl, "veth1", &l), 0, "is there");
	ok(l.master == v.master && l.flags & IFF_UP && l.mtu == 1300 && l.group == 8 &&
		   streq(l.kind, "veth"),
	   "up, in the bridge, with MTU and group");
	ok(!if_nametoindex("eth0"), "its peer is not here");
	if (netns_enter(ns, &visit) < 0 || rtnl_open(&inside) < 0)
		printf("# cannot enter\n");
	netns_leave(&visit);
	is_int(rtnl_link_get(inside, "eth0", &l), 0, "but there");
	ok(!memcmp(l.mac, peer_mac, 6) && l.mtu == 1300 && !(l.flags & IFF_UP),
	   "with its MAC and MTU, down until it has its address");
	is_int(rtnl_veth_add(nl, &v, &ifindex, &e), -EEXIST, "not twice");
	is_str(e.msg, "cannot create veth veth1: File exists", "with its name");
	v.host_name = "veth2";
	ok(rtnl_veth_add(nl, &v, &ifindex, &e) == -EEXIST && !if_nametoindex("veth2"),
	   "nor a peer's name: then neither end is left");
	v.peer_name = "eth1";
	v.peer_netns = 999;
	ok(rtnl_veth_add(nl, &v, &ifindex, &e) < 0 && !if_nametoindex("veth2"),
	   "no such namespace: %s", e.msg);
	v.peer_netns = ns;
	v.master = 9999;
	ok(rtnl_veth_add(nl, &v, &ifindex, &e) < 0 && !if_nametoindex("veth2"),
	   "no such bridge: %s", e.msg);
	ok(rtnl_link_get(inside, "eth1", &l) == -ENODEV, "and no peer either");
}

static void changes(void)
{
	int br = (int)if_nametoindex("br0");
	struct err e = {0};
	const uint8_t other[6] = {2, 0x42, 9, 9, 9, 9};

	is_int(rtnl_link_up(nl, br, false, &e), 0, "down");
	is_str(space_link("br0/flags"), "0x1002", "it is");
	is_int(rtnl_link_rename(nl, br, "br9", &e), 0, "renamed");
	ok((int)if_nametoindex("br9") == br && !if_nametoindex("br0"), "it is");
	is_int(rtnl_link_up(nl, br, true, &e), 0, "up");
	is_int(rtnl_link_group(nl, br, 0xa7011003, &e), 0,
	       "a group of 32 bits (sysfs shows them with a sign)");
	is_str(space_link("br9/netdev_group"), "-1493102589", "it is");
	is_int(rtnl_link_mac(nl, br, other, &e), 0, "a MAC");
	is_str(space_link("br9/address"), "02:42:09:09:09:09", "it is");
	is_int(rtnl_link_mtu(nl, br, 1200, &e), 0, "an MTU");
	is_str(space_link("br9/mtu"), "1200", "it is");
	is_str(space_link("br9/flags"), "0x1003", "still up");
	is_int(rtnl_link_rename(nl, br, "veth1", &e), -EEXIST, "a name that is taken");
	ok(strstr(e.msg, "cannot rename link #"), "%s", e.msg);
	is_int(rtnl_link_up(nl, 9999, true, &e), -ENODEV, "no such link");
	is_str(e.msg, "cannot set up link #9999: No such device", "says so");
	is_int(rtnl_link_mtu(nl, br, 10, &e), -EINVAL, "too small an MTU: %s", e.msg);
}

static void moved(void)
{
	auto_close int ns = -EBADF;
	struct rtnl_veth v = {
		.host_name = "mv0", .peer_name = "mv1", .peer_mac = {2, 1, 1, 1, 1, 2}};
	struct err e = {0};
	int ifindex = 0;

	v.peer_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	is_int(rtnl_veth_add(nl, &v, &ifindex, &e), 0, "both ends here %s", e.msg);
	(void)fd_close(v.peer_netns);
	is_int(netns_open(SPACE_DIR "/ns", &ns, &e), 0, "the namespace again");
	is_int(rtnl_link_netns(nl, ifindex, ns, &e), 0, "one is moved %s", e.msg);
	ok(!if_nametoindex("mv0") && if_nametoindex("mv1"), "away");
}

/* ---- walks and removal ---- */

struct seen {
	int last;
	unsigned n;
};

static int count(const struct rtnl_link *l, void *data)
{
	struct seen *s = data;

	s->n++;
	s->last = l->ifindex;
	return str_has_prefix(l->name, "stop") ? 77 : 0;
}

static void removed(void)
{
	struct rtnl_link l;
	struct seen s = {0};
	struct err e = {0};
	int stop;
	char name[16];

	for (int i = 0; i < 40; i++) { /* more than one answer of 32 KiB */
		(void)snprintf(name, sizeof(name), "many%d", i);
		(void)bridge(name, i & 1 ? 50 : 51);
	}
	is_int(rtnl_link_each(nl, count, &s), 0, "all links");
	is_int(s.n, 40 + 4, "lo, br9, veth1, mv1 and forty more");
	stop = bridge("stop", 0);
	is_int(rtnl_link_each(nl, count, &s), 77, "until the callback ends it");
	is_int(s.last, stop, "there");
	is_int(rtnl_link_del(nl, stop, &e), 0, "deleted");
	is_int(rtnl_link_del(nl, stop, &e), 0, "gone already is fine");
	is_int(rtnl_group_del(nl, 50, &e), 0, "a group in one message %s", e.msg);
	s.n = 0;
	is_int(rtnl_link_each(nl, count, &s), 0, "then");
	is_int(s.n, 20 + 4, "the other group is left");
	is_int(rtnl_group_del(nl, 51, &e), 0, "the other");
	is_int(rtnl_group_del(nl, 51, &e), 0, "an empty group is fine");
	ok(rtnl_group_del(nl, 0, &e) < 0 && if_nametoindex("veth1"),
	   "the group of everybody is refused: %s", e.msg);
	ok(rtnl_link_del(nl, 1, &e) < 0, "lo stays: %s", e.msg);
	is_int(rtnl_link_del(nl, (int)if_nametoindex("veth1"), &e), 0, "a veth goes");
	is_int(rtnl_link_get(nl, "veth1", &l), -ENODEV, "whole");
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	if (rtnl_open(&nl) < 0)
		return 1;
	bridges();
	veths();
	changes();
	moved();
	removed();
	rtnl_close(nl);
	rtnl_close(NULL);
	return tap_done();
}

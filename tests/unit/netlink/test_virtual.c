/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_virtual.c - macvlan, ipvlan, 802.1q, dummy. A kernel that lacks one says so in a sentence;
 * the message is judged all the same */

#include <net/if.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/str.h"
#include "netlink/internal.h"
#include "netlink/netns.h"
#include "space.h"
#include "tap.h"

static struct rtnl *nl;
static int ns = -EBADF, parent;
static const uint8_t mac[6] = {2, 0x42, 10, 0, 0, 9};

/* the attribute of the message that was sent last, or of one of its nests */
static const struct nlattr *sent(const struct nlattr *in, uint16_t type)
{
	const struct nlmsghdr *nh = (const struct nlmsghdr *)nl->s.out;
	const struct nlattr *a;

	if (in) {
		mnl_attr_for_each_nested(a, in) if (mnl_attr_get_type(a) == type) return a;
	} else {
		mnl_attr_for_each(a, nh, sizeof(struct ifinfomsg)) if (mnl_attr_get_type(a) ==
								       type) return a;
	}
	return NULL;
}

static const struct nlattr *sent_data(const char *kind)
{
	const struct nlattr *info = sent(NULL, IFLA_LINKINFO);
	const struct nlattr *k = info ? sent(info, IFLA_INFO_KIND) : NULL;

	ok(k && streq(mnl_attr_get_str(k), kind), "a message of the kind %s", kind);
	return info ? sent(info, IFLA_INFO_DATA) : NULL;
}

/* Done, or refused with the sentence by a kernel that has none of the kind. */
static bool made(int r, const struct err *e, const char *kind, const char *name)
{
	char want[160];

	if (r != -EOPNOTSUPP) {
		is_int(r, 0, "%s %s", kind, e->msg);
		return r == 0;
	}
	(void)snprintf(want, sizeof(want),
		       "this kernel has no %s: cannot create %s: Operation not supported (Unknown "
		       "device type)",
		       kind, name);
	is_str(e->msg, want, "what this kernel lacks is said");
	return false;
}

static int inside(const char *name, struct rtnl_link *l)
{
	auto_(rtnl_close) struct rtnl *in = NULL;
	struct netns_visit visit;

	if (netns_enter(ns, &visit) < 0 || rtnl_open(&in) < 0)
		return -EIO;
	netns_leave(&visit);
	return rtnl_link_get(in, name, l);
}

static void macvlan(void)
{
	static const struct {
		const char *name;
		enum rtnl_macvlan mode;
	} rows[] = {{"eth0", RTNL_MACVLAN_BRIDGE},
		    {"eth1", RTNL_MACVLAN_PRIVATE},
		    {"eth2", RTNL_MACVLAN_VEPA}};
	struct rtnl_virtual v = {.parent = parent, .netns = ns, .mtu = 1300, .group = 9};
	struct rtnl_link l = {0};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct nlattr *data, *a;

		v.name = rows[i].name;
		memcpy(v.mac, mac, 6);
		v.mac[5] = (uint8_t)i;
		if (!made(rtnl_macvlan_add(nl, &v, rows[i].mode, &e), &e, "macvlan", v.name))
			continue;
		data = sent_data("macvlan");
		a = data ? sent(data, IFLA_MACVLAN_MODE) : NULL;
		ok(a && mnl_attr_get_u32(a) == rows[i].mode, "in its mode");
		is_int(inside(v.name, &l), 0, "born inside");
		ok(!memcmp(l.mac, v.mac, 6) && l.mtu == 1300 && l.group == 9 &&
			   !(l.flags & IFF_UP) && streq(l.kind, "macvlan"),
		   "with MAC, MTU and group, down until it has its address");
		ok(!if_nametoindex(v.name), "and not here");
	}
	v.name = "eth3";
	ok(rtnl_macvlan_add(nl, &v, RTNL_MACVLAN_PASSTHRU, &e) < 0,
	   "passthru wants the parent for itself: %s", e.msg);
	v.parent = 9999;
	is_int(rtnl_macvlan_add(nl, &v, RTNL_MACVLAN_BRIDGE, &e), -ENODEV, "no such parent");
	ok(strstr(e.msg, "cannot create macvlan eth3: No such device"), "%s", e.msg);
}

static void passthru(void)
{
	struct rtnl_virtual v = {.name = "pt0", .parent = (int)if_nametoindex("up1"), .netns = -1};
	struct rtnl_link up, l;
	struct err e = {0};

	if (!made(rtnl_macvlan_add(nl, &v, RTNL_MACVLAN_PASSTHRU, &e), &e, "macvlan", v.name))
		return;
	is_int(rtnl_link_get(nl, "pt0", &l), 0, "here");
	is_int(rtnl_link_get(nl, "up1", &up), 0, "beside its parent");
	ok(l.flags & IFF_UP && !memcmp(l.mac, up.mac, 6), "up, with the parent's own MAC");
	v.name = "pt1";
	ok(rtnl_macvlan_add(nl, &v, RTNL_MACVLAN_BRIDGE, &e) < 0, "which is then taken: %s", e.msg);
}

static void ipvlan(void)
{
	struct rtnl_virtual v = {.name = "ipv0", .parent = parent, .netns = ns};
	const struct nlattr *data, *mode, *flags;
	struct err e = {0};
	bool there = made(rtnl_ipvlan_add(nl, &v, RTNL_IPVLAN_L3S, RTNL_IPVLAN_VEPA, &e), &e,
			  "ipvlan", v.name);
	struct rtnl_link l;

	data = sent_data("ipvlan");
	mode = data ? sent(data, IFLA_IPVLAN_MODE) : NULL;
	flags = data ? sent(data, IFLA_IPVLAN_FLAGS) : NULL;
	ok(mode && mnl_attr_get_u16(mode) == IPVLAN_MODE_L3S, "in mode l3s");
	ok(flags && mnl_attr_get_u16(flags) == IPVLAN_F_VEPA, "and vepa");
	ok(!sent(NULL, IFLA_ADDRESS), "without a MAC of its own");
	ok(mnl_attr_get_u32(sent(NULL, IFLA_LINK)) == (uint32_t)parent &&
		   mnl_attr_get_u32(sent(NULL, IFLA_NET_NS_FD)) == (uint32_t)ns,
	   "on its parent, in its namespace");
	if (there)
		is_int(inside("ipv0", &l), 0, "born inside");
}

static void vlan(void)
{
	struct rtnl_virtual v = {.name = "up0.42", .parent = parent, .netns = -1, .group = 3};
	const struct nlattr *data, *id;
	struct err e = {0};

	(void)made(rtnl_vlan_add(nl, &v, 42, &e), &e, "vlan", v.name);
	data = sent_data("vlan");
	id = data ? sent(data, IFLA_VLAN_ID) : NULL;
	ok(id && mnl_attr_get_u16(id) == 42, "with its number");
	ok(mnl_attr_get_u32(sent(NULL, IFLA_LINK)) == (uint32_t)parent &&
		   mnl_attr_get_u32(sent(NULL, IFLA_GROUP)) == 3 && !sent(NULL, IFLA_NET_NS_FD),
	   "on its parent, here");
	if (e.msg[0] == '\0')
		ok(if_nametoindex("up0.42"), "there");
}

static void dummy(void)
{
	struct rtnl_virtual v = {.name = "dm0", .netns = -1};
	struct err e = {0};

	(void)made(rtnl_dummy_add(nl, &v, &e), &e, "dummy", v.name);
	(void)sent_data("dummy");
	ok(!sent(NULL, IFLA_LINK), "on top of nothing");
	if (e.msg[0] == '\0')
		ok(if_nametoindex("dm0"), "there");
}

int main(void)
{
	struct rtnl_veth v = {.host_name = "up0", .peer_name = "far0"};
	const char *why = space_enter();
	struct err e = {0};
	int other;

	if (why)
		return tap_skip_all(why);
	v.peer_netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	memcpy(v.peer_mac, mac, 6);
	if (rtnl_open(&nl) < 0 || netns_create(SPACE_DIR "/ns", &ns, &e) < 0 ||
	    rtnl_veth_add(nl, &v, &parent, &e) < 0)
		return 1;
	v.host_name = "up1";
	v.peer_name = "far1";
	if (rtnl_veth_add(nl, &v, &other, &e) < 0)
		return 1;
	macvlan();
	passthru();
	ipvlan();
	vlan();
	dummy();
	(void)fd_close(v.peer_netns);
	(void)fd_close(ns);
	rtnl_close(nl);
	return tap_done();
}

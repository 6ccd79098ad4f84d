/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtual.c - interfaces on top of another one: macvlan, ipvlan, 802.1q; and dummy, on top of none
 *
 * The parent is looked up where the socket is, the interface born where @netns says. Which of these
 * kinds a kernel has differs (modules): its refusal is told as a sentence.
 */

#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/str.h"
#include "netlink/internal.h"

_Static_assert(RTNL_MACVLAN_PRIVATE == (int)MACVLAN_MODE_PRIVATE &&
		       RTNL_MACVLAN_VEPA == (int)MACVLAN_MODE_VEPA &&
		       RTNL_MACVLAN_BRIDGE == (int)MACVLAN_MODE_BRIDGE &&
		       RTNL_MACVLAN_PASSTHRU == (int)MACVLAN_MODE_PASSTHRU,
	       "the kernel's modes");
_Static_assert(RTNL_IPVLAN_L2 == (int)IPVLAN_MODE_L2 && RTNL_IPVLAN_L3 == (int)IPVLAN_MODE_L3 &&
		       RTNL_IPVLAN_L3S == (int)IPVLAN_MODE_L3S && RTNL_IPVLAN_BRIDGE == 0 &&
		       RTNL_IPVLAN_PRIVATE == IPVLAN_F_PRIVATE && RTNL_IPVLAN_VEPA == IPVLAN_F_VEPA,
	       "the kernel's modes and flags");

/* A link message up to and into IFLA_INFO_DATA, which finish() ends. */
struct making {
	struct nlmsghdr *nh;
	struct nlattr *info, *data;
	const char *kind;
};

static struct making begin(struct rtnl *nl, const struct rtnl_virtual *v, const char *kind)
{
	static const uint8_t none[6];
	struct making m = {.kind = kind};
	struct ifinfomsg *ifi;

	m.nh = rtnl_link_msg(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	ifi = mnl_nlmsg_get_payload(m.nh);
	if (v->netns < 0)
		ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	nlsock_str(&nl->s, m.nh, IFLA_IFNAME, v->name);
	if (v->parent)
		nlsock_u32(&nl->s, m.nh, IFLA_LINK, (uint32_t)v->parent);
	if (memcmp(v->mac, none, 6) != 0)
		nlsock_put(&nl->s, m.nh, IFLA_ADDRESS, v->mac, 6);
	if (v->mtu)
		nlsock_u32(&nl->s, m.nh, IFLA_MTU, (uint32_t)v->mtu);
	if (v->group)
		nlsock_u32(&nl->s, m.nh, IFLA_GROUP, v->group);
	if (v->netns >= 0)
		nlsock_u32(&nl->s, m.nh, IFLA_NET_NS_FD, (uint32_t)v->netns);
	m.info = nlsock_nest(&nl->s, m.nh, IFLA_LINKINFO);
	nlsock_str(&nl->s, m.nh, IFLA_INFO_KIND, kind);
	m.data = nlsock_nest(&nl->s, m.nh, IFLA_INFO_DATA);
	return m;
}

static int finish(struct rtnl *nl, const struct rtnl_virtual *v, struct making *m, struct err *e)
{
	char verb[64];
	int r;

	if (m->data && m->info) {
		mnl_attr_nest_end(m->nh, m->data);
		mnl_attr_nest_end(m->nh, m->info);
	}
	r = nlsock_call(&nl->s, m->nh, NULL, NULL);
	if (r == -EOPNOTSUPP && (!nl->s.ext[0] || streq(nl->s.ext, "Unknown device type")))
		(void)snprintf(verb, sizeof(verb), "this kernel has no %s: cannot create", m->kind);
	else
		(void)snprintf(verb, sizeof(verb), "cannot create %s", m->kind);
	return rtnl_fail(nl, r, e, verb, v->name);
}

int rtnl_macvlan_add(struct rtnl *nl, const struct rtnl_virtual *v, enum rtnl_macvlan mode,
		     struct err *e)
{
	struct making m = begin(nl, v, "macvlan");

	nlsock_u32(&nl->s, m.nh, IFLA_MACVLAN_MODE, mode);
	return finish(nl, v, &m, e);
}

int rtnl_ipvlan_add(struct rtnl *nl, const struct rtnl_virtual *v, enum rtnl_ipvlan mode,
		    enum rtnl_ipvlan_flag flag, struct err *e)
{
	struct making m = begin(nl, v, "ipvlan");
	uint16_t m16 = (uint16_t)mode, f16 = (uint16_t)flag;

	nlsock_put(&nl->s, m.nh, IFLA_IPVLAN_MODE, &m16, sizeof(m16));
	nlsock_put(&nl->s, m.nh, IFLA_IPVLAN_FLAGS, &f16, sizeof(f16));
	return finish(nl, v, &m, e);
}

int rtnl_vlan_add(struct rtnl *nl, const struct rtnl_virtual *v, uint16_t id, struct err *e)
{
	struct making m = begin(nl, v, "vlan");

	nlsock_put(&nl->s, m.nh, IFLA_VLAN_ID, &id, sizeof(id));
	return finish(nl, v, &m, e);
}

int rtnl_dummy_add(struct rtnl *nl, const struct rtnl_virtual *v, struct err *e)
{
	struct making m = begin(nl, v, "dummy");

	return finish(nl, v, &m, e);
}

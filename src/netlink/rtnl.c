/* SPDX-License-Identifier: GPL-2.0-or-later */
/* rtnl.c - links: bridges, veths, ports, names */

#include <net/if.h> /* before the kernel's headers, which then leave its names alone */

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <string.h>

#include "netlink/internal.h"

/* of newer headers than Debian 12's */
#define LINK_GSO_IPV4_MAX_SIZE 63
#define LINK_GRO_IPV4_MAX_SIZE 64

int rtnl_open(struct rtnl **ret)
{
	struct rtnl *nl = calloc(1, sizeof(*nl));
	int r = nl ? nlsock_open(&nl->s, NETLINK_ROUTE) : -ENOMEM;

	if (r < 0) {
		free(nl);
		return r;
	}
	*ret = nl;
	return 0;
}

void rtnl_close(struct rtnl *nl)
{
	if (!nl)
		return;
	nlsock_close(&nl->s);
	free(nl);
}

int rtnl_fail(struct rtnl *nl, int r, struct err *e, const char *verb, const char *name)
{
	if (r >= 0)
		return 0;
	return err_set(e, ERR_INTERNAL, -r, "%s %s: %s%s%s%s", verb, name, strerror(-r),
		       nl->s.ext[0] ? " (" : "", nl->s.ext, nl->s.ext[0] ? ")" : "");
}

struct nlmsghdr *rtnl_link_msg(struct rtnl *nl, uint16_t type, uint16_t flags, int ifindex)
{
	struct nlmsghdr *nh = nlsock_begin(&nl->s, type, flags);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*ifi));

	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = ifindex;
	return nh;
}

static const char *index_name(int ifindex, char out[16])
{
	(void)snprintf(out, 16, "#%d", ifindex);
	return out;
}

/* ---- reading ---- */

static void parse_info(const struct nlattr *info, struct rtnl_link *l)
{
	const struct nlattr *a;

	mnl_attr_for_each_nested(a, info) if (mnl_attr_get_type(a) == IFLA_INFO_KIND &&
					      mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)(void)
		snprintf(l->kind, sizeof(l->kind), "%s", mnl_attr_get_str(a));
}

static void parse_link(const struct nlmsghdr *nh, struct rtnl_link *l)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);
	const struct nlattr *a;

	*l = (struct rtnl_link){.ifindex = ifi->ifi_index, .flags = ifi->ifi_flags};
	mnl_attr_for_each(a, nh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(a)) {
		case IFLA_IFNAME:
			(void)snprintf(l->name, sizeof(l->name), "%s", mnl_attr_get_str(a));
			break;
		case IFLA_IFALIAS:
			(void)snprintf(l->alias, sizeof(l->alias), "%s", mnl_attr_get_str(a));
			break;
		case IFLA_MASTER:
			l->master = (int)mnl_attr_get_u32(a);
			break;
		case IFLA_MTU:
			l->mtu = (int)mnl_attr_get_u32(a);
			break;
		case IFLA_GROUP:
			l->group = mnl_attr_get_u32(a);
			break;
		case IFLA_GSO_MAX_SIZE:
			l->gso.ipv6 = mnl_attr_get_u32(a);
			break;
		case LINK_GSO_IPV4_MAX_SIZE:
			l->gso.ipv4 = mnl_attr_get_u32(a);
			break;
		case IFLA_ADDRESS:
			if (mnl_attr_get_payload_len(a) == 6)
				memcpy(l->mac, mnl_attr_get_payload(a), 6);
			break;
		case IFLA_LINKINFO:
			parse_info(a, l);
			break;
		}
	}
}

static int take_link(const struct nlmsghdr *nh, void *data)
{
	parse_link(nh, data);
	return 0;
}

int rtnl_link_get(struct rtnl *nl, const char *name, struct rtnl_link *ret)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, 0, 0);
	struct rtnl_link l = {0};
	int r;

	nlsock_str(&nl->s, nh, IFLA_IFNAME, name);
	r = nlsock_call(&nl->s, nh, take_link, &l);
	if (r < 0)
		return r;
	*ret = l;
	return 0;
}

int rtnl_link_by_index(struct rtnl *nl, int ifindex, struct rtnl_link *ret)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, 0, ifindex);
	struct rtnl_link l = {0};
	int r = nlsock_call(&nl->s, nh, take_link, &l);

	if (r < 0)
		return r;
	*ret = l;
	return 0;
}

struct link_walk {
	rtnl_link_fn fn;
	void *data;
	int result;
};

static int walk_link(const struct nlmsghdr *nh, void *data)
{
	struct link_walk *w = data;
	struct rtnl_link l;

	if (w->result)
		return 0;
	parse_link(nh, &l);
	w->result = w->fn(&l, w->data);
	return 0;
}

int rtnl_link_each(struct rtnl *nl, rtnl_link_fn fn, void *data)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_GETLINK, NLM_F_DUMP, 0);
	struct link_walk w = {fn, data, 0};
	int r = nlsock_call(&nl->s, nh, walk_link, &w);

	return r < 0 ? r : w.result;
}

/* ---- making ---- */

/* The IPv4 sizes last: a general size of 64 KiB or less sets them too. */
static void put_gso(struct rtnl *nl, struct nlmsghdr *nh, struct rtnl_gso gso)
{
	if (gso.ipv6) {
		nlsock_u32(&nl->s, nh, IFLA_GSO_MAX_SIZE, gso.ipv6);
		nlsock_u32(&nl->s, nh, IFLA_GRO_MAX_SIZE, gso.ipv6);
	}
	if (gso.ipv4) {
		nlsock_u32(&nl->s, nh, LINK_GSO_IPV4_MAX_SIZE, gso.ipv4);
		nlsock_u32(&nl->s, nh, LINK_GRO_IPV4_MAX_SIZE, gso.ipv4);
	}
}

int rtnl_bridge_add(struct rtnl *nl, const struct rtnl_bridge *b, int *ret_ifindex, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);
	struct nlattr *info, *data;
	struct rtnl_link l;
	int r;

	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	nlsock_str(&nl->s, nh, IFLA_IFNAME, b->name);
	nlsock_put(&nl->s, nh, IFLA_ADDRESS, b->mac, 6);
	if (b->mtu)
		nlsock_u32(&nl->s, nh, IFLA_MTU, (uint32_t)b->mtu);
	if (b->group)
		nlsock_u32(&nl->s, nh, IFLA_GROUP, b->group);
	info = nlsock_nest(&nl->s, nh, IFLA_LINKINFO);
	nlsock_str(&nl->s, nh, IFLA_INFO_KIND, "bridge");
	data = nlsock_nest(&nl->s, nh, IFLA_INFO_DATA);
	nlsock_u32(&nl->s, nh, IFLA_BR_STP_STATE, 0);
	if (data)
		mnl_attr_nest_end(nh, data);
	if (info)
		mnl_attr_nest_end(nh, info);
	r = nlsock_call(&nl->s, nh, NULL, NULL);
	if (r >= 0)
		r = rtnl_link_get(nl, b->name, &l);
	if (r < 0)
		return rtnl_fail(nl, r, e, "cannot create bridge", b->name);
	*ret_ifindex = l.ifindex;
	return 0;
}

static int veth_add(struct rtnl *nl, const struct rtnl_veth *v, struct rtnl_gso gso)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh), *peer_ifi;
	struct nlattr *info, *data, *peer;

	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	nlsock_str(&nl->s, nh, IFLA_IFNAME, v->host_name);
	if (v->mtu)
		nlsock_u32(&nl->s, nh, IFLA_MTU, (uint32_t)v->mtu);
	if (v->group)
		nlsock_u32(&nl->s, nh, IFLA_GROUP, v->group);
	if (v->master)
		nlsock_u32(&nl->s, nh, IFLA_MASTER, (uint32_t)v->master);
	put_gso(nl, nh, gso);
	info = nlsock_nest(&nl->s, nh, IFLA_LINKINFO);
	nlsock_str(&nl->s, nh, IFLA_INFO_KIND, "veth");
	data = nlsock_nest(&nl->s, nh, IFLA_INFO_DATA);
	peer = nlsock_nest(&nl->s, nh, VETH_INFO_PEER);
	peer_ifi = mnl_nlmsg_put_extra_header(nh, sizeof(*peer_ifi));
	peer_ifi->ifi_family = AF_UNSPEC;
	nlsock_str(&nl->s, nh, IFLA_IFNAME, v->peer_name);
	nlsock_put(&nl->s, nh, IFLA_ADDRESS, v->peer_mac, 6);
	if (v->mtu)
		nlsock_u32(&nl->s, nh, IFLA_MTU, (uint32_t)v->mtu);
	put_gso(nl, nh, gso);
	nlsock_u32(&nl->s, nh, IFLA_NET_NS_FD, (uint32_t)v->peer_netns);
	if (peer && data && info) {
		mnl_attr_nest_end(nh, peer);
		mnl_attr_nest_end(nh, data);
		mnl_attr_nest_end(nh, info);
	}
	return nlsock_call(&nl->s, nh, NULL, NULL);
}

int rtnl_veth_add(struct rtnl *nl, const struct rtnl_veth *v, int *ret_ifindex, struct err *e)
{
	struct rtnl_link l;
	int r = veth_add(nl, v, v->gso);

	if (r == -EINVAL && (v->gso.ipv4 || v->gso.ipv6)) /* before Linux 5.19 */
		r = veth_add(nl, v, (struct rtnl_gso){0});
	if (r >= 0)
		r = rtnl_link_get(nl, v->host_name, &l);
	if (r < 0)
		return rtnl_fail(nl, r, e, "cannot create veth", v->host_name);
	*ret_ifindex = l.ifindex;
	return 0;
}

int rtnl_port_set(struct rtnl *nl, int ifindex, unsigned mask, unsigned flags, struct err *e)
{
	static const struct {
		enum rtnl_port flag;
		uint16_t attr;
	} table[] = {{RTNL_PORT_HAIRPIN, IFLA_BRPORT_MODE},
		     {RTNL_PORT_ISOLATED, IFLA_BRPORT_ISOLATED}};
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_SETLINK, 0, ifindex);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);
	struct nlattr *prot;
	char name[16];

	ifi->ifi_family = AF_BRIDGE;
	prot = nlsock_nest(&nl->s, nh, IFLA_PROTINFO | NLA_F_NESTED);
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (mask & table[i].flag)
			nlsock_u8(&nl->s, nh, table[i].attr, (flags & table[i].flag) != 0);
	if (prot)
		mnl_attr_nest_end(nh, prot);
	return rtnl_fail(nl, nlsock_call(&nl->s, nh, NULL, NULL), e, "cannot set the bridge port",
			 index_name(ifindex, name));
}

int rtnl_link_del(struct rtnl *nl, int ifindex, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_DELLINK, 0, ifindex);
	int r = nlsock_call(&nl->s, nh, NULL, NULL);
	char name[16];

	return r == -ENODEV ? 0
			    : rtnl_fail(nl, r, e, "cannot delete link", index_name(ifindex, name));
}

int rtnl_group_del(struct rtnl *nl, uint32_t group, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_DELLINK, 0, 0);
	char name[16];
	int r;

	nlsock_u32(&nl->s, nh, IFLA_GROUP, group);
	r = nlsock_call(&nl->s, nh, NULL, NULL);
	(void)snprintf(name, sizeof(name), "%#x", group);
	return r == -ENODEV ? 0 : rtnl_fail(nl, r, e, "cannot delete the links of group", name);
}

static int set_link(struct rtnl *nl, struct nlmsghdr *nh, int ifindex, const char *verb,
		    struct err *e)
{
	char name[16];

	return rtnl_fail(nl, nlsock_call(&nl->s, nh, NULL, NULL), e, verb,
			 index_name(ifindex, name));
}

int rtnl_link_up(struct rtnl *nl, int ifindex, bool up, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	return set_link(nl, nh, ifindex, up ? "cannot set up link" : "cannot set down link", e);
}

int rtnl_link_rename(struct rtnl *nl, int ifindex, const char *name, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	nlsock_str(&nl->s, nh, IFLA_IFNAME, name);
	return set_link(nl, nh, ifindex, "cannot rename link", e);
}

int rtnl_link_group(struct rtnl *nl, int ifindex, uint32_t group, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	nlsock_u32(&nl->s, nh, IFLA_GROUP, group);
	return set_link(nl, nh, ifindex, "cannot set the group of link", e);
}

int rtnl_link_mac(struct rtnl *nl, int ifindex, const uint8_t mac[6], struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	nlsock_put(&nl->s, nh, IFLA_ADDRESS, mac, 6);
	return set_link(nl, nh, ifindex, "cannot set the MAC address of link", e);
}

int rtnl_link_mtu(struct rtnl *nl, int ifindex, int mtu, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	nlsock_u32(&nl->s, nh, IFLA_MTU, (uint32_t)mtu);
	return set_link(nl, nh, ifindex, "cannot set the MTU of link", e);
}

int rtnl_link_netns(struct rtnl *nl, int ifindex, int netns_fd, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	nlsock_u32(&nl->s, nh, IFLA_NET_NS_FD, (uint32_t)netns_fd);
	return set_link(nl, nh, ifindex, "cannot move link", e);
}

int rtnl_link_gso(struct rtnl *nl, int ifindex, struct rtnl_gso gso, struct err *e)
{
	struct nlmsghdr *nh = rtnl_link_msg(nl, RTM_NEWLINK, 0, ifindex);

	put_gso(nl, nh, gso);
	return set_link(nl, nh, ifindex, "cannot set the segment size of link", e);
}

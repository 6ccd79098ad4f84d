/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipvlan.c - the ipvlan driver: containers with the parent's MAC address on the host's network
 *
 * l2 switches, l3 and l3s route: there the default route is the link itself.
 */

#include "base/str.h"
#include "net/internal.h"

static int word(const struct network *nw, const char *key, const char *const names[3])
{
	const char *v = network_option(nw, key);

	for (int i = 0; !str_empty(v) && i < 3; i++)
		if (streq(v, names[i]))
			return i;
	return str_empty(v) ? 0 : -EINVAL;
}

static int parse(struct net *n, struct network *nw, struct err *e)
{
	static const char *const modes[] = {"l2", "l3", "l3s"}; /* in the order of rtnl.h */
	static const char *const flags[] = {"bridge", "private", "vepa"};

	nw->mode = word(nw, "ipvlan_mode", modes);
	nw->flag = word(nw, "ipvlan_flag", flags);
	if (nw->mode < 0)
		return err_invalid(e,
				   "requested ipvlan mode '%s' is not valid, 'l2' mode is the "
				   "ipvlan driver default",
				   network_option(nw, "ipvlan_mode"));
	if (nw->flag < 0)
		return err_invalid(e,
				   "requested ipvlan flag '%s' is not valid, 'bridge' is the "
				   "ipvlan driver default",
				   network_option(nw, "ipvlan_flag"));
	nw->link_route = nw->mode != RTNL_IPVLAN_L2;
	return parent_parse(n, nw, e);
}

static int add(struct rtnl *nl, const struct rtnl_virtual *v, const struct network *nw,
	       struct err *e)
{
	return rtnl_ipvlan_add(nl, v, (enum rtnl_ipvlan)nw->mode, (enum rtnl_ipvlan_flag)nw->flag,
			       e);
}

static int attach(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	return parent_attach(n, ep, sb, add, e);
}

/* A kernel without it says so when the network is made, not when the first container starts. */
static int create(struct net *n, struct network *nw, struct err *e)
{
	struct rtnl_virtual v = {.name = "atoll-probe", .netns = -1, .group = GROUP_DEAD};
	struct rtnl_link l;
	int r = parent_create(n, nw, e);

	if (r < 0)
		return r;
	v.parent = nw->ifindex;
	r = rtnl_ipvlan_add(n->rtnl, &v, (enum rtnl_ipvlan)nw->mode,
			    (enum rtnl_ipvlan_flag)nw->flag, e);
	if (r >= 0 && rtnl_link_get(n->rtnl, v.name, &l) >= 0)
		r = rtnl_link_del(n->rtnl, l.ifindex, e);
	if (r < 0)
		parent_destroy(n, nw);
	return r;
}

const struct net_driver driver_ipvlan = {
	.name = "ipvlan",
	.user_creatable = true,
	.names = true,
	.parse = parse,
	.create = create,
	.destroy = parent_destroy,
	.attach = attach,
	.detach = parent_detach,
	.whole = parent_whole,
};

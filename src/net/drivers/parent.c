/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * parent.c - what macvlan and ipvlan share: networks on top of an interface of the host
 *
 * The parent is named by the user: an interface that is there; "eth0.50", the VLAN 50 of eth0, made
 * if it is missing; or none, and a dummy is made, which makes the network an internal one. What was
 * made by us is marked by its group and goes with the network. An endpoint is an interface born in
 * the container; its name says that it is there.
 */

#include <net/if.h>
#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

/* Another network on the same interface, or NULL. */
static const struct network *sharing(struct net *n, const struct network *nw)
{
	const struct network *other;

	list_for_each (other, &n->networks, node)
		if (other != nw && other->driver == nw->driver && streq(other->parent, nw->parent))
			return other;
	return NULL;
}

/* The kernel hands an interface to one macvlan in passthru mode alone. */
static int parent_taken(struct net *n, const struct network *nw, struct err *e)
{
	const struct network *other = sharing(n, nw);
	bool macvlan = nw->driver == &driver_macvlan;

	if (other && macvlan && nw->mode == RTNL_MACVLAN_PASSTHRU)
		return err_forbidden(e,
				     "cannot use mode passthru, macvlan network %s is already "
				     "using parent interface %s",
				     other->id, nw->parent);
	if (other && macvlan && other->mode == RTNL_MACVLAN_PASSTHRU)
		return err_forbidden(e,
				     "macvlan network %s is already using parent interface %s in "
				     "mode passthru",
				     other->id, nw->parent);
	return 0;
}

int parent_parse(struct net *n, struct network *nw, struct err *e)
{
	const char *parent = network_option(nw, "parent");
	int r = options_common(nw, e);

	if (r < 0)
		return r;
	if (!str_empty(parent) && (!link_name_ok(parent) || streq(parent, "lo")))
		return err_invalid(e, "%s interface is not a valid %s parent link",
				   streq(parent, "lo") ? "loopback" : parent, nw->driver->name);
	if (!str_empty(parent) && nw->spec.internal)
		return err_invalid(e,
				   "an internal %s network has no parent interface: what is on "
				   "%s would reach it; leave out -o parent or --internal",
				   nw->driver->name, parent);
	if (str_empty(parent)) {
		(void)snprintf(nw->parent, sizeof(nw->parent), "dm-%.12s", nw->id);
		nw->spec.internal = nw->own_parent = true;
	} else {
		(void)snprintf(nw->parent, sizeof(nw->parent), "%s", parent);
	}
	r = parent_taken(n, nw, e);
	return r < 0 ? r : subnets_take(n, nw, e);
}

/* "eth0.50" where eth0 is and eth0.50 is not. */
static int make_vlan(struct net *n, struct network *nw, struct err *e)
{
	struct rtnl_virtual v = {.name = nw->parent, .netns = -1, .group = GROUP_PARENT};
	char *dot = strrchr(nw->parent, '.');
	struct rtnl_link base;
	char name[16];
	uint16_t id;

	if (!dot || parse_u16(dot + 1, &id) < 0 || !id || id > 4094)
		return err_invalid(e, "the requested parent interface %s was not found on the host",
				   nw->parent);
	(void)snprintf(name, sizeof(name), "%.*s", (int)(dot - nw->parent), nw->parent);
	if (rtnl_link_get(n->rtnl, name, &base) < 0)
		return err_invalid(e, "the requested parent interface %s was not found on the host",
				   name);
	v.parent = base.ifindex;
	nw->own_parent = true;
	return rtnl_vlan_add(n->rtnl, &v, id, e);
}

int parent_create(struct net *n, struct network *nw, struct err *e)
{
	struct rtnl_virtual v = {.name = nw->parent, .netns = -1, .group = GROUP_PARENT};
	struct rtnl_link l;
	int r = 0;

	if (rtnl_link_get(n->rtnl, nw->parent, &l) < 0) {
		r = network_option(nw, "parent") ? make_vlan(n, nw, e)
						 : rtnl_dummy_add(n->rtnl, &v, e);
		if (r >= 0 && rtnl_link_get(n->rtnl, nw->parent, &l) < 0)
			r = err_sys(e, ENODEV, "interface %s is gone", nw->parent);
	}
	if (r < 0) {
		parent_destroy(n, nw);
		return r;
	}
	nw->ifindex = l.ifindex;
	nw->own_parent = l.group == GROUP_PARENT; /* perhaps made for another network */
	return 0;
}

void parent_destroy(struct net *n, struct network *nw)
{
	struct rtnl_link l;
	struct err e = {0};

	nw->ifindex = 0;
	if (nw->own_parent && !sharing(n, nw) && rtnl_link_get(n->rtnl, nw->parent, &l) >= 0 &&
	    l.group == GROUP_PARENT && rtnl_link_del(n->rtnl, l.ifindex, &e) < 0)
		log_warn("the parent interface of a removed network stays: %s", e.msg);
}

int parent_attach(struct net *n, struct endpoint *ep, struct sandbox *sb, upper_add *add,
		  struct err *e)
{
	struct network *nw = ep->nw;
	struct rtnl_virtual v = {
		.name = ep->ifname, .netns = sb->netns, .mtu = nw->mtu, .group = GROUP_ENDPOINT};
	struct rtnl_link l;
	int r = 0;

	/* somebody may have deleted it, and made it again with another number */
	if (rtnl_link_get(n->rtnl, nw->parent, &l) >= 0)
		nw->ifindex = l.ifindex;
	else
		r = parent_create(n, nw, e);
	if (r >= 0)
		r = plug_choose(n, ep, e);
	if (r >= 0) {
		v.parent = nw->ifindex;
		memcpy(v.mac, ep->mac, 6);
		r = add(n->rtnl, &v, nw, e);
	}
	if (r < 0) {
		ep->ifname[0] = '\0';
		return r;
	}
	return plug_inside(ep, sb, e);
}

void parent_detach(struct net *n, struct endpoint *ep, struct sandbox *sb, bool alive)
{
	(void)n;
	(void)alive; /* a namespace that goes takes its time, and the parent may be wanted at once
		      */
	if (sb && sb->netns >= 0 && *ep->ifname)
		plug_remove(ep, sb);
}

bool parent_whole(struct net *n, const struct endpoint *ep, const struct sandbox *sb)
{
	(void)n;
	return *ep->ifname && plug_there(ep, sb);
}

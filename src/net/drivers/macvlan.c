/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * macvlan.c - the macvlan driver: containers with MAC addresses of their own on the host's network
 *
 * The host itself and they do not reach each other: the kernel hands nothing from a parent to its
 * own macvlans. The firewall is not asked for what goes by.
 */

#include "base/str.h"
#include "net/internal.h"

static int parse(struct net *n, struct network *nw, struct err *e)
{
	static const struct {
		const char *name;
		enum rtnl_macvlan mode;
	} modes[] = {{"bridge", RTNL_MACVLAN_BRIDGE},
		     {"private", RTNL_MACVLAN_PRIVATE},
		     {"vepa", RTNL_MACVLAN_VEPA},
		     {"passthru", RTNL_MACVLAN_PASSTHRU}};
	const char *v = network_option(nw, "macvlan_mode");
	size_t i = 0;

	while (!str_empty(v) && i < ARRAY_SIZE(modes) && !streq(v, modes[i].name))
		i++;
	if (i == ARRAY_SIZE(modes))
		return err_invalid(e,
				   "requested macvlan mode '%s' is not valid, 'bridge' mode is the "
				   "macvlan driver default",
				   v);
	nw->mode = (int)modes[i].mode;
	return parent_parse(n, nw, e);
}

static int add(struct rtnl *nl, const struct rtnl_virtual *v, const struct network *nw,
	       struct err *e)
{
	return rtnl_macvlan_add(nl, v, (enum rtnl_macvlan)nw->mode, e);
}

static int attach(struct net *n, struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	return parent_attach(n, ep, sb, add, e);
}

const struct net_driver driver_macvlan = {
	.name = "macvlan",
	.user_creatable = true,
	.names = true,
	.parse = parse,
	.create = parent_create,
	.destroy = parent_destroy,
	.attach = attach,
	.detach = parent_detach,
	.whole = parent_whole,
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plug.c - an endpoint's half inside the container, whatever made the link: addresses, MAC, name
 */

#include <string.h>

#include "base/log.h"
#include "base/str.h"
#include "net/internal.h"

#define OPT_ENDPOINT "com.docker.network.endpoint."

/* ---- what it gets ---- */

static int wanted_address(struct endpoint *ep, int fam, struct err *e)
{
	char ip[IP_STR];
	int r = ipam_take(ep->nw->fam[fam].ipam, ep->static_ip[fam], &ep->ip[fam]);

	if (r == -ERANGE)
		return err_invalid(
			e,
			"invalid endpoint settings:\nno configured subnet contains IP address %s",
			ip_str(ep->static_ip[fam], ip));
	return r == -ENOMEM ? err_nomem(e) : r < 0 ? err_forbidden(e, "Address already in use") : 0;
}

static int choose_address(struct endpoint *ep, int fam, struct err *e)
{
	struct network *nw = ep->nw;
	struct net_family *f = &nw->fam[fam];

	if (!f->on || !f->ipam) /* off, or null IPAM */
		return 0;
	if (ip_set(ep->static_ip[fam]))
		return wanted_address(ep, fam, e);
	/* the address of its last life, if nobody took it meanwhile */
	if (ip_set(ep->last_ip[fam]) && ipam_take(f->ipam, ep->last_ip[fam], &ep->ip[fam]) >= 0)
		return 0;
	if (ipam_take(f->ipam, (struct ip){0}, &ep->ip[fam]) >= 0)
		return 0;
	return err_set(e, ERR_INTERNAL, ENOSPC,
		       "no available IPv%d addresses on this network's address pools: %s (%s)",
		       fam == V6 ? 6 : 4, nw->spec.name, nw->id);
}

static void choose_mac(struct endpoint *ep)
{
	static const uint8_t none[6];
	uint64_t from = ip_set(ep->ip[V4]) ? ep->ip[V4].lo : ep->ip[V6].lo;

	if (memcmp(ep->asked_mac, none, 6) != 0) {
		memcpy(ep->mac, ep->asked_mac, 6);
		return;
	}
	if (!ip_set(ep->ip[V4]) && !ip_set(ep->ip[V6]))
		rand_bytes(&from, sizeof(from));
	ep->mac[0] = 0x02;
	ep->mac[1] = 0x42;
	for (int i = 0; i < 4; i++)
		ep->mac[2 + i] = (uint8_t)(from >> (24 - 8 * i));
}

static bool name_is_taken(struct net *n, const struct endpoint *ep)
{
	struct endpoint *other = NULL;

	while ((other = net_container_endpoint_next(n, ep->owner->id, other)))
		if (other != ep && other->attached && streq(other->ifname, ep->ifname))
			return true;
	return false;
}

/* The one asked for, else the first free ethN: endpoints of other networks of this container have
 * theirs. */
static int choose_ifname(struct net *n, struct endpoint *ep, struct err *e)
{
	const char *asked =
		json_string_value(json_object_get(ep->driver_opts, OPT_ENDPOINT "ifname"));

	if (!str_empty(asked)) {
		(void)snprintf(ep->ifname, sizeof(ep->ifname), "%s", asked);
		return name_is_taken(n, ep)
			       ? err_conflict(e,
					      "the interface name %s is in use in this container",
					      asked)
			       : 0;
	}
	for (unsigned i = 0; i < 10000; i++) {
		(void)snprintf(ep->ifname, sizeof(ep->ifname), "%.11s%u", ep->nw->ifprefix, i);
		if (!name_is_taken(n, ep))
			return 0;
	}
	return err_conflict(e, "no interface name is left in this container");
}

int plug_choose(struct net *n, struct endpoint *ep, struct err *e)
{
	int r = 0;

	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++)
		r = choose_address(ep, fam, e);
	if (r < 0)
		return r;
	choose_mac(ep);
	return choose_ifname(n, ep, e);
}

/* ---- inside the namespace ---- */

#define ADDRS_MAX 16

static size_t addresses(const struct endpoint *ep, struct cidr list[ADDRS_MAX])
{
	size_t n = 0;

	for (int fam = 0; fam < N_FAMILIES; fam++)
		if (ip_set(ep->ip[fam]))
			list[n++] = (struct cidr){ep->ip[fam], ep->nw->fam[fam].subnet.len};
	for (char **l = ep->link_local; l && *l && n < ADDRS_MAX; l++) {
		struct ip ip;

		if (ip_parse(*l, &ip) >= 0)
			list[n++] = (struct cidr){ip, ip.family == 6 ? 64 : 16};
	}
	return n;
}

/* Called inside the namespace. */
static int if_sysctl(const struct endpoint *ep, const char *group, const char *name,
		     const char *value)
{
	auto_free char *key = str_printf("net/%s/%s/%s", group, ep->ifname, name);

	return key ? netns_sysctl(key, value) : -ENOMEM;
}

static bool wants_v6(const struct endpoint *ep)
{
	if (ep->nw->fam[V6].on)
		return true;
	for (char **l = ep->link_local; l && *l; l++)
		if (strchr(*l, ':'))
			return true;
	return false;
}

/* "net.ipv4.conf.IFNAME.x=1", checked by plug_check() */
static int one_sysctl(const struct endpoint *ep, char *text, struct err *e)
{
	auto_strv char **part = NULL;
	char *value = strchr(text, '=');
	auto_free char *group = NULL;
	int r;

	if (!value)
		return 0;
	*value++ = '\0';
	if (strv_split(text, ".", &part) < 0)
		return err_nomem(e);
	group = str_printf("%s/%s", part[1], part[2]);
	r = group ? if_sysctl(ep, group, part[4], value) : -ENOMEM;
	return r < 0 ? err_set(e, ERR_INVALID, -r, "cannot set the sysctl %s to %s: %s", text,
			       value, strerror(-r))
		     : 0;
}

static int endpoint_sysctls(const struct endpoint *ep, struct err *e)
{
	const char *text =
		json_string_value(json_object_get(ep->driver_opts, OPT_ENDPOINT "sysctls"));
	auto_strv char **list = NULL;
	int r = 0;

	if (str_empty(text))
		return 0;
	if (strv_split(text, ",", &list) < 0)
		return err_nomem(e);
	for (char **s = list; r >= 0 && s && *s; s++)
		r = one_sysctl(ep, *s, e);
	return r;
}

/* Before the link is up. A link without IPv6 has no link-local address either: nobody reaches
 * around the network's rules by it. */
static int before_up(const struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	struct netns_visit v;
	int r = netns_enter(sb->netns, &v);

	if (r < 0)
		return err_sys(e, -r, "cannot enter the namespace of container %s",
			       sb->container_name);
	r = if_sysctl(ep, "ipv6/conf", "disable_ipv6", wants_v6(ep) ? "0" : "1");
	r = r == -ENOENT && !wants_v6(ep) ? 0 : r; /* a kernel without IPv6 */
	if (r < 0)
		(void)err_sys(e, -r, "cannot %s IPv6 on %s of container %s",
			      wants_v6(ep) ? "enable" : "disable", ep->ifname, sb->container_name);
	else
		r = endpoint_sysctls(ep, e);
	netns_leave(&v);
	return r;
}

/*
 * The neighbours are told: a reused address is otherwise unanswered for seconds. The namespace's
 * arp_notify and ndisc_notify make the kernel announce a link that comes up or is given its MAC
 * address. At the first the bridge's port does not forward yet: it learns of the carrier from the
 * kernel's link watch, which a look at both ends brings up to date (since Linux 6.9; before, it
 * runs within a millisecond). So the MAC address is set once more. (A packet socket of ours would
 * cost 8 to 15 ms to close.)
 */
static void announce(struct rtnl *inside, const struct endpoint *ep)
{
	struct rtnl_link l, host;

	if (rtnl_link_get(inside, ep->ifname, &l) < 0 ||
	    (*ep->host_name && rtnl_link_get(ep->nw->net->rtnl, ep->host_name, &host) < 0) ||
	    rtnl_link_mac(inside, l.ifindex, ep->mac, NULL) < 0)
		log_debug("an address is not announced container=%s", ep->container_name);
}

/* ---- more announcements, where they were asked for ---- */

void plug_quiet(struct endpoint *ep)
{
	ep->announcing = source_free(ep->announcing);
	ep->announce_left = 0;
}

static void announce_again(void *data)
{
	struct endpoint *ep = data;
	struct sandbox *sb = map_get(ep->nw->net->sandboxes, ep->owner->id);
	auto_(rtnl_close) struct rtnl *nl = NULL;

	if (sb && sandbox_rtnl(sb, &nl, NULL) >= 0)
		announce(nl, ep);
	if (--ep->announce_left > 0)
		source_timer_set(ep->announcing, ep->announce_ms);
	else
		plug_quiet(ep);
}

static void announce_later(struct endpoint *ep)
{
	int n = 1, ms = 1000;

	/* both were checked when they were given */
	if (options_advertise(ep->nw->spec.options, &n, &ms, NULL) < 0 ||
	    options_advertise(ep->driver_opts, &n, &ms, NULL) < 0)
		return;
	ep->announce_left = n - 1;
	ep->announce_ms = ms;
	if (n > 1 && !ep->announcing &&
	    loop_timer(ep->nw->net->loop, ms, announce_again, ep, &ep->announcing) < 0)
		log_debug("an address is announced once only container=%s", ep->container_name);
}

int plug_inside(struct endpoint *ep, struct sandbox *sb, struct err *e)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct cidr list[ADDRS_MAX];
	struct rtnl_endpoint_setup s = {
		.ifname = ep->ifname, .addrs = list, .n_addrs = addresses(ep, list)};
	int r = before_up(ep, sb, e);

	if (r >= 0)
		r = sandbox_rtnl(sb, &nl, e);
	if (r >= 0)
		r = rtnl_endpoint_setup(nl, &s, e);
	if (r >= 0) {
		announce(nl, ep);
		announce_later(ep);
	}
	return r;
}

void plug_remove(const struct endpoint *ep, const struct sandbox *sb)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l;
	struct err e = {0};

	if (sandbox_rtnl(sb, &nl, NULL) >= 0 && rtnl_link_get(nl, ep->ifname, &l) >= 0 &&
	    rtnl_link_del(nl, l.ifindex, &e) < 0)
		log_warn("a link could not be removed: %s", e.msg);
}

bool plug_there(const struct endpoint *ep, const struct sandbox *sb)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l;

	return sandbox_rtnl(sb, &nl, NULL) >= 0 && rtnl_link_get(nl, ep->ifname, &l) >= 0;
}

/* Down, without address, renamed. */
void plug_hide(const struct endpoint *ep, const struct sandbox *sb)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	struct rtnl_link l;
	char name[16];
	int r;

	if (sandbox_rtnl(sb, &nl, NULL) < 0 || rtnl_link_get(nl, ep->ifname, &l) < 0)
		return;
	(void)snprintf(name, sizeof(name), "gone%s", ep->host_name + 4);
	r = rtnl_link_up(nl, l.ifindex, false, NULL);
	if (r >= 0)
		r = rtnl_addr_flush(nl, l.ifindex, NULL);
	if (r >= 0)
		r = rtnl_link_rename(nl, l.ifindex, name, NULL);
	if (r < 0)
		log_debug("a link stays in sight for a moment container=%s", sb->container_name);
}

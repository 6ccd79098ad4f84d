/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * neighbours.c - other firewalls, and routes that overlap a network of ours
 *
 * Others' nft chains tell of their changes through nft_watch_others(). The tables of
 * iptables-legacy tell nobody: where the kernel has such tables they are looked at every second.
 *
 * Routes are told by rtnetlink, in a socket of our own: host.c's is read only when a subnet is
 * chosen.
 */

#include "net/neighbours.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/map.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "netlink/rtnl.h"
#include "nftables/nft.h"

#define LOOK_MS	   1000 /* at iptables-legacy, in use */
#define NO_LOOK_MS 10000
#define AGAIN_MS   300 /* the ruleset changed while it was read */

struct neighbours {
	struct neighbours_config c;
	/* firewalld.c's table is its own: our bridges go into a zone */
	bool zones;
	struct map *zoned;	 /* bridges that are there by us */
	char asked[IF_NAMESIZE]; /* by the program that runs now; "" none runs */
	bool asked_away;
	struct source *asking;
	enum nft_pass pass;
	struct source *timer, *routes_io;
	struct mnl_socket *routes;
	struct map *told; /* what was reported and is still so: chains that refuse us, routes */
};

static char present;

static void event(struct neighbours *nb, const char *what, const char *detail)
{
	if (nb->c.event)
		nb->c.event(what, detail, nb->c.data);
}

/* Return: is this news */
static bool first_time(struct neighbours *nb, const char *key)
{
	return map_put(nb->told, key, &present) == 1;
}

static enum nft_pass pass_of(enum firewall_mode mode)
{
	switch (mode) {
	case FIREWALL_OPEN:
		return NFT_PASS_ALL;
	case FIREWALL_RESPECT:
		return NFT_PASS_OUT;
	case FIREWALL_NONE:
		break;
	}
	return NFT_PASS_NONE;
}

/* ---- firewalld ---- */

/* One program a bridge, one after the other: who ends looks for the next. */
static int zone_ask(const char *bridge, bool away, pid_t *ret, int *ret_pidfd)
{
#define BUS "org.fedoraproject.FirewallD1"
	const char *method = away ? BUS ".zone.removeInterface" : BUS ".zone.changeZoneOfInterface";
	auto_free char *iface = str_printf("string:%s", bridge);
	static const char zone[] = BUS ".zone", dest[] = "--dest=" BUS;
	const char *busctl[] = {"busctl",
				"--timeout=5",
				"call",
				BUS,
				"/org/fedoraproject/FirewallD1",
				zone,
				strrchr(method, '.') + 1,
				"ss",
				"trusted",
				bridge,
				NULL};
	const char *dbus_send[] = {"dbus-send",
				   "--system",
				   "--print-reply",
				   "--reply-timeout=5000",
				   dest,
				   "/org/fedoraproject/FirewallD1",
				   method,
				   "string:trusted",
				   iface,
				   NULL};
	struct spawn s = SPAWN_INIT;

	if (!iface)
		return -ENOMEM;
	s.die_with_parent = true;
	s.argv = busctl;
	*ret = spawn_start(&s, ret_pidfd);
	if (*ret < 0) {
		s.argv = dbus_send;
		*ret = spawn_start(&s, ret_pidfd);
	}
	return *ret < 0 ? (int)*ret : 0;
#undef BUS
}

static void zone_told(pid_t pid, int status, void *data)
{
	struct neighbours *nb = data;
	char key[64];

	(void)pid;
	nb->asking = source_free(nb->asking);
	(void)snprintf(key, sizeof(key), "zone %s", nb->asked);
	if (nb->asked_away) {
		(void)map_del(nb->zoned, nb->asked);
	} else if (status == 0) {
		(void)map_del(nb->told, key);
		if (map_put(nb->zoned, nb->asked, &present) == 1)
			log_info("firewalld has a bridge of ours in its zone \"trusted\" bridge=%s",
				 nb->asked);
		event(nb, "firewall", nb->asked);
	} else if (first_time(nb, key)) { /* and not asked again */
		log_warn("firewalld does not take a bridge of ours into its zone \"trusted\": its "
			 "containers reach nothing outside bridge=%s",
			 nb->asked);
	}
	nb->asked[0] = '\0';
	source_timer_set(nb->timer, 0);
}

struct zone_search {
	struct neighbours *nb;
	struct map *there; /* our bridges */
	const char *missing;
};

static void zone_missing(const char *bridge, void *ctx)
{
	struct zone_search *s = ctx;
	char key[64];

	(void)snprintf(key, sizeof(key), "zone %s", bridge);
	(void)map_put(s->there, bridge, &present); /* without memory it is asked for once more */
	if (!s->missing && s->nb->zones && !map_get(s->nb->told, key) &&
	    nft_names_link("firewalld", "filter_FORWARD_POLICIES", bridge) == 0)
		s->missing = bridge;
}

static void zone_next(struct neighbours *nb)
{
	auto_(map_free) struct map *there = NULL;
	struct zone_search s = {.nb = nb};
	const char *gone = NULL, *key;
	auto_close int pidfd = -EBADF;
	size_t pos = 0;
	pid_t pid;

	if (*nb->asked || !nb->c.bridges || map_new(&there) < 0)
		return;
	s.there = there;
	nb->c.bridges(zone_missing, &s, nb->c.data);
	while (!s.missing && !gone && map_next(nb->zoned, &pos, &key))
		if (!map_get(there, key))
			gone = key;
	if (!s.missing && !gone)
		return;
	(void)snprintf(nb->asked, sizeof(nb->asked), "%s", s.missing ? s.missing : gone);
	nb->asked_away = !s.missing;
	if (zone_ask(nb->asked, nb->asked_away, &pid, &pidfd) < 0 ||
	    loop_child(nb->c.loop, pid, -1, zone_told, nb, &nb->asking) < 0)
		zone_told(-1, -1, nb);
}

/* ---- other firewalls ---- */

static void chain_told(const char *chain, const char *why, void *data)
{
	struct neighbours *nb = data;

	if (why && nb->pass == NFT_PASS_ALL && streq(chain, "inet firewalld filter_FORWARD")) {
		nb->zones = true;
		return;
	}
	if (why) {
		if (first_time(nb, chain))
			log_warn("another firewall drops what is forwarded, and has no rule for "
				 "our networks chain=\"%s\" error=%s",
				 chain, why);
		return;
	}
	(void)map_del(nb->told, chain);
	log_info("another firewall drops what is forwarded: a rule for our networks is its first "
		 "chain=\"%s\" %s",
		 chain, nb->pass == NFT_PASS_ALL ? "open" : "for what goes out");
	event(nb, "firewall", chain);
}

static void look(void *data)
{
	struct neighbours *nb = data;
	int r;

	nb->zones = false;
	r = nft_pass(nb->c.nft, nb->pass, chain_told, nb);
	if (r < 0)
		log_debug("other firewalls cannot be looked at: %s", strerror(-r));
	if (nb->zones || map_len(nb->zoned))
		zone_next(nb);
	if (nb->pass != NFT_PASS_NONE)
		source_timer_set(nb->timer, r < 0		  ? AGAIN_MS
					    : nft_legacy_in_use() ? LOOK_MS
								  : NO_LOOK_MS);
}

void neighbours_networks(struct neighbours *nb)
{
	if (nb && (nb->zones || map_len(nb->zoned)))
		source_timer_set(nb->timer, 0);
}

/* ---- routes ---- */

static void overlap(struct neighbours *nb, struct cidr dst, int oif)
{
	const char *name =
		dst.len > 1 && !nb->c.ours(oif, nb->c.data) ? nb->c.overlap(dst, nb->c.data) : NULL;
	char key[96], text[CIDR_STR], dev[IF_NAMESIZE] = "";

	if (!name)
		return;
	(void)snprintf(key, sizeof(key), "%s %d", cidr_str(dst, text), oif);
	if (!first_time(nb, key))
		return;
	log_warn("a route of this host overlaps a network of ours: the host and the containers may "
		 "not reach who is there network=%s route=%s dev=%s",
		 name, text, oif && if_indextoname((unsigned)oif, dev) ? dev : "");
	event(nb, "overlap", name);
}

static int route_there(struct cidr dst, int oif, uint32_t table, void *data)
{
	(void)table;
	overlap(data, dst, oif);
	return 0;
}

static void read_all(struct neighbours *nb)
{
	auto_(rtnl_close) struct rtnl *nl = NULL;
	int r = rtnl_open(&nl);

	if (r >= 0)
		r = rtnl_route_each(nl, route_there, nb);
	if (r < 0)
		log_warn("the host's routes cannot be read: %s", strerror(-r));
}

static void route_told(struct neighbours *nb, const struct nlmsghdr *nh)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nh);
	struct cidr dst = {.len = 0};
	const struct nlattr *a;
	char key[96], text[CIDR_STR];
	int oif = 0;

	if (mnl_nlmsg_get_payload_len(nh) < sizeof(*rt) || rt->rtm_type != RTN_UNICAST)
		return;
	mnl_attr_for_each(a, nh, sizeof(*rt))
	{
		if (mnl_attr_get_type(a) == RTA_DST &&
		    ip_from_bytes(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a), &dst.ip) >=
			    0)
			dst.len = rt->rtm_dst_len;
		else if (mnl_attr_get_type(a) == RTA_OIF && mnl_attr_get_payload_len(a) == 4)
			oif = (int)mnl_attr_get_u32(a);
	}
	if (dst.len > ip_width(dst.ip))
		return;
	if (nh->nlmsg_type == RTM_NEWROUTE) {
		overlap(nb, dst, oif);
		return;
	}
	(void)snprintf(key, sizeof(key), "%s %d", cidr_str(dst, text), oif);
	if (map_del(nb->told, key))
		log_info("a route that overlapped a network of ours is gone route=%s", text);
}

static void routes_told(int fd, uint32_t events, void *data)
{
	_Alignas(struct nlmsghdr) char buf[16384];
	struct neighbours *nb = data;
	bool lost = false;

	(void)events;
	for (;;) {
		ssize_t len = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		const struct nlmsghdr *nh = (const struct nlmsghdr *)buf;
		int left = (int)len;

		if (len < 0 && (errno == EINTR || errno == ENOBUFS)) {
			lost = lost || errno == ENOBUFS;
			continue;
		}
		if (len <= 0)
			break;
		for (; mnl_nlmsg_ok(nh, left); nh = mnl_nlmsg_next(nh, &left))
			if (nh->nlmsg_type == RTM_NEWROUTE || nh->nlmsg_type == RTM_DELROUTE)
				route_told(nb, nh);
	}
	if (lost)
		read_all(nb);
}

static int watch_routes(struct neighbours *nb)
{
	static const int groups[] = {RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};

	nb->routes = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nb->routes || mnl_socket_bind(nb->routes, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (mnl_socket_setsockopt(nb->routes, NETLINK_ADD_MEMBERSHIP,
					  (void *)(uintptr_t)&groups[i], sizeof(int)) < 0)
			return -errno;
	return loop_io(nb->c.loop, mnl_socket_get_fd(nb->routes), EPOLLIN, routes_told, nb,
		       &nb->routes_io);
}

/* ---- open and close ---- */

int neighbours_open(const struct neighbours_config *c, struct neighbours **ret, struct err *e)
{
	struct neighbours *nb = calloc(1, sizeof(*nb));
	int r;

	if (!nb)
		return err_nomem(e);
	nb->c = *c;
	nb->pass = pass_of(c->mode);
	r = map_new(&nb->told);
	if (r >= 0)
		r = map_new(&nb->zoned);
	if (r >= 0)
		r = loop_timer(c->loop, -1, look, nb, &nb->timer);
	if (r >= 0)
		r = watch_routes(nb);
	if (r < 0) {
		neighbours_close(nb, false);
		return err_sys(e, -r, "cannot watch the host's routes");
	}
	read_all(nb);
	look(nb); /* with none, too: of a life before that was not so modest */
	if (nb->pass != NFT_PASS_NONE)
		nft_watch_others(c->nft, look, nb);
	*ret = nb;
	return 0;
}

void neighbours_close(struct neighbours *nb, bool remove)
{
	if (!nb)
		return;
	nft_watch_others(nb->c.nft, NULL, NULL);
	if (remove && nft_pass(nb->c.nft, NFT_PASS_NONE, NULL, NULL) < 0)
		log_warn("a rule of ours may have stayed with another firewall");
	nb->asking = source_free(nb->asking);
	nb->timer = source_free(nb->timer);
	nb->routes_io = source_free(nb->routes_io);
	if (nb->routes)
		(void)mnl_socket_close(nb->routes);
	map_free(nb->told);
	map_free(nb->zoned);
	free(nb);
}

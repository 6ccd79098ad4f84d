/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_neighbours.c - what other firewalls and other routes do is noticed, by the loop alone */

#include <net/if.h>
#include <signal.h>

#include "base/clock.h"
#include "base/str.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "net/neighbours.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

static struct loop *l;
static struct nft *n;
static unsigned events;
static char last[128];

static bool ours(int ifindex, void *data)
{
	(void)data;
	return ifindex == (int)if_nametoindex("br1");
}

static const char *overlaps(struct cidr dst, void *data)
{
	static const struct cidr mine[] = {{{.lo = 0xac120000, .family = 4}, 16},
					   {{.hi = 0xfd12ull << 48, .family = 6}, 64}};

	(void)data;
	return cidr_overlap(mine[0], dst) || cidr_overlap(mine[1], dst) ? "shop" : NULL;
}

static void event(const char *what, const char *detail, void *data)
{
	(void)data;
	events++;
	(void)snprintf(last, sizeof(last), "%s %s", what, detail);
}

static unsigned n_bridges;

static void bridges(void (*fn)(const char *bridge, void *ctx), void *ctx, void *data)
{
	static const char *const names[] = {"br1", "br2", "br3"};

	(void)data;
	for (unsigned i = 0; i < n_bridges; i++)
		fn(names[i], ctx);
}

static int sh(const char *script)
{
	const char *argv[] = {"sh", "-ec", script, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	return spawn_wait(&s, NULL);
}

static unsigned turn(unsigned want, int64_t ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	events = 0;
	while (events < want && clock_mono_ns() < end)
		(void)loop_run_once(l, 20);
	return events;
}

static struct neighbours *open_as(enum firewall_mode mode)
{
	struct neighbours_config c = {.loop = l,
				      .nft = n,
				      .mode = mode,
				      .ours = ours,
				      .overlap = overlaps,
				      .bridges = bridges,
				      .event = event};
	struct neighbours *nb = NULL;
	struct err e = {0};

	is_int(neighbours_open(&c, &nb, &e), 0, "opened %s", e.msg);
	return nb;
}

#define HAS "nft list chain ip filter FORWARD | grep -q '" NFT_PASS_COMMENT "'"
#define MAKE                                                                                       \
	"nft 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy "      \
	"drop; "                                                                                   \
	"}; }'"

static void firewalls(void)
{
	struct neighbours *nb = open_as(FIREWALL_OPEN);

	is_int(sh(MAKE), 0, "another firewall starts");
	is_int(turn(1, 1000), 1, "noticed");
	is_str(last, "firewall ip filter FORWARD", "and told");
	is_int(sh(HAS), 0, "it has our rule");
	is_int(sh("nft flush chain ip filter FORWARD"), 0, "it reloads");
	is_int(turn(1, 1000), 1, "noticed");
	is_int(sh(HAS), 0, "our rule is back");
	neighbours_close(nb, false);
	is_int(sh(HAS), 0, "it stays for the next life");
	nb = open_as(FIREWALL_RESPECT);
	is_int(turn(1, 200), 0, "which finds it");
	is_int(sh(HAS
		  "; nft list chain inet atoll pass | grep -q 'ct state established,related meta "
		  "mark set'"),
	       0, "and marks less");
	neighbours_close(nb, true);
	ok(sh(HAS) != 0 && sh("nft list chain inet atoll pass 2>/dev/null") != 0, "removed");
	nb = open_as(FIREWALL_NONE);
	is_int(sh("nft flush chain ip filter FORWARD"), 0, "it reloads");
	is_int(turn(1, 300), 0, "none of our business");
	ok(sh(HAS) != 0, "it has no rule of ours");
	neighbours_close(nb, true);
	is_int(sh("nft delete table ip filter"), 0, "it goes");
}

/* What marks comes with the table itself: no gap. */
static void started(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct neighbours *nb;
	struct err e = {0};

	nft_close(n);
	is_int(sh(MAKE), 0, "another firewall is there first");
	is_int(nft_open(&n, &e), 0, "a new life");
	nb = open_as(FIREWALL_OPEN);
	is_int(sh(HAS), 0, "it has our rule");
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	is_int(nft_replace(tx, &e), 0, "then comes our table %s", e.msg);
	is_int(nft_watch(n, l, NULL, NULL), 0, "is watched");
	is_int(sh("nft list chain inet atoll pass | grep -q 'oifname @nets meta mark set'"), 0,
	       "which marks");
	neighbours_close(nb, true);
	is_int(sh("nft delete table ip filter"), 0, "it goes");
}

static void routes(void)
{
	static const struct {
		const char *route;
		bool news;
	} rows[] = {
		{"10.8.0.0/24 dev tun0", false},
		{"172.18.7.0/24 dev tun0", true},
		{"172.18.7.0/24 dev tun0 table 51820", false}, /* told already */
		{"172.16.0.0/12 dev tun0", true},
		{"default dev tun0", false},
		{"0.0.0.0/1 dev tun0", false},
		{"128.0.0.0/1 dev tun0", false},  /* the default route in halves */
		{"172.18.8.0/24 dev br1", false}, /* over our own bridge */
		{"fd12::/16 dev tun0", true},
		{"fd13::/16 dev tun0", false},
	};
	struct neighbours *nb;

	is_int(sh("ip link add br1 type bridge; ip link add tun0 type bridge; ip link set br1 up; "
		  "ip "
		  "link set tun0 up; ip route add 172.18.9.0/24 dev tun0"),
	       0, "links, and a VPN that is there already");
	events = 0;
	nb = open_as(FIREWALL_NONE);
	is_int(events, 1, "is told of at once");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_free char *cmd = str_printf("ip route add %s", rows[i].route);

		is_int(sh(cmd), 0, "%s", rows[i].route);
		is_int(turn(1, rows[i].news ? 1000 : 100), rows[i].news, "%s",
		       rows[i].news ? "is told of" : "is not");
		if (rows[i].news)
			is_str(last, "overlap shop", "with the network's name");
	}
	is_int(sh("ip route del 172.16.0.0/12 dev tun0"), 0, "it goes");
	is_int(turn(1, 100), 0, "no event");
	is_int(sh("ip route add 172.16.0.0/12 dev tun0"), 0, "it comes");
	is_int(turn(1, 1000), 1, "and is told of again");
	neighbours_close(nb, true);
}

/* ---- the real firewalld, where it is installed ---- */

static bool until(const char *script, int64_t ms)
{
	int64_t end = clock_mono_ns() + ms * NS_PER_MS;

	while (clock_mono_ns() < end) {
		if (sh(script) == 0)
			return true;
		for (int i = 0; i < 5; i++)
			(void)loop_run_once(l, 20);
	}
	return false;
}

static pid_t start(const char *const *argv)
{
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.die_with_parent = true;
	return spawn_start(&s, NULL);
}

#define ZONED(br) "nft list chain inet firewalld filter_FORWARD_POLICIES | grep -q '" br "'"

static void in_zones(struct neighbours *nb)
{
	ok(until(ZONED("br1") " && " ZONED("br2"), 5000), "our bridges are in a zone that lets by");
	is_int(sh("firewall-cmd --reload"), 0, "it reloads");
	ok(until(ZONED("br1") " && " ZONED("br2"), 5000), "and they are there again");
	n_bridges = 3;
	neighbours_networks(nb);
	ok(until(ZONED("br3"), 5000), "a new network, too");
	n_bridges = 1;
	neighbours_networks(nb);
	ok(until("! { " ZONED("br2") "; } && ! { " ZONED("br3") "; }", 5000),
	   "those removed are not");
	is_int(sh(ZONED("br1")), 0, "the one that is left is");
}

static void firewalld(void)
{
	static const char *const bus[] = {"dbus-daemon", "--system", "--nofork", "--nopidfile",
					  NULL},
				 *const daemon[] = {"firewalld", "--nofork", "--nopid", NULL};
	struct neighbours *nb;
	pid_t pids[2];

	if (sh("command -v firewalld dbus-daemon firewall-cmd") ||
	    sh("mount -t tmpfs tmpfs /run; mkdir -p /run/dbus /run/firewalld; ip link set lo up")) {
		printf("# no firewalld here\n");
		return;
	}
	pids[0] = start(bus);
	ok(until("[ -S /run/dbus/system_bus_socket ]", 5000), "a bus");
	pids[1] = start(daemon);
	ok(until("firewall-cmd --state", 20000), "firewalld runs");
	n_bridges = 2;
	nb = open_as(FIREWALL_OPEN);
	if (sh("nft list table inet firewalld | grep -q 'flags owner'") == 0)
		in_zones(nb);
	else
		ok(until("nft list chain inet firewalld filter_FORWARD | grep -q '" NFT_PASS_COMMENT
			 "'",
			 5000) &&
			   !sh("firewall-cmd --reload") &&
			   until("nft list chain inet firewalld filter_FORWARD | grep -q "
				 "'" NFT_PASS_COMMENT "'",
				 5000),
		   "it has our rule, also after a reload");
	neighbours_close(nb, true);
	for (int i = 1; i >= 0; i--)
		if (pids[i] > 0)
			(void)kill(pids[i], SIGTERM);
}

int main(void)
{
	const char *why = space_enter();
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (loop_new(&l) < 0 || nft_open(&n, &e) < 0)
		return 1;
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	is_int(nft_replace(tx, &e), 0, "our table %s", e.msg);
	is_int(nft_watch(n, l, NULL, NULL), 0, "is watched");
	firewalls();
	started();
	routes();
	firewalld();
	nft_close(n);
	loop_free(l);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_packets.c - data/ruleset.nft proven by packets from where they really come from
 *
 * One host with two uplinks (a neighbour each: the internet, the LAN) and four bridges: br1 and br2
 * ordinary, br3 internal, br4 without communication between its containers. Every namespace serves
 * TCP and answers with the address it sees as its client's. A table says who connects to whom and
 * what must be seen, 0 for no connection. All rows run at once, with br_netfilter off and on.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/str.h"
#include "loop/spawn.h"
#include "netlink/netns.h"
#include "netlink/rtnl.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

#define IP(a, b, c, d)                                                                             \
	((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))
#define ALLOWED_MS 3000
#define BLOCKED_MS 400

enum place { HOST, INTERNET, LAN, A, B, C, D, E, F, G, PLACES };

static const struct {
	const char *name, *bridge; /* of the host's end; NULL: an uplink */
	uint32_t addr, gateway;
	bool isolated;
} places[PLACES] = {
	[HOST] = {"host", NULL, 0, 0, false},
	[INTERNET] = {"internet", NULL, IP(198, 51, 100, 2), IP(198, 51, 100, 1), false},
	[LAN] = {"lan", NULL, IP(192, 0, 2, 2), IP(192, 0, 2, 1), false},
	[A] = {"a", "br1", IP(172, 18, 0, 2), IP(172, 18, 0, 1), false},
	[B] = {"b", "br1", IP(172, 18, 0, 3), IP(172, 18, 0, 1), false},
	[C] = {"c", "br2", IP(172, 19, 0, 2), IP(172, 19, 0, 1), false},
	[D] = {"d", "br3", IP(172, 20, 0, 2), IP(172, 20, 0, 1), false},
	[E] = {"e", "br3", IP(172, 20, 0, 3), IP(172, 20, 0, 1), false},
	[F] = {"f", "br4", IP(172, 21, 0, 2), IP(172, 21, 0, 1), true},
	[G] = {"g", "br4", IP(172, 21, 0, 3), IP(172, 21, 0, 1), true},
};

#define UPLINK	IP(198, 51, 100, 1) /* the host's addresses */
#define LANSIDE IP(192, 0, 2, 1)
#define GATE(n) IP(172, (n), 0, 1)
#define LOCAL	IP(127, 0, 0, 1)
#define AT(x)	places[x].addr

static struct rtnl *nl;
static struct nft *n;
static int ns[PLACES];
static int ports[PLACES]; /* host ends */

/* ---- the world ---- */

static int ip_in(int in, const char *args)
{
	auto_free char *line = str_printf("ip %s", args);
	const char *argv[] = {"sh", "-c", line, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.netns = in;
	return line ? spawn_wait(&s, NULL) : -ENOMEM;
}

static int make_bridge(const char *name, uint32_t addr, struct err *e)
{
	struct rtnl_bridge b = {.name = name, .mac = {2, 0x42, 0, 0, 0, (uint8_t)(addr >> 16)}};
	auto_free char *key = str_printf("net/ipv4/conf/%s/route_localnet", name);
	int ifindex, r = rtnl_bridge_add(nl, &b, &ifindex, e);

	if (r >= 0)
		r = rtnl_addr_add(nl, ifindex, (struct cidr4){addr, 16}, e);
	return r < 0 ? r : netns_sysctl(key, "1");
}

/* A namespace with one link to us. */
static int make_place(enum place p, struct err *e)
{
	auto_free char *pin = str_printf(SPACE_DIR "/%s", places[p].name),
		       *host_end = str_printf("to-%s", places[p].name);
	struct rtnl_veth v = {.host_name = host_end, .peer_name = "eth0"};
	struct rtnl_endpoint_setup s = {.ifname = "eth0",
					.addr = {places[p].addr, places[p].bridge ? 16 : 24},
					.gateway = places[p].gateway};
	auto_(rtnl_close) struct rtnl *inside = NULL;
	struct netns_visit visit;
	struct rtnl_link l = {0};
	int r = netns_create(pin, &ns[p], e);

	if (r >= 0 && places[p].bridge)
		r = rtnl_link_get(nl, places[p].bridge, &l);
	if (r < 0)
		return r;
	memcpy(v.peer_mac, (uint8_t[]){2, 0x42, 9, 9, 9, (uint8_t)p}, 6);
	v.peer_netns = ns[p];
	v.master = l.ifindex;
	r = rtnl_veth_add(nl, &v, &ports[p], e);
	if (r >= 0 && !places[p].bridge)
		r = rtnl_addr_add(nl, ports[p], (struct cidr4){places[p].gateway, 24}, e);
	if (r >= 0)
		r = netns_enter(ns[p], &visit);
	if (r < 0)
		return r;
	r = rtnl_open(&inside);
	netns_leave(&visit);
	return r < 0 ? r : rtnl_endpoint_setup(inside, &s, e);
}

static int make_world(struct err *e)
{
	int r = rtnl_open(&nl);

	for (int i = 0; r >= 0 && i < 4; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "br%d", i + 1);
		r = make_bridge(name, GATE(18 + i), e);
	}
	ns[HOST] = -1;
	for (int p = INTERNET; r >= 0 && p < PLACES; p++)
		r = make_place((enum place)p, e);
	if (r >= 0)
		r = rtnl_link_up(nl, 1, true, e);
	if (r >= 0)
		r = netns_sysctl("net/ipv4/ip_forward", "1");
	/* what a hostile container would try: a detour over the gateway, others' addresses */
	if (r >= 0)
		r = ip_in(ns[F], "route add 172.21.0.3 via 172.21.0.1; "
				 "ip addr add 203.0.113.5/32 dev lo");
	if (r >= 0)
		r = ip_in(ns[A],
			  "addr add 203.0.113.5/32 dev lo; ip addr add 172.19.0.9/32 dev lo");
	return r;
}

static int make_table(struct err *e)
{
	static const char *const elements[][2] = {
		{"nets", "\"br1\""},
		{"nets", "\"br2\""},
		{"nets", "\"br3\""},
		{"nets", "\"br4\""},
		{"pair_ok", "\"br1\" . \"br1\""},
		{"pair_ok", "\"br2\" . \"br2\""},
		{"pair_ok", "\"br3\" . \"br3\""},
		{"pair_ok", "\"br4\" . \"br4\""},
		{"same4", "172.18.0.0/16 . \"br1\""},
		{"same4", "172.19.0.0/16 . \"br2\""},
		{"same4", "172.20.0.0/16 . \"br3\""},
		{"same4", "172.21.0.0/16 . \"br4\""},
		{"masq4", "\"br1\""},
		{"masq4", "\"br4\""},
		{"snat4", "\"br2\" : 198.51.100.1"},
		{"internal", "\"br3\""},
		{"nohost", "\"br3\""},
		{"iso_gw", "\"br4\" . \"br4\" . 02:42:00:00:00:15"},
		{"uplinks", "\"to-internet\""},
		{"uplinks", "\"to-lan\""},
		{"pub4_any", "tcp . 8080 : 172.18.0.2 . 80"},
		{"pub4_addr", "127.0.0.1 . tcp . 8081 : 172.18.0.2 . 80"},
		{"pub4_addr", "198.51.100.1 . tcp . 8082 : 172.18.0.2 . 80"},
		{"pub4_any", "tcp . 8083 : 172.21.0.2 . 80"},
		{"range4", "tcp . 9000-9100 : 172.18.0.2"},
		{"range4_addr", "127.0.0.1 . tcp . 9200-9300 : 172.18.0.2"},
	};
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	int r = nft_open(&n, e);

	if (r < 0)
		return r;
	tx = nft_tx_new(n);
	for (size_t i = 0; i < ARRAY_SIZE(elements); i++)
		nft_add(tx, elements[i][0], "%s", elements[i][1]);
	return nft_replace(tx, e);
}

/* ---- packets ---- */

static struct sockaddr_in sockaddr(uint32_t addr, uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(addr), .sin_port = htons(port)};
}

static int listener(uint16_t port)
{
	struct sockaddr_in sa = sockaddr(0, port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 64) < 0
		       ? -1
		       : fd;
}

/* Tells each client by what address it is seen; listening when this returns. */
static void serve(enum place p)
{
	static const uint16_t wanted[] = {80, 8000, 9050, 9250};
	struct pollfd fds[ARRAY_SIZE(wanted)];
	struct netns_visit visit = {.home = -1};
	pid_t pid;

	if (ns[p] >= 0 && netns_enter(ns[p], &visit) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		fds[i] = (struct pollfd){.fd = listener(wanted[i]), .events = POLLIN};
	netns_leave(&visit);
	pid = fork();
	for (size_t i = 0; pid && i < ARRAY_SIZE(wanted); i++)
		close(fds[i].fd);
	if (pid)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(fds, ARRAY_SIZE(wanted), -1) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
			struct sockaddr_in peer = {0};
			socklen_t len = sizeof(peer);
			int c = fds[i].revents ? accept4(fds[i].fd, (struct sockaddr *)&peer, &len,
							 SOCK_CLOEXEC)
					       : -1;

			if (c >= 0)
				(void)!write(c, &peer.sin_addr, 4);
			(void)fd_close(c);
		}
	_exit(1);
}

struct probe {
	enum place from;
	uint32_t source, to;
	uint16_t port;
	uint32_t want;	    /* the address that is seen, 0: none */
	uint32_t want_brnf; /* with br_netfilter on, if it differs: 1 for none */
	const char *what;
};

static uint32_t connect_from(const struct probe *p, int timeout_ms)
{
	struct sockaddr_in from = sockaddr(p->source, 0), to = sockaddr(p->to, p->port);
	struct netns_visit visit;
	uint32_t seen = 0;
	struct pollfd fd = {.events = POLLIN};

	if (ns[p->from] >= 0 && netns_enter(ns[p->from], &visit) < 0)
		return 2;
	fd.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if ((p->source && bind(fd.fd, (struct sockaddr *)&from, sizeof(from)) < 0) ||
	    (connect(fd.fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS))
		return 3;
	if (poll(&fd, 1, timeout_ms) == 1 && recv(fd.fd, &seen, 4, 0) != 4)
		seen = 0;
	return ntohl(seen);
}

/* All at once: a wrong table costs a few seconds, a right one half of one. */
static void run(const char *when, const struct probe *list, size_t count, bool brnf)
{
	uint32_t *seen = mmap(NULL, count * sizeof(*seen), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[128];

	if (seen == MAP_FAILED || count > ARRAY_SIZE(pids))
		abort();
	for (size_t i = 0; i < count; i++) {
		uint32_t want = brnf && list[i].want_brnf ? list[i].want_brnf : list[i].want;

		pids[i] = fork();
		if (pids[i] == 0) {
			seen[i] = connect_from(&list[i], want > 1 ? ALLOWED_MS : BLOCKED_MS);
			_exit(0);
		}
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t want = brnf && list[i].want_brnf ? list[i].want_brnf : list[i].want;
		char a[IP4_STR], b[IP4_STR], to[IP4_STR];

		(void)waitpid(pids[i], NULL, 0);
		want = want == 1 ? 0 : want;
		ok(seen[i] == want, "%s: %s to %s:%u: %s (seen as %s, want %s)", when,
		   places[list[i].from].name, ip4_str(list[i].to, to), list[i].port, list[i].what,
		   ip4_str(seen[i], a), ip4_str(want, b));
	}
	(void)munmap(seen, count * sizeof(*seen));
}

static const struct probe always[] = {
	/* containers among themselves */
	{A, 0, AT(B), 80, AT(A), 0, "the same network"},
	{A, 0, AT(C), 80, 0, 0, "another network"},
	{C, 0, AT(A), 80, 0, 0, "and back"},
	{A, 0, GATE(19), 8000, AT(A), 0, "the host by another gateway's address"},
	{A, 0, GATE(18), 8000, AT(A), 0, "the host by the gateway"},
	{HOST, 0, AT(A), 80, GATE(18), 0, "the host to a container"},
	/* out */
	{A, 0, AT(INTERNET), 80, UPLINK, 0, "out, masqueraded"},
	{A, 0, AT(LAN), 80, LANSIDE, 0, "to the LAN, masqueraded"},
	{C, 0, AT(INTERNET), 80, UPLINK, 0, "out, with a fixed address"},
	{A, IP(203, 0, 113, 5), AT(INTERNET), 80, 0, 0, "with a forged source"},
	{A, IP(172, 19, 0, 9), AT(INTERNET), 80, 0, 0, "with another network's source"},
	{A, IP(203, 0, 113, 5), GATE(18), 8000, 0, 0, "forged, to the host"},
	/* in */
	{INTERNET, 0, AT(A), 80, 0, 0, "direct routing to a container"},
	{LAN, 0, AT(A), 80, 0, 0, "from the LAN too"},
	{LAN, 0, AT(D), 80, 0, 0, "or to an internal one"},
	{INTERNET, 0, UPLINK, 8080, AT(INTERNET), 0, "a published port, its client seen"},
	{LAN, 0, LANSIDE, 8080, AT(LAN), 0, "by the other uplink"},
	{LAN, 0, UPLINK, 8080, AT(LAN), 0, "by the other address"},
	{INTERNET, 0, UPLINK, 8081, 0, 0, "one that is published on localhost"},
	{INTERNET, 0, UPLINK, 8082, AT(INTERNET), 0, "one that is published on this address"},
	{LAN, 0, LANSIDE, 8082, 0, 0, "not on that one"},
	{INTERNET, 0, UPLINK, 9050, AT(INTERNET), 0, "within a range"},
	{INTERNET, 0, UPLINK, 9101, 0, 0, "just behind it"},
	{INTERNET, 0, UPLINK, 9250, 0, 0, "a range on localhost"},
	{INTERNET, 0, UPLINK, 8000, AT(INTERNET), 0, "the host's own service"},
	{INTERNET, 0, AT(LAN), 80, 0, 0, "uplinks are not routed among themselves"},
	{LAN, 0, AT(INTERNET), 80, 0, 0, "nor the other way"},
	/* published ports from inside */
	{HOST, 0, LOCAL, 8080, GATE(18), 0, "localhost"},
	{HOST, 0, LOCAL, 8081, GATE(18), 0, "localhost alone"},
	{HOST, 0, LOCAL, 9250, GATE(18), 0, "a range there"},
	{HOST, 0, UPLINK, 8080, UPLINK, 0, "the host by its own address"},
	{A, 0, UPLINK, 8080, GATE(18), 0, "itself"},
	{B, 0, UPLINK, 8080, GATE(18), 0, "its neighbour"},
	{B, 0, GATE(18), 8080, GATE(18), 0, "its neighbour by the gateway"},
	{C, 0, UPLINK, 8080, AT(C), 0, "another network by the host"},
	{C, 0, UPLINK, 8081, 0, 0, "not by what is localhost's"},
	/* internal networks */
	{D, 0, AT(E), 80, AT(D), 0, "internal: among themselves"},
	{D, 0, AT(INTERNET), 80, 0, 0, "internal: not out"},
	{D, 0, AT(A), 80, 0, 0, "internal: not to others"},
	{A, 0, AT(D), 80, 0, 0, "internal: not from others"},
	{D, 0, GATE(20), 8000, 0, 0, "internal: not to the host"},
	{D, 0, UPLINK, 8000, 0, 0, "internal: by no address"},
	{HOST, 0, AT(D), 80, 0, 0, "internal: not from the host"},
	{D, 0, UPLINK, 8080, 0, 0, "internal: not to published ports"},
	/* without communication between containers */
	{G, 0, AT(F), 80, 0, 0, "isolated: not each other"},
	{F, 0, AT(G), 80, 0, 0, "isolated: not by a detour over the gateway"},
	{F, 0, AT(INTERNET), 80, UPLINK, 0, "isolated: out"},
	{F, 0, GATE(21), 8000, AT(F), 0, "isolated: to the host"},
	{HOST, 0, AT(F), 80, GATE(21), 0, "isolated: from the host"},
	{INTERNET, 0, UPLINK, 8083, AT(INTERNET), 0, "isolated: published"},
	{A, 0, UPLINK, 8083, AT(A), 0, "isolated: published for other networks"},
	{F, 0, UPLINK, 8083, GATE(21), 0, "isolated: itself"},
	/* known: DNATed on the bridge, the packet finds an isolated port */
	{G, 0, UPLINK, 8083, GATE(21), 1, "isolated: published for its neighbour"},
};

/* One element more, and what it changes. */
static const struct {
	const char *set, *element;
	struct probe probes[4];
} more[] = {
	{"pair_ok",
	 "\"br2\" . \"br1\"",
	 {{C, 0, AT(A), 80, AT(C), 0, "a peer"}, {A, 0, AT(C), 80, 0, 0, "one way"}}},
	{"pair_ok",
	 "\"to-lan\" . \"br1\"",
	 {{LAN, 0, AT(A), 80, AT(LAN), 0, "a trusted link"},
	  {INTERNET, 0, AT(A), 80, 0, 0, "another"}}},
	{"routed4",
	 "172.18.0.2 . tcp . 80",
	 {{INTERNET, 0, AT(A), 80, AT(INTERNET), 0, "a routed port"},
	  {INTERNET, 0, AT(A), 8000, 0, 0, "another port"},
	  {INTERNET, 0, AT(B), 80, 0, 0, "another container"}}},
	{"open4",
	 "\"br1\"",
	 {{INTERNET, 0, AT(B), 8000, AT(INTERNET), 0, "an open network"},
	  {INTERNET, 0, AT(C), 80, 0, 0, "another network"}}},
	{"acl_out",
	 "\"br1\" : drop",
	 {{A, 0, AT(INTERNET), 80, 0, 0, "nothing goes out"},
	  {A, 0, AT(B), 80, AT(A), 0, "but within"},
	  {INTERNET, 0, UPLINK, 8080, AT(INTERNET), 0, "and in"}}},
	{"acl_in",
	 "\"br1\" : drop",
	 {{INTERNET, 0, UPLINK, 8080, 0, 0, "nothing comes in"},
	  {A, 0, AT(INTERNET), 80, UPLINK, 0, "but out"},
	  {A, 0, AT(B), 80, AT(A), 0, "and within"}}},
};

static void changes(const char *when)
{
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
		struct err e = {0};
		size_t count = 0;

		nft_add(tx, more[i].set, "%s", more[i].element);
		is_int(nft_apply(tx, &e), 0, "%s { %s } %s", more[i].set, more[i].element, e.msg);
		while (count < 4 && more[i].probes[count].what)
			count++;
		run(when, more[i].probes, count, false);
		nft_del(tx, more[i].set, "%s", more[i].element);
		if (nft_apply(tx, &e) < 0)
			printf("# %s\n", e.msg);
	}
}

static bool bridge_nf(bool on)
{
	if (netns_sysctl("net/bridge/bridge-nf-call-iptables", on ? "1" : "0") < 0)
		return false;
	for (int p = A; p < PLACES; p++)
		if (rtnl_port_flags(nl, ports[p], on, places[p].isolated, NULL) < 0)
			return false;
	return true;
}

int main(void)
{
	const char *why = space_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!ok(make_world(&e) >= 0, "a world %s", e.msg) ||
	    !ok(make_table(&e) >= 0, "the table %s", e.msg))
		return tap_done();
	for (int p = HOST; p < PLACES; p++)
		serve((enum place)p);
	for (int p = A; p < PLACES; p++)
		if (places[p].isolated && rtnl_port_flags(nl, ports[p], false, true, &e) < 0)
			printf("# %s\n", e.msg);
	(void)bridge_nf(false); /* where there is no such switch it is off */
	run("off", always, ARRAY_SIZE(always), false);
	changes("off");
	if (bridge_nf(true)) {
		run("on", always, ARRAY_SIZE(always), true);
		changes("on");
	}
	nft_close(n);
	rtnl_close(nl);
	return tap_done();
}

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
#include <linux/if_packet.h>
#include <net/if.h>
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
#define PING	   0 /* as a port */
#define ALLOWED_MS 3000
#define BLOCKED_MS 250

/* AT(A): the address of A */
#define AT(x)	      ADDR_##x
#define ADDR_INTERNET IP(198, 51, 100, 2)
#define ADDR_LAN      IP(192, 0, 2, 2)
#define ADDR_A	      IP(172, 18, 0, 2)
#define ADDR_B	      IP(172, 18, 0, 3)
#define ADDR_C	      IP(172, 19, 0, 2)
#define ADDR_D	      IP(172, 20, 0, 2)
#define ADDR_E	      IP(172, 20, 0, 3)
#define ADDR_F	      IP(172, 21, 0, 2)
#define ADDR_G	      IP(172, 21, 0, 3)
#define ADDR_H	      IP(172, 21, 0, 4)

enum place { HOST, INTERNET, LAN, A, B, C, D, E, F, G, H, PLACES };

static const struct {
	const char *name, *bridge; /* of the host's end; NULL: an uplink */
	uint32_t addr, gateway;
	bool isolated;
} places[PLACES] = {
	[HOST] = {"host", NULL, 0, 0, false},
	[INTERNET] = {"internet", NULL, AT(INTERNET), IP(198, 51, 100, 1), false},
	[LAN] = {"lan", NULL, AT(LAN), IP(192, 0, 2, 1), false},
	[A] = {"a", "br1", AT(A), IP(172, 18, 0, 1), false},
	[B] = {"b", "br1", AT(B), IP(172, 18, 0, 1), false},
	[C] = {"c", "br2", AT(C), IP(172, 19, 0, 1), false},
	[D] = {"d", "br3", AT(D), IP(172, 20, 0, 1), false},
	[E] = {"e", "br3", AT(E), IP(172, 20, 0, 1), false},
	[F] = {"f", "br4", AT(F), IP(172, 21, 0, 1), true},
	[G] = {"g", "br4", AT(G), IP(172, 21, 0, 1), true},
	[H] = {"h", "br4", AT(H), IP(172, 21, 0, 1), true},
};

#define UPLINK	IP(198, 51, 100, 1) /* the host's addresses */
#define LANSIDE IP(192, 0, 2, 1)
#define GATE(n) IP(172, (n), 0, 1)
#define LOCAL	IP(127, 0, 0, 1)

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
	if (r >= 0)
		r = netns_sysctl("net/ipv4/ping_group_range", "0 0");
	/* or whoever takes a detour is told of the way that is closed */
	if (r >= 0)
		r = netns_sysctl("net/ipv4/conf/all/accept_redirects", "0");
	if (r >= 0)
		r = netns_sysctl("net/ipv4/conf/eth0/accept_redirects", "0");
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
	if (r >= 0)
		r = netns_sysctl("net/ipv4/ping_group_range", "0 0");
	/* what two hostile containers would try: a detour over the gateway */
	if (r >= 0)
		r = ip_in(ns[F], "route add 172.21.0.3 via 172.21.0.1");
	return r < 0 ? r : ip_in(ns[G], "route add 172.21.0.2 via 172.21.0.1");
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
	size_t count = p == HOST ? 2 : ARRAY_SIZE(wanted); /* the others are published */
	struct netns_visit visit = {.home = -1};
	pid_t pid;

	if (ns[p] >= 0 && netns_enter(ns[p], &visit) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		fds[i] = (struct pollfd){.fd = listener(wanted[i]), .events = POLLIN};
	netns_leave(&visit);
	pid = fork();
	for (size_t i = 0; pid && i < count; i++)
		close(fds[i].fd);
	if (pid)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(fds, count, -1) > 0)
		for (size_t i = 0; i < count; i++) {
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
	uint32_t to;
	uint16_t port;
	uint32_t want;	    /* the address that is seen, 0: none */
	uint32_t want_brnf; /* with br_netfilter on, if it differs: 1 for none */
	const char *what;
};

/* The echo request's checksum and id are the kernel's. */
static uint32_t ping(uint32_t addr, int timeout_ms)
{
	struct sockaddr_in to = sockaddr(addr, 0);
	uint8_t echo[8] = {8};
	auto_close int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP);
	struct pollfd fd = {.fd = s, .events = POLLIN};

	if (s < 0)
		return 4;
	if (sendto(s, echo, sizeof(echo), 0, (struct sockaddr *)&to, sizeof(to)) < 0 ||
	    poll(&fd, 1, timeout_ms) != 1 || recv(s, echo, sizeof(echo), 0) != sizeof(echo))
		return 0;
	return addr;
}

static uint32_t connect_from(const struct probe *p, int timeout_ms)
{
	struct sockaddr_in to = sockaddr(p->to, p->port);
	struct netns_visit visit;
	uint32_t seen = 0;
	struct pollfd fd = {.events = POLLIN};

	if (ns[p->from] >= 0 && netns_enter(ns[p->from], &visit) < 0)
		return 2;
	if (p->port == PING)
		return ping(p->to, timeout_ms);
	fd.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(fd.fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
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
	{A, AT(B), 80, AT(A), 0, "the same network"},
	{A, AT(C), 80, 0, 0, "another network"},
	{C, AT(A), 80, 0, 0, "and back"},
	{A, GATE(19), 8000, AT(A), 0, "the host by another gateway's address"},
	{A, GATE(18), 8000, AT(A), 0, "the host by the gateway"},
	{HOST, AT(A), 80, GATE(18), 0, "the host to a container"},
	/* out */
	{A, AT(INTERNET), 80, UPLINK, 0, "out, masqueraded"},
	{A, AT(LAN), 80, LANSIDE, 0, "to the LAN, masqueraded"},
	{C, AT(INTERNET), 80, UPLINK, 0, "out, with a fixed address"},
	{B, AT(INTERNET), 9050, UPLINK, 0, "out, to a port that is published here"},
	{HOST, AT(INTERNET), 9050, UPLINK, 0, "the host too"},
	/* in */
	{INTERNET, AT(A), 80, 0, 0, "direct routing to a container"},
	{LAN, AT(A), 80, 0, 0, "from the LAN too"},
	{LAN, AT(D), 80, 0, 0, "or to an internal one"},
	{INTERNET, UPLINK, 8080, AT(INTERNET), 0, "a published port, its client seen"},
	{LAN, LANSIDE, 8080, AT(LAN), 0, "by the other uplink"},
	{LAN, UPLINK, 8080, AT(LAN), 0, "by the other address"},
	{INTERNET, UPLINK, 8081, 0, 0, "one that is published on localhost"},
	{INTERNET, UPLINK, 8082, AT(INTERNET), 0, "one that is published on this address"},
	{LAN, LANSIDE, 8082, 0, 0, "not on that one"},
	{INTERNET, UPLINK, 9050, AT(INTERNET), 0, "within a range"},
	{INTERNET, UPLINK, 9101, 0, 0, "just behind it"},
	{INTERNET, UPLINK, 9250, 0, 0, "a range on localhost"},
	{INTERNET, UPLINK, 8000, AT(INTERNET), 0, "the host's own service"},
	{INTERNET, AT(LAN), 80, 0, 0, "uplinks are not routed among themselves"},
	{LAN, AT(INTERNET), 80, 0, 0, "nor the other way"},
	/* published ports from inside */
	{HOST, LOCAL, 8080, GATE(18), 0, "localhost"},
	{HOST, LOCAL, 8081, GATE(18), 0, "localhost alone"},
	{HOST, LOCAL, 9250, GATE(18), 0, "a range there"},
	{HOST, UPLINK, 8080, UPLINK, 0, "the host by its own address"},
	{A, UPLINK, 8080, GATE(18), 0, "itself"},
	{B, UPLINK, 8080, GATE(18), 0, "its neighbour"},
	{B, GATE(18), 8080, GATE(18), 0, "its neighbour by the gateway"},
	{C, UPLINK, 8080, AT(C), 0, "another network by the host"},
	{C, UPLINK, 8081, 0, 0, "not by what is localhost's"},
	/* internal networks */
	{D, AT(E), 80, AT(D), 0, "internal: among themselves"},
	{D, AT(INTERNET), 80, 0, 0, "internal: not out"},
	{D, AT(A), 80, 0, 0, "internal: not to others"},
	{A, AT(D), 80, 0, 0, "internal: not from others"},
	{D, GATE(20), 8000, 0, 0, "internal: not to the host"},
	{D, UPLINK, 8000, 0, 0, "internal: by no address"},
	{HOST, AT(D), 80, 0, 0, "internal: not from the host"},
	{D, UPLINK, 8080, 0, 0, "internal: not to published ports"},
	{D, GATE(20), PING, GATE(20), 0, "internal: the gateway answers a ping"},
	{HOST, AT(D), PING, AT(D), 0, "internal: so does a container"},
	{A, AT(D), PING, 0, 0, "internal: not to others"},
	{INTERNET, AT(A), PING, 0, 0, "a ping from outside"},
	/* without communication between containers */
	{H, AT(F), 80, 0, 0, "isolated: not each other"},
	{F, AT(G), 80, 0, 0, "isolated: not by a detour over the gateway"},
	{F, AT(INTERNET), 80, UPLINK, 0, "isolated: out"},
	{F, GATE(21), 8000, AT(F), 0, "isolated: to the host"},
	{HOST, AT(F), 80, GATE(21), 0, "isolated: from the host"},
	{INTERNET, UPLINK, 8083, AT(INTERNET), 0, "isolated: published"},
	{A, UPLINK, 8083, AT(A), 0, "isolated: published for other networks"},
	/* known: DNATed on the bridge, a packet from an isolated port finds an isolated port */
	{F, UPLINK, 8083, GATE(21), 1, "isolated: itself"},
	{G, UPLINK, 8083, GATE(21), 1, "isolated: published for its neighbour"},
};

/* One element more, and what it changes. */
static const struct {
	const char *set, *element;
	struct probe probes[4];
} more[] = {
	{"pair_ok",
	 "\"br2\" . \"br1\"",
	 {{C, AT(A), 80, AT(C), 0, "a peer"}, {A, AT(C), 80, 0, 0, "one way"}}},
	{"pair_ok",
	 "\"to-lan\" . \"br1\"",
	 {{LAN, AT(A), 80, AT(LAN), 0, "a trusted link"}, {INTERNET, AT(A), 80, 0, 0, "another"}}},
	{"routed4",
	 "172.18.0.2 . tcp . 80",
	 {{INTERNET, AT(A), 80, AT(INTERNET), 0, "a routed port"},
	  {INTERNET, AT(A), 8000, 0, 0, "another port"},
	  {INTERNET, AT(B), 80, 0, 0, "another container"}}},
	{"routed4",
	 "172.20.0.2 . tcp . 80",
	 {{INTERNET, AT(D), 80, 0, 0, "a routed port of an internal network"}}},
	{"ping4",
	 "\"br1\"",
	 {{INTERNET, AT(A), PING, AT(A), 0, "a network that answers pings"},
	  {INTERNET, AT(C), PING, 0, 0, "another network"},
	  {INTERNET, AT(A), 80, 0, 0, "and nothing else"}}},
	{"open4",
	 "\"br1\"",
	 {{INTERNET, AT(B), 8000, AT(INTERNET), 0, "an open network"},
	  {INTERNET, AT(C), 80, 0, 0, "another network"}}},
	{"acl_out",
	 "\"br1\" : drop",
	 {{A, AT(INTERNET), 80, 0, 0, "nothing goes out"},
	  {A, AT(B), 80, AT(A), 0, "but within"},
	  {INTERNET, UPLINK, 8080, AT(INTERNET), 0, "and in"}}},
	{"acl_in",
	 "\"br1\" : drop",
	 {{INTERNET, UPLINK, 8080, 0, 0, "nothing comes in"},
	  {A, AT(INTERNET), 80, UPLINK, 0, "but out"},
	  {A, AT(B), 80, AT(A), 0, "and within"}}},
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

/* ---- forged datagrams, written byte by byte ---- */

struct datagram {
	uint8_t to[6], from[6], type[2];
	uint8_t ip[20], udp[8], mark;
} __attribute__((packed));

static void put32(uint8_t *at, uint32_t v)
{
	v = htonl(v);
	memcpy(at, &v, 4);
}

static struct datagram datagram(uint32_t from, uint32_t to, uint8_t mark)
{
	struct datagram d = {.to = {2, 0x42, 0, 0, 0, 18}, /* br1 */
			     .from = {2, 0x42, 9, 9, 9, A},
			     .type = {0x08, 0x00},
			     .ip = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, IPPROTO_UDP},
			     .udp = {0x30, 0x39, 0x1b, 0x58, 0, 9}, /* 12345 to 7000 */
			     .mark = mark};
	uint32_t sum = 0;

	put32(d.ip + 12, from);
	put32(d.ip + 16, to);
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)d.ip[i] << 8 | d.ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	d.ip[10] = (uint8_t)(sum >> 8);
	d.ip[11] = (uint8_t)sum;
	return d;
}

static const struct {
	uint32_t from, to;
	bool arrives, arrives_ok; /* the second: with its address in src_ok4 */
	const char *what;
} forgeries[] = {
	{AT(A), GATE(18), true, true, "its own address"},
	{AT(A), GATE(19), true, true, "to another gateway"},
	{IP(203, 0, 113, 5), GATE(18), false, true, "an address of nowhere"},
	{IP(203, 0, 113, 6), GATE(18), false, false, "another"},
	{AT(C), GATE(18), false, false, "another network's"},
	{AT(INTERNET), GATE(18), false, false, "the internet's"},
	{IP(127, 0, 0, 1), GATE(18), false, false, "localhost's"},
	{IP(127, 0, 0, 2), GATE(18), false, false, "its neighbour's"},
	{AT(A), LOCAL, false, false, "to localhost"},
	{AT(A), IP(127, 0, 0, 2), false, false, "to its neighbour"},
	{AT(B), GATE(18), true, true,
	 "its neighbour's, which only the bridge could tell"}, /* last */
};

/* The host's socket hears in the order they were sent: the last is known to come. */
static void forged(const char *when, bool allowed)
{
	auto_close int out = -EBADF, in = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in any = sockaddr(0, 7000);
	bool heard[ARRAY_SIZE(forgeries)] = {false};
	struct netns_visit visit;
	struct pollfd fd = {.fd = in, .events = POLLIN};
	size_t last = ARRAY_SIZE(forgeries) - 1;

	if (bind(in, (struct sockaddr *)&any, sizeof(any)) < 0 || netns_enter(ns[A], &visit) < 0)
		return;
	out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < ARRAY_SIZE(forgeries); i++) {
		struct datagram d = datagram(forgeries[i].from, forgeries[i].to, (uint8_t)i);
		struct sockaddr_ll to = {.sll_family = AF_PACKET,
					 .sll_ifindex = (int)if_nametoindex("eth0")};

		if (sendto(out, &d, sizeof(d), 0, (struct sockaddr *)&to, sizeof(to)) < 0)
			printf("# cannot send\n");
	}
	netns_leave(&visit);
	while (!heard[last] && poll(&fd, 1, 2000) == 1) {
		uint8_t mark = 0;

		if (recv(in, &mark, 1, 0) == 1 && mark <= last)
			heard[mark] = true;
	}
	for (size_t i = 0; i <= last; i++) {
		bool want = allowed ? forgeries[i].arrives_ok : forgeries[i].arrives;

		ok(heard[i] == want, "%s: a source of %s %s", when, forgeries[i].what,
		   want ? "comes" : "does not come");
	}
}

static void forging(const char *when)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);

	forged(when, false);
	nft_add(tx, "src_ok4", "\"br1\" . 203.0.113.5");
	is_int(nft_apply(tx, NULL), 0, "one more source is allowed");
	forged(when, true);
	nft_del(tx, "src_ok4", "\"br1\" . 203.0.113.5");
	is_int(nft_apply(tx, NULL), 0, "and no more");
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
	forging("off");
	if (bridge_nf(true)) {
		run("on", always, ARRAY_SIZE(always), true);
		changes("on");
		forging("on");
	}
	nft_close(n);
	rtnl_close(nl);
	return tap_done();
}

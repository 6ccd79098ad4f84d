/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_packets.c - data/ruleset.nft proven by packets from where they really come from
 *
 * One host with two uplinks (a neighbour each: the internet, the LAN) and four bridges: br1 and br2
 * ordinary, br3 internal, br4 without communication between its containers. Every namespace serves
 * TCP and answers with the address it sees as its client's. A table says who connects to whom and
 * what must be seen, 0 for no connection. All rows run at once, for IPv4 and IPv6, with
 * br_netfilter off and on, alone and beside another firewall that drops what is forwarded.
 *
 * The IPv6 world is the IPv4 one, number by number: 172.18.0.2/16 is fd00:ac12::2/32. So addresses
 * are written as IPv4 here and there is one table for both.
 */

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/ip.h"
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
/* IPv6 alone: the link-local address of a bridge, seen from a port of it as some fe80:: */
#define LINK(n)	   IP(254, 128, 0, (n))
#define LINK_LOCAL IP(254, 128, 0, 0)

static struct rtnl *nl;
static struct nft *n;
static int ns[PLACES];
static int ports[PLACES]; /* host ends */

/* ---- both families ---- */

static bool is_link_local(uint32_t addr)
{
	return addr >> 16 == LINK_LOCAL >> 16;
}

static struct ip as(int fam, uint32_t addr)
{
	if (fam == V4)
		return ip_v4(addr);
	if (addr == LOCAL)
		return (struct ip){.lo = 1, .family = 6};
	if (is_link_local(addr)) /* of the MAC 02:42:00:00:00:<last byte> */
		return (struct ip){.hi = 0xfe80ull << 48,
				   .lo = 0x004200fffe000000 | (addr & 0xff),
				   .family = 6};
	return (struct ip){.hi = 0xfd00ull << 48 | (uint64_t)(addr >> 16) << 32,
			   .lo = addr & 0xffff,
			   .family = 6};
}

static struct cidr prefix(int fam, uint32_t addr, uint8_t len)
{
	return (struct cidr){as(fam, addr), fam == V4 ? len : 32};
}

/* the way back, of a client's address */
static uint32_t number(const struct sockaddr_in6 *sa)
{
	struct ip ip;

	if (ip_from_bytes(&sa->sin6_addr, 16, &ip) < 0)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&sa->sin6_addr))
		return (uint32_t)ip.lo;
	if (IN6_IS_ADDR_LINKLOCAL(&sa->sin6_addr))
		return LINK_LOCAL;
	return (uint32_t)(ip.hi >> 32) << 16 | (uint32_t)ip.lo;
}

/* "routed*" and "172.18.0.2 . tcp . 80" for a family: routed6, fd00:ac12::2 . tcp . 80 */
static void put(struct nft_tx *tx, int fam, bool del, const char *set, const char *element)
{
	auto_buf struct buf text = BUF_INIT(1024), name = BUF_INIT(64);
	const char *star = strchr(set, '*');

	(void)buf_printf(&name, "%.*s%s%s", (int)strcspn(set, "*"), set,
			 !star	     ? ""
			 : fam == V4 ? "4"
				     : "6",
			 star ? star + 1 : "");
	for (const char *p = element; *p;) {
		size_t len = strspn(p, "0123456789."), dots = 0;
		auto_free char *word = strndup(p, len);
		char out[IP_STR];
		struct ip ip;

		for (size_t i = 0; i < len; i++)
			dots += p[i] == '.';
		if (!len) {
			(void)buf_putc(&text, *p++);
			continue;
		}
		p += len;
		if (fam == V4 || dots != 3 || ip_parse(word, &ip) < 0) {
			(void)buf_puts(&text, word);
			continue;
		}
		(void)buf_puts(&text, ip_str(as(V6, (uint32_t)ip.lo), out));
		if (*p == '/') {
			(void)buf_puts(&text, "/32");
			p += 3;
		}
	}
	(del ? nft_del : nft_add)(tx, buf_str(&name), "%s", buf_str(&text));
}

/* ---- the world ---- */

static int sh_in(int in, const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.netns = in;
	return spawn_wait(&s, NULL);
}

static int sysctls(const char *const (*list)[2], size_t count)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < count; i++)
		r = netns_sysctl(list[i][0], list[i][1]);
	return r;
}

static int make_bridge(const char *name, uint32_t addr, struct err *e)
{
	struct rtnl_bridge b = {.name = name, .mac = {2, 0x42, 0, 0, 0, (uint8_t)(addr >> 16)}};
	auto_free char *key = str_printf("net/ipv4/conf/%s/route_localnet", name);
	int ifindex, r = rtnl_bridge_add(nl, &b, &ifindex, e);

	for (int fam = V4; r >= 0 && fam < N_FAMILIES; fam++)
		r = rtnl_addr_add(nl, ifindex, prefix(fam, addr, 16), e);
	return r < 0 ? r : netns_sysctl(key, "1");
}

/* Its end of the link: addresses, default routes. */
static int furnish(enum place p, struct err *e)
{
	/* or whoever takes a detour is told of the way that is closed */
	static const char *const list[][2] = {
		{"net/ipv4/ping_group_range", "0 0"},
		{"net/ipv4/conf/all/accept_redirects", "0"},
		{"net/ipv4/conf/eth0/accept_redirects", "0"},
		{"net/ipv6/conf/eth0/accept_redirects", "0"},
	};
	uint8_t len = places[p].bridge ? 16 : 24;
	struct cidr addrs[N_FAMILIES] = {prefix(V4, places[p].addr, len),
					 prefix(V6, places[p].addr, len)};
	struct rtnl_endpoint_setup s = {"eth0", addrs, N_FAMILIES};
	auto_(rtnl_close) struct rtnl *inside = NULL;
	struct rtnl_link l = {0};
	int r = sysctls(list, ARRAY_SIZE(list));

	if (r >= 0)
		r = rtnl_open(&inside);
	if (r >= 0)
		r = rtnl_endpoint_setup(inside, &s, e);
	if (r >= 0)
		r = rtnl_link_get(inside, "eth0", &l);
	for (int fam = V4; r >= 0 && fam < N_FAMILIES; fam++)
		r = rtnl_route_default(inside, fam, as(fam, places[p].gateway), l.ifindex, e);
	return r;
}

/* A namespace with one link to us. */
static int make_place(enum place p, struct err *e)
{
	auto_free char *pin = str_printf(SPACE_DIR "/%s", places[p].name),
		       *host_end = str_printf("to-%s", places[p].name);
	struct rtnl_veth v = {.host_name = host_end, .peer_name = "eth0"};
	struct netns_visit visit;
	struct rtnl_link l = {0};
	int r = netns_create(pin, &ns[p], e);

	if (r >= 0)
		r = netns_enter(ns[p], &visit);
	if (r < 0)
		return r;
	r = netns_sysctl("net/ipv6/conf/default/accept_dad", "0");
	netns_leave(&visit);
	if (r >= 0 && places[p].bridge)
		r = rtnl_link_get(nl, places[p].bridge, &l);
	memcpy(v.peer_mac, (uint8_t[]){2, 0x42, 9, 9, 9, (uint8_t)p}, 6);
	v.peer_netns = ns[p];
	v.master = l.ifindex;
	if (r >= 0)
		r = rtnl_veth_add(nl, &v, &ports[p], e);
	for (int fam = V4; r >= 0 && fam < N_FAMILIES && !places[p].bridge; fam++)
		r = rtnl_addr_add(nl, ports[p], prefix(fam, places[p].gateway, 24), e);
	if (r >= 0)
		r = netns_enter(ns[p], &visit);
	if (r < 0)
		return r;
	r = furnish(p, e);
	netns_leave(&visit);
	return r;
}

static int make_world(struct err *e)
{
	static const char *const list[][2] = {
		{"net/ipv6/conf/default/accept_dad", "0"},
		{"net/ipv6/conf/all/forwarding", "1"},
		{"net/ipv4/ip_forward", "1"},
		{"net/ipv4/ping_group_range", "0 0"},
	};
	int r = sysctls(list, ARRAY_SIZE(list));

	if (r >= 0)
		r = rtnl_open(&nl);
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
	/* what two hostile containers would try: a detour over the gateway */
	if (r >= 0)
		r = sh_in(ns[F], "ip route add 172.21.0.3 via 172.21.0.1; "
				 "ip route add fd00:ac15::3 via fd00:ac15::1");
	return r < 0 ? r
		     : sh_in(ns[G], "ip route add 172.21.0.2 via 172.21.0.1; "
				    "ip route add fd00:ac15::2 via fd00:ac15::1");
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
		{"same*", "172.18.0.0/16 . \"br1\""},
		{"same*", "172.19.0.0/16 . \"br2\""},
		{"same*", "172.20.0.0/16 . \"br3\""},
		{"same*", "172.21.0.0/16 . \"br4\""},
		{"masq*", "\"br1\""},
		{"masq*", "\"br4\""},
		{"snat*", "\"br2\" : 198.51.100.1"},
		{"internal", "\"br3\""},
		{"nohost", "\"br3\""},
		{"iso_gw", "\"br4\" . \"br4\" . 02:42:00:00:00:15"},
		{"uplinks*", "\"to-internet\""},
		{"uplinks*", "\"to-lan\""},
		{"pub*_any", "tcp . 8080 : 172.18.0.2 . 80"},
		{"pub*_addr", "198.51.100.1 . tcp . 8082 : 172.18.0.2 . 80"},
		{"pub*_any", "tcp . 8083 : 172.21.0.2 . 80"},
		{"range*", "tcp . 9000-9100 : 172.18.0.2"},
		{"range*_addr", "198.51.100.1 . tcp . 9300-9400 : 172.18.0.2"},
		/* published on ::1 is the relay's */
		{"pub4_addr", "127.0.0.1 . tcp . 8081 : 172.18.0.2 . 80"},
		{"range4_addr", "127.0.0.1 . tcp . 9200-9300 : 172.18.0.2"},
	};
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	int r = nft_open(&n, e);

	if (r < 0)
		return r;
	tx = nft_tx_new(n);
	for (size_t i = 0; i < ARRAY_SIZE(elements); i++)
		for (int fam = V4; fam < N_FAMILIES; fam++)
			if (fam == V4 || strchr(elements[i][0], '*'))
				put(tx, fam, false, elements[i][0], elements[i][1]);
	return nft_replace(tx, e);
}

/* ---- packets ---- */

static socklen_t sockaddr(int fam, uint32_t addr, uint16_t port, struct sockaddr_storage *ret)
{
	socklen_t len = ip_sockaddr(as(fam, addr), port, ret);

	if (fam == V6 && is_link_local(addr))
		((struct sockaddr_in6 *)ret)->sin6_scope_id = if_nametoindex("eth0");
	return len;
}

static int bound(int type, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), off = 0;

	return fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
			       bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0
		       ? -1
		       : fd;
}

/* Tells each client by what address it is seen; listening when this returns. */
static void serve(enum place p)
{
	static const uint16_t wanted[] = {80, 8000, 9050, 9250, 9350};
	struct pollfd fds[ARRAY_SIZE(wanted)];
	size_t count = p == HOST ? 2 : ARRAY_SIZE(wanted); /* the others are published */
	struct netns_visit visit = {.home = -1};
	pid_t pid;

	if (ns[p] >= 0 && netns_enter(ns[p], &visit) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		fds[i] = (struct pollfd){.fd = bound(SOCK_STREAM, wanted[i]), .events = POLLIN};
		if (listen(fds[i].fd, 64) < 0)
			printf("# cannot listen\n");
	}
	netns_leave(&visit);
	pid = fork();
	for (size_t i = 0; pid && i < count; i++)
		close(fds[i].fd);
	if (pid)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (poll(fds, count, -1) > 0)
		for (size_t i = 0; i < count; i++) {
			struct sockaddr_in6 peer = {0};
			socklen_t len = sizeof(peer);
			int c = fds[i].revents ? accept4(fds[i].fd, (struct sockaddr *)&peer, &len,
							 SOCK_CLOEXEC)
					       : -1;
			uint32_t seen = number(&peer);

			if (c >= 0)
				(void)!write(c, &seen, 4);
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
	int only; /* 4 or 6, if not both */
};

/* The echo request's checksum and id are the kernel's. */
static uint32_t ping(int fam, uint32_t addr, int timeout_ms)
{
	struct sockaddr_storage to;
	socklen_t len = sockaddr(fam, addr, 0, &to);
	uint8_t echo[8] = {fam == V4 ? 8 : ICMP6_ECHO_REQUEST};
	auto_close int s = fam == V4 ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP)
				     : socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	struct pollfd fd = {.fd = s, .events = POLLIN};

	if (s < 0)
		return 4;
	if (sendto(s, echo, sizeof(echo), 0, (struct sockaddr *)&to, len) < 0 ||
	    poll(&fd, 1, timeout_ms) != 1 || recv(s, echo, sizeof(echo), 0) != sizeof(echo))
		return 0;
	return addr;
}

static uint32_t connect_from(int fam, const struct probe *p, int timeout_ms)
{
	struct pollfd fd = {.events = POLLIN};
	struct sockaddr_storage to;
	struct netns_visit visit;
	uint32_t seen = 0;
	socklen_t len;

	if (ns[p->from] >= 0 && netns_enter(ns[p->from], &visit) < 0)
		return 2;
	if (p->port == PING)
		return ping(fam, p->to, timeout_ms);
	len = sockaddr(fam, p->to, p->port, &to);
	fd.fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (connect(fd.fd, (struct sockaddr *)&to, len) < 0 && errno != EINPROGRESS)
		return errno == ECONNREFUSED || errno == EACCES || errno == EHOSTUNREACH ? 0 : 3;
	if (poll(&fd, 1, timeout_ms) == 1 && recv(fd.fd, &seen, 4, 0) != 4)
		seen = 0;
	return seen;
}

static bool brnf; /* br_netfilter is on */

static uint32_t wanted(const struct probe *p)
{
	uint32_t want = brnf && p->want_brnf ? p->want_brnf : p->want;

	return want == 1 ? 0 : want;
}

static bool runs(const struct probe *p, int fam)
{
	return !p->only || p->only == (fam == V4 ? 4 : 6);
}

static void tell(const char *when, int fam, const struct probe *p, uint32_t seen)
{
	char a[IP_STR], b[IP_STR], to[IP_STR];

	ok(seen == wanted(p), "%s: %s to %s port %u: %s (seen as %s, want %s)", when,
	   places[p->from].name, ip_str(as(fam, p->to), to), p->port, p->what,
	   ip_str(as(fam, seen), a), ip_str(as(fam, wanted(p)), b));
}

/* All at once: a wrong table costs a few seconds, a right one half of one. */
static void run(const char *when, const struct probe *list, size_t count)
{
	size_t bytes = count * N_FAMILIES * sizeof(uint32_t);
	uint32_t *seen =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[256];

	if (seen == MAP_FAILED || count * N_FAMILIES > ARRAY_SIZE(pids))
		abort();
	for (size_t i = 0; i < count * N_FAMILIES; i++) {
		const struct probe *p = &list[i / N_FAMILIES];
		int fam = i % N_FAMILIES;

		if (!runs(p, fam) || (pids[i] = fork()))
			continue;
		seen[i] = connect_from(fam, p, wanted(p) ? ALLOWED_MS : BLOCKED_MS);
		_exit(0);
	}
	for (size_t i = 0; i < count * N_FAMILIES; i++) {
		const struct probe *p = &list[i / N_FAMILIES];
		int fam = i % N_FAMILIES;

		if (!runs(p, fam))
			continue;
		(void)waitpid(pids[i], NULL, 0);
		tell(when, fam, p, seen[i]);
	}
	(void)munmap(seen, bytes);
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
	{INTERNET, UPLINK, 9350, AT(INTERNET), 0, "a range on this address"},
	{LAN, LANSIDE, 9350, 0, 0, "not on that one"},
	{INTERNET, UPLINK, 9250, 0, 0, "a range on localhost"},
	{INTERNET, UPLINK, 8000, AT(INTERNET), 0, "the host's own service"},
	{INTERNET, AT(LAN), 80, 0, 0, "uplinks are not routed among themselves"},
	{LAN, AT(INTERNET), 80, 0, 0, "nor the other way"},
	/* published ports from inside */
	{HOST, LOCAL, 8080, GATE(18), 0, "localhost", 4},
	{HOST, LOCAL, 8081, GATE(18), 0, "localhost alone", 4},
	{HOST, LOCAL, 9250, GATE(18), 0, "a range there", 4},
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
	/* IPv6 alone */
	{HOST, LOCAL, 8080, 0, 0, "localhost is left to the relay", 6},
	{A, LINK(18), 8000, LINK_LOCAL, 0, "the host by the bridge's link-local address", 6},
	{D, LINK(20), 8000, 0, 0, "internal: not by it either", 6},
	{D, LINK(20), PING, LINK(20), 0, "internal: that answers a ping, too", 6},
	{F, LINK(21), 8000, LINK_LOCAL, 0, "isolated: to the host by it", 6},
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
	 {{LAN, AT(A), 80, AT(LAN), 0, "a link with the right"},
	  {INTERNET, AT(A), 80, 0, 0, "another"}}},
	{"trusted",
	 "\"to-lan\" . \"br1\"",
	 {{LAN, AT(A), 80, 0, 0, "a trusted link: what is not published stays closed"}}},
	{"direct*",
	 "172.18.0.2 . tcp . 80",
	 {{LAN, AT(A), 80, 0, 0, "a published port: not for who is not trusted"}}},
	{"routed*",
	 "172.18.0.2 . tcp . 80",
	 {{INTERNET, AT(A), 80, AT(INTERNET), 0, "a routed port"},
	  {INTERNET, AT(A), 8000, 0, 0, "another port"},
	  {INTERNET, AT(B), 80, 0, 0, "another container"},
	  {C, AT(A), 80, AT(C), 0, "also from other networks"}}},
	{"routed*",
	 "172.20.0.2 . tcp . 80",
	 {{INTERNET, AT(D), 80, 0, 0, "a routed port of an internal network"}}},
	{"ping*",
	 "\"br1\"",
	 {{INTERNET, AT(A), PING, AT(A), 0, "a network that answers pings"},
	  {INTERNET, AT(C), PING, 0, 0, "another network"},
	  {INTERNET, AT(A), 80, 0, 0, "and nothing else"}}},
	{"open*",
	 "\"br1\"",
	 {{INTERNET, AT(B), 8000, AT(INTERNET), 0, "an open network"},
	  {INTERNET, AT(C), 80, 0, 0, "another network"},
	  {INTERNET, UPLINK, 8080, AT(INTERNET), 0, "its published ports, too"},
	  {A, AT(INTERNET), 80, UPLINK, 0, "out, masqueraded"}}},
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

static void element(bool del, const char *set, const char *text)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
	struct err e = {0};

	for (int fam = V4; fam < N_FAMILIES; fam++)
		put(tx, fam, del, set, text); /* if it has no family: the second time is none */
	is_int(nft_apply(tx, &e), 0, "%s%s { %s } %s", del ? "no " : "", set, text, e.msg);
}

static void changes(const char *when)
{
	static const struct probe trusted[] = {
		{LAN, AT(A), 80, AT(LAN), 0, "a trusted link to a published port"},
		{LAN, AT(A), 8000, 0, 0, "not to another port"},
		{LAN, AT(B), 80, 0, 0, "not to another container"},
		{INTERNET, AT(A), 80, 0, 0, "nor by another link"},
	};
	/* routed: neither published nor masqueraded. The internet has a route back. */
	static const struct probe routed[] = {
		{A, AT(INTERNET), 80, AT(A), 0, "routed: out with its own address"},
		{INTERNET, AT(A), 80, AT(INTERNET), 0, "routed: in to it"},
		{INTERNET, AT(A), PING, AT(A), 0, "routed: answers pings"},
		{INTERNET, AT(B), 80, 0, 0, "routed: what is not published stays closed"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		size_t count = 0;

		element(false, more[i].set, more[i].element);
		while (count < 4 && more[i].probes[count].what)
			count++;
		run(when, more[i].probes, count);
		element(true, more[i].set, more[i].element);
	}
	element(false, "trusted", "\"to-lan\" . \"br1\"");
	element(false, "direct*", "172.18.0.2 . tcp . 80");
	run(when, trusted, ARRAY_SIZE(trusted));
	element(true, "direct*", "172.18.0.2 . tcp . 80");
	element(true, "trusted", "\"to-lan\" . \"br1\"");
	element(true, "masq*", "\"br1\"");
	element(false, "ping*", "\"br1\"");
	element(false, "routed*", "172.18.0.2 . tcp . 80");
	run(when, routed, ARRAY_SIZE(routed));
	element(true, "routed*", "172.18.0.2 . tcp . 80");
	element(true, "ping*", "\"br1\"");
	element(false, "masq*", "\"br1\"");
}

/* ---- beside another firewall, which drops what is forwarded ---- */

static void beside(const char *when)
{
	static const struct probe closed[] = {
		{A, AT(INTERNET), 80, 0, 0, "the other firewall drops what goes out"},
		{INTERNET, UPLINK, 8080, 0, 0, "and what comes in"},
	};
	static const struct probe only_out[] = {
		{A, AT(INTERNET), 80, UPLINK, 0, "respected: out"},
		{C, UPLINK, 8080, AT(C), 0, "respected: to another network's published port"},
		{A, AT(B), 80, AT(A), 0, "respected: within"},
		{A, AT(C), 80, 0, 0, "respected: not to another network"},
		{INTERNET, UPLINK, 8080, 0, 0, "respected: it judges what comes in"},
		{HOST, UPLINK, 8080, UPLINK, 0, "respected: from the host itself"},
	};
	static const struct probe strangers[] = {
		{INTERNET, AT(LAN), 80, 0, 0, "and what is not ours it drops as before"},
	};
	static const struct probe control[] = {
		{INTERNET, AT(LAN), 80, AT(INTERNET), 0, "alone we let by what is not ours"},
	};
	auto_free char *with = str_printf("%s, beside another firewall", when);

	element(true, "uplinks*", "\"to-lan\"");
	run(when, control, ARRAY_SIZE(control));
	element(false, "uplinks*", "\"to-lan\"");
	is_int(sh_in(-1,
		     "nft 'table inet filter { chain forward { type filter hook forward priority "
		     "0; policy drop; }; }'"),
	       0, "a firewall that drops");
	run(with, closed, ARRAY_SIZE(closed));
	is_int(nft_pass(n, NFT_PASS_ALL, NULL, NULL), 1, "open");
	run(with, always, ARRAY_SIZE(always));
	element(true, "uplinks*", "\"to-lan\"");
	run(with, strangers, ARRAY_SIZE(strangers));
	element(false, "uplinks*", "\"to-lan\"");
	is_int(nft_pass(n, NFT_PASS_OUT, NULL, NULL), 1, "respect");
	run(with, only_out, ARRAY_SIZE(only_out));
	is_int(nft_pass(n, NFT_PASS_NONE, NULL, NULL), 0, "none");
	run(with, closed, ARRAY_SIZE(closed));
	is_int(sh_in(-1, "nft delete table inet filter"), 0, "it goes");
}

/* ---- forged datagrams, written byte by byte ---- */

struct datagram {
	uint8_t bytes[80];
	size_t len;
};

static void append(struct datagram *d, const void *data, size_t len)
{
	memcpy(d->bytes + d->len, data, len);
	d->len += len;
}

static uint32_t sum(const uint8_t *p, size_t len)
{
	uint32_t s = 0;

	for (size_t i = 0; i < len; i++)
		s += (uint32_t)p[i] << (i % 2 ? 0 : 8);
	return s;
}

static void put_sum(uint8_t *at, uint32_t s)
{
	s = (s & 0xffff) + (s >> 16);
	s = ~((s & 0xffff) + (s >> 16));
	at[0] = (uint8_t)(s >> 8);
	at[1] = (uint8_t)s;
}

/* From A to br1, port 12345 to 7000, with @mark in it. */
static struct datagram datagram(int fam, uint32_t from, uint32_t to, uint8_t mark)
{
	static const uint8_t v4[] = {0x45, 0, 0, 29, 0, 0, 0, 0, 64, IPPROTO_UDP, 0, 0},
			     v6[] = {0x60, 0, 0, 0, 0, 9, IPPROTO_UDP, 64};
	const uint8_t ethernet[] = {2, 0x42, 0, 0, 0, 18, 2, 0x42, 9, 9, 9, A},
		      udp[] = {0x30, 0x39, 0x1b, 0x58, 0, 9, 0, 0, mark};
	struct datagram d = {0};
	uint8_t a[16];
	size_t at;

	append(&d, ethernet, 12);
	append(&d, fam == V4 ? (uint8_t[]){8, 0} : (uint8_t[]){0x86, 0xdd}, 2);
	append(&d, fam == V4 ? v4 : v6, fam == V4 ? sizeof(v4) : sizeof(v6));
	append(&d, a, ip_bytes(as(fam, from), a));
	append(&d, a, ip_bytes(as(fam, to), a));
	at = d.len;
	append(&d, udp, sizeof(udp));
	if (fam == V4) /* and none in the UDP header, which it allows */
		put_sum(d.bytes + 24, sum(d.bytes + 14, 20));
	else
		put_sum(d.bytes + at + 6, sum(d.bytes + 22, d.len - 22) + IPPROTO_UDP + 9);
	return d;
}

static const struct {
	uint32_t from, to;
	bool arrives, arrives_ok; /* the second: with its address in src_ok */
	const char *what;
} forgeries[] = {
	{AT(A), GATE(18), true, true, "its own address"},
	{AT(A), GATE(19), true, true, "to another gateway"},
	{IP(203, 0, 113, 5), GATE(18), false, true, "an address of nowhere"},
	{IP(203, 0, 113, 6), GATE(18), false, false, "another"},
	{IP(0, 0, 0, 0), GATE(18), false, false, "none"},
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
static void forged(const char *when, int fam, bool allowed)
{
	auto_close int out = -EBADF, in = bound(SOCK_DGRAM, 7000);
	bool heard[ARRAY_SIZE(forgeries)] = {false};
	struct netns_visit visit;
	struct pollfd fd = {.fd = in, .events = POLLIN};
	size_t last = ARRAY_SIZE(forgeries) - 1;

	if (in < 0 || netns_enter(ns[A], &visit) < 0)
		return;
	out = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	for (size_t i = 0; i < ARRAY_SIZE(forgeries); i++) {
		struct datagram d = datagram(fam, forgeries[i].from, forgeries[i].to, (uint8_t)i);
		struct sockaddr_ll to = {.sll_family = AF_PACKET,
					 .sll_ifindex = (int)if_nametoindex("eth0")};

		if (fam == V6 && forgeries[i].from == 0) /* :: */
			memset(d.bytes + 22, 0, 16);
		if (sendto(out, d.bytes, d.len, 0, (struct sockaddr *)&to, sizeof(to)) < 0)
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

		ok(heard[i] == want, "%s: IPv%d: a source of %s %s", when, fam == V4 ? 4 : 6,
		   forgeries[i].what, want ? "comes" : "does not come");
	}
}

static void forging(const char *when)
{
	for (int fam = V4; fam < N_FAMILIES; fam++)
		forged(when, fam, false);
	element(false, "src_ok*", "\"br1\" . 203.0.113.5");
	for (int fam = V4; fam < N_FAMILIES; fam++)
		forged(when, fam, true);
	element(true, "src_ok*", "\"br1\" . 203.0.113.5");
}

/* ---- one datagram, which needs no answer: each direction for itself ---- */

static bool heard(int fam, enum place from, enum place at, uint32_t to, int timeout_ms)
{
	auto_close int in = -EBADF, out = -EBADF;
	struct netns_visit visit = {.home = -1};
	struct sockaddr_storage sa;
	socklen_t len = sockaddr(fam, to, 7000, &sa);
	struct pollfd fd = {.events = POLLIN};

	if (ns[at] >= 0 && netns_enter(ns[at], &visit) < 0)
		return false;
	fd.fd = in = bound(SOCK_DGRAM, 7000);
	netns_leave(&visit);
	visit.home = -1;
	if (ns[from] >= 0 && netns_enter(ns[from], &visit) < 0)
		return false;
	out = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)!sendto(out, "x", 1, 0, (struct sockaddr *)&sa, len); /* refused: not heard */
	netns_leave(&visit);
	return poll(&fd, 1, timeout_ms) == 1;
}

static void one_way(const char *when)
{
	for (int fam = V4; fam < N_FAMILIES; fam++) {
		int v = fam == V4 ? 4 : 6;

		ok(heard(fam, A, HOST, GATE(18), ALLOWED_MS) &&
			   heard(fam, HOST, A, AT(A), ALLOWED_MS),
		   "%s: IPv%d: a datagram to the host and one from it", when, v);
		ok(!heard(fam, D, HOST, GATE(20), BLOCKED_MS), "%s: IPv%d: internal: none to it",
		   when, v);
		ok(!heard(fam, HOST, D, AT(D), BLOCKED_MS), "%s: IPv%d: internal: none from it",
		   when, v);
	}
}

static bool bridge_nf(bool on)
{
	const char *v = on ? "1" : "0";

	if (netns_sysctl("net/bridge/bridge-nf-call-iptables", v) < 0 ||
	    netns_sysctl("net/bridge/bridge-nf-call-ip6tables", v) < 0)
		return false;
	for (int p = A; p < PLACES; p++)
		if (rtnl_port_set(nl, ports[p], RTNL_PORT_HAIRPIN, on ? RTNL_PORT_HAIRPIN : 0,
				  NULL) < 0)
			return false;
	brnf = on;
	return true;
}

static void all(const char *when)
{
	run(when, always, ARRAY_SIZE(always));
	changes(when);
	forging(when);
	one_way(when);
	beside(when);
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
		if (places[p].isolated &&
		    rtnl_port_set(nl, ports[p], RTNL_PORT_ISOLATED, RTNL_PORT_ISOLATED, &e) < 0)
			printf("# %s\n", e.msg);
	(void)bridge_nf(false); /* where there is no such switch it is off */
	all("off");
	if (bridge_nf(true))
		all("on");
	nft_close(n);
	rtnl_close(nl);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_guard.c - what a hostile container sends to its neighbour on a bridge, and what arrives
 *
 * A and B are on one bridge. A writes frames byte by byte, B counts those that reach its interface,
 * with A's port guarded and not. Frames arrive in their order: the last is known to come.
 */

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "netlink/netns.h"
#include "nftables/nft.h"
#include "space.h"
#include "tap.h"

static struct nft *n;
static int ns_a, ns_b, ns_host;

static int sh_in(int in, const char *script, struct buf *out)
{
	const char *argv[] = {"sh", "-ec", script, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	s.netns = in;
	return spawn_wait(&s, out);
}

static int make_world(struct err *e)
{
	static const char inside[] = "ip link set eth0 up; ip addr add 172.18.0.%d/16 dev eth0; "
				     "ip addr add fd00::%d/64 dev eth0 nodad";
	auto_free char *a = str_printf(inside, 2, 2), *b = str_printf(inside, 3, 3);
	int r = netns_create(SPACE_DIR "/a", &ns_a, e);

	ns_host = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	/* else the rules for IP see the frames, too */
	(void)netns_sysctl("net/bridge/bridge-nf-call-iptables", "0");
	(void)netns_sysctl("net/bridge/bridge-nf-call-ip6tables", "0");
	if (r >= 0)
		r = netns_create(SPACE_DIR "/b", &ns_b, e);
	if (r >= 0)
		r = sh_in(
			-1,
			"ip link add br1 address 02:42:00:00:00:01 type bridge; ip link set br1 "
			"up; "
			"for x in a b; do ip link add to-$x master br1 up type veth peer name eth0 "
			"address 02:42:00:00:00:0$x netns " SPACE_DIR "/$x; done; "
			"ip addr add 172.18.0.1/16 dev br1; ip addr add fd00::1/64 dev br1 nodad",
			NULL);
	if (r == 0)
		r = sh_in(ns_a, a, NULL);
	return r ? r : sh_in(ns_b, b, NULL);
}

/* ---- frames ---- */

/* the last byte of a MAC, an IPv4 and an IPv6 address; OTHER is nobody */
enum who { GATEWAY = 1, SELF = 2, NEIGHBOUR = 3, OTHER = 9, NOBODY = 0 };

struct frame {
	uint8_t bytes[256];
	size_t len;
};

static void append(struct frame *f, const void *data, size_t len)
{
	memcpy(f->bytes + f->len, data, len);
	f->len += len;
}

static void append_mac(struct frame *f, enum who w)
{
	append(f,
	       (uint8_t[]){2, 0x42, 0, 0, 0,
			   w == SELF	    ? 0x0a
			   : w == NEIGHBOUR ? 0x0b
					    : (uint8_t)w},
	       6);
}

static void append_v4(struct frame *f, enum who w)
{
	append(f, w == NOBODY ? (uint8_t[4]){0} : (uint8_t[]){172, 18, 0, (uint8_t)w}, 4);
}

static void append_v6(struct frame *f, enum who w, bool link_local)
{
	uint8_t a[16] = {0};

	if (link_local)
		memcpy(a,
		       (uint8_t[]){0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x42, 0, 0xff, 0xfe, 0, 0,
				   w == SELF ? 0x0a : (uint8_t)w},
		       16);
	else if (w != NOBODY)
		memcpy(a, (uint8_t[]){0xfd, 0, [15] = (uint8_t)w}, 16);
	append(f, a, 16);
}

enum kind { ARP, ARP_REPLY, UDP4, DHCP4, UDP6, UDP6_LINK, SOLICIT, ADVERT, ROUTER, REDIRECT, VLAN };

struct row {
	enum kind kind;
	enum who mac, from; /* the frame's sender; the packet's source */
	enum who claims;    /* ARP: the MAC within, neighbour discovery: the target */
	bool guarded;	    /* arrives then */
	const char *what;
};

static const struct row rows[] = {
	{ARP, SELF, SELF, SELF, true, "asks"},
	{ARP, SELF, NOBODY, SELF, true, "probes an address (RFC 5227)"},
	{ARP_REPLY, SELF, SELF, SELF, true, "answers"},
	{ARP_REPLY, SELF, GATEWAY, SELF, false, "says it is the gateway"},
	{ARP_REPLY, SELF, NOBODY, SELF, false, "answers for no address"},
	{ARP, SELF, GATEWAY, SELF, false, "says so in a question"},
	{ARP_REPLY, SELF, SELF, OTHER, false, "another MAC within"},
	{ARP, OTHER, SELF, OTHER, false, "as somebody else altogether"},
	{UDP4, SELF, SELF, SELF, true, "IPv4"},
	{UDP4, SELF, OTHER, SELF, false, "IPv4 of another source"},
	{UDP4, OTHER, SELF, SELF, false, "IPv4 from another MAC"},
	{UDP4, SELF, NOBODY, SELF, false, "IPv4 of no source"},
	{DHCP4, SELF, NOBODY, SELF, true, "but to find a DHCP server"},
	{UDP6, SELF, SELF, SELF, true, "IPv6"},
	{UDP6_LINK, SELF, SELF, SELF, true, "IPv6 of its link-local address"},
	{UDP6, SELF, OTHER, SELF, false, "IPv6 of another source"},
	{UDP6_LINK, SELF, OTHER, SELF, false, "IPv6 of another link-local one"},
	{UDP6, SELF, NOBODY, SELF, false, "IPv6 of no source"},
	{UDP6, OTHER, SELF, SELF, false, "IPv6 from another MAC"},
	{SOLICIT, SELF, NOBODY, SELF, true, "duplicate address detection"},
	{SOLICIT, SELF, SELF, NEIGHBOUR, true, "asks for its neighbour"},
	{ADVERT, SELF, SELF, SELF, true, "advertises itself"},
	{ADVERT, SELF, SELF, GATEWAY, false, "says it is the gateway by IPv6"},
	{ADVERT, SELF, GATEWAY, GATEWAY, false, "with its address"},
	{ADVERT, SELF, NOBODY, GATEWAY, false, "with no address"},
	{ROUTER, SELF, SELF, SELF, false, "says it is a router"},
	{REDIRECT, SELF, SELF, SELF, false, "redirects"},
	{VLAN, SELF, SELF, SELF, false, "hides in a VLAN tag"},
	{ARP, SELF, SELF, SELF, true, "asks"}, /* last */
};

/* What tells them apart comes last, within the length that the packet's own header says. */
static void append_mark(struct frame *f, uint8_t mark)
{
	append(f, (uint8_t[]){200, 1, 'm', 'a', 'r', 'k', 0, mark}, 8);
}

static void append_arp(struct frame *f, const struct row *r)
{
	append(f, (uint8_t[]){8, 6, 0, 1, 8, 0, 6, 4, 0, r->kind == ARP ? 1 : 2}, 10);
	append_mac(f, r->claims);
	append_v4(f, r->from);
	append_mac(f, NEIGHBOUR);
	append_v4(f, NEIGHBOUR);
}

static void append_udp4(struct frame *f, const struct row *r)
{
	uint32_t s = 0;

	append(f, (uint8_t[]){8, 0, 0x45, 0, 0, 36, 0, 0, 0, 0, 64, 17, 0, 0}, 14);
	append_v4(f, r->from);
	append_v4(f, NEIGHBOUR);
	for (int i = 14; i < 34; i += 2)
		s += (uint32_t)f->bytes[i] << 8 | f->bytes[i + 1];
	s = ~((s & 0xffff) + (s >> 16));
	f->bytes[24] = (uint8_t)(s >> 8);
	f->bytes[25] = (uint8_t)s;
	append(f, (uint8_t[]){0, 68, 0, r->kind == DHCP4 ? 67 : 69, 0, 16, 0, 0}, 8);
}

/* (Checksums of IPv6 are left out: nobody on the way looks, and B's interface takes all.) */
static void append_ipv6(struct frame *f, const struct row *r)
{
	static const uint8_t types[] = {
		[SOLICIT] = 135, [ADVERT] = 136, [ROUTER] = 134, [REDIRECT] = 137};
	bool udp = r->kind == UDP6 || r->kind == UDP6_LINK,
	     target = r->kind == SOLICIT || r->kind == ADVERT;

	append(f, (uint8_t[]){0x86, 0xdd, 0x60, 0, 0, 0, 0, target ? 32 : 16, udp ? 17 : 58, 255},
	       10);
	append_v6(f, r->from, r->kind == UDP6_LINK);
	append_v6(f, NEIGHBOUR, false);
	if (udp)
		append(f, (uint8_t[]){0, 68, 0, 69, 0, 16, 0, 0}, 8);
	else
		append(f, (uint8_t[]){types[r->kind], 0, 0, 0, 0x20, 0, 0, 0}, 8);
	if (target)
		append_v6(f, r->claims, false);
}

static struct frame frame(const struct row *r, uint8_t mark)
{
	struct frame f = {0};

	append_mac(&f, NEIGHBOUR);
	append_mac(&f, r->mac);
	switch (r->kind) {
	case VLAN:
		append(&f, (uint8_t[]){0x81, 0, 0, 7}, 4);
		append_arp(&f, r);
		break;
	case ARP:
	case ARP_REPLY:
		append_arp(&f, r);
		break;
	case UDP4:
	case DHCP4:
		append_udp4(&f, r);
		break;
	case UDP6:
	case UDP6_LINK:
	case SOLICIT:
	case ADVERT:
	case ROUTER:
	case REDIRECT:
		append_ipv6(&f, r);
	}
	append_mark(&f, mark);
	return f;
}

static int interface_of(int netns)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct netns_visit v;
	int s;

	if (netns_enter(netns, &v) < 0)
		return -1;
	s = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	at.sll_ifindex = (int)if_nametoindex("eth0");
	if (bind(s, (struct sockaddr *)&at, sizeof(at)) < 0)
		s = fd_close(s);
	netns_leave(&v);
	return s;
}

static void sent(const char *when, bool guarded)
{
	auto_close int out = interface_of(ns_a), in = interface_of(ns_b);
	struct pollfd fd = {.fd = in, .events = POLLIN};
	bool came[ARRAY_SIZE(rows)] = {false};
	size_t last = ARRAY_SIZE(rows) - 1;

	for (size_t i = 0; i <= last; i++) {
		struct frame f = frame(&rows[i], (uint8_t)i);

		if (send(out, f.bytes, f.len, 0) < 0)
			printf("# cannot send: %s\n", strerror(errno));
	}
	while (!came[last] && poll(&fd, 1, 2000) == 1) {
		uint8_t b[2048];
		ssize_t got = recv(in, b, sizeof(b), 0);

		if (got > 8 && !memcmp(b + got - 6, "mark", 4) && b[got - 1] <= last)
			came[b[got - 1]] = true;
	}
	for (size_t i = 0; i <= last; i++) {
		bool want = !guarded || rows[i].guarded;

		ok(came[i] == want, "%s: %s%s", when, rows[i].what,
		   want ? "" : ": does not arrive");
	}
}

static void guard(bool del)
{
	auto_(nft_tx_free) struct nft_tx *tx = nft_tx_new(n);
	struct ip ips[] = {ip_v4(0xac120002), {.hi = 0xfd00ull << 48, .lo = 2, .family = 6}};
	struct nft_guard g = {"to-a", {2, 0x42, 0, 0, 0, 0x0a}, ips, ARRAY_SIZE(ips)};
	struct err e = {0};

	nft_guard(tx, &g, del);
	is_int(nft_apply(tx, &e), 0, "guard %s %s", del ? "off" : "on", e.msg);
}

static bool guarded(void)
{
	return sh_in(-1, "nft list table bridge atoll", NULL) == 0;
}

/* Does a datagram come from one to the other, who knows nobody's MAC yet? */
static bool reaches(int from, int to, struct ip ip)
{
	auto_close int in = -EBADF, out = -EBADF;
	struct sockaddr_storage sa;
	struct netns_visit v;
	struct pollfd fd = {.events = POLLIN};
	socklen_t len = ip_sockaddr(ip, 7000, &sa);

	if (sh_in(from, "ip neigh flush all", NULL) || sh_in(to, "ip neigh flush all", NULL) ||
	    netns_enter(to, &v) < 0)
		return false;
	fd.fd = in = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (bind(in, (struct sockaddr *)&sa, len) < 0)
		printf("# cannot bind: %s\n", strerror(errno));
	netns_leave(&v);
	if (netns_enter(from, &v) < 0)
		return false;
	out = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (sendto(out, "x", 1, 0, (struct sockaddr *)&sa, len) < 0)
		printf("# cannot send: %s\n", strerror(errno));
	netns_leave(&v);
	return poll(&fd, 1, 3000) == 1;
}

static void works(const char *when)
{
	static const struct ip v4 = {.lo = 0xac120000, .family = 4},
			       v6 = {.hi = 0xfd00ull << 48, .family = 6};

	ok(reaches(ns_a, ns_b, ip_add(v4, 3)), "%s: to its neighbour", when);
	ok(reaches(ns_a, ns_b, ip_add(v6, 3)), "%s: by IPv6", when);
	ok(reaches(ns_b, ns_a, ip_add(v4, 2)), "%s: from its neighbour", when);
	ok(reaches(ns_b, ns_a, ip_add(v6, 2)), "%s: by IPv6", when);
	ok(reaches(ns_a, ns_host, ip_add(v4, 1)), "%s: to the gateway", when);
	ok(reaches(ns_a, ns_host, ip_add(v6, 1)), "%s: by IPv6", when);
}

int main(void)
{
	auto_(nft_tx_free) struct nft_tx *tx = NULL;
	const char *why = space_enter();
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	if (!is_int(make_world(&e), 0, "a world %s", e.msg))
		return tap_done();
	is_int(nft_open(&n, &e), 0, "opened %s", e.msg);
	tx = nft_tx_new(n);
	nft_add(tx, "nets", "\"br1\"");
	is_int(nft_replace(tx, &e), 0, "our table %s", e.msg);
	ok(!guarded(), "the bridge table is not there");
	sent("unguarded", false);
	guard(false);
	ok(guarded(), "the bridge table is there");
	sent("guarded", true);
	works("guarded");
	is_int(nft_repair(n, &e), 0, "repaired %s", e.msg);
	sent("repaired", true);
	guard(true);
	ok(!guarded(), "the bridge table is gone");
	sent("no more", false);
	guard(false);
	nft_tx_free(tx);
	nft_close(n);
	is_int(nft_open(&n, &e), 0, "a new life");
	tx = nft_tx_new(n);
	ok(guarded() && nft_replace(tx, &e) == 0 && !guarded(), "that guards nobody takes it away");
	nft_close(n);
	return tap_done();
}

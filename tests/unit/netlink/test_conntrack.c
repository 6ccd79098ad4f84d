/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_conntrack.c - entries deleted by what they are of; the watch on the host's links */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "loop/spawn.h"
#include "netlink/diag.h"
#include "netlink/rtnl.h"
#include "space.h"
#include "tap.h"

#define A ip_v4(0x0a090001) /* 10.9.0.1 */
#define B ip_v4(0x0a090002)
#define C ip_v4(0x0a090003) /* translated to B, port 53 to 5353 */

static struct rtnl *nl;

static int run(const char *script)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	auto_buf struct buf out = BUF_INIT(1 << 16);
	struct spawn s = SPAWN_INIT;
	int r;

	s.argv = argv;
	r = spawn_wait(&s, &out);
	if (r)
		printf("# %s", buf_str(&out));
	return r;
}

/* One datagram makes an entry. */
static void flow(struct ip from, struct ip to, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(from, 0, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)bind(fd, (struct sockaddr *)&sa, len);
	len = ip_sockaddr(to, port, &sa);
	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, len) < 0)
		printf("# cannot send\n");
	close(fd);
}

static void flows(void)
{
	flow(A, B, 53);
	flow(A, B, 54);
	flow(B, A, 53);
	flow(A, C, 53);
}

static void flushed(void)
{
	const struct {
		const char *what;
		uint8_t proto;
		struct ip daddr;
		uint16_t port;
		int n;
	} rows[] = {
		{"a port of any address", IPPROTO_UDP, ip_any(V4), 53, 3},
		{"of one address", IPPROTO_UDP, B, 53, 1},
		{"of the address that is translated", IPPROTO_UDP, C, 53, 1},
		{"another protocol", IPPROTO_TCP, ip_any(V4), 53, 0},
		{"another port", IPPROTO_UDP, ip_any(V4), 55, 0},
		{"another address", IPPROTO_UDP, ip_v4(0x0a090009), 53, 0},
		{"another family", IPPROTO_UDP, ip_any(V6), 53, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		flows();
		is_int(conntrack_flush(rows[i].proto, rows[i].daddr, rows[i].port), rows[i].n, "%s",
		       rows[i].what);
		is_int(conntrack_flush(rows[i].proto, rows[i].daddr, rows[i].port), 0,
		       "is gone then");
		(void)conntrack_flush_addr(A);
	}
}

/* Of both families one walk is made. */
static void six(void)
{
	const struct ip a = {0xfd09ull << 48, 1, 6}, b = {0xfd09ull << 48, 2, 6};

	flow(a, b, 53);
	flow(a, b, 54);
	flow(A, B, 53);
	is_int(conntrack_flush(IPPROTO_UDP, ip_any(V6), 53), 1, "an IPv6 flow alone");
	is_int(conntrack_flush_addr(b), 1, "by its address");
	is_int(conntrack_flush_addr(B), 1, "the IPv4 one is still there");
}

static void of_address(void)
{
	flows();
	is_int(conntrack_flush_addr(C), 1, "all of an address as it was asked for");
	is_int(conntrack_flush_addr(B), 3, "as source and as destination");
	is_int(conntrack_flush_addr(A), 0, "nothing is left");
	flows();
	is_int(conntrack_flush_addr(B), 4, "behind a translation too");
	for (int i = 0; i < 300; i++) /* more than one answer, more than the first room */
		flow(A, B, (uint16_t)(1000 + i));
	is_int(conntrack_flush_addr(A), 300, "many");
}

int main(void)
{
	const char *why = space_enter();

	if (why)
		return tap_skip_all(why);
	if (rtnl_open(&nl) < 0 ||
	    run("ip link set lo up; ip addr add 10.9.0.1/32 dev lo; ip addr add 10.9.0.2/32 dev lo;"
		"ip addr add 10.9.0.3/32 dev lo; ip addr add fd09::1/128 dev lo;"
		"ip addr add fd09::2/128 dev lo; nft -f - <<E\n"
		"table ip t {\n chain c { type nat hook output priority -100;\n"
		"  ip daddr 10.9.0.3 udp dport 53 dnat to 10.9.0.2:5353\n }\n}\n"
		"table ip6 t {\n chain c { type filter hook output priority 0; ct state new "
		"accept; }\n"
		"}\nE\n") != 0)
		return tap_skip_all("no ip or nft here");
	flushed();
	of_address();
	six();
	rtnl_close(nl);
	return tap_done();
}

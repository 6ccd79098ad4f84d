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

#define A 0x0a090001u /* 10.9.0.1 */
#define B 0x0a090002u
#define C 0x0a090003u /* translated to B, port 53 to 5353 */

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
static void flow(uint32_t from, uint32_t to, uint16_t port)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(from)};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	sa.sin_addr.s_addr = htonl(to);
	sa.sin_port = htons(port);
	if (sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)) < 0)
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
	static const struct {
		const char *what;
		uint8_t proto;
		uint32_t daddr, raddr;
		uint16_t port, rport;
		int n;
	} rows[] = {
		{"a port of any address", IPPROTO_UDP, 0, 0, 53, 0, 3},
		{"of one address", IPPROTO_UDP, B, 0, 53, 0, 1},
		{"of the address that is translated", IPPROTO_UDP, C, 0, 53, 0, 1},
		{"or of whom it leads to", IPPROTO_UDP, C, B, 1, 5353, 1},
		{"and both", IPPROTO_UDP, B, B, 53, 5353, 2},
		{"another protocol", IPPROTO_TCP, 0, 0, 53, 0, 0},
		{"another port", IPPROTO_UDP, 0, 0, 55, 0, 0},
		{"another address", IPPROTO_UDP, 0x0a090009, 0, 53, 0, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		flows();
		is_int(conntrack_flush(rows[i].proto, rows[i].daddr, rows[i].port, rows[i].raddr,
				       rows[i].rport),
		       rows[i].n, "%s", rows[i].what);
		is_int(conntrack_flush(rows[i].proto, rows[i].daddr, rows[i].port, rows[i].raddr,
				       rows[i].rport),
		       0, "is gone then");
		(void)conntrack_flush_addr(A);
	}
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
		"ip addr add 10.9.0.3/32 dev lo; nft -f - <<E\n"
		"table ip t {\n chain c { type nat hook output priority -100;\n"
		"  ip daddr 10.9.0.3 udp dport 53 dnat to 10.9.0.2:5353\n }\n}\nE\n") != 0)
		return tap_skip_all("no ip or nft here");
	flushed();
	of_address();
	rtnl_close(nl);
	return tap_done();
}

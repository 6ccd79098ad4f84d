/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_ports.c - which elements published ports become */

#include <netinet/in.h>

#include "net/internal.h"
#include "tap.h"

static struct net_port port(uint8_t proto, uint32_t ip, uint16_t host, uint16_t inside)
{
	return (struct net_port){proto, ip_v4(ip), host, inside};
}

static void runs(void)
{
	struct net_port list[] = {
		port(IPPROTO_TCP, 0, 80, 80),
		port(IPPROTO_TCP, 0, 81, 81),
		port(IPPROTO_TCP, 0, 82, 82),
		port(IPPROTO_TCP, 0, 84, 84), /* a gap */
		port(IPPROTO_UDP, 0, 85, 85),
		port(IPPROTO_UDP, 1, 86, 86), /* another address */
		port(IPPROTO_TCP, 0, 8080, 80),
		port(IPPROTO_TCP, 0, 8081, 81), /* numbers change */
		port(IPPROTO_TCP, 0, 9000, 9000),
		port(IPPROTO_TCP, 0, 9001, 9002),
		port(IPPROTO_TCP, 0, 65534, 65534),
		port(IPPROTO_TCP, 0, 65535, 65535),
	};
	static const size_t want[] = {3, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		is_int(ports_run(list, ARRAY_SIZE(list), i), want[i], "the run from row %zu", i);
}

int main(void)
{
	runs();
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_portspec.c - port texts: what is taken is in range and means the same when written again */

#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/portspec.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static bool known(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_SCTP;
}

static void publish(const char *text)
{
	char again[PUBLISH_STR];
	struct net_publish p, q;
	struct err e = {0};
	int r = publish_parse(text, &p, &e);

	if (r < 0) {
		check(e.code == r && e.msg[0]);
		return;
	}
	check(known(p.proto) && p.port && p.port <= p.port_end && p.host_port <= p.host_port_end);
	check(!p.host_port || p.port == p.port_end ||
	      p.port_end - p.port == p.host_port_end - p.host_port);
	check(publish_parse(publish_str(&p, again), &q, &e) == 0);
	check(p.proto == q.proto && p.port == q.port && p.port_end == q.port_end &&
	      ip_eq(p.host_ip, q.host_ip) && p.host_port == q.host_port &&
	      p.host_port_end == q.host_port_end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);
	struct err e = {0};
	uint16_t port, end;
	uint8_t proto;
	int r;

	if (!text)
		return 0;
	publish(text);
	r = port_parse(text, &proto, &port, &end, &e);
	check(r < 0 ? e.code == r && e.msg[0] : known(proto) && port && port <= end);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_ip.c - addresses, prefixes and MACs: what libc reads is what we read, and what is written is
 * read again as the same */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void address(const char *text)
{
	uint8_t libc[16] = {0}, ours[16] = {0};
	bool six = inet_pton(AF_INET6, text, libc) == 1, four = inet_pton(AF_INET, text, libc) == 1;
	struct ip ip = {.family = 9}, again;
	char out[IP_STR];
	int r = ip_parse(text, &ip);

	check((r == 0) == (four || six));
	if (r < 0)
		return;
	check(ip.family == (six ? 6 : 4) && ip_bytes(ip, ours) == (six ? 16 : 4));
	check(!memcmp(ours, libc, six ? 16 : 4));
	check(ip_from_bytes(ours, six ? 16 : 4, &again) == 0 && ip_eq(again, ip));
	check(ip_parse(ip_str(ip, out), &again) == 0 && ip_eq(again, ip));
}

static void prefix(const char *text)
{
	struct cidr c, again;
	char out[CIDR_STR];

	if (cidr_parse(text, &c) < 0)
		return;
	check(c.len <= ip_width(c.ip));
	check(cidr_parse(cidr_str(c, out), &again) == 0 && again.len == c.len &&
	      ip_eq(again.ip, c.ip));
	check(ip_cmp(cidr_first(c), c.ip) <= 0 && ip_cmp(c.ip, cidr_last(c)) <= 0);
	check(cidr_has(c, c.ip) && cidr_has(c, cidr_first(c)) && cidr_has(c, cidr_last(c)));
	check(cidr_overlap(c, c) && cidr_is_net(cidr_net(c)));
}

static void mac(const char *text)
{
	uint8_t bytes[6], again[6];
	char out[MAC_STR];

	if (mac_parse(text, bytes) == 0)
		check(mac_parse(mac_str(bytes, out), again) == 0 && !memcmp(bytes, again, 6));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size);

	if (!text)
		return 0;
	address(text);
	prefix(text);
	mac(text);
	return 0;
}

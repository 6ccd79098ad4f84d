/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fuzz_resolv.c - resolv.conf as the host has it: what is taken is a server, each line on its own
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "dns/servers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = strndup((const char *)data, size), *more = NULL;
	struct servers s, again;
	struct nameserver one;

	if (!text)
		return 0;
	servers_parse_resolv(text, &s);
	check(s.n <= SERVERS_MAX);
	for (size_t i = 0; i < s.n; i++)
		check(s.list[i].len == sizeof(s.list[i].addr.in4) ||
		      s.list[i].len == sizeof(s.list[i].addr.in6));
	again = s;
	servers_set_zones(&again, "/sys/class/net");
	check(again.n <= s.n);
	/* a line of ours behind it changes nothing of what comes before, and is read if there is
	 * room */
	more = str_printf("%s\nnameserver 192.0.2.77\n", text);
	if (!more)
		return 0;
	servers_parse_resolv(more, &again);
	check(again.n == MIN(s.n + 1, (size_t)SERVERS_MAX));
	for (size_t i = 0; i < s.n; i++)
		check(server_eq(&s.list[i], &again.list[i]));
	check(server_parse("192.0.2.77", &one) == 0);
	check(s.n == SERVERS_MAX || server_eq(&again.list[s.n], &one));
	return 0;
}

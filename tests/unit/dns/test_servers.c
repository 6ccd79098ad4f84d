/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_servers.c - what resolv.conf says */

#include "dns/servers.h"
#include "tap.h"

#include <arpa/inet.h>

static const char *text(const struct servers *s)
{
	static char out[256];

	out[0] = '\0';
	for (size_t i = 0; i < s->n; i++) {
		char addr[INET6_ADDRSTRLEN];
		const struct nameserver *ns = &s->list[i];
		bool v4 = ns->addr.sa.sa_family == AF_INET;

		inet_ntop(v4 ? AF_INET : AF_INET6,
			  v4 ? (const void *)&ns->addr.in4.sin_addr : &ns->addr.in6.sin6_addr, addr,
			  sizeof(addr));
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "%s%s%s%s", i ? " " : "",
			 addr, s->zones[i][0] ? "%" : "", s->zones[i]);
	}
	return out;
}

static void zones(void)
{
	struct servers s;

	servers_parse_resolv(
		"nameserver fe80::1%none-such\nnameserver ::1\nnameserver fe80::2%lo\n", &s);
	is_int(s.n, 3, "zones are not looked up by the parser");
	servers_set_zones(&s, "/sys/class/net");
	is_int(s.n, 2, "a zone that is not there");
	is_int(s.list[0].addr.in6.sin6_scope_id, 0, "none needed");
	is_int(s.list[1].addr.in6.sin6_scope_id, 1, "lo has index 1");
}

int main(void)
{
	static const struct {
		const char *file, *want;
	} t[] = {
		{"", ""},
		{"nameserver 10.0.0.1", "10.0.0.1"},
		{"nameserver 10.0.0.1\n", "10.0.0.1"},
		{"# comment\nsearch a b\nnameserver\t10.0.0.1 \nnameserver 10.0.0.2#x\r\n",
		 "10.0.0.1 10.0.0.2"},
		{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4\n",
		 "1.1.1.1 2.2.2.2 3.3.3.3"},
		{"nameserver\nnameserver \nnameserver x\nnameserver 1.2.3\nnameservers 1.1.1.1\n",
		 ""},
		{"#nameserver 1.1.1.1\n;nameserver 1.1.1.1\nnameserver 9.9.9.9", "9.9.9.9"},
		{"nameserver ::1\nnameserver fe80::1%eth0\nnameserver 2001:db8::53\n",
		 "::1 fe80::1%eth0 2001:db8::53"},
		{"nameserver fe80::1\nnameserver ::1%eth0\nnameserver fe80::1%\nnameserver "
		 "fe80::1%../x\nnameserver fe80::1%a-name-too-long-for-a-link\n",
		 ""},
		{"options ndots:2\n\n\nnameserver 127.0.0.53\n", "127.0.0.53"},
	};
	struct servers s, other;

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		servers_parse_resolv(t[i].file, &s);
		is_str(text(&s), t[i].want, "file %zu", i);
	}
	servers_parse_resolv("nameserver 1.1.1.1\nnameserver ::1", &s);
	servers_parse_resolv("nameserver 1.1.1.1\nnameserver ::1", &other);
	ok(servers_eq(&s, &other), "equal");
	servers_parse_resolv("nameserver 1.1.1.1\nnameserver ::2", &other);
	ok(!servers_eq(&s, &other), "another address");
	servers_parse_resolv("nameserver 1.1.1.1", &other);
	ok(!servers_eq(&s, &other), "one fewer");
	zones();
	is_int(ntohs(s.list[0].addr.in4.sin_port), 53, "port 53");
	return tap_done();
}

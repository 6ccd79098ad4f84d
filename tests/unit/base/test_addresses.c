/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_addresses.c - addresses, prefixes, MACs; ports and -p with Docker's words */

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/ip.h"
#include "base/portspec.h"
#include "base/str.h"
#include "tap.h"

static void addresses(void)
{
	static const struct {
		const char *text;
		int r;
		struct ip ip;
		const char *back; /* NULL: as @text */
	} rows[] = {
		{"0.0.0.0", 0, {0, 0, 4}, NULL},
		{"255.255.255.255", 0, {0, 0xffffffff, 4}, NULL},
		{"172.17.0.1", 0, {0, 0xac110001, 4}, NULL},
		{"1.2.3", -EINVAL, {0}, NULL},
		{"1.2.3.4.5", -EINVAL, {0}, NULL},
		{"1.2.3.4 ", -EINVAL, {0}, NULL},
		{" 1.2.3.4", -EINVAL, {0}, NULL},
		{"1.2.3.256", -EINVAL, {0}, NULL},
		{"1.2.3.0004", -EINVAL, {0}, NULL},
		{"1.2.3.04", -EINVAL, {0}, NULL},
		{"1..3.4", -EINVAL, {0}, NULL},
		{"1.2.3.", -EINVAL, {0}, NULL},
		{"0x7f.0.0.1", -EINVAL, {0}, NULL},
		{"-1.2.3.4", -EINVAL, {0}, NULL},
		{"", -EINVAL, {0}, NULL},
		{"::", 0, {0, 0, 6}, NULL},
		{"::1", 0, {0, 1, 6}, NULL},
		{"fd00:0:0:1::0:2", 0, {0xfd00000000000001, 2, 6}, "fd00:0:0:1::2"},
		{"FE80::ABCD", 0, {0xfe80000000000000, 0xabcd, 6}, "fe80::abcd"},
		{"::ffff:1.2.3.4", 0, {0, 0xffff01020304, 6}, NULL},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, {UINT64_MAX, UINT64_MAX, 6}, NULL},
		{"fe80::1%eth0", -EINVAL, {0}, NULL},
		{"[::1]", -EINVAL, {0}, NULL},
		{":::1", -EINVAL, {0}, NULL},
		{"1:2:3:4:5:6:7", -EINVAL, {0}, NULL},
		{"12345::", -EINVAL, {0}, NULL},
	};
	char out[IP_STR];
	uint8_t b[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ip ip = {0}, again;

		ok(ip_parse(rows[i].text, &ip) == rows[i].r && ip_eq(ip, rows[i].ip),
		   "address \"%s\"", rows[i].text);
		if (rows[i].r)
			continue;
		is_str(ip_str(ip, out), rows[i].back ? rows[i].back : rows[i].text, "and back");
		ok(ip_from_bytes(b, ip_bytes(ip, b), &again) == 0 && ip_eq(ip, again),
		   "by its bytes, too");
	}
	is_str(ip_str((struct ip){0}, out), "", "no address is no text");
	is_int((long)ip_bytes((struct ip){0}, b), 0, "and no bytes");
	is_int(ip_from_bytes(b, 5, &(struct ip){0}), -EINVAL, "five bytes are no address");
}

static struct ip ip(const char *text)
{
	struct ip a = {0};

	ok(ip_parse(text, &a) == 0, "%s", text);
	return a;
}

static struct cidr cidr(const char *text)
{
	struct cidr c = {0};

	ok(cidr_parse(text, &c) == 0, "%s", text);
	return c;
}

static void arithmetic(void)
{
	ok(ip_eq(ip_add(ip("10.0.0.255"), 1), ip("10.0.1.0")), "the next address");
	ok(ip_eq(ip_add(ip("255.255.255.255"), 1), ip("0.0.0.0")), "it wraps");
	ok(ip_eq(ip_add(ip("fd00::ffff:ffff:ffff:ffff"), 1), ip("fd00:0:0:1::")),
	   "it carries over 64 bits");
	is_int((long)ip_distance(ip("10.0.1.0"), ip("10.0.0.1")), 255, "how far");
	is_int((long)ip_distance(ip("fd00:0:0:1::"), ip("fd00::ffff:ffff:ffff:fffe")), 2,
	       "over 64 bits");
	ok(ip_distance(ip("fd00:1::"), ip("fd00::")) == UINT64_MAX, "too far to tell");
	ok(ip_cmp(ip("10.0.0.1"), ip("10.0.0.2")) < 0 && ip_cmp(ip("::2"), ip("::1")) > 0 &&
		   ip_cmp(ip("fd00:1::"), ip("fd00::1")) > 0 &&
		   ip_cmp(ip("255.0.0.0"), ip("::")) < 0,
	   "order: families, then numbers");
	ok(ip_is_loopback(ip("127.9.9.9")) && ip_is_loopback(ip("::1")) &&
		   !ip_is_loopback(ip("128.0.0.1")) && !ip_is_loopback(ip("::2")),
	   "loopback");
	ok(ip_is_link_local(ip("169.254.1.1")) && ip_is_link_local(ip("febf::1")) &&
		   !ip_is_link_local(ip("fec0::1")) && !ip_is_link_local(ip("169.253.1.1")),
	   "link local");
	ok(ip_is_any(ip("0.0.0.0")) && ip_is_any(ip("::")) && !ip_is_any((struct ip){0}),
	   "any address is one, none is not");
}

static void sockaddrs(void)
{
	struct sockaddr_storage ss;

	ok(ip_sockaddr(ip("1.2.3.4"), 80, &ss) == sizeof(struct sockaddr_in) &&
		   ss.ss_family == AF_INET && ((struct sockaddr_in *)&ss)->sin_port == htons(80) &&
		   ((struct sockaddr_in *)&ss)->sin_addr.s_addr == htonl(0x01020304),
	   "sockaddr_in");
	ok(ip_sockaddr(ip("::1"), 80, &ss) == sizeof(struct sockaddr_in6) &&
		   ss.ss_family == AF_INET6 &&
		   ((struct sockaddr_in6 *)&ss)->sin6_port == htons(80) &&
		   IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&ss)->sin6_addr),
	   "sockaddr_in6");
}

static void prefixes(void)
{
	static const char *const bad[] = {"10.0.0.0",
					  "10.0.0.0/",
					  "10.0.0.0/33",
					  "10.0.0.0/-1",
					  "10.0.0.0/a",
					  "10.0.0/8",
					  "10.0.0.0/008",
					  "/8",
					  "",
					  "10.0.0.0/8/8",
					  "1111111111111111111111/8",
					  "10.0.0.0/ 8",
					  "::/129",
					  "fd00::",
					  "fd00::/064",
					  "fd00::/6400"};
	struct cidr c;
	char out[CIDR_STR];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(cidr_parse(bad[i], &c), -EINVAL, "not a prefix: \"%s\"", bad[i]);
	c = cidr("172.18.5.9/16");
	is_str(cidr_str(c, out), "172.18.5.9/16", "host bits stay");
	ok(ip_eq(cidr_first(c), ip("172.18.0.0")) && ip_eq(cidr_last(c), ip("172.18.255.255")) &&
		   !cidr_is_net(c) && cidr_is_net(cidr_net(c)),
	   "first and last");
	ok(cidr_has(c, ip("172.18.255.255")) && !cidr_has(c, ip("172.19.0.0")) &&
		   !cidr_has(c, ip("::")),
	   "what is in it");
	ok(cidr_overlap(c, cidr("172.18.255.0/24")) && cidr_overlap(cidr("172.18.255.0/24"), c),
	   "one in another overlaps");
	ok(!cidr_overlap(c, cidr("172.19.0.0/16")) &&
		   !cidr_overlap(cidr("0.0.0.0/0"), cidr("::/0")),
	   "the next does not, nor does another family");
	ok(cidr_overlap(cidr("0.0.0.0/0"), c) &&
		   ip_eq(cidr_last(cidr("0.0.0.0/0")), ip("255.255.255.255")),
	   "all addresses");
	c = cidr("1.2.3.4/32");
	ok(ip_eq(cidr_first(c), cidr_last(c)), "one address");
	c = cidr("fd00:1:2:3:4:5:6:7/64");
	ok(ip_eq(cidr_first(c), ip("fd00:1:2:3::")) &&
		   ip_eq(cidr_last(c), ip("fd00:1:2:3:ffff:ffff:ffff:ffff")),
	   "64 bits");
	c = cidr("fd00:1:2:3:4:5:6:7/48");
	ok(ip_eq(cidr_first(c), ip("fd00:1:2::")) &&
		   ip_eq(cidr_last(c), ip("fd00:1:2:ffff:ffff:ffff:ffff:ffff")),
	   "48 bits");
	c = cidr("fd00::7/126");
	ok(ip_eq(cidr_first(c), ip("fd00::4")) && ip_eq(cidr_last(c), ip("fd00::7")), "126 bits");
	ok(ip_eq(cidr_last(cidr("::/0")), ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")), "all");
}

static void macs(void)
{
	static const char *const bad[] = {"",
					  "02:42:ac:11:00",
					  "02:42:ac:11:00:02:03",
					  "02:42:ac:11:00:2",
					  "02:42:ac:11:00:0g",
					  "0242ac110002",
					  "02.42.ac.11.00.02"};
	uint8_t mac[6] = {1, 2, 3, 4, 5, 6};
	char out[MAC_STR];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(mac_parse(bad[i], mac), -EINVAL, "not a MAC: \"%s\"", bad[i]);
	ok(mac[0] == 1 && mac[5] == 6, "untouched on failure");
	is_int(mac_parse("02:42:AC:11:00:fe", mac), 0, "upper and lower case");
	is_str(mac_str(mac, out), "02:42:ac:11:00:fe", "written in lower case");
	is_int(mac_parse("02-42-ac-11-00-02", mac), 0, "with dashes");
}

/* ---- ports ---- */

static void ports(void)
{
	static const struct {
		const char *text;
		uint8_t proto;
		uint16_t port, end;
		const char *error; /* or the text of the refusal */
	} rows[] = {
		{"80", IPPROTO_TCP, 80, 80, NULL},
		{"80/", IPPROTO_TCP, 80, 80, NULL},
		{"80/tcp", IPPROTO_TCP, 80, 80, NULL},
		{"53/UDP", IPPROTO_UDP, 53, 53, NULL},
		{"8000-8010/sctp", IPPROTO_SCTP, 8000, 8010, NULL},
		{"1-65535", IPPROTO_TCP, 1, 65535, NULL},
		{"80/x", 0, 0, 0, "invalid proto: x"},
		{"80/tcp/udp", 0, 0, 0, "invalid proto: tcp/udp"},
		{"", 0, 0, 0, "no port specified: <empty>"},
		{"/tcp", 0, 0, 0, "no port specified: /tcp<empty>"},
		{"0", 0, 0, 0,
		 "invalid port number \"0\": a number from 1 to 65535, or a range of them, is "
		 "wanted"},
		{"65536", 0, 0, 0,
		 "invalid port number \"65536\": a number from 1 to 65535, or a range of them, is "
		 "wanted"},
		{"10-9", 0, 0, 0,
		 "invalid port number \"10-9\": a number from 1 to 65535, or a range of them, is "
		 "wanted"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = {0};
		uint8_t proto = 0;
		uint16_t port = 0, end = 0;
		int r = port_parse(rows[i].text, &proto, &port, &end, &e);

		if (rows[i].error)
			is_err(r, e, ERR_INVALID, rows[i].error);
		else
			ok(!r && proto == rows[i].proto && port == rows[i].port &&
				   end == rows[i].end,
			   "port %s", rows[i].text);
	}
}

struct publish_row {
	const char *text;
	struct net_publish want;
	const char *error;
};

static bool same(const struct net_publish *a, const struct net_publish *b)
{
	return a->proto == b->proto && a->port == b->port && a->port_end == b->port_end &&
	       ip_eq(a->host_ip, b->host_ip) && a->host_port == b->host_port &&
	       a->host_port_end == b->host_port_end;
}

static void publishes(void)
{
	static const struct publish_row rows[] = {
		{"80", {IPPROTO_TCP, 80, 80, {0}, 0, 0}, NULL},
		{"8080:80", {IPPROTO_TCP, 80, 80, {0}, 8080, 8080}, NULL},
		{":80", {IPPROTO_TCP, 80, 80, {0}, 0, 0}, NULL},
		{"0:80", {IPPROTO_TCP, 80, 80, {0}, 0, 0}, NULL},
		{"53:53/udp", {IPPROTO_UDP, 53, 53, {0}, 53, 53}, NULL},
		{"127.0.0.1:8080:80", {IPPROTO_TCP, 80, 80, {0, 0x7f000001, 4}, 8080, 8080}, NULL},
		{"0.0.0.0:8080:80", {IPPROTO_TCP, 80, 80, {0, 0, 4}, 8080, 8080}, NULL},
		{"127.0.0.1::80", {IPPROTO_TCP, 80, 80, {0, 0x7f000001, 4}, 0, 0}, NULL},
		{"8000-8010:8000-8010/sctp", {IPPROTO_SCTP, 8000, 8010, {0}, 8000, 8010}, NULL},
		{"8000-8010:80", {IPPROTO_TCP, 80, 80, {0}, 8000, 8010}, NULL},
		{"80-90", {IPPROTO_TCP, 80, 90, {0}, 0, 0}, NULL},
		{"[::1]:8080:80", {IPPROTO_TCP, 80, 80, {0, 1, 6}, 8080, 8080}, NULL},
		{"[::]::80/udp", {IPPROTO_UDP, 80, 80, {0, 0, 6}, 0, 0}, NULL},
		{"::1:8080:80",
		 {0},
		 "invalid IP address ::1: address ::1:: too many colons in address"},
		{"[1.2.3.4]:8080:80", {0}, "invalid IP address: 1.2.3.4"},
		{"[::x]:8080:80", {0}, "invalid IP address: ::x"},
		{"[]:8080:80", {0}, "invalid IP address: "},
		{"", {0}, "no port specified: <empty>"},
		{"8080:", {0}, "no port specified: 8080:<empty>"},
		{"8080:x", {0}, "invalid containerPort: x"},
		{"8080:0", {0}, "invalid containerPort: 0"},
		{"8080:90-80", {0}, "invalid containerPort: 90-80"},
		{"x:80", {0}, "invalid hostPort: x"},
		{"70000:80", {0}, "invalid hostPort: 70000"},
		{"8080:80/icmp", {0}, "invalid proto: icmp"},
		{"8080:80/", {0}, "invalid proto: "},
		{"localhost:8080:80", {0}, "invalid IP address: localhost"},
		{"1.2.3:8080:80", {0}, "invalid IP address: 1.2.3"},
		{"8000-8002:80-90",
		 {0},
		 "invalid ranges specified for container and host Ports: "
		 "80-90 and 8000-8002"},
		{"8000:80-81",
		 {0},
		 "invalid ranges specified for container and host Ports: "
		 "80-81 and 8000"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_publish p = {0};
		struct err e = {0};
		int r = publish_parse(rows[i].text, &p, &e);

		if (rows[i].error)
			is_err(r, e, ERR_INVALID, rows[i].error);
		else
			ok(!r && same(&p, &rows[i].want), "-p %s", rows[i].text);
	}
}

int main(void)
{
	addresses();
	arithmetic();
	sockaddrs();
	prefixes();
	macs();
	ports();
	publishes();
	is_str(proto_name(IPPROTO_TCP), "tcp", "tcp");
	is_str(proto_name(IPPROTO_UDP), "udp", "udp");
	is_str(proto_name(IPPROTO_SCTP), "sctp", "sctp");
	return tap_done();
}

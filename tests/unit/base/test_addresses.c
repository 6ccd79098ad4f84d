/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_addresses.c - addresses, prefixes, MACs; ports and -p with Docker's words */

#include <netinet/in.h>

#include "base/ip.h"
#include "base/portspec.h"
#include "base/str.h"
#include "tap.h"

static void addresses(void)
{
	static const struct {
		const char *text;
		int r;
		uint32_t addr;
	} rows[] = {
		{"0.0.0.0", 0, 0},
		{"255.255.255.255", 0, 0xffffffff},
		{"172.17.0.1", 0, 0xac110001},
		{"1.2.3", -EINVAL, 0},
		{"1.2.3.4.5", -EINVAL, 0},
		{"1.2.3.4 ", -EINVAL, 0},
		{" 1.2.3.4", -EINVAL, 0},
		{"1.2.3.256", -EINVAL, 0},
		{"1.2.3.0004", -EINVAL, 0},
		{"1.2.3.04", -EINVAL, 0},
		{"1..3.4", -EINVAL, 0},
		{"1.2.3.", -EINVAL, 0},
		{"0x7f.0.0.1", -EINVAL, 0},
		{"-1.2.3.4", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"::1", -EINVAL, 0},
	};
	char out[IP4_STR];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t a = 0;

		ok(ip4_parse(rows[i].text, &a) == rows[i].r && a == rows[i].addr, "address \"%s\"",
		   rows[i].text);
		if (!rows[i].r)
			is_str(ip4_str(a, out), rows[i].text, "and back");
	}
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
					  "::/0"};
	struct cidr4 c, d;
	char out[CIDR4_STR];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		is_int(cidr4_parse(bad[i], &c), -EINVAL, "not a prefix: \"%s\"", bad[i]);
	is_int(cidr4_parse("172.18.5.9/16", &c), 0, "with host bits");
	is_str(cidr4_str(c, out), "172.18.5.9/16", "which stay");
	is_int(cidr4_first(c), 0xac120000, "first");
	is_int(cidr4_last(c), 0xac12ffff, "last");
	ok(cidr4_has(c, 0xac12ffff) && !cidr4_has(c, 0xac130000), "what is in it");
	ok(cidr4_parse("172.18.255.0/24", &d) == 0 && cidr4_overlap(c, d) && cidr4_overlap(d, c),
	   "one in another overlaps");
	ok(cidr4_parse("172.19.0.0/16", &d) == 0 && !cidr4_overlap(c, d), "the next does not");
	ok(cidr4_parse("0.0.0.0/0", &d) == 0 && cidr4_mask(0) == 0 && cidr4_overlap(c, d) &&
		   cidr4_last(d) == 0xffffffff,
	   "all addresses");
	ok(cidr4_parse("1.2.3.4/32", &d) == 0 && cidr4_first(d) == cidr4_last(d), "one address");
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
	       a->host_ip == b->host_ip && a->host_ip_given == b->host_ip_given &&
	       a->host_port == b->host_port && a->host_port_end == b->host_port_end;
}

static void publishes(void)
{
	static const struct publish_row rows[] = {
		{"80", {IPPROTO_TCP, 80, 80, 0, false, 0, 0}, NULL},
		{"8080:80", {IPPROTO_TCP, 80, 80, 0, false, 8080, 8080}, NULL},
		{":80", {IPPROTO_TCP, 80, 80, 0, false, 0, 0}, NULL},
		{"0:80", {IPPROTO_TCP, 80, 80, 0, false, 0, 0}, NULL},
		{"53:53/udp", {IPPROTO_UDP, 53, 53, 0, false, 53, 53}, NULL},
		{"127.0.0.1:8080:80", {IPPROTO_TCP, 80, 80, 0x7f000001, true, 8080, 8080}, NULL},
		{"0.0.0.0:8080:80", {IPPROTO_TCP, 80, 80, 0, true, 8080, 8080}, NULL},
		{"127.0.0.1::80", {IPPROTO_TCP, 80, 80, 0x7f000001, true, 0, 0}, NULL},
		{"8000-8010:8000-8010/sctp",
		 {IPPROTO_SCTP, 8000, 8010, 0, false, 8000, 8010},
		 NULL},
		{"8000-8010:80", {IPPROTO_TCP, 80, 80, 0, false, 8000, 8010}, NULL},
		{"80-90", {IPPROTO_TCP, 80, 90, 0, false, 0, 0}, NULL},
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

static void ipv6(void)
{
	static const char *const rows[] = {"[::1]:8080:80", "::1:8080:80", "[::]::80"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_publish p;
		struct err e = {0};

		ok(publish_parse(rows[i], &p, &e) < 0 && e.kind == ERR_UNSUPPORTED &&
			   strstr(e.msg, "not supported yet"),
		   "-p %s is refused: %s", rows[i], e.msg);
	}
}

int main(void)
{
	addresses();
	prefixes();
	macs();
	ports();
	publishes();
	ipv6();
	is_str(proto_name(IPPROTO_TCP), "tcp", "tcp");
	is_str(proto_name(IPPROTO_UDP), "udp", "udp");
	is_str(proto_name(IPPROTO_SCTP), "sctp", "sctp");
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spec.c - what is wrong with a network's IPAM, in Docker's words */

#include "net/internal.h"
#include "tap.h"

#define BAD "invalid network config:\n"

static const struct row {
	const char *subnet, *range, *gateway, *aux;
	const char *want; /* NULL: fine */
} rows[] = {
	{NULL, NULL, NULL, NULL, NULL},
	{"", "", "", NULL, NULL},
	{"10.0.0.0/24", NULL, NULL, NULL, NULL},
	{"10.0.0.0/24", "10.0.0.128/25", "10.0.0.1", "10.0.0.9", NULL},
	{"2001:db8::/32", NULL, NULL, NULL, NULL},
	{"fd00:1::1/64", NULL, NULL, NULL,
	 BAD "invalid subnet fd00:1::1/64: it should be fd00:1::/64"},
	{"fd00:1::/64", "fd00:2::/80", "fd00:2::1", "10.0.0.1",
	 BAD "invalid ip-range fd00:2::/80: parent subnet fd00:1::/64 doesn't contain ip-range\n"
	     "invalid gateway fd00:2::1: parent subnet fd00:1::/64 doesn't contain this address\n"
	     "invalid auxiliary address host: parent subnet is an IPv6 block"},
	{"fe80::/64", NULL, NULL, NULL,
	 BAD "invalid subnet fe80::/64: it clashes with the Link-Local prefix 'fe80::/64'"},
	{"fd00:1::/127", NULL, NULL, NULL,
	 BAD "invalid subnet fd00:1::/127: prefix lengths from 1 to 126 have room for containers"},
	{"foobar", NULL, NULL, NULL, BAD "invalid subnet foobar: invalid CIDR block notation"},
	{"10.0.0.1/24", NULL, NULL, NULL,
	 BAD "invalid subnet 10.0.0.1/24: it should be 10.0.0.0/24"},
	{"10.10.10.0/24", "foobar", "1001.10.5.3", "dummy",
	 BAD "invalid ip-range foobar: invalid CIDR block notation\n"
	     "invalid gateway 1001.10.5.3: invalid address\n"
	     "invalid auxiliary address host: invalid address"},
	{"10.10.10.0/24", "10.0.0.0/8", NULL, NULL,
	 BAD
	 "invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.10.10.0/24"},
	{"10.0.0.0/8", "192.168.0.1/24", "192.168.0.1", "192.168.0.1",
	 BAD
	 "invalid ip-range 192.168.0.1/24: it should be 192.168.0.0/24\n"
	 "invalid ip-range 192.168.0.1/24: parent subnet 10.0.0.0/8 doesn't contain ip-range\n"
	 "invalid gateway 192.168.0.1: parent subnet 10.0.0.0/8 doesn't contain this address\n"
	 "invalid auxiliary address host: parent subnet 10.0.0.0/8 doesn't contain this address"},
	{"10.10.10.0/24", "2001:db8::/32", "2001:db8::1", "2001:db8::1",
	 BAD "invalid ip-range 2001:db8::/32: parent subnet is an IPv4 block\n"
	     "invalid gateway 2001:db8::1: parent subnet is an IPv4 block\n"
	     "invalid auxiliary address host: parent subnet is an IPv4 block"},
	{NULL, NULL, "10.0.0.1", NULL,
	 BAD "every ip-range or gateway must have a corresponding subnet"},
	{"10.0.0.0/31", NULL, NULL, NULL,
	 BAD "invalid subnet 10.0.0.0/31: prefix lengths from 1 to 30 have room for containers"},
	{"2001:db8::/64", "2001:db8::/80", "2001:db8::1", "2001:db8::9", NULL},
	{"2001:db8::1/64", NULL, NULL, NULL,
	 BAD "invalid subnet 2001:db8::1/64: it should be 2001:db8::/64"},
	{"2001:db8::/64", "10.0.0.0/24", "10.0.0.1", "10.0.0.2",
	 BAD "invalid ip-range 10.0.0.0/24: parent subnet is an IPv6 block\n"
	     "invalid gateway 10.0.0.1: parent subnet is an IPv6 block\n"
	     "invalid auxiliary address host: parent subnet is an IPv6 block"},
	{"2001:db8::/64", "2001:db8::/48", "2001:db9::1", "2001:db9::2",
	 BAD "invalid ip-range 2001:db8::/48: CIDR block is bigger than its parent subnet "
	     "2001:db8::/64\n"
	     "invalid gateway 2001:db9::1: parent subnet 2001:db8::/64 doesn't contain this "
	     "address\n"
	     "invalid auxiliary address host: parent subnet 2001:db8::/64 doesn't contain this "
	     "address"},
	{"fe80::/64", NULL, NULL, NULL,
	 BAD "invalid subnet fe80::/64: it clashes with the Link-Local prefix 'fe80::/64'"},
	{"fe80::/10", NULL, NULL, NULL,
	 BAD "invalid subnet fe80::/10: it clashes with the Link-Local prefix 'fe80::/64'"},
	{"2001:db8::/127", NULL, NULL, NULL,
	 BAD
	 "invalid subnet 2001:db8::/127: prefix lengths from 1 to 126 have room for containers"},
	{"0.0.0.0/24", NULL, NULL, NULL, NULL}, /* a size alone */
	{"::/64", NULL, NULL, NULL, NULL},
	{"0.0.0.0/0", NULL, NULL, NULL,
	 BAD "invalid subnet 0.0.0.0/0: prefix lengths from 1 to 30 have room for containers"},
};

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

static void table(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *w = &rows[i];
		json_t *aux = w->aux ? json_pack("{ss}", "host", w->aux) : NULL;
		struct network_ipam row = {text(w->subnet), text(w->range), text(w->gateway), aux};
		struct network_spec s = {.name = text("n"), .ipam = &row, .n_ipam = 1};
		struct err e = {0};
		int r = network_ipam_check(&s, &e);

		if (w->want)
			ok(r < 0 && e.kind == ERR_INVALID && !strcmp(e.msg, w->want),
			   "row %zu: Docker's text", i);
		else
			is_int(r, 0, "row %zu is fine (%s)", i, e.msg);
		json_decref(aux);
	}
}

static void several(void)
{
	struct network_ipam two[] = {{text("10.0.0.0/24")}, {text("10.1.0.0/24")}},
			    mixed[] = {{text("10.0.0.0/24")}, {text("2001:db8::/64")}};
	struct network_spec s = {.name = text("n"), .ipam = two, .n_ipam = 2}, copy;
	struct err e = {0};

	is_err(network_ipam_check(&s, &e), e, ERR_FORBIDDEN,
	       "bridge driver doesn't support multiple subnets");
	s.ipam = mixed;
	is_int(network_ipam_check(&s, &e), 0, "one of each family");
	s.off[V6] = true;
	is_int(network_spec_copy(&s, &copy), 0, "copied");
	network_spec_drop(&copy, copy.off);
	is_int(copy.n_ipam, 1, "without IPv6");
	is_str(copy.ipam[0].subnet, "10.0.0.0/24", "but with IPv4");
	is_str(copy.driver, "bridge", "the default driver");
	network_spec_done(&copy);
}

static void two_of_six(void)
{
	struct network_ipam two[] = {{text("2001:db8:1::/64")}, {text("2001:db8:2::/64")}};
	struct network_spec s = {.name = text("n"), .ipam = two, .n_ipam = 2};
	struct err e = {0};

	is_err(network_ipam_check(&s, &e), e, ERR_FORBIDDEN,
	       "bridge driver doesn't support multiple subnets");
}

/* What IPv6 brought: families, configuration networks, IPAM's driver and options. */
static void new_fields(void)
{
	static const bool families[][N_FAMILIES] = {{false, true}, {true, false}, {false, false}};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		struct network_spec s = {.name = text("x"),
					 .config_only = i == 1,
					 .config_from = i == 2 ? text("plan") : NULL,
					 .ipam_driver = text("null"),
					 .off = {families[i][V4], families[i][V6]}};
		struct network a = {.own_parent = i == 0}, b = {0};
		struct err e = {0};
		char *json = NULL;

		s.ipam_options = json_pack("{ss}", "a", "b");
		is_int(network_spec_copy(&s, &a.spec), 0, "copied");
		is_int(network_spec_to_json(&a, &json, &e), 0, "written");
		is_int(network_spec_from_json(json, &b, &e), 0, "read %s", e.msg);
		ok(b.spec.off[V4] == s.off[V4] && b.spec.off[V6] == s.off[V6], "families");
		ok(b.spec.config_only == s.config_only && b.own_parent == a.own_parent, "flags");
		is_str(b.spec.config_from, s.config_from, "where its configuration is from");
		is_str(b.spec.ipam_driver, "null", "IPAM's driver");
		ok(json_equal(b.spec.ipam_options, s.ipam_options), "and options");
		free(json);
		json_decref(s.ipam_options);
		network_spec_done(&a.spec);
		network_spec_done(&b.spec);
	}
}

/* The first version's rows know IPv4 alone. */
static void old_row(void)
{
	static const char row[] = "{\"driver\":\"bridge\",\"ipam_driver\":\"default\",\"internal\":"
				  "true,\"attachable\":false,"
				  "\"options\":{},\"labels\":{},\"mac\":\"02:00:00:00:00:01\","
				  "\"predefined\":false,\"default_bridge\":false,\"ipam\":[{"
				  "\"subnet\":\"10.0.0.0/24\",\"range\":null,\"gateway\":"
				  "\"10.0.0.1\",\"aux\":null}]}";
	struct network nw = {0};
	struct err e = {0};

	is_int(network_spec_from_json(row, &nw, &e), 0, "read %s", e.msg);
	ok(!nw.spec.off[V4] && nw.spec.off[V6] && !nw.spec.config_only && nw.spec.internal,
	   "as what it was");
	is_str(nw.spec.ipam_driver, "default", "IPAM's driver");
	network_spec_done(&nw.spec);
}

static void there_and_back(void)
{
	struct network_ipam row = {text("10.0.0.0/24"), text("10.0.0.64/26"), text("10.0.0.1"),
				   json_pack("{ss}", "printer", "10.0.0.9")};
	struct network_spec s = {
		.name = text("x \"y\""), .internal = true, .ipam = &row, .n_ipam = 1};
	struct network a = {.predefined = true, .mac = {2, 1, 2, 3, 4, 5}}, b = {0};
	struct err e = {0};
	char *json = NULL;
	json_t *want;

	s.options = json_pack("{ssss}", "com.example.unknown", "kept",
			      "com.docker.network.driver.mtu", "1400");
	s.labels = json_pack("{ss}", "role", "db");
	is_int(network_spec_copy(&s, &a.spec), 0, "copied");
	is_int(network_spec_to_json(&a, &json, &e), 0, "written");
	is_int(network_spec_from_json(json, &b, &e), 0, "read (%s)", e.msg);
	ok(b.spec.internal && b.predefined && !b.spec.attachable && !b.spec.off[V4] &&
		   !b.spec.off[V6],
	   "flags");
	is_str(b.spec.ipam[0].ip_range, "10.0.0.64/26", "range");
	is_str(b.spec.ipam[0].gateway, "10.0.0.1", "gateway");
	is_str(network_option(&b, "com.example.unknown"), "kept", "unknown options are kept");
	ok(json_equal(b.spec.labels, s.labels) && json_equal(b.spec.ipam[0].aux, row.aux),
	   "labels, aux");
	ok(!memcmp(a.mac, b.mac, 6), "MAC");
	free(json);
	want = s.options;
	json_decref(want);
	json_decref(s.labels);
	json_decref(row.aux);
	network_spec_done(&a.spec);
	network_spec_done(&b.spec);
	is_int(network_spec_from_json("{", &b, &e), -EINVAL, "half a row");
}

int main(void)
{
	table();
	several();
	two_of_six();
	new_fields();
	old_row();
	there_and_back();
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_settle.c - what the daemon and a configuration-only network add to a request */

#include "base/str.h"
#include "net/internal.h"
#include "tap.h"

#define MTU "com.docker.network.driver.mtu"
#define ICC "com.docker.network.bridge.enable_icc"
#define ON4 "com.docker.network.enable_ipv4"
#define ON6 "com.docker.network.enable_ipv6"
#define FROM                                                                                       \
	"user-specified configurations are not supported if the network depends on a "             \
	"configuration network"
#define NO_BOOL "(strconv.ParseBool: parsing \"maybe\": invalid syntax)"

static struct net *n;

static char *text(const char *s)
{
	return (char *)(uintptr_t)s;
}

/* A request for one network; its fields may be changed before it is taken. */
static struct network_spec ask(void)
{
	return (struct network_spec){.name = text("shop"), .off = {[V6] = true}};
}

static struct network *settled(const struct network_spec *s, int *ret, struct err *e)
{
	struct network *nw = network_alloc(n);

	*e = (struct err){0};
	list_init(&nw->node);
	*ret = network_spec_copy(s, &nw->spec);
	if (*ret >= 0)
		*ret = network_settle(n, nw, e);
	return nw;
}

static void refused(const struct network_spec *s, enum err_kind kind, const char *want)
{
	auto_(network_free) struct network *nw = NULL;
	struct err e;
	int r;

	nw = settled(s, &r, &e);
	is_err(r, e, kind, want);
}

/* ---- families ---- */

static void families(void)
{
	static const struct {
		bool off4, off6, given4, given6;
		const char *key, *value;
		bool want4, want6;
	} rows[] = {
		{false, true, false, false, NULL, NULL, true, false},
		{false, true, false, false, ON6, "true", true, true},
		{false, true, false, true, ON6, "true", true, false}, /* the field was given */
		{false, false, false, true, ON4, "0", false, true},
		{false, false, true, true, ON4, "0", true, true},
		{false, true, false, false, ON6, "", true, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_(network_free) struct network *nw = NULL;
		struct network_spec s = ask();
		struct err e;
		int r;

		s.off[V4] = rows[i].off4;
		s.off[V6] = rows[i].off6;
		s.given[V4] = rows[i].given4;
		s.given[V6] = rows[i].given6;
		if (rows[i].key)
			s.options = json_pack("{ss}", rows[i].key, rows[i].value);
		nw = settled(&s, &r, &e);
		is_int(r, 0, "row %zu (%s)", i, e.msg);
		ok(nw->spec.off[V4] == !rows[i].want4 && nw->spec.off[V6] == !rows[i].want6,
		   "row %zu: the families are right", i);
		json_decref(s.options);
	}
}

static void no_family(void)
{
	struct network_spec s = ask();

	s.off[V4] = true;
	refused(&s, ERR_INVALID, "IPv4 or IPv6 must be enabled");
	s.off[V4] = false;
	s.options = json_pack("{ss}", ON4, "false");
	refused(&s, ERR_INVALID, "IPv4 or IPv6 must be enabled");
	json_decref(s.options);
	s.options = json_pack("{ss}", ON6, "maybe");
	refused(&s, ERR_INVALID, "failed to parse " ON6 " value: maybe " NO_BOOL);
	json_decref(s.options);
}

static void rows_of_an_off_family(void)
{
	auto_(network_free) struct network *nw = NULL;
	struct network_ipam rows[] = {{text("2001:db8::/64")}, {text("10.0.0.0/24")}};
	struct network_spec s = ask();
	struct err e;
	int r;

	s.ipam = rows;
	s.n_ipam = 2;
	nw = settled(&s, &r, &e);
	is_int(r, 0, "IPv6 rows of an IPv4 network (%s)", e.msg);
	is_int(nw->spec.n_ipam, 1, "go, as in Docker");
	is_str(nw->spec.ipam[0].subnet, "10.0.0.0/24", "the other stays");
}

/* ---- --default-network-opt ---- */

static void daemon_options(void)
{
	auto_(network_free) struct network *nw = NULL, *vlan = NULL;
	struct network_spec s = ask();
	struct err e;
	int r;

	n->config.network_opts = json_pack("{s{ssss}}", "bridge", MTU, "1400", ICC, "false");
	s.options = json_pack("{ss}", ICC, "true");
	nw = settled(&s, &r, &e);
	is_int(r, 0, "a bridge network (%s)", e.msg);
	is_str(network_option(nw, MTU), "1400", "has what the daemon was told");
	is_str(network_option(nw, ICC), "true", "what was asked for goes before it");
	s.driver = text("macvlan");
	vlan = settled(&s, &r, &e);
	is_int(r, 0, "one of another driver");
	ok(!network_option(vlan, MTU), "has none of it");
	json_decref(s.options);
	json_decref(n->config.network_opts);
	n->config.network_opts = NULL;
}

/* ---- configuration-only networks ---- */

static struct network *config_only(struct network_ipam *row)
{
	struct network *nw;
	struct network_spec s = ask();
	struct err e;
	int r;

	s.name = text("plan");
	s.config_only = true;
	s.off[V6] = false;
	s.ipam = row;
	s.n_ipam = 1;
	s.options = json_pack("{ss}", MTU, "1300");
	s.labels = json_pack("{ss}", "owner", "ops");
	s.ipam_options = json_pack("{ss}", "color", "red");
	nw = settled(&s, &r, &e);
	is_int(r, 0, "a configuration-only network (%s)", e.msg);
	json_decref(s.options);
	json_decref(s.labels);
	json_decref(s.ipam_options);
	is_int(network_link(nw), 0, "is known");
	return nw;
}

static void taken_from(void)
{
	auto_(network_free) struct network *nw = NULL;
	struct network_spec s = ask();
	struct err e;
	int r;

	s.config_from = text("plan");
	nw = settled(&s, &r, &e);
	is_int(r, 0, "a network takes it (%s)", e.msg);
	is_int(nw->spec.n_ipam, 1, "its IPAM");
	is_str(nw->spec.ipam[0].subnet, "10.7.0.0/24", "subnet");
	is_str(nw->spec.ipam[0].gateway, "10.7.0.9", "gateway");
	ok(json_object_size(nw->spec.ipam[0].aux) == 1, "reserved addresses");
	is_str(network_option(nw, MTU), "1300", "its options");
	ok(json_object_size(nw->spec.ipam_options) == 1, "its IPAM options");
	ok(!nw->spec.off[V6], "its families");
	ok(!nw->spec.config_only && streq(nw->spec.config_from, "plan"), "and keeps its name");
	ok(network_label_match(nw, "owner", "ops"), "its labels");
}

static void config_refused(void)
{
	struct network_ipam row = {text("10.8.0.0/24")};
	struct network_spec s = ask();

	s.config_only = true;
	s.internal = true;
	refused(&s, ERR_FORBIDDEN,
		"configuration network can only contain network specific fields. Network operator "
		"fields like [ ingress | internal | attachable | scope ] are not supported.");
	s.internal = false;
	s.config_from = text("plan");
	refused(&s, ERR_FORBIDDEN,
		"a configuration network cannot depend on another configuration network");
	s.config_only = false;
	s.config_from = text("nobody");
	refused(&s, ERR_NOT_FOUND, "configuration network \"nobody\" does not exist");
	s.config_from = text("plan");
	s.ipam = &row;
	s.n_ipam = 1;
	refused(&s, ERR_FORBIDDEN, FROM);
	s.n_ipam = 0;
	s.options = json_pack("{ss}", MTU, "1400");
	refused(&s, ERR_FORBIDDEN,
		"network driver options are not supported if the network depends on a "
		"configuration network");
	json_decref(s.options);
	s.options = NULL;
	s.labels = json_pack("{ss}", "owner", "me");
	refused(&s, ERR_FORBIDDEN, FROM);
	json_decref(s.labels);
	s.labels = NULL;
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		s.off[fam] = !s.off[fam];
		refused(&s, ERR_FORBIDDEN, FROM);
		s.off[fam] = !s.off[fam];
	}
	s.ipam_driver = text("null");
	refused(&s, ERR_FORBIDDEN, FROM);
}

static void not_a_config(void)
{
	auto_(network_free) struct network *nw = NULL;
	struct network_spec s = ask();
	struct err e;
	int r;

	nw = settled(&s, &r, &e);
	is_int(network_link(nw), 0, "an ordinary network");
	s.name = text("other");
	s.config_from = text("shop");
	refused(&s, ERR_NOT_FOUND, "configuration network \"shop\" does not exist");
	network_unlink(nw);
}

int main(void)
{
	struct network_ipam row = {text("10.7.0.0/24"), NULL, text("10.7.0.9"),
				   json_pack("{ss}", "printer", "10.7.0.10")};
	struct net net = {0};
	struct network *plan;

	n = &net;
	list_init(&n->networks);
	if (map_new(&n->by_id) < 0 || map_new(&n->by_name) < 0)
		return 1;
	families();
	no_family();
	rows_of_an_off_family();
	daemon_options();
	plan = config_only(&row);
	taken_from();
	config_refused();
	not_a_config();
	network_unlink(plan);
	network_free(plan);
	json_decref(row.aux);
	map_free(n->by_id);
	map_free(n->by_name);
	return tap_done();
}

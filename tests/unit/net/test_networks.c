/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_networks.c - networks made, refused, found and removed, on a real kernel */

#include <string.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "net/internal.h"
#include "tap.h"
#include "world.h"

static struct world w;

static int create(const char *name, const char *subnet, const char *opt, const char *value,
		  struct err *e)
{
	struct network_spec s = world_spec(name, subnet);
	struct network *nw;
	int r;

	if (opt)
		s.options = json_pack("{ss}", opt, value);
	*e = (struct err){0};
	r = net_create(w.net, &s, &nw, NULL, e);
	json_decref(s.options);
	return r;
}

static void predefined(void)
{
	struct network *nw;
	struct rtnl_link l;
	struct err e = {0};

	is_int(net_find(w.net, "bridge", &nw, &e), 0, "bridge is there");
	is_str(network_bridge(nw), "docker0", "its interface is docker0");
	is_str(network_spec_of(nw)->ipam[0].subnet, "172.17.0.0/16", "its subnet");
	is_str(network_spec_of(nw)->ipam[0].gateway, "172.17.0.1", "its gateway");
	ok(network_is_default_bridge(nw) && network_predefined(nw), "it is the default one");
	is_str(network_option(nw, "com.docker.network.bridge.default_bridge"), "true",
	       "its options");
	is_int(rtnl_link_get(w.net->rtnl, "docker0", &l), 0, "the link exists");
	ok(!memcmp(l.mac, nw->mac, 6), "with the MAC address the store knows");
	is_int(net_find(w.net, "host", &nw, &e), 0, "host is there");
	is_str(network_driver(nw), "host", "its driver");
	is_int(net_find(w.net, "none", &nw, &e), 0, "none is there");
	is_str(network_driver(nw), "null", "its driver");
	is_err(net_remove(w.net, nw, &e), e, ERR_FORBIDDEN,
	       "none is a pre-defined network and cannot be removed");
}

static const char *sysctl(int family, const char *bridge, const char *name)
{
	static char text[16];
	auto_buf struct buf b = BUF_INIT(16);
	auto_free char *path = str_printf("/proc/sys/net/ipv%d/conf/%s/%s", family, bridge, name);

	if (!path || fs_read(path, 15, &b) < 0)
		return "absent";
	(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
	text[strcspn(text, "\n")] = '\0';
	return text;
}

/* Also of a bridge that was another network's before. */
static void bridge_sysctls(void)
{
	struct network *nw;
	struct err e;

	for (int i = 0; i < 2; i++) {
		is_int(create("sys", NULL, NULL, NULL, &e), 0, "a network %s", e.msg);
		is_int(net_find(w.net, "sys", &nw, &e), 0, "found");
		is_str(sysctl(4, network_bridge(nw), "route_localnet"), "1",
		       "ports published on localhost can be led there");
		if (strcmp(sysctl(6, "lo", "accept_ra"), "absent") != 0)
			is_str(sysctl(6, network_bridge(nw), "accept_ra"), "0",
			       "no container becomes the host's IPv6 router");
		is_int(net_remove(w.net, nw, &e), 0, "removed %s", e.msg);
	}
}

static void refused(void)
{
	static const struct {
		const char *name, *subnet, *opt, *value;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{"", NULL, NULL, NULL, ERR_INVALID, "invalid name: name is empty"},
		{" \t", NULL, NULL, NULL, ERR_INVALID, "invalid name: name is empty"},
		{"bridge", NULL, NULL, NULL, ERR_FORBIDDEN,
		 "operation is not permitted on predefined bridge network "},
		{"default", NULL, NULL, NULL, ERR_FORBIDDEN,
		 "operation is not permitted on predefined default network "},
		{"first", NULL, NULL, NULL, ERR_CONFLICT, "network with name first already exists"},
		{"x", "172.17.3.0/24", NULL, NULL, ERR_FORBIDDEN,
		 "invalid pool request: Pool overlaps with other one on this address space"},
		{"x", NULL, "com.docker.network.driver.mtu", "abc", ERR_INVALID,
		 "failed to parse com.docker.network.driver.mtu value: abc (strconv.Atoi: parsing "
		 "\"abc\": "
		 "invalid syntax)"},
		{"x", NULL, "com.docker.network.bridge.enable_icc", "maybe", ERR_INVALID,
		 "failed to parse com.docker.network.bridge.enable_icc value: maybe "
		 "(strconv.ParseBool: "
		 "parsing \"maybe\": invalid syntax)"},
		{"x", NULL, "com.docker.network.bridge.name", "a b", ERR_INVALID,
		 "invalid bridge name a b: 1 to 15 letters, digits, '.', '_' and '-' are wanted"},
	};
	struct err e;

	is_int(create("first", NULL, NULL, NULL, &e), 0, "a first network (%s)", e.msg);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_err(create(rows[i].name, rows[i].subnet, rows[i].opt, rows[i].value, &e), e,
		       rows[i].kind, rows[i].text);
}

static void refused_drivers(void)
{
	struct network_spec s = world_spec("x", NULL);
	char driver[] = "weave", host[] = "host";
	struct network *nw;
	struct err e = {0};

	s.driver = driver;
	is_err(net_create(w.net, &s, &nw, NULL, &e), e, ERR_NOT_FOUND,
	       "plugin \"weave\" not found");
	s.driver = host;
	is_err(net_create(w.net, &s, &nw, NULL, &e), e, ERR_FORBIDDEN,
	       "only one instance of \"host\" network is allowed");
}

static void same_bridge_name(void)
{
	auto_free char *want = NULL;
	struct network *a, *b;
	struct err e;

	is_int(create("a", NULL, "com.docker.network.bridge.name", "mybr", &e), 0,
	       "a bridge of a given name");
	is_int(net_find(w.net, "a", &a, &e), 0, "found");
	is_str(network_bridge(a), "mybr", "it has that name");
	is_int(create("zb", NULL, "com.docker.network.bridge.name", "mybr", &e), -EPERM,
	       "not twice");
	want = str_printf(
		"(mybr): conflicts with network %s (mybr): networks have same bridge name",
		network_id(a));
	ok(want && strstr(e.msg, want), "told so: %s", e.msg);
	is_int(net_find(w.net, "zb", &b, &e), -ENOENT, "it is not there");
	is_int(create("c", NULL, "com.docker.network.bridge.name", "lo", &e), -EPERM,
	       "an interface of the host is not taken: %s", e.msg);
	is_int(net_remove(w.net, a, &e), 0, "removed");
}

static void finding(void)
{
	struct network *nw, *other, *bridge;
	char id[ID_LEN + 1], prefix[13], saved[4];
	struct err e = {0};

	is_int(net_find(w.net, "a", &nw, &e), 0, "by name");
	(void)snprintf(id, sizeof(id), "%s", network_id(nw));
	(void)snprintf(prefix, sizeof(prefix), "%.12s", id);
	is_int(net_find(w.net, id, &other, &e), 0, "by id");
	ok(nw == other, "the same");
	is_int(net_find(w.net, prefix, &other, &e), 0, "by prefix");
	ok(nw == other, "the same");
	is_err(net_find(w.net, "nope", &other, &e), e, ERR_NOT_FOUND, "network nope not found");
	is_err(net_find(w.net, "", &other, &e), e, ERR_NOT_FOUND, "network  not found");
	/* a second one that begins alike */
	is_int(net_find(w.net, "bridge", &bridge, &e), 0, "another network");
	memcpy(saved, bridge->id, 4);
	memcpy(bridge->id, id, 4);
	prefix[4] = '\0';
	is_int(net_find(w.net, prefix, &other, &e), -EINVAL, "two begin alike");
	ok(strstr(e.msg, "is ambiguous (2 matches found based on ID prefix)") != NULL,
	   "told so: %s", e.msg);
	memcpy(bridge->id, saved, 4);
}

static void in_the_kernel(void)
{
	struct network_spec s = world_spec("inner", "10.99.0.0/24");
	auto_free char *state = NULL;
	struct network *nw;
	struct rtnl_link l;
	struct err e = {0};

	s.internal = true;
	s.options = json_pack("{ss}", "com.docker.network.driver.mtu", "1400");
	is_int(net_create(w.net, &s, &nw, NULL, &e), 0, "an internal network (%s)", e.msg);
	json_decref(s.options);
	is_int(rtnl_link_get(w.net->rtnl, network_bridge(nw), &l), 0, "its bridge");
	is_int(l.mtu, 1400, "its MTU");
	state = world_state();
	ok(state && strstr(state, "10.99.0.1/24"), "the gateway's address is on it");
	is_int(net_remove(w.net, nw, &e), 0, "removed");
	ok(rtnl_link_get(w.net->rtnl, "atoll-free-0000", &l) >= 0 || w.net->n_free,
	   "its bridge waits");
}

static void nothing_stays(void)
{
	auto_free char *before = NULL, *after = NULL;
	char first[16];
	struct network *nw;
	struct err e = {0};

	world_settle(&w);
	before = world_state();
	for (int i = 0; i < 3; i++) {
		nw = world_network(&w, "temp", NULL);
		ok(nw != NULL, "made, turn %d", i);
		if (!nw)
			return;
		(void)snprintf(first, sizeof(first), "%s", network_bridge(nw));
		is_int(net_remove(w.net, nw, &e), 0, "removed (%s)", e.msg);
	}
	world_settle(&w);
	after = world_state();
	if (!is_str(after, before, "links, addresses, routes and the firewall are as before"))
		printf("# not the same\n");
	is_int(net_find(w.net, "temp", &nw, &e), -ENOENT, "and the network is not found");
}

static void routes_are_avoided(void)
{
	static const char *const add[] = {"ip",	   "route", "add", "blackhole", "172.18.0.0/16",
					  "table", "77",    NULL};
	static const char *const del[] = {"ip",	   "route", "del", "blackhole", "172.18.0.0/16",
					  "table", "77",    NULL};
	auto_buf struct buf out = BUF_INIT(1 << 16);
	struct network *nw, *a, *b;
	struct err e = {0};

	is_int(net_find(w.net, "first", &nw, &e), 0, "the first network");
	is_str(network_spec_of(nw)->ipam[0].subnet, "172.18.0.0/16", "has the second pool");
	is_int(net_remove(w.net, nw, &e), 0, "removed");
	is_int(world_run(&out, add), 0, "a route in some table: %s", buf_str(&out));
	a = world_network(&w, "a", NULL);
	is_str(a ? network_spec_of(a)->ipam[0].subnet : NULL, "172.19.0.0/16", "is stepped over");
	is_int(world_run(&out, del), 0, "the route goes");
	b = world_network(&w, "b", NULL);
	is_str(b ? network_spec_of(b)->ipam[0].subnet : NULL, "172.18.0.0/16",
	       "and its subnet is free");
}

static void times(void)
{
	int64_t t0, create = 0, remove = 0;
	struct network *nw;
	struct err e = {0};

	for (int i = 0; i < 20; i++) {
		t0 = clock_mono_ns();
		nw = world_network(&w, "t", NULL);
		create += clock_mono_ns() - t0;
		t0 = clock_mono_ns();
		if (!nw || net_remove(w.net, nw, &e) < 0)
			printf("# %s\n", e.msg);
		remove += clock_mono_ns() - t0;
	}
	printf("# create %.2f ms, remove %.2f ms\n", (double)create / 20e6, (double)remove / 20e6);
}

int main(void)
{
	const char *why = world_enter();
	auto_free char *empty = NULL, *left = NULL;
	struct err e = {0};

	if (why)
		return tap_skip_all(why);
	empty = world_state();
	if (!ok(world_open(&w, &e) >= 0, "a world (%s)", e.msg))
		return tap_done();
	predefined();
	bridge_sysctls();
	refused();
	refused_drivers();
	same_bridge_name();
	in_the_kernel();
	nothing_stays();
	routes_are_avoided();
	times();
	finding();
	world_close(&w, true);
	left = world_state();
	is_str(left, empty, "after an orderly end nothing of us is left");
	return tap_done();
}

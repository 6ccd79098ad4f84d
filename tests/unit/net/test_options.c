/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_options.c - driver options of networks and endpoints: what each word means, and what is
 * wrong */

#include "base/str.h"
#include "net/internal.h"
#include "tap.h"

#define BR  "com.docker.network.bridge."
#define NET "com.docker.network."
#define EP  "com.docker.network.endpoint."

#define NO_BOOL(key, v)                                                                            \
	"failed to parse " key " value: " v " (strconv.ParseBool: parsing \"" v                    \
	"\": invalid syntax)"
#define NO_IP(key, v)	"failed to parse " key " value: " v " (invalid ip)"
#define NO_MODE(key, v) "failed to parse " key " value: " v " (unknown gateway mode " v ")"
#define NO_NAME(v)	"invalid bridge name " v ": 1 to 15 letters, digits, '.', '_' and '-' are wanted"
#define NO_PREFIX(v)                                                                               \
	"invalid interface prefix " v ": 1 to 10 letters, digits, '.', '_' and '-' are wanted"
#define NO_IFNAME(v)                                                                               \
	"invalid interface name " v ": 1 to 15 letters, digits, '.', '_' and '-' are wanted"
#define NO_SYSCTL(v)                                                                               \
	"unrecognised network interface sysctl '" v "'; represent 'net.X.Y.ethN.Z=V' as "          \
	"'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'"

/* A network with this option and nothing else; the caller frees it. */
static struct network *with(const char *key, const char *value, bool internal)
{
	struct network *nw = network_alloc(NULL);

	nw->spec.options = json_object();
	nw->spec.internal = internal;
	nw->spec.off[V6] = true;
	if (key)
		(void)json_object_set_new(nw->spec.options, key, json_string(value));
	list_init(&nw->node);
	return nw;
}

static const char *ip_text(struct ip ip)
{
	static char text[IP_STR];

	return ip_str(ip, text);
}

/* ---- what is wrong ---- */

static const struct row {
	const char *key, *value, *text;
} wrong[] = {
	{BR "enable_icc", "maybe", NO_BOOL(BR "enable_icc", "maybe")},
	{BR "enable_ip_masquerade", "2", NO_BOOL(BR "enable_ip_masquerade", "2")},
	{BR "inhibit_ipv4", "yes", NO_BOOL(BR "inhibit_ipv4", "yes")},
	{"com.atoll.bridge.hub", "x", NO_BOOL("com.atoll.bridge.hub", "x")},
	{"com.atoll.bridge.antispoof", "x", NO_BOOL("com.atoll.bridge.antispoof", "x")},
	{"com.atoll.bridge.open_host", "x", NO_BOOL("com.atoll.bridge.open_host", "x")},
	{"com.atoll.bridge.big_tcp", "x", NO_BOOL("com.atoll.bridge.big_tcp", "x")},
	{BR "host_binding_ipv4", "1.2.3", NO_IP(BR "host_binding_ipv4", "1.2.3")},
	{NET "host_ipv4", "fd00::1", NO_IP(NET "host_ipv4", "fd00::1")},
	{NET "host_ipv6", "10.0.0.1", NO_IP(NET "host_ipv6", "10.0.0.1")},
	{NET "host_ipv6", "fd00::x", NO_IP(NET "host_ipv6", "fd00::x")},
	{BR "gateway_mode_ipv4", "open", NO_MODE(BR "gateway_mode_ipv4", "open")},
	{BR "gateway_mode_ipv6", "NAT", NO_MODE(BR "gateway_mode_ipv6", "NAT")},
	{BR "gateway_mode_ipv4", "isolated",
	 "gateway mode 'isolated' can only be used for an internal network"},
	{BR "gateway_mode_ipv6", "isolated",
	 "gateway mode 'isolated' can only be used for an internal network"},
	{BR "name", "a/b", NO_NAME("a/b")},
	{BR "name", ".", NO_NAME(".")},
	{BR "name", "-x", NO_NAME("-x")},
	{BR "name", "sixteen-letters-", NO_NAME("sixteen-letters-")},
	{BR "name", "a\"b", NO_NAME("a\"b")},
	{BR "trusted_host_interfaces", "lan0:a b",
	 "invalid " BR "trusted_host_interfaces value: lan0:a b: names of interfaces with ':' "
	 "between them are wanted"},
	{NET "container_iface_prefix", "eleven-char", NO_PREFIX("eleven-char")},
	{NET "container_iface_prefix", "a b", NO_PREFIX("a b")},
	{NET "driver.mtu", "67", "invalid MTU number: 67: 68 is the least IPv4 allows"},
	{NET "driver.mtu", "-1",
	 "failed to parse " NET "driver.mtu value: -1 (strconv.Atoi: parsing \"-1\": invalid "
	 "syntax)"},
	{NET "driver.mtu", "65536",
	 "failed to parse " NET "driver.mtu value: 65536 (strconv.Atoi: parsing \"65536\": invalid "
	 "syntax)"},
	{NET "advertise_addr_nmsgs", "4",
	 NET "advertise_addr_nmsgs must be in the range 0 to 3, not 4"},
	{NET "advertise_addr_nmsgs", "x",
	 NET "advertise_addr_nmsgs must be in the range 0 to 3, not x"},
	{NET "advertise_addr_ms", "99",
	 NET "advertise_addr_ms must be in the range 100 to 2000, not 99"},
	{NET "advertise_addr_ms", "2001",
	 NET "advertise_addr_ms must be in the range 100 to 2000, not 2001"},
};

static void refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		auto_(network_free) struct network *nw = with(wrong[i].key, wrong[i].value, false);
		struct err e = {0};

		is_err(options_bridge(nw, &e), e, ERR_INVALID, wrong[i].text);
	}
}

static void least_mtu_of_ipv6(void)
{
	auto_(network_free) struct network *nw = with(NET "driver.mtu", "1279", false),
					   *fine = with(NET "driver.mtu", "1280", false);
	struct err e = {0};

	nw->spec.off[V6] = fine->spec.off[V6] = false;
	is_err(options_bridge(nw, &e), e, ERR_INVALID,
	       "invalid MTU number: 1279: 1280 is the least IPv6 allows");
	is_int(options_bridge(fine, &e), 0, "1280 is enough");
	is_int(fine->mtu, 1280, "as asked");
}

/* ---- what is right ---- */

static void unasked(void)
{
	auto_(network_free) struct network *nw = with(NULL, NULL, false),
					   *in = with(NULL, NULL, true);
	struct err e = {0};

	is_int(options_bridge(nw, &e), 0, "no options");
	ok(nw->icc && nw->masq, "containers reach each other and the world");
	ok(!nw->inhibit4 && !nw->hub && !nw->antispoof && !nw->open_host && !nw->big_tcp,
	   "nothing else is on");
	is_str(nw->ifprefix, "eth", "interfaces are eth0 and so on");
	ok(!nw->mtu && !nw->trusted && !nw->bridge_named && !*nw->bridge, "nothing is chosen");
	for (int fam = 0; fam < N_FAMILIES; fam++)
		ok(nw->fam[fam].mode == GATEWAY_NAT && !ip_set(nw->fam[fam].snat), "nat");
	is_int(options_bridge(in, &e), 0, "an internal network");
	ok(in->big_tcp, "has BIG TCP");
}

/* Every boolean, as Go reads it. */
static void switches(void)
{
	static const struct {
		const char *key;
		size_t at;
	} keys[] = {
		{BR "enable_icc", offsetof(struct network, icc)},
		{BR "enable_ip_masquerade", offsetof(struct network, masq)},
		{BR "inhibit_ipv4", offsetof(struct network, inhibit4)},
		{"com.atoll.bridge.hub", offsetof(struct network, hub)},
		{"com.atoll.bridge.antispoof", offsetof(struct network, antispoof)},
		{"com.atoll.bridge.open_host", offsetof(struct network, open_host)},
		{"com.atoll.bridge.big_tcp", offsetof(struct network, big_tcp)},
	};
	static const char *const words[2][3] = {{"false", "0", "F"}, {"true", "1", "T"}};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		for (int on = 0; on < 2; on++)
			for (int k = 0; k < 3; k++) {
				/* internal, so that BIG TCP has something to be switched off */
				auto_(network_free) struct network *nw =
					with(keys[i].key, words[on][k], true);
				struct err e = {0};
				bool got = options_bridge(nw, &e) >= 0 &&
					   *(bool *)((char *)nw + keys[i].at) == on;

				ok(got, "%s=%s %s", keys[i].key, words[on][k], e.msg);
			}
}

static void modes(void)
{
	static const char *const names[] = {"nat", "nat-unprotected", "routed", "isolated"};
	static const enum gateway_mode want[] = {GATEWAY_NAT, GATEWAY_UNPROTECTED, GATEWAY_ROUTED,
						 GATEWAY_ISOLATED};
	static const char *const keys[] = {BR "gateway_mode_ipv4", BR "gateway_mode_ipv6"};

	for (int fam = 0; fam < N_FAMILIES; fam++)
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			auto_(network_free) struct network *nw = with(keys[fam], names[i], i == 3);
			struct err e = {0};

			is_int(options_bridge(nw, &e), 0, "%s=%s %s", keys[fam], names[i], e.msg);
			is_int(nw->fam[fam].mode, want[i], "of its family");
			is_int(nw->fam[!fam].mode, GATEWAY_NAT, "and of no other");
		}
}

static void addresses(void)
{
	static const struct {
		const char *value, *want;
	} binds[] = {{"127.0.0.1", "127.0.0.1"},
		     {"::1", "::1"},
		     {"::", "::"},
		     {"0.0.0.0", ""},
		     {"", ""}};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(binds); i++) {
		auto_(network_free) struct network *nw =
			with(BR "host_binding_ipv4", binds[i].value, false);

		is_int(options_bridge(nw, &e), 0, "published at \"%s\"", binds[i].value);
		is_str(ip_text(nw->bind_ip), binds[i].want, "\"%s\"", binds[i].want);
	}
	for (int fam = 0; fam < N_FAMILIES; fam++) {
		const char *value = fam == V6 ? "2001:db8::9" : "203.0.113.9";
		auto_(network_free) struct network *nw =
			with(fam == V6 ? NET "host_ipv6" : NET "host_ipv4", value, false);

		is_int(options_bridge(nw, &e), 0, "out as %s", value);
		is_str(ip_text(nw->fam[fam].snat), value, "of its family");
		ok(!ip_set(nw->fam[!fam].snat), "and of no other");
	}
}

static void texts(void)
{
	auto_(network_free) struct network *name = with(BR "name", "my.br_0-1", false),
					   *trust = with(BR "trusted_host_interfaces", "lan0:wg0",
							 false),
					   *prefix = with(NET "container_iface_prefix",
							  "ten.letter", false),
					   *mtu = with(NET "driver.mtu", "9000", false),
					   *other = with("com.example.unknown", "anything", false);
	struct err e = {0};

	is_int(options_bridge(name, &e), 0, "a bridge's name");
	ok(streq(name->bridge, "my.br_0-1") && name->bridge_named, "as asked");
	is_int(options_bridge(trust, &e), 0, "trusted interfaces");
	ok(strv_len(trust->trusted) == 2 && streq(trust->trusted[1], "wg0"), "two of them");
	is_int(options_bridge(trust, &e), 0, "read once more, as when a bridge is made again");
	is_int(strv_len(trust->trusted), 2, "still two");
	is_int(options_bridge(prefix, &e), 0, "a prefix of interfaces");
	is_str(prefix->ifprefix, "ten.letter", "whole");
	is_int(options_bridge(mtu, &e), 0, "an MTU");
	is_int(mtu->mtu, 9000, "as asked");
	is_int(options_bridge(other, &e), 0, "what nobody knows is no mistake");
}

static void announcements(void)
{
	json_t *opts = json_pack("{ssss}", NET "advertise_addr_nmsgs", "3", NET "advertise_addr_ms",
				 "100");
	struct err e = {0};
	int n = 1, ms = 1000;

	is_int(options_advertise(NULL, &n, &ms, &e), 0, "nothing asked");
	ok(n == 1 && ms == 1000, "as it was");
	is_int(options_advertise(opts, &n, &ms, &e), 0, "three");
	ok(n == 3 && ms == 100, "a tenth of a second apart");
	json_decref(opts);
}

/* ---- endpoints ---- */

static const struct row wrong_ends[] = {
	{EP "ifname", "a b", NO_IFNAME("a b")},
	{EP "ifname", "lo", NO_IFNAME("lo")},
	{EP "ifname", "sixteen-letters-", NO_IFNAME("sixteen-letters-")},
	{EP "sysctls", "net.ipv4.conf.eth0.forwarding=1",
	 NO_SYSCTL("net.ipv4.conf.eth0.forwarding=1")},
	{EP "sysctls", "net.ipv4.conf.IFNAME.forwarding",
	 NO_SYSCTL("net.ipv4.conf.IFNAME.forwarding")},
	{EP "sysctls", "kernel.ipv4.conf.IFNAME.x=1", NO_SYSCTL("kernel.ipv4.conf.IFNAME.x=1")},
	{EP "sysctls", "net.core.conf.IFNAME.x=1", NO_SYSCTL("net.core.conf.IFNAME.x=1")},
	{EP "sysctls", "net.ipv4.IFNAME.x=1", NO_SYSCTL("net.ipv4.IFNAME.x=1")},
	{EP "sysctls", "net.ipv4.conf.IFNAME.a/b=1", NO_SYSCTL("net.ipv4.conf.IFNAME.a/b=1")},
	{EP "sysctls", "net.ipv4.conf.IFNAME.mc_forwarding=0,oops", NO_SYSCTL("oops")},
	{"com.atoll.endpoint.role", "boss",
	 "com.atoll.endpoint.role is \"hub\" or \"spoke\", not boss"},
	{NET "advertise_addr_nmsgs", "9",
	 NET "advertise_addr_nmsgs must be in the range 0 to 3, not 9"},
};

static const struct row right_ends[] = {
	{EP "ifname", "wan0", NULL},
	{EP "ifname", "", NULL},
	{EP "sysctls", "net.ipv4.conf.IFNAME.mc_forwarding=0", NULL},
	{EP "sysctls", "net.ipv6.conf.ifname.accept_ra=2,net.mpls.conf.IFNAME.input=1", NULL},
	{"com.atoll.endpoint.role", "hub", NULL},
	{"com.atoll.endpoint.role", "spoke", NULL},
	{"com.example.unknown", "x", NULL},
};

static int check_end(const struct row *row, struct err *e)
{
	struct endpoint_spec s = {.driver_opts = json_pack("{ss}", row->key, row->value)};
	int r = plug_check(&s, e);

	json_decref(s.driver_opts);
	return r;
}

static void ends(void)
{
	char *good[] = {(char[]){"169.254.7.7"}, (char[]){"fe80::7"}, NULL},
	     *bad[] = {(char[]){"169.254.7"}, NULL};
	struct endpoint_spec s = {.link_local = good};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(wrong_ends); i++) {
		e = (struct err){0};
		is_err(check_end(&wrong_ends[i], &e), e, ERR_INVALID, wrong_ends[i].text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(right_ends); i++)
		is_int(check_end(&right_ends[i], &e), 0, "%s=%s", right_ends[i].key,
		       right_ends[i].value);
	is_int(plug_check(&s, &e), 0, "link-local addresses");
	s.link_local = bad;
	is_err(plug_check(&s, &e), e, ERR_INVALID, "invalid link-local IP address: 169.254.7");
}

int main(void)
{
	refused();
	least_mtu_of_ipv6();
	unasked();
	switches();
	modes();
	addresses();
	texts();
	announcements();
	ends();
	return tap_done();
}

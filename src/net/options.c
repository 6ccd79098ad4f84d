/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * options.c - the driver options of a network, with Docker's names and texts
 *
 * com.atoll.* are ours. What nobody knows is kept and shown, and has no effect, as in Docker.
 */

#include <string.h>
#include <strings.h>

#include "base/str.h"
#include "net/internal.h"

#define OPT_BRIDGE "com.docker.network.bridge."
#define OPT_NET	   "com.docker.network."
#define OPT_OURS   "com.atoll.bridge."

bool link_name_ok(const char *name)
{
	size_t n = strlen(name);

	return n > 0 && n < 16 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       n;
}

static int opt_bool(const struct network *nw, const char *key, bool *ret, struct err *e)
{
	const char *v = network_option(nw, key);

	if (v && *v && parse_bool(v, ret) < 0)
		return err_invalid(e,
				   "failed to parse %s value: %s (strconv.ParseBool: parsing "
				   "\"%s\": invalid syntax)",
				   key, v, v);
	return 0;
}

static int opt_ip(const struct network *nw, const char *key, uint8_t family, struct ip *ret,
		  struct err *e)
{
	const char *v = network_option(nw, key);

	if (!str_empty(v) && (ip_parse(v, ret) < 0 || (family && ret->family != family)))
		return err_invalid(e, "failed to parse %s value: %s (invalid ip)", key, v);
	return 0;
}

/* ---- every driver ---- */

static int mtu(struct network *nw, struct err *e)
{
	const char *v = network_option(nw, OPT_NET "driver.mtu");
	unsigned least = nw->spec.off[V6] ? 68 : 1280;
	uint16_t n;

	if (str_empty(v))
		return 0;
	if (parse_u16(v, &n) < 0)
		return err_invalid(e,
				   "failed to parse " OPT_NET
				   "driver.mtu value: %s (strconv.Atoi: parsing \"%s\": "
				   "invalid syntax)",
				   v, v);
	if (n && n < least)
		return err_invalid(e, "invalid MTU number: %u: %u is the least %s allows", n, least,
				   nw->spec.off[V6] ? "IPv4" : "IPv6");
	nw->mtu = n;
	return 0;
}

int options_common(struct network *nw, struct err *e)
{
	const char *prefix = network_option(nw, OPT_NET "container_iface_prefix");

	if (!str_empty(prefix) && (!link_name_ok(prefix) || strlen(prefix) > 10))
		return err_invalid(e,
				   "invalid interface prefix %s: 1 to 10 letters, digits, '.', '_' "
				   "and '-' are wanted",
				   prefix);
	(void)snprintf(nw->ifprefix, sizeof(nw->ifprefix), "%s",
		       str_empty(prefix) ? "eth" : prefix);
	if (options_advertise(nw->spec.options, &(int){0}, &(int){0}, e) < 0)
		return -EINVAL;
	return mtu(nw, e);
}

/* ---- bridges ---- */

static int bridge_name(struct network *nw, struct err *e)
{
	const char *name = network_option(nw, OPT_BRIDGE "name");

	if (str_empty(name))
		return 0;
	if (!link_name_ok(name))
		return err_invalid(e,
				   "invalid bridge name %s: 1 to 15 letters, digits, '.', "
				   "'_' and '-' are wanted",
				   name);
	(void)snprintf(nw->bridge, sizeof(nw->bridge), "%s", name);
	nw->bridge_named = true;
	return 0;
}

static int gateway_mode(struct network *nw, int fam, struct err *e)
{
	static const char *const keys[N_FAMILIES] = {OPT_BRIDGE "gateway_mode_ipv4",
						     OPT_BRIDGE "gateway_mode_ipv6"};
	static const char *const modes[] = {[GATEWAY_NAT] = "nat",
					    [GATEWAY_UNPROTECTED] = "nat-unprotected",
					    [GATEWAY_ROUTED] = "routed",
					    [GATEWAY_ISOLATED] = "isolated"};
	const char *v = network_option(nw, keys[fam]);
	size_t i = 0;

	if (str_empty(v))
		return 0;
	while (i < ARRAY_SIZE(modes) && !streq(v, modes[i]))
		i++;
	if (i == ARRAY_SIZE(modes))
		return err_invalid(e, "failed to parse %s value: %s (unknown gateway mode %s)",
				   keys[fam], v, v);
	nw->fam[fam].mode = (enum gateway_mode)i;
	if (nw->fam[fam].mode == GATEWAY_ISOLATED && !nw->spec.internal)
		return err_invalid(
			e, "gateway mode 'isolated' can only be used for an internal network");
	return 0;
}

static int trusted(struct network *nw, struct err *e)
{
	const char *v = network_option(nw, OPT_BRIDGE "trusted_host_interfaces");

	strv_free(nw->trusted);
	nw->trusted = NULL;
	if (!str_empty(v) && strv_split(v, ":", &nw->trusted) < 0)
		return err_nomem(e);
	for (char **t = nw->trusted; t && *t; t++)
		if (!link_name_ok(*t))
			return err_invalid(e,
					   "invalid " OPT_BRIDGE
					   "trusted_host_interfaces value: %s: names of interfaces "
					   "with ':' between them are wanted",
					   v);
	return 0;
}

static bool known_role(const char *v)
{
	return str_empty(v) || streq(v, "hub") || streq(v, "spoke");
}

int options_bridge(struct network *nw, struct err *e)
{
	const struct {
		const char *key;
		bool *value;
	} flags[] = {
		{OPT_BRIDGE "enable_icc", &nw->icc},
		{OPT_BRIDGE "enable_ip_masquerade", &nw->masq},
		{OPT_BRIDGE "inhibit_ipv4", &nw->inhibit4},
		{OPT_OURS "hub", &nw->hub},
		{OPT_OURS "antispoof", &nw->antispoof},
		{OPT_OURS "open_host", &nw->open_host},
		{OPT_OURS "big_tcp", &nw->big_tcp},
	};
	int r = options_common(nw, e);

	nw->big_tcp = nw->spec.internal; /* elsewhere the uplink would have to cut them up */
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(flags); i++)
		r = opt_bool(nw, flags[i].key, flags[i].value, e);
	if (r >= 0)
		r = bridge_name(nw, e);
	for (int fam = 0; r >= 0 && fam < N_FAMILIES; fam++)
		r = gateway_mode(nw, fam, e);
	if (r >= 0)
		r = trusted(nw, e);
	if (r >= 0)
		r = opt_ip(nw, OPT_BRIDGE "host_binding_ipv4", 0, &nw->bind_ip, e);
	if (r >= 0)
		r = opt_ip(nw, OPT_NET "host_ipv4", 4, &nw->fam[V4].snat, e);
	if (r >= 0)
		r = opt_ip(nw, OPT_NET "host_ipv6", 6, &nw->fam[V6].snat, e);
	/* "everywhere" in IPv4's spelling is what nobody asked for */
	if (r >= 0 && ip_is_any(nw->bind_ip) && nw->bind_ip.family == 4)
		nw->bind_ip = (struct ip){0};
	return r;
}

/* ---- endpoints ---- */

/* net.ipv4.conf.IFNAME.x=1,net.ipv6.neigh.IFNAME.y=2 */
static int endpoint_sysctls(const char *text, struct err *e)
{
	auto_strv char **list = NULL;

	if (strv_split(text, ",", &list) < 0)
		return err_nomem(e);
	for (char **s = list; s && *s; s++) {
		auto_strv char **part = NULL;
		size_t n;

		if (strv_split(*s, ".", &part) < 0)
			return err_nomem(e);
		n = strv_len(part);
		if (n < 5 || !strchr(part[n - 1], '=') || !streq(part[0], "net") ||
		    (!streq(part[1], "ipv4") && !streq(part[1], "ipv6") &&
		     !streq(part[1], "mpls")) ||
		    strcasecmp(part[3], "IFNAME") != 0 || strchr(*s, '/'))
			return err_invalid(
				e,
				"unrecognised network interface sysctl '%s'; represent "
				"'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', "
				"'ipv6' or 'mpls'",
				*s);
	}
	return 0;
}

/* How often a new address is announced, and the milliseconds between. */
int options_advertise(const json_t *opts, int *ret_n, int *ret_ms, struct err *e)
{
	const struct {
		const char *key;
		unsigned low, high;
		int *ret;
	} rows[] = {{OPT_NET "advertise_addr_nmsgs", 0, 3, ret_n},
		    {OPT_NET "advertise_addr_ms", 100, 2000, ret_ms}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *v = json_string_value(json_object_get(opts, rows[i].key));
		uint16_t n;

		if (str_empty(v))
			continue;
		if (parse_u16(v, &n) < 0 || n < rows[i].low || n > rows[i].high)
			return err_invalid(e, "%s must be in the range %u to %u, not %s",
					   rows[i].key, rows[i].low, rows[i].high, v);
		*rows[i].ret = n;
	}
	return 0;
}

int plug_check(const struct endpoint_spec *s, struct err *e)
{
	const char *name =
		json_string_value(json_object_get(s->driver_opts, OPT_NET "endpoint.ifname"));
	const char *sysctls =
		json_string_value(json_object_get(s->driver_opts, OPT_NET "endpoint.sysctls"));
	const char *role =
		json_string_value(json_object_get(s->driver_opts, "com.atoll.endpoint.role"));
	int r = 0, n;

	if (!str_empty(name) && (!link_name_ok(name) || streq(name, "lo")))
		return err_invalid(e,
				   "invalid interface name %s: 1 to 15 letters, digits, "
				   "'.', '_' and '-' are wanted",
				   name);
	if (!known_role(role))
		return err_invalid(e, "com.atoll.endpoint.role is \"hub\" or \"spoke\", not %s",
				   role);
	if (!str_empty(sysctls))
		r = endpoint_sysctls(sysctls, e);
	if (r >= 0)
		r = options_advertise(s->driver_opts, &n, &n, e);
	for (char **l = s->link_local; r >= 0 && l && *l; l++) {
		struct ip ip;

		if (ip_parse(*l, &ip) < 0)
			r = err_invalid(e, "invalid link-local IP address: %s", *l);
	}
	return r;
}

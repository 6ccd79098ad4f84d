/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * config_table.c - the option table: dockerd's words, what they do here, and --help
 *
 * A new option is one row. What dockerd has and this engine does not need is accepted, so that
 * whoever starts dockerd can start atolld; what would promise a protection that is not there is
 * refused.
 */

#include <stddef.h>
#include <string.h>

#include "base/str.h"
#include "engine/options.h"
#include "image/registry_endpoint.h"

static int check_ip(const char *v, struct err *e)
{
	struct ip ip;

	return ip_parse(v, &ip) < 0 ? err_invalid(e, "%s is not an ip address", v) : 0;
}

static int check_dns(const char *v, struct err *e)
{
	struct ip ip;

	return ip_parse(v, &ip) < 0 ? err_invalid(e, "IP address is not correctly formatted: %s", v)
				    : 0;
}

static int check_prefix(const char *v, int fam, struct cidr *ret, struct err *e)
{
	return cidr_parse(v, ret) < 0 || ip_fam(ret->ip) != fam
		       ? err_invalid(e, "invalid CIDR address: %s", v)
		       : 0;
}

static int check_bridge_ip(const char *v, int fam, struct err *e)
{
	unsigned most = fam == V6 ? 126 : 30;
	struct cidr c;
	int r = check_prefix(v, fam, &c, e);

	if (r >= 0 && (c.len > most || cidr_is_net(c) || ip_eq(c.ip, cidr_last(c))))
		r = err_invalid(e,
				"%s is no bridge address: it takes an address of a host in a "
				"subnet of at most /%u",
				v, most);
	return r;
}

static int check_bip(const char *v, struct err *e)
{
	return check_bridge_ip(v, V4, e);
}

static int check_bip6(const char *v, struct err *e)
{
	return check_bridge_ip(v, V6, e);
}

static int check_fixed(const char *v, struct err *e)
{
	return check_prefix(v, V4, &(struct cidr){0}, e);
}

static int check_fixed6(const char *v, struct err *e)
{
	return check_prefix(v, V6, &(struct cidr){0}, e);
}

static int check_gateway_ip(const char *v, struct err *e)
{
	return streq(v, "host-gateway") ? 0 : check_ip(v, e);
}

static int check_label(const char *v, struct err *e)
{
	return *v == '=' || !strchr(v, '=') ? err_invalid(e, "bad attribute format: %s", v) : 0;
}

static int check_host(const char *v, struct err *e)
{
	bool ok = str_has_prefix(v, "unix://") || str_has_prefix(v, "tcp://") ||
		  str_has_prefix(v, "fd://");

	return ok ? 0 : err_invalid(e, "invalid bind address format: %s", v);
}

static int check_firewall(const char *v, struct err *e)
{
	return streq(v, "open") || streq(v, "respect") || streq(v, "none")
		       ? 0
		       : err_invalid(e, "must be open, respect or none");
}

static int check_at_least_one(const char *v, const char *what, struct err *e)
{
	uint32_t n;

	return parse_u32(v, &n) < 0 || n < 1 ? err_invalid(e, "invalid %s: %s", what, v) : 0;
}

static int check_downloads(const char *v, struct err *e)
{
	return check_at_least_one(v, "max concurrent downloads", e);
}

static int check_uploads(const char *v, struct err *e)
{
	return check_at_least_one(v, "max concurrent uploads", e);
}

static int check_attempts(const char *v, struct err *e)
{
	return check_at_least_one(v, "max download attempts", e);
}

static int check_mtu(const char *v, struct err *e)
{
	uint32_t n;

	return parse_u32(v, &n) < 0 || n < 68 || n > 65535
		       ? err_invalid(e, "invalid default MTU: %s", v)
		       : 0;
}

static int check_ipc(const char *v, struct err *e)
{
	return streq(v, "private") || streq(v, "shareable")
		       ? 0
		       : err_invalid(e, "IPC can only be 'private' or 'shareable': '%s'", v);
}

static int check_cgroupns(const char *v, struct err *e)
{
	return streq(v, "private") || streq(v, "host")
		       ? 0
		       : err_invalid(e,
				     "default cgroup namespace mode (%s) is invalid; use "
				     "\"host\" or \"private\"",
				     v);
}

static int check_size(const char *v, struct err *e)
{
	int64_t n;

	return parse_ram(v, &n) < 0 || n <= 0 ? err_invalid(e, "invalid size: '%s'", v) : 0;
}

#define AT(field) offsetof(struct daemon_config, field)
#define IGNORED(name)                                                                              \
	{                                                                                          \
		.flag = name, .kind = OPT_IGNORED                                                  \
	}
#define IGNORED_BOOL(name)                                                                         \
	{                                                                                          \
		.flag = name, .kind = OPT_IGNORED_BOOL                                             \
	}
#define IGNORED_KEY(n, k)                                                                          \
	{                                                                                          \
		.flag = n, .key = k, .kind = OPT_IGNORED                                           \
	}

const struct option options[] = {
	{"bip", 0, NULL, OPT_STR, AT(bip), check_bip, "address and mask of the default bridge"},
	{"bip6", 0, NULL, OPT_STR, AT(bip6), check_bip6,
	 "IPv6 address and prefix length of the default bridge"},
	{"cgroup-parent", 0, NULL, OPT_STR, AT(cgroup_parent), NULL,
	 "parent cgroup of all containers"},
	{"config-file", 0, "", OPT_STR, AT(config_file), NULL,
	 "configuration file (default /etc/atoll/daemon.json)"},
	{"data-root", 0, NULL, OPT_STR, AT(data_root), NULL,
	 "folder of what survives (default /var/lib/atoll)"},
	{"debug", 'D', NULL, OPT_BOOL, AT(debug), NULL, "log at level debug"},
	{"default-address-pool", 0, "default-address-pools", OPT_POOL, AT(pools_text), NULL,
	 "base=CIDR,size=BITS: where networks take their subnets from"},
	{"default-cgroupns-mode", 0, NULL, OPT_STR, AT(default_cgroupns_mode), check_cgroupns,
	 "cgroup namespaces of containers: host or private"},
	{"default-gateway", 0, NULL, OPT_STR, AT(default_gateway), check_ip,
	 "default route of the default bridge (default its own address)"},
	{"default-gateway-v6", 0, NULL, OPT_STR, AT(default_gateway_v6), check_ip,
	 "likewise for IPv6"},
	{"default-ipc-mode", 0, NULL, OPT_STR, AT(default_ipc_mode), check_ipc,
	 "IPC mode of containers: shareable or private (default private)"},
	{"default-network-opt", 0, "default-network-opts", OPT_NETOPT, AT(network_opts), NULL,
	 "DRIVER=NAME=VALUE: options of new networks of a driver"},
	{"default-shm-size", 0, NULL, OPT_STR, AT(default_shm_size), check_size,
	 "size of /dev/shm in containers (default 64m)"},
	{"dns", 0, NULL, OPT_LIST, AT(dns), check_dns, "DNS servers of containers"},
	{"dns-opt", 0, "dns-opts", OPT_LIST, AT(dns_opts), NULL, "DNS options of containers"},
	{"dns-search", 0, NULL, OPT_LIST, AT(dns_search), NULL, "DNS search domains of containers"},
	{"exec-root", 0, NULL, OPT_STR, AT(exec_root), NULL,
	 "folder of what a reboot may lose (default /run/atoll)"},
	{"firewall", 0, NULL, OPT_STR, AT(firewall), check_firewall,
	 "beside other firewalls: open, respect or none"},
	{"fixed-cidr", 0, NULL, OPT_STR, AT(fixed_cidr), check_fixed,
	 "range of the default bridge that containers get addresses of"},
	{"fixed-cidr-v6", 0, NULL, OPT_STR, AT(fixed_cidr_v6), check_fixed6, "likewise for IPv6"},
	{"group", 'G', NULL, OPT_STR, AT(group), NULL,
	 "group of the unix socket (default atoll or docker)"},
	{"help", 'h', "", OPT_BOOL, AT(help), NULL, "print this and quit"},
	{"host", 'H', "hosts", OPT_LIST, AT(hosts), check_host,
	 "where to listen (default unix:///run/atoll.sock)"},
	{"host-gateway-ip", 0, "host-gateway-ips", OPT_LIST, AT(host_gateway_ips), check_gateway_ip,
	 "what --add-host NAME:host-gateway means (default the network's gateway)"},
	{"icc", 0, NULL, OPT_BOOL, AT(icc), NULL,
	 "containers on the default bridge reach each other (default true)"},
	{"init", 0, NULL, OPT_BOOL, AT(init), NULL, "an init process in every container"},
	{"http-proxy", 0, "", OPT_STR, AT(http_proxy), NULL,
	 "proxy for registries without TLS (default $HTTP_PROXY)"},
	{"https-proxy", 0, "", OPT_STR, AT(https_proxy), NULL,
	 "proxy for registries with TLS (default $HTTPS_PROXY)"},
	{"init-path", 0, NULL, OPT_STR, AT(init_path), NULL,
	 "path of the init program (default docker-init, tini or catatonit where found)"},
	{"insecure-registry", 0, "insecure-registries", OPT_LIST, AT(insecure_registries),
	 registry_insecure_check, "registries without TLS"},
	{"ip", 0, NULL, OPT_STR, AT(ip), check_ip,
	 "default address for published ports (default 0.0.0.0)"},
	{"ip-forward", 0, NULL, OPT_BOOL, AT(ip_forward), NULL,
	 "switch net.ipv4.ip_forward on (default true)"},
	{"ip-masq", 0, NULL, OPT_BOOL, AT(ip_masq), NULL,
	 "masquerade the default bridge (default true)"},
	{"ipv6", 0, NULL, OPT_BOOL, AT(ipv6), NULL, "the default bridge has IPv6 as well"},
	{"label", 0, "labels", OPT_LIST, AT(labels), check_label, "key=value labels of the engine"},
	{"live-restore", 0, NULL, OPT_ALWAYS, 0, NULL, "containers outlive the engine: always on"},
	{"log-driver", 0, NULL, OPT_STR, AT(log_driver), NULL,
	 "log driver of containers that name none: json-file, local or none"},
	{"log-format", 0, NULL, OPT_FORMAT, 0, NULL, "text or json (default text)"},
	{"log-level", 'l', NULL, OPT_LEVEL, 0, NULL,
	 "debug, info, warn, error or fatal (default info)"},
	{"log-opt", 0, "log-opts", OPT_LOGOPT, AT(log_opts), NULL,
	 "NAME=VALUE: options of that driver"},
	{"max-concurrent-downloads", 0, NULL, OPT_U32, AT(max_downloads), check_downloads,
	 "layers that are pulled at once (default 3)"},
	{"max-concurrent-uploads", 0, NULL, OPT_U32, AT(max_uploads), check_uploads,
	 "pushes that run at once (default 5)"},
	{"max-download-attempts", 0, NULL, OPT_U32, AT(download_attempts), check_attempts,
	 "tries for each layer of a pull (default 5)"},
	{"metrics-addr", 0, NULL, OPT_STR, AT(metrics_addr), NULL,
	 "address and port for Prometheus's metrics"},
	{"mtu", 0, NULL, OPT_U32, AT(mtu), check_mtu,
	 "MTU of networks (default that of the uplink)"},
	{"no-new-privileges", 0, NULL, OPT_BOOL, AT(no_new_privileges), NULL,
	 "no-new-privileges for new containers that do not say otherwise"},
	{"no-proxy", 0, "", OPT_STR, AT(no_proxy), NULL,
	 "hosts and networks without a proxy (default $NO_PROXY)"},
	{"pidfile", 'p', NULL, OPT_STR, AT(pidfile), NULL, "pid file (default /run/atoll.pid)"},
	{"registry-mirror", 0, "registry-mirrors", OPT_LIST, AT(registry_mirrors),
	 registry_mirror_check, "preferred registry mirrors"},
	{"seccomp-profile", 0, NULL, OPT_STR, AT(seccomp_profile), NULL,
	 "path of a seccomp profile, unconfined or builtin (default builtin)"},
	{"shutdown-timeout", 0, NULL, OPT_U32, AT(shutdown_timeout), NULL,
	 "seconds an end waits for running operations (default 15)"},
	{"tls", 0, NULL, OPT_TRISTATE, AT(tls), NULL, "TLS on TCP sockets; implied by --tlsverify"},
	{"tlscacert", 0, NULL, OPT_STR, AT(tlscacert), NULL,
	 "trust clients' certificates signed by this CA only"},
	{"tlscert", 0, NULL, OPT_STR, AT(tlscert), NULL, "path of the TLS certificate"},
	{"tlskey", 0, NULL, OPT_STR, AT(tlskey), NULL, "path of the TLS key"},
	{"tlsverify", 0, NULL, OPT_TRISTATE, AT(tlsverify), NULL,
	 "TLS, and clients must show a certificate"},
	{"validate", 0, "", OPT_BOOL, AT(validate), NULL,
	 "check the configuration and the files it names, and quit"},
	{"userns-remap", 0, NULL, OPT_STR, AT(userns_remap), NULL,
	 "default, or USER[:GROUP] whose subordinate ids containers have"},
	{"version", 'v', "", OPT_BOOL, AT(version), NULL, "print the version and quit"},

	{"authorization-plugin", 0, "authorization-plugins", OPT_REFUSED, 0, NULL, NULL},
	{"rootless", 0, NULL, OPT_REFUSED_BOOL, 0, NULL, NULL},
	{"selinux-enabled", 0, NULL, OPT_REFUSED_BOOL, 0, NULL, NULL},

	IGNORED("add-runtime"),
	IGNORED_BOOL("allow-direct-routing"),
	{.flag = "bridge", .letter = 'b', .kind = OPT_IGNORED},
	IGNORED("bridge-accept-fwmark"),
	IGNORED_KEY("builder", "builder"),
	IGNORED("cdi-spec-dir"),
	IGNORED("containerd"),
	IGNORED("containerd-namespace"),
	IGNORED("containerd-plugins-namespace"),
	IGNORED("cpu-rt-period"),
	IGNORED("cpu-rt-runtime"),
	IGNORED_BOOL("cri-containerd"),
	IGNORED("default-runtime"),
	IGNORED_KEY("default-ulimit", "default-ulimits"),
	IGNORED_KEY("exec-opt", "exec-opts"),
	IGNORED_BOOL("experimental"),
	IGNORED_KEY("feature", "features"),
	IGNORED("firewall-backend"),
	IGNORED_BOOL("ip-forward-no-drop"),
	IGNORED_BOOL("ip6tables"),
	IGNORED_BOOL("iptables"),
	IGNORED("network-control-plane-mtu"),
	IGNORED("network-diagnostic-port"),
	IGNORED_KEY("node-generic-resource", "node-generic-resources"),
	IGNORED("oom-score-adjust"),
	{.flag = "proxies", .kind = OPT_PROXIES},
	IGNORED_BOOL("raw-logs"),
	IGNORED_KEY("runtimes", "runtimes"),
	{.flag = "storage-driver", .letter = 's', .kind = OPT_IGNORED},
	IGNORED_KEY("storage-opt", "storage-opts"),
	IGNORED("swarm-default-advertise-addr"),
	IGNORED_BOOL("userland-proxy"),
	IGNORED("userland-proxy-path"),
};
const size_t n_options = ARRAY_SIZE(options);
_Static_assert(ARRAY_SIZE(options) <= OPTIONS_MAX, "struct given holds every option");

/* ---- setting one ---- */

static int set_pool(struct daemon_config *c, const char *value, struct err *e)
{
	auto_strv char **part = NULL;
	struct net_pool pool = {0}, *more;
	bool based = false;

	if (strv_split(value, ",", &part) < 0)
		return err_nomem(e);
	for (size_t i = 0; part && part[i]; i++) {
		uint16_t size;

		if (str_has_prefix(part[i], "base=")) {
			if (cidr_parse(part[i] + 5, &pool.base) < 0)
				return err_invalid(
					e, "invalid base pool \"%s\": invalid CIDR address: %s",
					part[i] + 5, part[i] + 5);
			based = true;
		} else if (str_has_prefix(part[i], "size=")) {
			if (parse_u16(part[i] + 5, &size) < 0 || size > 128)
				return err_invalid(e,
						   "invalid size value: \"%s\" (must be integer)",
						   part[i] + 5);
			pool.size = (uint8_t)size;
		} else if (!strchr(part[i], '=')) {
			return err_invalid(e, "invalid field '%s' must be a key=value pair",
					   part[i]);
		} else {
			return err_invalid(e, "unexpected key '%.*s' in '%s'",
					   (int)strcspn(part[i], "="), part[i], part[i]);
		}
	}
	if (!based || pool.size < pool.base.len || pool.size > ip_width(pool.base.ip) - 2)
		return err_invalid(e,
				   "%s: a pool needs base=CIDR and size=BITS, and size is a prefix "
				   "length from the base's to %d",
				   value, pool.base.ip.family == 6 ? 126 : 30);
	more = reallocarray(c->pools, c->n_pools + 1, sizeof(*more));
	if (!more)
		return err_nomem(e);
	c->pools = more;
	c->pools[c->n_pools++] = pool;
	return strv_add(&c->pools_text, value) < 0 ? err_nomem(e) : 0;
}

/* "bridge=com.docker.network.driver.mtu=1450" */
static int set_network_opt(struct daemon_config *c, const char *value, struct err *e)
{
	const char *eq = strchr(value, '='), *eq2 = eq ? strchr(eq + 1, '=') : NULL;
	auto_free char *driver = eq2 ? strndup(value, (size_t)(eq - value)) : NULL;
	auto_free char *key = eq2 ? strndup(eq + 1, (size_t)(eq2 - eq - 1)) : NULL;
	json_t *opts;

	if (!eq2 || eq == value || eq2 == eq + 1)
		return err_invalid(e, "invalid field '%s' must be a driver=key=value", value);
	if (!c->network_opts)
		c->network_opts = json_object();
	opts = driver ? json_object_get(c->network_opts, driver) : NULL;
	if (!opts && driver) {
		opts = json_object();
		if (json_object_set_new(c->network_opts, driver, opts) < 0)
			opts = NULL;
	}
	return !opts || !key || json_object_set_new(opts, key, json_string(eq2 + 1)) < 0
		       ? err_nomem(e)
		       : 0;
}

/* "max-size=10m" */
static int set_log_opt(struct daemon_config *c, const char *value, struct err *e)
{
	const char *eq = strchr(value, '=');
	auto_free char *key = eq ? strndup(value, (size_t)(eq - value)) : NULL;

	if (!eq || eq == value)
		return err_invalid(e, "bad format for log-opt: %s", value);
	if (!c->log_opts)
		c->log_opts = json_object();
	return !key || json_object_set_new(c->log_opts, key, json_string(eq + 1)) < 0 ? err_nomem(e)
										      : 0;
}

static int set_bool(const char *value, bool *ret, struct err *e)
{
	return parse_bool(value, ret) < 0 ? err_invalid(e,
							"strconv.ParseBool: parsing \"%s\": "
							"invalid syntax",
							value)
					  : 0;
}

static int set_u32(const char *value, uint32_t *ret, struct err *e)
{
	int r = parse_u32(value, ret);

	return r < 0 ? err_invalid(e, "strconv.ParseUint: parsing \"%s\": %s", value,
				   r == -ERANGE ? "value out of range" : "invalid syntax")
		     : 0;
}

static int set_format(struct daemon_config *c, const char *value, struct err *e)
{
	if (!streq(value, "text") && !streq(value, "json"))
		return err_invalid(e, "invalid log format: %s", value);
	c->log_json = streq(value, "json");
	return 0;
}

static int set_odd(struct daemon_config *c, const struct option *o, const char *value,
		   struct err *e)
{
	bool on = true;

	if (option_is_bool(o) && set_bool(value, &on, e) < 0)
		return -EINVAL;
	if (o->kind == OPT_REFUSED || (o->kind == OPT_REFUSED_BOOL && on))
		return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
			       "this version of the engine does not have it");
	if (o->kind == OPT_REFUSED_BOOL || (o->kind == OPT_ALWAYS && on))
		return 0;
	return strv_add_unique(&c->ignored, option_key(o)) < 0 ? err_nomem(e) : 0;
}

static int set_tristate(const char *value, enum tristate *ret, struct err *e)
{
	bool on = false;
	int r = set_bool(value, &on, e);

	if (r >= 0)
		*ret = on ? ON : OFF;
	return r;
}

int option_set(struct daemon_config *c, const struct option *o, const char *value, struct err *e)
{
	void *at = (char *)c + o->offset;
	int r = o->check ? o->check(value, e) : 0;

	if (r < 0)
		return r;
	switch (o->kind) {
	case OPT_BOOL:
		return set_bool(value, at, e);
	case OPT_TRISTATE:
		return set_tristate(value, at, e);
	case OPT_STR:
		return str_set(at, value) < 0 ? err_nomem(e) : 0;
	case OPT_LIST:
		return strv_add(at, value) < 0 ? err_nomem(e) : 0;
	case OPT_U32:
		return set_u32(value, at, e);
	case OPT_LEVEL:
		return log_parse_level(value, &c->log_level) < 0
			       ? err_invalid(e, "invalid logging level: %s", value)
			       : 0;
	case OPT_FORMAT:
		return set_format(c, value, e);
	case OPT_POOL:
		return set_pool(c, value, e);
	case OPT_NETOPT:
		return set_network_opt(c, value, e);
	case OPT_PROXIES: /* a key of daemon.json alone */
		return err_invalid(e, "it is no flag");
	case OPT_LOGOPT:
		return set_log_opt(c, value, e);
	case OPT_ALWAYS:
	case OPT_IGNORED:
	case OPT_IGNORED_BOOL:
	case OPT_REFUSED:
	case OPT_REFUSED_BOOL:
		break;
	}
	return set_odd(c, o, value, e);
}

/* ---- --help ---- */

static const char *type_word(const struct option *o)
{
	switch (o->kind) {
	case OPT_BOOL:
	case OPT_TRISTATE:
	case OPT_ALWAYS:
		return "";
	case OPT_LIST:
		return " list";
	case OPT_U32:
		return " uint";
	case OPT_POOL:
		return " pool-options";
	case OPT_NETOPT:
	case OPT_LOGOPT:
		return " map";
	default:
		return " string";
	}
}

static void print_ignored(void)
{
	int column = 0;

	printf("\nAccepted for dockerd's sake, without effect:\n");
	for (size_t i = 0; i < n_options; i++) {
		if (options[i].help || options[i].kind == OPT_REFUSED ||
		    options[i].kind == OPT_REFUSED_BOOL)
			continue;
		if (column + strlen(options[i].flag) + 4 > 78) {
			printf("\n");
			column = 0;
		}
		column += printf("%s--%s", column ? " " : "  ", options[i].flag);
	}
	printf("\n");
}

void daemon_config_help(void)
{
	printf("Usage:  atolld [OPTIONS]\n\n"
	       "A container engine whose heart is virtual networking.\n\n"
	       "Options:\n");
	for (size_t i = 0; i < n_options; i++) {
		const struct option *o = &options[i];
		char name[64], letter[8] = "    ";

		if (!o->help)
			continue;
		if (o->letter)
			(void)snprintf(letter, sizeof(letter), "-%c, ", o->letter);
		(void)snprintf(name, sizeof(name), "%s--%s%s", letter, o->flag, type_word(o));
		printf("  %-44s %s\n", name, o->help);
	}
	print_ignored();
}

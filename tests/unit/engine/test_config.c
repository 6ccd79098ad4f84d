/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_config.c - flags and daemon.json: dockerd's words, values and refusals */

#include <stdlib.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/str.h"
#include "engine/config.h"
#include "tap.h"

static char file[64];

/* Reads a command line given as one text (words by spaces), with @json as the config file. */
static int read_config(struct daemon_config *c, const char *line, const char *json, struct err *e)
{
	auto_strv char **argv = NULL;
	auto_strv char **words = NULL;

	*e = (struct err){0};
	if (strv_add(&argv, "atolld") < 0 || strv_split(line, " ", &words) < 0)
		return -ENOMEM;
	for (size_t i = 0; words && words[i]; i++)
		if (*words[i] && strv_add(&argv, words[i]) < 0)
			return -ENOMEM;
	if (json && (fs_write(file, json, strlen(json), 0600) < 0 ||
		     strv_add(&argv, "--config-file") < 0 || strv_add(&argv, file) < 0))
		return -ENOMEM;
	return daemon_config_read(c, (int)strv_len(argv), argv, e);
}

static const struct {
	const char *line, *json, *text; /* %s: the file's path */
} refusals[] = {
	{"--nonsense", NULL, "unknown flag: --nonsense"},
	{"--nonsense=1", NULL, "unknown flag: --nonsense"},
	{"-X", NULL, "unknown shorthand flag: 'X' in -X"},
	{"--mtu", NULL, "flag needs an argument: --mtu"},
	{"-H", NULL, "flag needs an argument: 'H' in -H"},
	{"--mtu abc", NULL,
	 "invalid argument \"abc\" for \"--mtu\" flag: invalid default MTU: abc"},
	{"--mtu -1", NULL, "invalid argument \"-1\" for \"--mtu\" flag: invalid default MTU: -1"},
	{"--shutdown-timeout x", NULL,
	 "invalid argument \"x\" for \"--shutdown-timeout\" flag: strconv.ParseUint: "
	 "parsing \"x\": invalid syntax"},
	{"--icc=perhaps", NULL,
	 "invalid argument \"perhaps\" for \"--icc\" flag: strconv.ParseBool: parsing "
	 "\"perhaps\": invalid syntax"},
	{"-l loud", NULL,
	 "invalid argument \"loud\" for \"-l, --log-level\" flag: invalid logging level: "
	 "loud"},
	{"--log-format xml", NULL,
	 "invalid argument \"xml\" for \"--log-format\" flag: invalid log format: xml"},
	{"--ip 1.2.3", NULL,
	 "invalid argument \"1.2.3\" for \"--ip\" flag: 1.2.3 is not an ip address"},
	{"--bip 10.0.0.0/24", NULL,
	 "invalid argument \"10.0.0.0/24\" for \"--bip\" flag: 10.0.0.0/24 is no bridge "
	 "address: it takes an address of a host in a subnet of at most /30"},
	{"--bip 10.0.0.1", NULL,
	 "invalid argument \"10.0.0.1\" for \"--bip\" flag: invalid CIDR address: "
	 "10.0.0.1"},
	{"--bip fd00::1/64", NULL,
	 "invalid argument \"fd00::1/64\" for \"--bip\" flag: invalid CIDR address: "
	 "fd00::1/64"},
	{"--bip6 10.0.0.1/24", NULL,
	 "invalid argument \"10.0.0.1/24\" for \"--bip6\" flag: invalid CIDR address: "
	 "10.0.0.1/24"},
	{"--bip6 fd00::/64", NULL,
	 "invalid argument \"fd00::/64\" for \"--bip6\" flag: fd00::/64 is no bridge address: "
	 "it takes an address of a host in a subnet of at most /126"},
	{"--fixed-cidr fd00::/64", NULL,
	 "invalid argument \"fd00::/64\" for \"--fixed-cidr\" flag: invalid CIDR address: "
	 "fd00::/64"},
	{"--fixed-cidr-v6 10.0.0.0/24", NULL,
	 "invalid argument \"10.0.0.0/24\" for \"--fixed-cidr-v6\" flag: invalid CIDR address: "
	 "10.0.0.0/24"},
	{"--default-gateway 10.0.0", NULL,
	 "invalid argument \"10.0.0\" for \"--default-gateway\" flag: 10.0.0 is not an ip "
	 "address"},
	{"--default-gateway-v6 fd00::x", NULL,
	 "invalid argument \"fd00::x\" for \"--default-gateway-v6\" flag: fd00::x is not an ip "
	 "address"},
	{"--host-gateway-ip here", NULL,
	 "invalid argument \"here\" for \"--host-gateway-ip\" flag: here is not an ip address"},
	{"--ipv6=maybe", NULL,
	 "invalid argument \"maybe\" for \"--ipv6\" flag: strconv.ParseBool: parsing \"maybe\": "
	 "invalid syntax"},
	{"--default-network-opt bridge=mtu", NULL,
	 "invalid argument \"bridge=mtu\" for \"--default-network-opt\" flag: invalid field "
	 "'bridge=mtu' must be a driver=key=value"},
	{"--default-network-opt =a=b", NULL,
	 "invalid argument \"=a=b\" for \"--default-network-opt\" flag: invalid field '=a=b' "
	 "must be a driver=key=value"},
	{"--default-network-opt bridge==b", NULL,
	 "invalid argument \"bridge==b\" for \"--default-network-opt\" flag: invalid field "
	 "'bridge==b' must be a driver=key=value"},
	{"--default-address-pool base=fd00::/48,size=127", NULL,
	 "invalid argument \"base=fd00::/48,size=127\" for \"--default-address-pool\" flag: "
	 "base=fd00::/48,size=127: a pool needs base=CIDR and size=BITS, and size is a prefix "
	 "length from the base's to 126"},
	{"", "{\"default-network-opts\": {\"bridge\": {\"a\": 1}}}",
	 "unable to configure the Docker daemon with file %s: json: cannot unmarshal number into "
	 "Go struct field default-network-opts.bridge of type string"},
	{"", "{\"host-gateway-ips\": [\"nowhere\"]}",
	 "unable to configure the Docker daemon with file %s: nowhere is not an ip address"},
	{"--dns 8.8.8", NULL,
	 "invalid argument \"8.8.8\" for \"--dns\" flag: IP address is not correctly "
	 "formatted: 8.8.8"},
	{"--label =x", NULL,
	 "invalid argument \"=x\" for \"--label\" flag: bad attribute format: =x"},
	{"--label alone", NULL,
	 "invalid argument \"alone\" for \"--label\" flag: bad attribute format: alone"},
	{"-H ftp://x", NULL,
	 "invalid argument \"ftp://x\" for \"-H, --host\" flag: invalid bind address "
	 "format: ftp://x"},
	{"--default-address-pool base=10.0.0.0/8", NULL,
	 "invalid argument \"base=10.0.0.0/8\" for \"--default-address-pool\" flag: "
	 "base=10.0.0.0/8: a pool needs base=CIDR and size=BITS, and size is a prefix "
	 "length from the base's to 30"},
	{"--default-address-pool base=10.0.0.0/8,size=xx", NULL,
	 "invalid argument \"base=10.0.0.0/8,size=xx\" for \"--default-address-pool\" "
	 "flag: invalid size value: \"xx\" (must be integer)"},
	{"--default-address-pool base=nope,size=24", NULL,
	 "invalid argument \"base=nope,size=24\" for \"--default-address-pool\" flag: "
	 "invalid base pool \"nope\": invalid CIDR address: nope"},
	{"--default-address-pool colour=red", NULL,
	 "invalid argument \"colour=red\" for \"--default-address-pool\" flag: unexpected "
	 "key 'colour' in 'colour=red'"},
	{"--default-address-pool base=10.0.0.0/24,size=16", NULL,
	 "invalid argument \"base=10.0.0.0/24,size=16\" for \"--default-address-pool\" "
	 "flag: base=10.0.0.0/24,size=16: a pool needs base=CIDR and size=BITS, and size "
	 "is a prefix length from the base's to 30"},
	{"--firewall maybe", NULL,
	 "invalid argument \"maybe\" for \"--firewall\" flag: must be open, respect or "
	 "none"},
	{"--tlsverify --tlscert /c --tlskey /k", NULL,
	 "TLS needs a certificate and its key (--tlscert, --tlskey), and --tlsverify the CA of the "
	 "clients' (--tlscacert)"},
	{"--tls --tlscert /c", NULL, "TLS needs a certificate and its key (--tlscert, --tlskey)"},
	{"--tlsverify=maybe", NULL,
	 "invalid argument \"maybe\" for \"--tlsverify\" flag: strconv.ParseBool: parsing "
	 "\"maybe\": invalid syntax"},
	{"--userns-remap=no-such-user-here", NULL,
	 "userns-remap: user no-such-user-here: no such user"},
	{"--userns-remap=:x", NULL, "userns-remap: invalid value: \":x\""},
	{"--userns-remap=root:", NULL, "userns-remap: invalid value: \"root:\""},
	{"stray", NULL, "\"atolld\" accepts no arguments: stray"},
	{"--data-root=", NULL, "data-root must not be empty"},
	{"--config-file /nonexistent/daemon.json", NULL,
	 "unable to configure the Docker daemon with file /nonexistent/daemon.json: open "
	 "/nonexistent/daemon.json: no such file or directory"},
	{"--mtu 1400", "{\"mtu\": 1500}",
	 "unable to configure the Docker daemon with file %s: the following directives are "
	 "specified both as a flag and in the configuration file: mtu: (from flag: 1400, "
	 "from file: 1500)"},
	{"-H unix:///a -H unix:///b --debug", "{\"hosts\": [\"unix:///c\"], \"debug\": false}",
	 "unable to configure the Docker daemon with file %s: the following directives are "
	 "specified both as a flag and in the configuration file: hosts: (from flag: "
	 "[unix:///a unix:///b], from file: [unix:///c]), debug: (from flag: true, from "
	 "file: false)"},
	{"", "{\"x\": 1, \"mtu\": 1500, \"y\": {}}",
	 "unable to configure the Docker daemon with file %s: the following directives "
	 "don't match any configuration option: x, y"},
	{"", "{\"mtu\": \"big\"}",
	 "unable to configure the Docker daemon with file %s: json: cannot unmarshal "
	 "string "
	 "into Go struct field Config.mtu of type int64"},
	{"", "{\"icc\": \"no\"}",
	 "unable to configure the Docker daemon with file %s: json: cannot unmarshal "
	 "string "
	 "into Go struct field Config.icc of type bool"},
	{"", "{\"bip\": \"10.0.0.0/24\"}",
	 "unable to configure the Docker daemon with file %s: 10.0.0.0/24 is no bridge "
	 "address: it takes an address of a host in a subnet of at most /30"},
	{"--tlsverify", "{\"tlsverify\": true}",
	 "unable to configure the Docker daemon with file %s: the following directives are "
	 "specified both as a flag and in the configuration file: tlsverify: (from flag: true, "
	 "from file: true)"},
	{"", "[]", "unable to configure the Docker daemon with file %s: it must be a JSON object"},
	{"", "{\"config-file\": \"/x\"}",
	 "unable to configure the Docker daemon with file %s: the following directives "
	 "don't match any configuration option: config-file"},
};

static void refused(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct daemon_config c;
		struct err e;
		int r = read_config(&c, refusals[i].line, refusals[i].json, &e);
		const char *at = strstr(refusals[i].text, "%s");
		auto_free char *want = at ? str_printf("%.*s%s%s", (int)(at - refusals[i].text),
						       refusals[i].text, file, at + 2)
					  : strdup(refusals[i].text);

		ok(r < 0, "refused: %s %s", refusals[i].line,
		   refusals[i].json ? refusals[i].json : "");
		is_str(e.msg, want, "and told why");
		if (r >= 0)
			daemon_config_done(&c);
	}
}

static void defaults(void)
{
	struct daemon_config c;
	struct err e;

	is_int(read_config(&c, "", "{}", &e), 0, "an empty file");
	is_str(c.data_root, "/var/lib/atoll", "data root");
	is_str(c.exec_root, "/run/atoll", "exec root");
	is_str(c.pidfile, "/run/atoll.pid", "pid file");
	ok(!c.hosts && !c.labels && !c.pools && !c.ignored, "lists are empty");
	ok(c.icc && c.ip_forward && c.ip_masq && !c.init && !c.debug, "switches");
	ok(!c.ipv6 && !c.bip && !c.bip6 && !c.network_opts && !c.host_gateway_ips,
	   "nothing of the default bridge is chosen");
	is_int(c.mtu, 0, "mtu: the uplink's");
	is_int(c.log_level, LOG_INFO, "log level");
	daemon_config_done(&c);
	is_int(read_config(&c, "", " \n", &e), 0, "a file of white space");
	daemon_config_done(&c);
}

static void flags(void)
{
	struct daemon_config c;
	struct err e;

	is_int(read_config(
		       &c,
		       "-H unix:///a -Hunix:///b -H=fd:// -D --icc=false --ip-masq=0 --mtu=1400 "
		       "--default-address-pool base=10.0.0.0/8,size=24 --default-address-pool "
		       "size=20,base=172.20.0.0/16 --label a=b --dns 9.9.9.9 --dns fd00::1 "
		       "--containerd /x --userland-proxy=false --iptables --live-restore "
		       "-s overlay2 --exec-opt native.cgroupdriver=systemd --exec-opt a=b "
		       "--data-root rel --tls=false",
		       "{}", &e),
	       0, "a long command line");
	is_int(strv_len(c.hosts), 3, "three hosts");
	is_str(c.hosts[1], "unix:///b", "glued to its letter");
	is_str(c.hosts[2], "fd://", "with an equals sign");
	ok(c.debug && c.log_level == LOG_DEBUG, "debug");
	ok(!c.icc && !c.ip_masq && c.ip_forward, "switched off");
	is_int(c.mtu, 1400, "mtu");
	is_int(c.n_pools, 2, "pools");
	is_int(c.pools[1].size, 20, "the second pool's size");
	is_int(c.pools[1].base.len, 16, "and base");
	is_int(strv_len(c.dns), 2, "servers, IPv6 too");
	is_int(strv_len(c.ignored), 5, "what means nothing here is told, each once");
	ok(strv_has(c.ignored, "containerd") && strv_has(c.ignored, "exec-opts") &&
		   !strv_has(c.ignored, "live-restore"),
	   "by the name of its directive");
	ok(c.data_root[0] == '/' && str_has_suffix(c.data_root, "/rel"), "paths are absolute");
	daemon_config_done(&c);

	is_int(read_config(&c, "-DHunix:///a --live-restore=false", "{}", &e), 0, "letters joined");
	ok(c.debug && strv_len(c.hosts) == 1, "both hold");
	ok(strv_has(c.ignored, "live-restore"), "live-restore cannot be switched off: told");
	daemon_config_done(&c);
	is_int(read_config(&c, "--mtu 1400 --mtu 1300", "{}", &e), 0, "given twice");
	is_int(c.mtu, 1300, "the last one counts");
	daemon_config_done(&c);
	is_int(read_config(&c, "--version", NULL, &e), 1, "version");
	ok(c.version && !c.help, "asked for");
	daemon_config_done(&c);
	is_int(read_config(&c, "-h --config-file /nonexistent", NULL, &e), 1, "help reads no file");
	daemon_config_done(&c);
}

static void the_file(void)
{
	struct daemon_config c;
	struct err e;

	is_int(read_config(
		       &c, "--icc=false",
		       "{\"hosts\": [\"unix:///h\"], \"debug\": true, \"labels\": [\"a=b\", "
		       "\"c=d\"], \"default-address-pools\": [{\"base\": \"10.1.0.0/16\", "
		       "\"size\": 26}], \"dns-opts\": [\"ndots:1\"], \"mtu\": 9000, "
		       "\"insecure-registries\": [\"r:5000\"], \"log-driver\": \"json-file\", "
		       "\"log-opts\": {\"max-size\": \"1m\"}, \"features\": {\"buildkit\": true}, "
		       "\"runtimes\": {}, \"bip\": null, \"userland-proxy\": false}",
		       &e),
	       0, "a full file (%s)", e.msg);
	ok(c.debug && c.log_level == LOG_DEBUG && !c.icc, "file and flag together");
	is_str(c.hosts[0], "unix:///h", "hosts");
	is_int(strv_len(c.labels), 2, "labels");
	is_int(c.pools[0].size, 26, "pools are objects");
	is_int(c.mtu, 9000, "a number");
	ok(!c.bip, "null: not given");
	is_int(strv_len(c.ignored), 3, "without meaning here, whatever their type");
	is_str(c.log_driver, "json-file", "the log driver");
	is_str(json_string_value(json_object_get(c.log_opts, "max-size")), "1m", "its options");
	daemon_config_done(&c);
}

static const char *network_opt(const struct daemon_config *c, const char *driver, const char *key)
{
	return json_string_value(json_object_get(json_object_get(c->network_opts, driver), key));
}

/* What the default bridge and new networks are told, by flags and by the file alike. */
static void networks(void)
{
	static const struct {
		const char *line, *json;
	} rows[] = {
		{"--ipv6 --bip 10.1.0.1/24 --bip6 fd01::1/64 --fixed-cidr 10.1.0.128/25 "
		 "--fixed-cidr-v6 fd01::100:0/112 --default-gateway 10.1.0.254 "
		 "--default-gateway-v6 fd01::fe --host-gateway-ip 192.0.2.1 --host-gateway-ip "
		 "2001:db8::1 --default-network-opt bridge=com.docker.network.driver.mtu=1400 "
		 "--default-network-opt bridge=a=b=c --default-network-opt macvlan=a=d "
		 "--default-address-pool base=fd02::/48,size=64",
		 "{}"},
		{"", "{\"ipv6\": true, \"bip\": \"10.1.0.1/24\", \"bip6\": \"fd01::1/64\", "
		     "\"fixed-cidr\": \"10.1.0.128/25\", \"fixed-cidr-v6\": "
		     "\"fd01::100:0/112\", \"default-gateway\": \"10.1.0.254\", "
		     "\"default-gateway-v6\": \"fd01::fe\", \"host-gateway-ips\": "
		     "[\"192.0.2.1\", \"2001:db8::1\"], \"default-network-opts\": {\"bridge\": "
		     "{\"com.docker.network.driver.mtu\": \"1400\", \"a\": \"b=c\"}, "
		     "\"macvlan\": {\"a\": \"d\"}}, \"default-address-pools\": [{\"base\": "
		     "\"fd02::/48\", \"size\": 64}]}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct daemon_config c;
		struct err e;

		is_int(read_config(&c, rows[i].line, rows[i].json, &e), 0, "%s %s",
		       i ? "the file" : "flags", e.msg);
		ok(c.ipv6, "IPv6");
		is_str(c.bip, "10.1.0.1/24", "bip");
		is_str(c.bip6, "fd01::1/64", "bip6");
		is_str(c.fixed_cidr, "10.1.0.128/25", "fixed-cidr");
		is_str(c.fixed_cidr_v6, "fd01::100:0/112", "fixed-cidr-v6");
		is_str(c.default_gateway, "10.1.0.254", "default-gateway");
		is_str(c.default_gateway_v6, "fd01::fe", "default-gateway-v6");
		ok(strv_len(c.host_gateway_ips) == 2 && streq(c.host_gateway_ips[1], "2001:db8::1"),
		   "host gateways");
		is_str(network_opt(&c, "bridge", "com.docker.network.driver.mtu"), "1400",
		       "an option of bridges");
		is_str(network_opt(&c, "bridge", "a"), "b=c", "its value may have a '='");
		is_str(network_opt(&c, "macvlan", "a"), "d", "of another driver");
		ok(c.n_pools == 1 && c.pools[0].base.ip.family == 6 && c.pools[0].size == 64,
		   "a pool of IPv6");
		is_int(strv_len(c.ignored), 0, "none of it is idle");
		daemon_config_done(&c);
	}
}

int main(void)
{
	(void)snprintf(file, sizeof(file), "/tmp/atoll-test-config-%d.json", getpid());
	defaults();
	flags();
	the_file();
	networks();
	refused();
	(void)fs_unlink(file);
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_create.c - the options of run and create as the body of POST /containers/create */

#include <limits.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/create.h"
#include "tap.h"

static const struct opt_table tables[OPT_TABLES] = {{create_options, CREATE_OPTIONS},
						    {create_life_options, CREATE_LIFE_OPTIONS}};

/* Return: the body, or NULL with @e */
static json_t *body_of(const char *const *argv, unsigned version, struct err *e)
{
	auto_(args_free) struct args *a = NULL;
	auto_buf struct buf out = BUF_INIT(1u << 20);
	json_t *j = NULL;
	int r = args_parse(tables, true, (char *const *)(uintptr_t)argv, &a, e);

	if (r >= 0) {
		struct attached at = create_attached(a, false);

		r = create_body(&out, a, &at, version, e);
	}
	if (r >= 0 && json_read(buf_str(&out), out.len, &j, e) < 0)
		ok(false, "the body is no JSON: %s", e->msg);
	return r >= 0 ? j : NULL;
}

/* @path: "HostConfig.Binds"; @want: JSON of what stands there */
static void has(const json_t *body, const char *path, const char *want)
{
	auto_strv char **parts = NULL;
	auto_json json_t *expected = json_loads(want, JSON_DECODE_ANY, NULL);
	const json_t *v = body;

	if (strv_split(path, ".", &parts) < 0 || !expected)
		abort();
	for (size_t i = 0; parts[i]; i++)
		v = json_object_get(v, parts[i]);
	if (!ok(v && json_equal(v, expected), "%s is %s", path, want)) {
		auto_free char *got = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

		printf("# got %s\n", got ? got : "nothing");
	}
}

static const struct {
	const char *argv[8]; /* options; IMAGE follows */
	const char *path, *want;
} cases[] = {
	{{"-i"}, "StdinOnce", "true"},
	{{"--health-cmd", "a b", "--health-interval", "1m30s", "--health-retries", "4"},
	 "Healthcheck",
	 "{\"Test\":[\"CMD-SHELL\",\"a b\"],\"Interval\":90000000000,\"Retries\":4}"},
	{{"--health-timeout", "500ms"}, "Healthcheck", "{\"Timeout\":500000000}"},
	{{"--no-healthcheck"}, "Healthcheck", "{\"Test\":[\"NONE\"]}"},
	{{"--blkio-weight", "20"}, "HostConfig.BlkioWeight", "20"},
	{{"--blkio-weight-device", "/dev/sda:30"},
	 "HostConfig.BlkioWeightDevice",
	 "[{\"Path\":\"/dev/sda\",\"Weight\":30}]"},
	{{"--device-read-bps", "/dev/sda:1mb"},
	 "HostConfig.BlkioDeviceReadBps",
	 "[{\"Path\":\"/dev/sda\",\"Rate\":1048576}]"},
	{{"--device-write-iops", "/dev/sda:7"},
	 "HostConfig.BlkioDeviceWriteIOps",
	 "[{\"Path\":\"/dev/sda\",\"Rate\":7}]"},
	{{"--device-cgroup-rule", "c 1:* r"}, "HostConfig.DeviceCgroupRules", "[\"c 1:* r\"]"},
	{{"--memory-swappiness", "0"}, "HostConfig.MemorySwappiness", "0"},
	{{"-a", "stdout"}, "AttachStderr", "false"},
	{{"-t"}, "Tty", "true"},
	{{"-e", "A=1", "-e", "B="}, "Env", "[\"A=1\",\"B=\"]"},
	{{"-l", "a=b", "-l", "c", "-l", "a=z"}, "Labels", "{\"c\":\"\",\"a\":\"z\"}"},
	{{"--entrypoint", ""}, "Entrypoint", "[\"\"]"},
	{{"-v", "/a:/b:ro", "-v", "vol:/c", "-v", "/anon"},
	 "HostConfig.Binds",
	 "[\"/a:/b:ro\",\"vol:/c\"]"},
	{{"-v", "/anon"}, "Volumes", "{\"/anon\":{}}"},
	{{"--mount", "type=bind,src=/a,dst=/b,readonly,bind-propagation=rslave"},
	 "HostConfig.Mounts",
	 "[{\"Type\":\"bind\",\"Source\":\"/a\",\"Target\":\"/b\",\"ReadOnly\":true,"
	 "\"BindOptions\":{\"Propagation\":\"rslave\"}}]"},
	{{"--mount", "src=v,target=/v,volume-nocopy,volume-label=a=b,volume-opt=o=x"},
	 "HostConfig.Mounts",
	 "[{\"Type\":\"volume\",\"Source\":\"v\",\"Target\":\"/"
	 "v\",\"VolumeOptions\":{\"NoCopy\":true,"
	 "\"Labels\":{\"a\":\"b\"},\"DriverConfig\":{\"Name\":\"\",\"Options\":{\"o\":\"x\"}}}}]"},
	{{"--mount", "type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770"},
	 "HostConfig.Mounts",
	 "[{\"Type\":\"tmpfs\",\"Target\":\"/"
	 "t\",\"TmpfsOptions\":{\"SizeBytes\":1048576,\"Mode\":1016}}"
	 "]"},
	{{"--tmpfs", "/t:size=1m", "--tmpfs", "/u"},
	 "HostConfig.Tmpfs",
	 "{\"/t\":\"size=1m\",\"/u\":\"\"}"},
	{{"--net", "foo"}, "HostConfig.NetworkMode", "\"foo\""},
	{{"--rm"}, "HostConfig.NetworkMode", "\"default\""},
	{{"--network", "host"}, "NetworkingConfig.EndpointsConfig", "{}"},
	{{"--network", "foo", "--network-alias", "a", "--ip", "10.0.0.2", "--mac-address",
	  "02:42:0:0:0:1"},
	 "NetworkingConfig.EndpointsConfig",
	 "{\"foo\":{\"IPAMConfig\":{\"IPv4Address\":\"10.0.0.2\"},\"Aliases\":[\"a\"],"
	 "\"MacAddress\":\"02:42:0:0:0:1\"}}"},
	{{"--network", "name=foo,alias=x,alias=y,ip=1.2.3.4,gw-priority=5", "--network", "bar"},
	 "NetworkingConfig.EndpointsConfig",
	 "{\"foo\":{\"IPAMConfig\":{\"IPv4Address\":\"1.2.3.4\"},\"Aliases\":[\"x\",\"y\"],"
	 "\"GwPriority\":5},\"bar\":{}}"},
	{{"--network", "foo", "--ip6", "fd00::2", "--link-local-ip", "fe80::2", "--link", "db:x"},
	 "NetworkingConfig.EndpointsConfig",
	 "{\"foo\":{\"IPAMConfig\":{\"IPv6Address\":\"fd00::2\",\"LinkLocalIPs\":[\"fe80::2\"]},"
	 "\"Links\":[\"db:x\"]}}"},
	{{"--network", "foo", "--link", "db:x"}, "HostConfig.NetworkMode", "\"foo\""},
	{{"--link", "db:x", "--link", "y"}, "HostConfig.Links", "[\"db:x\",\"y\"]"},
	{{"--network", "NAME=foo,ip6=fd00::3,link-local-ip=169.254.1.1,mac-address=02:42:0:0:0:3",
	  "--network", "name=bar,\"driver-opt=a=b,c\",driver-opt=d=e,gw-priority=-3"},
	 "NetworkingConfig.EndpointsConfig",
	 "{\"foo\":{\"IPAMConfig\":{\"IPv6Address\":\"fd00::3\",\"LinkLocalIPs\":[\"169.254.1.1\"]}"
	 ","
	 "\"MacAddress\":\"02:42:0:0:0:3\"},\"bar\":{\"DriverOpts\":{\"a\":\"b,c\",\"d\":\"e\"},"
	 "\"GwPriority\":-3}}"},
	{{"--dns", "fd00::53", "--dns", "9.9.9.9"}, "HostConfig.Dns", "[\"fd00::53\",\"9.9.9.9\"]"},
	{{"--domainname", "example.org"}, "Domainname", "\"example.org\""},
	{{"-p", "[::1]:8080:80"},
	 "HostConfig.PortBindings",
	 "{\"80/tcp\":[{\"HostIp\":\"::1\",\"HostPort\":\"8080\"}]}"},
	{{"-p", "80", "-p", "127.0.0.1:81:81/udp"},
	 "HostConfig.PortBindings",
	 "{\"80/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"\"}],\"81/udp\":[{\"HostIp\":\"127.0.0.1\","
	 "\"HostPort\":\"81\"}]}"},
	{{"-p", "9000-9001:90-91", "-p", "9:90"},
	 "HostConfig.PortBindings",
	 "{\"90/"
	 "tcp\":[{\"HostIp\":\"\",\"HostPort\":\"9000\"},{\"HostIp\":\"\",\"HostPort\":\"9\"}],"
	 "\"91/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"9001\"}]}"},
	{{"-p", "7000-7005:70"},
	 "HostConfig.PortBindings",
	 "{\"70/tcp\":[{\"HostIp\":\"\",\"HostPort\":\"7000-7005\"}]}"},
	{{"-p", "80", "--expose", "80", "--expose", "5-6/udp"},
	 "ExposedPorts",
	 "{\"80/tcp\":{},\"5/udp\":{},\"6/udp\":{}}"},
	{{"--restart", "on-failure:3"},
	 "HostConfig.RestartPolicy",
	 "{\"Name\":\"on-failure\",\"MaximumRetryCount\":3}"},
	{{"--cpus", "1.5"}, "HostConfig.NanoCpus", "1500000000"},
	{{"--cpus", ".25"}, "HostConfig.NanoCpus", "250000000"},
	{{"-m", "64m", "--memory-swap", "-1"}, "HostConfig.MemorySwap", "-1"},
	{{"--cap-add", "net_admin", "--cap-add", "all"},
	 "HostConfig.CapAdd",
	 "[\"CAP_NET_ADMIN\",\"ALL\"]"},
	{{"--add-host", "a=1.2.3.4", "--add-host", "b:host-gateway"},
	 "HostConfig.ExtraHosts",
	 "[\"a:1.2.3.4\",\"b:host-gateway\"]"},
	{{"--ulimit", "nofile=10:20", "--ulimit", "core=-1"},
	 "HostConfig.Ulimits",
	 "[{\"Name\":\"nofile\",\"Hard\":20,\"Soft\":10},{\"Name\":\"core\",\"Hard\":-1,\"Soft\":-"
	 "1}]"},
	{{"--device", "/dev/x:r", "--device", "/dev/a:/dev/b:rw"},
	 "HostConfig.Devices",
	 "[{\"PathOnHost\":\"/dev/x\",\"PathInContainer\":\"/dev/x\",\"CgroupPermissions\":\"r\"},"
	 "{\"PathOnHost\":\"/dev/a\",\"PathInContainer\":\"/dev/"
	 "b\",\"CgroupPermissions\":\"rw\"}]"},
	{{"--sysctl", "a.b=1"}, "HostConfig.Sysctls", "{\"a.b\":\"1\"}"},
	{{"--log-driver", "none"}, "HostConfig.LogConfig", "{\"Type\":\"none\",\"Config\":{}}"},
	{{"--init=false"}, "HostConfig.Init", "false"},
	{{"--read-only", "--privileged"}, "HostConfig.ReadonlyRootfs", "true"},
};

static const struct {
	const char *argv[8];
	const char *says;
} refusals[] = {
	{{"--restart", "x:y"},
	 "invalid restart policy format: maximum retry count must be an integer"},
	{{"--rm", "--restart", "always"},
	 "conflicting options: cannot specify both --restart and --rm"},
	{{"-p", "x:y"}, "invalid containerPort: y"},
	{{"--expose", "1:2"}, "invalid port format for --expose: 1:2"},
	{{"--mount", "type=foo,dst=/x"},
	 "invalid argument \"type=foo,dst=/x\" for \"--mount\" flag: mount type 'foo' is not "
	 "supported: bind, volume or tmpfs"},
	{{"--mount", "type=bind"},
	 "invalid argument \"type=bind\" for \"--mount\" flag: target is required"},
	{{"--mount", "dst=/x,what=1"},
	 "invalid argument \"dst=/x,what=1\" for \"--mount\" flag: unexpected key 'what' in "
	 "'what=1'"},
	{{"--mount", "type=tmpfs,dst=/x,volume-nocopy"},
	 "invalid argument \"type=tmpfs,dst=/x,volume-nocopy\" for \"--mount\" flag: cannot mix "
	 "'volume-*' options with mount type 'tmpfs'"},
	{{"--network", "name=x,foo=1"},
	 "invalid argument \"name=x,foo=1\" for \"--network\" flag: invalid field key foo"},
	{{"--network", "name=x,ip=1.1.1.1", "--ip", "2.2.2.2"},
	 "conflicting options: cannot specify both --ip and per-network ip"},
	{{"--network", "name=x,gw-priority=high"},
	 "invalid argument \"name=x,gw-priority=high\" for \"--network\" flag: invalid gw-priority "
	 "(high)"},
	{{"--network", "alias=x"},
	 "invalid argument \"alias=x\" for \"--network\" flag: network name or ID is required: "
	 "name=..."},
	{{"--network", "name=x,ip6=fd00::1", "--ip6", "fd00::2"},
	 "conflicting options: cannot specify both --ip6 and per-network ip6"},
	{{"--network", "name=x,mac-address=2:2:2:2:2:2", "--mac-address", "2:2:2:2:2:3"},
	 "conflicting options: cannot specify both --mac-address and per-network mac-address"},
	{{"--ulimit", "nofile=20:10"},
	 "invalid argument \"nofile=20:10\" for \"--ulimit\" flag: ulimit soft limit must be less "
	 "than or equal to hard limit: 20 > 10"},
	{{"--cpus", "abc"},
	 "invalid argument \"abc\" for \"--cpus\" flag: failed to parse abc as a rational number"},
	{{"-e", "=x"},
	 "invalid argument \"=x\" for \"-e, --env\" flag: invalid environment variable: =x"},
	{{"-a", "foo"},
	 "invalid argument \"foo\" for \"-a, --attach\" flag: valid streams are STDIN, STDOUT and "
	 "STDERR"},
	{{"--add-host", "x"},
	 "invalid argument \"x\" for \"--add-host\" flag: bad format for add-host: \"x\""},
};

static void argv_of(const char *const *options, const char **out)
{
	size_t n = 0;

	for (; n < 8 && options[n]; n++)
		out[n] = options[n];
	out[n] = "img";
	out[n + 1] = NULL;
}

static void relative_paths(void)
{
	const char *argv[] = {"-v", "./x/../y:/d", "img", NULL};
	char cwd[PATH_MAX];
	auto_free char *want = NULL;
	struct err e = {0};
	auto_json json_t *j = NULL;

	if (chdir("/tmp") < 0 || !getcwd(cwd, sizeof(cwd)))
		abort();
	want = str_printf("[\"%s/y:/d\"]", cwd);
	j = body_of(argv, 151, &e);
	has(j, "HostConfig.Binds", want);
}

/* Older engines: the MAC address of the container, one network. */
static void old_engine(void)
{
	const char *mac[] = {"--mac-address", "02:42:0:0:0:1", "img", "cmd", "-x", NULL};
	const char *two[] = {"--network", "a", "--network", "b", "img", NULL};
	struct err e = {0};
	auto_json json_t *j = body_of(mac, 143, &e), *k = NULL;

	has(j, "MacAddress", "\"02:42:0:0:0:1\"");
	has(j, "NetworkingConfig.EndpointsConfig", "{}");
	has(j, "Cmd", "[\"cmd\",\"-x\"]");
	k = body_of(two, 143, &e);
	ok(!k && strstr(e.msg, "1.44"), "two networks: %s", e.msg);
}

/* Docker gives eth0 to the first: the engine has what was asked in its order. */
static void order_kept(void)
{
	const char *argv[] = {"--network", "zeta", "--network", "alpha",
			      "--network", "mid",  "img",	NULL};
	struct err e = {0};
	auto_json json_t *j = body_of(argv, 151, &e);
	json_t *all = json_object_get(json_object_get(j, "NetworkingConfig"), "EndpointsConfig");
	const char *names[4] = {NULL}, *key;
	json_t *v;
	size_t n = 0;

	json_object_foreach(all, key, v)
	{
		(void)v;
		names[n++ & 3] = key;
	}
	ok(n == 3 && streq(names[0], "zeta") && streq(names[1], "alpha") && streq(names[2], "mid"),
	   "networks are asked for in the order of the command line");
}

int main(void)
{
	const char *argv[16];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		auto_json json_t *j = NULL;
		struct err e = {0};

		argv_of(cases[i].argv, argv);
		j = body_of(argv, 151, &e);
		if (ok(j != NULL, "%s %s", argv[0], e.msg))
			has(j, cases[i].path, cases[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct err e = {0};
		auto_json json_t *j = NULL;

		argv_of(refusals[i].argv, argv);
		j = body_of(argv, 151, &e);
		ok(!j, "refused: %s", argv[0]);
		is_str(e.msg, refusals[i].says, "its text");
	}
	relative_paths();
	old_engine();
	order_kept();
	return tap_done();
}

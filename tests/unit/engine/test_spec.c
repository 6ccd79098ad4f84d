/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spec.c - a create body: typed, completed from the image, checked; ports; names */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "tap.h"
#include "world.h"

static struct world w;

/* Normalises and validates a create body. */
static int check(const char *body, json_t **config, json_t **host, struct err *e)
{
	auto_json json_t *b = json_of(body);
	int r;

	*e = (struct err){0};
	*config = *host = NULL;
	r = spec_normalise(b, NULL, config, host, e);
	return r < 0 ? r : spec_validate(&w.en, *config, *host, e);
}

static void refused(void)
{
	static const struct {
		const char *body, *text; /* a part of the message */
	} rows[] = {
		{"[]", "body must be an object"},
		{"{\"Cmd\": 5}", "field ContainerConfigWrapper.Cmd"},
		{"{\"Env\": [1]}", "field ContainerConfigWrapper.Env"},
		{"{\"Tty\": \"yes\"}", "cannot unmarshal string into Go struct field "
				       "ContainerConfigWrapper.Tty of type bool"},
		{"{\"Labels\": {\"a\": 1}}", "field ContainerConfigWrapper.Labels"},
		{"{\"HostConfig\": []}", "field ContainerConfigWrapper.HostConfig"},
		{"{\"HostConfig\": {\"Memory\": 1.5}}", "field HostConfig.Memory"},
		{"{\"HostConfig\": {\"Memory\": 1024}}", "Minimum memory limit allowed is 6MB"},
		{"{\"HostConfig\": {\"Memory\": 10000000, \"MemorySwap\": 9000000}}",
		 "larger than memory limit"},
		{"{\"HostConfig\": {\"MemorySwap\": 9000000}}", "always set the Memory limit"},
		{"{\"HostConfig\": {\"NanoCpus\": -1}}", "range of CPUs is from 0.01"},
		{"{\"HostConfig\": {\"CpuPeriod\": 1}}", "CPU cfs period"},
		{"{\"HostConfig\": {\"OomScoreAdj\": 2000}}",
		 "Invalid value 2000, range for oom score adj is [-1000, 1000]"},
		{"{\"HostConfig\": {\"RestartPolicy\": {\"Name\": \"sometimes\"}}}",
		 "unknown policy 'sometimes'"},
		{"{\"HostConfig\": {\"RestartPolicy\": {\"Name\": \"always\", "
		 "\"MaximumRetryCount\": 3}}}",
		 "maximum retry count can only be used with 'on-failure'"},
		{"{\"HostConfig\": {\"RestartPolicy\": {\"Name\": \"on-failure\", "
		 "\"MaximumRetryCount\": -1}}}",
		 "cannot be negative"},
		{"{\"HostConfig\": {\"AutoRemove\": true, \"RestartPolicy\": {\"Name\": "
		 "\"always\"}}}",
		 "can't create 'AutoRemove' container with restart policy"},
		{"{\"HostConfig\": {\"NetworkMode\": \"container:\"}}",
		 "invalid container format container:<name|id>"},
		{"{\"Hostname\": \"h\", \"HostConfig\": {\"NetworkMode\": \"container:x\"}}",
		 "conflicting options: hostname and the network mode"},
		{"{\"HostConfig\": {\"NetworkMode\": \"container:x\", \"PortBindings\": "
		 "{\"80/tcp\": [{\"HostPort\": \"80\"}]}}}",
		 "conflicting options: port publishing and the container type network mode"},
		{"{\"ExposedPorts\": {\"80/tcp\": {}}, \"HostConfig\": {\"NetworkMode\": "
		 "\"container:x\"}}",
		 "port exposing and the container type network mode"},
		{"{\"HostConfig\": {\"NetworkMode\": \"host\", \"Sysctls\": "
		 "{\"net.ipv4.ip_forward\": \"1\"}}}",
		 "sysctl net.ipv4.ip_forward not allowed in host network namespace"},
		{"{\"HostConfig\": {\"ExtraHosts\": [\"nosep\"]}}", "bad format for add-host"},
		{"{\"HostConfig\": {\"ExtraHosts\": [\"a:1.2.3\"]}}",
		 "invalid IP address in add-host"},
		{"{\"HostConfig\": {\"Dns\": [\"x\"]}}", "invalid IP address: x"},
		{"{\"HostConfig\": {\"Runtime\": \"kata\"}}",
		 "unknown or invalid runtime name: kata"},
		{"{\"WorkingDir\": \"rel\"}", "needs to be an absolute path"},
		{"{\"StopSignal\": \"SIGNONSENSE\"}", "Invalid signal: SIGNONSENSE"},
		{"{\"Env\": [\"=x\"]}", "invalid environment variable: =x"},
		{"{\"ExposedPorts\": {\"http\": {}}}", "http"},
		{"{\"HostConfig\": {\"PortBindings\": {\"80/tcp\": [{\"HostPort\": \"99999\"}]}}}",
		 "invalid port specification: \"99999\""},
		{"{\"HostConfig\": {\"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"no\"}]}}}",
		 "invalid IP address in port binding: no"},
		{"{\"HostConfig\": {\"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"::x\"}]}}}",
		 "invalid IP address in port binding: ::x"},
		{"{\"HostConfig\": {\"PortBindings\": {\"eighty\": [{}]}}}", "eighty"},
		{"{\"HostConfig\": {\"PortBindings\": {\"80-82/tcp\": [{\"HostPort\": "
		 "\"80-81\"}]}}}",
		 "Invalid ranges specified for container and host Ports: 80-82/tcp and 80-81"},
		{"{\"HostConfig\": {\"PortBindings\": {\"80/tcp\": [7]}}}", "nat.PortBinding"},
		{"{\"HostConfig\": {\"PortBindings\": {\"80/tcp\": {}}}}", "[]nat.PortBinding"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *config = NULL, *host = NULL;
		struct err e;
		int r = check(rows[i].body, &config, &host, &e);

		ok(r < 0 && (e.kind == ERR_INVALID || e.kind == ERR_UNSUPPORTED) &&
			   strstr(e.msg, rows[i].text),
		   "%s", rows[i].body);
		if (r >= 0 || !strstr(e.msg, rows[i].text))
			printf("# got %d \"%s\"\n", r, e.msg);
	}
}

static void completed(void)
{
	auto_json json_t *body = json_of("{\"image\": \"x\", \"Cmd\": \"one\", \"Env\": [\"A=2\", "
					 "\"C\", \"D=4\"], \"hostconfig\": {\"Memory\": 8000000}}");
	auto_json json_t *image =
		json_of("{\"config\": {\"Env\": [\"A=1\", \"B=1\", \"C=1\"], \"Cmd\": [\"i\"], "
			"\"Entrypoint\": [\"/e\"], \"ExposedPorts\": {\"80/tcp\": {}}, \"Labels\": "
			"{\"l\": \"i\"}, \"WorkingDir\": \"/w\", \"StopSignal\": \"SIGINT\"}}");
	auto_json json_t *config = NULL, *host = NULL;
	struct err e = {0};

	is_int(spec_normalise(body, image, &config, &host, &e), 0, "keys in any case");
	is_int(json_array_size(jo(config, "Cmd")), 1, "a command as one string");
	is_int(json_array_size(jo(config, "Entrypoint")), 1, "the image's entrypoint");
	{
		auto_free char *env = json_dumps(jo(config, "Env"), JSON_COMPACT);

		is_str(env, "[\"A=2\",\"D=4\",\"B=1\"]", "variables merged, one removed");
	}
	is_str(js(config, "WorkingDir"), "/w", "the image's directory");
	ok(jo(config, "ExposedPorts") && jo(config, "Labels"), "ports and labels");
	is_int(ji(host, "Memory"), 8000000, "memory");
	is_str(js(host, "NetworkMode"), "default", "network mode");
	is_str(js(jo(host, "RestartPolicy"), "Name"), "no", "restart policy");
	is_int(modes_defaults(&w.en, host, &e), 0, "the daemon's defaults");
	is_int(ji(host, "ShmSize"), 64 << 20, "shared memory");
	is_str(js(host, "IpcMode"), "private", "IPC mode");
}

static void modes(void)
{
	static const struct {
		const char *config, *host, *text; /* NULL: fine */
	} rows[] = {
		{"{}", "{\"IpcMode\": \"none\", \"PidMode\": \"host\", \"UTSMode\": \"host\"}",
		 NULL},
		{"{}", "{\"IpcMode\": \"container:x\", \"CgroupnsMode\": \"private\"}", NULL},
		{"{}", "{\"IpcMode\": \"container:\"}", "invalid IPC mode: container:"},
		{"{}", "{\"PidMode\": \"private\"}", "invalid PID mode: private"},
		{"{}", "{\"UTSMode\": \"container:x\"}", "invalid UTS mode: container:x"},
		{"{}", "{\"CgroupnsMode\": \"x\"}", "invalid cgroup namespace mode: x"},
		{"{\"Hostname\": \"h\"}", "{\"UTSMode\": \"host\"}",
		 "conflicting options: hostname and the UTS mode"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *config = json_of(rows[i].config), *host = json_of(rows[i].host);
		struct err e = {0};
		int r = modes_check(config, host, &e);

		ok(rows[i].text ? r < 0 && streq(e.msg, rows[i].text) : r == 0, "%s: %s",
		   rows[i].host, e.msg);
	}
}

static void security(void)
{
	static const struct {
		const char *list, *text, *seccomp; /* text NULL: fine */
		bool nnp;
	} rows[] = {
		{"[]", NULL, NULL, false},
		{"[\"no-new-privileges\", \"label=disable\", \"disable\"]", NULL, NULL, true},
		{"[\"no-new-privileges:true\", \"no-new-privileges=0\"]", NULL, NULL, false},
		{"[\"seccomp=unconfined\"]", NULL, "unconfined", false},
		{"[\"seccomp={}\"]", NULL, "{}", false},
		{"[\"seccomp={}\", \"seccomp=builtin\"]", NULL, NULL, false},
		{"[\"seccomp={\"]", "decoding seccomp profile failed", NULL, false},
		{"[\"what\"]", "invalid --security-opt 1: \"what\"", NULL, false},
		{"[\"what=x\"]", "invalid --security-opt 2: \"what=x\"", NULL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		auto_json json_t *host = json_object();
		struct security s = {0};
		struct err e = {0};
		int r;

		(void)json_object_set_new(host, "SecurityOpt", json_of(rows[i].list));
		r = security_parse(&w.en, host, &s, &e);
		if (rows[i].text)
			ok(r < 0 && strstr(e.msg, rows[i].text), "%s: %s", rows[i].list, e.msg);
		else
			ok(r == 0 && s.no_new_privileges == rows[i].nnp &&
				   streq(s.seccomp, rows[i].seccomp),
			   "%s", rows[i].list);
	}
}

static void entrypoints(void)
{
	auto_json json_t *image =
		json_of("{\"config\": {\"Cmd\": [\"i\"], \"Entrypoint\": [\"/e\"]}}");
	auto_json json_t *own = json_of("{\"Entrypoint\": [\"/mine\"]}");
	auto_json json_t *none = json_of("{\"Entrypoint\": [\"\"], \"Cmd\": [\"c\"]}");
	auto_json json_t *c1 = NULL, *h1 = NULL, *c2 = NULL, *h2 = NULL;
	struct err e = {0};

	ok(spec_normalise(own, image, &c1, &h1, &e) >= 0 && !json_array_size(jo(c1, "Cmd")),
	   "an own entrypoint drops the image's command");
	ok(spec_normalise(none, image, &c2, &h2, &e) >= 0 && !jo(c2, "Entrypoint") &&
		   json_array_size(jo(c2, "Cmd")) == 1,
	   "--entrypoint \"\" drops the image's entrypoint");
}

static void published(void)
{
	struct container *c = world_container(
		&w, "pub",
		"{\"ExposedPorts\": {\"80/tcp\": {}, \"53/udp\": {}, \"90-92/tcp\": {}}}",
		"{\"PublishAllPorts\": true, \"PortBindings\": {\"80/tcp\": [{\"HostPort\": "
		"\"8080\"}, {\"HostIp\": \"127.0.0.1\", \"HostPort\": \"\"}], \"7000-7001/tcp\": "
		"[{\"HostPort\": \"9000-9001\"}], \"81/tcp\": null}}");
	struct net_publish *p = NULL;
	struct err e = {0};
	size_t n = 0, any = 0;

	is_int(publish_collect(c, &p, &n, &e), 0, "collected (%s)", e.msg);
	is_int(n, 5, "bindings, and what is exposed and not bound");
	for (size_t i = 0; i < n; i++) {
		if (p[i].port == 80 && !ip_set(p[i].host_ip))
			is_int(p[i].host_port, 8080, "80 on 8080");
		if (p[i].port == 80 && ip_set(p[i].host_ip))
			ok(ip_eq(p[i].host_ip, ip_v4(0x7f000001)), "80 on loopback, any port");
		if (p[i].port == 7000)
			is_int(p[i].host_port_end, 9001, "a range");
		any += !p[i].host_port;
	}
	is_int(any, 3, "without a number: loopback's, 53/udp, 90-92/tcp");
	free(p);
}

/* As clients write "-p 9000-9002:9000-9002 -p 9003:9003 -p 9004:80 -p 9005:9005/udp". */
static void ranges(void)
{
	struct container *c = world_container(
		&w, "rng", "{}",
		"{\"PortBindings\": {\"9002/tcp\": [{\"HostPort\": \"9002\"}], \"9000/tcp\": "
		"[{\"HostPort\": \"9000\"}], \"9001/tcp\": [{\"HostPort\": \"9001\"}], "
		"\"9003/tcp\": [{\"HostPort\": \"9003\"}, {\"HostPort\": \"\"}], \"80/tcp\": "
		"[{\"HostPort\": \"9004\"}], \"9004/udp\": [{\"HostPort\": \"9004\"}], "
		"\"9004/tcp\": [{\"HostIp\": \"::1\", \"HostPort\": \"9004\"}]}}");
	struct net_publish *p = NULL;
	struct err e = {0};
	size_t n = 0, found = 0;

	is_int(publish_collect(c, &p, &n, &e), 0, "collected (%s)", e.msg);
	is_int(n, 5, "four of them are one");
	for (size_t i = 0; i < n; i++)
		if (p[i].port == 9000)
			found += p[i].port_end == 9003 && p[i].host_port == 9000 &&
				 p[i].host_port_end == 9003;
	is_int(found, 1, "a range again");
	free(p);
}

static void names(void)
{
	static const char *const good[] = {"ab", "a.b", "a_b-c", "0x", "A1"};
	static const char *const bad[] = {"",	 "a",	"-ab", ".ab",	    "_ab",
					  "a/b", "a b", "a\n", "\xc3\xa9x", "a:b"};
	struct err e = {0};
	char text[300];
	auto_free char *name = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		is_int(name_check(good[i], NULL), 0, "a name: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ok(name_check(bad[i], NULL) < 0, "no name: %s", *bad[i] == 'a' ? "a..." : bad[i]);
	is_err(name_check("-bad", &e), e, ERR_INVALID,
	       "Invalid container name (-bad), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed");
	memset(text, 'x', sizeof(text));
	text[256] = '\0';
	ok(name_check(text, NULL) < 0, "256 letters are too many");
	text[255] = '\0';
	is_int(name_check(text, NULL), 0, "255 are not");
	name = name_random(&w.en);
	ok(name && name_check(name, NULL) >= 0, "a random name: %s", name);
}

static void signals(void)
{
	int n = 0;
	struct err e = {0};

	ok(engine_signal_parse("9", &n, &e) >= 0 && n == 9, "a number");
	ok(engine_signal_parse("SIGTERM", &n, &e) >= 0 && n == 15, "a name");
	ok(engine_signal_parse("hup", &n, &e) >= 0 && n == 1, "in small letters, without SIG");
	ok(engine_signal_parse("SIGRTMIN+2", &n, &e) >= 0 && n == SIGRTMIN + 2, "a real-time one");
	ok(engine_signal_parse("0", &n, &e) < 0, "zero is none");
	ok(engine_signal_parse("65", &n, &e) < 0, "65 is none");
	ok(engine_signal_parse("RTMIN+99", &n, &e) < 0, "beyond the last");
	is_err(engine_signal_parse("NONSENSE", &n, &e), e, ERR_INVALID, "Invalid signal: NONSENSE");
}

int main(void)
{
	world_open(&w);
	refused();
	completed();
	modes();
	security();
	entrypoints();
	published();
	ranges();
	names();
	signals();
	world_close(&w);
	return tap_done();
}

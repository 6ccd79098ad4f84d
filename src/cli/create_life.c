/* SPDX-License-Identifier: GPL-2.0-or-later */
/* create_life.c - run's and create's health check, and the limits that few need */

#include <string.h>

#include "base/clock.h"
#include "cli/create.h"

static int check_duration(const char *value, struct err *e)
{
	int64_t ns;

	return clock_parse_duration(value, &ns) < 0
		       ? err_invalid(e, "time: invalid duration \"%s\"", value)
		       : 0;
}

/* "/dev/sda:1mb": the number behind the last colon */
static int path_and(const char *value, int (*parse)(const char *s, int64_t *ret), int64_t *ret,
		    struct err *e)
{
	const char *colon = strrchr(value, ':');

	if (!colon || value[0] != '/' || strncmp(value, "/dev/", 5) != 0)
		return err_invalid(e, "bad format: %s", value);
	if (parse(colon + 1, ret) < 0 || *ret < 0)
		return err_invalid(e, "invalid rate for device: %s", value);
	return 0;
}

static int check_rate(const char *value, struct err *e)
{
	int64_t n;

	return path_and(value, parse_ram, &n, e);
}

static int check_count(const char *value, struct err *e)
{
	int64_t n;

	return path_and(value, parse_i64, &n, e);
}

const struct opt create_life_options[CREATE_LIFE_OPTIONS] = {
	OPT_CHECK(0, "blkio-weight", "uint16", check_int,
		  "Block IO (relative weight), between 10 and 1000, or 0 to disable"),
	OPT_LIST_CHECK(0, "blkio-weight-device", "list", check_count,
		       "Block IO weight (relative device weight)"),
	OPT_CHECK(0, "cpu-rt-period", "int", check_int,
		  "Limit CPU real-time period in microseconds"),
	OPT_CHECK(0, "cpu-rt-runtime", "int", check_int,
		  "Limit CPU real-time runtime in microseconds"),
	OPT_LIST(0, "device-cgroup-rule", "list", "Add a rule to the cgroup allowed devices list"),
	OPT_LIST_CHECK(0, "device-read-bps", "list", check_rate,
		       "Limit read rate (bytes per second) from a device"),
	OPT_LIST_CHECK(0, "device-read-iops", "list", check_count,
		       "Limit read rate (IO per second) from a device"),
	OPT_LIST_CHECK(0, "device-write-bps", "list", check_rate,
		       "Limit write rate (bytes per second) to a device"),
	OPT_LIST_CHECK(0, "device-write-iops", "list", check_count,
		       "Limit write rate (IO per second) to a device"),
	OPT_VALUE(0, "health-cmd", "string", "Command to run to check health"),
	OPT_CHECK(0, "health-interval", "duration", check_duration,
		  "Time between running the check (ms|s|m|h)"),
	OPT_CHECK(0, "health-retries", "int", check_int,
		  "Consecutive failures needed to report unhealthy"),
	OPT_CHECK(0, "health-start-interval", "duration", check_duration,
		  "Time between running the check during the start period (ms|s|m|h)"),
	OPT_CHECK(0, "health-start-period", "duration", check_duration,
		  "Start period for the container to initialize before starting "
		  "health-retries countdown (ms|s|m|h)"),
	OPT_CHECK(0, "health-timeout", "duration", check_duration,
		  "Maximum time to allow one check to run (ms|s|m|h)"),
	OPT_CHECK(0, "io-maxbandwidth", "bytes", check_bytes, NULL),
	OPT_CHECK(0, "io-maxiops", "uint", check_int, NULL),
	OPT_CHECK(0, "kernel-memory", "bytes", check_bytes, NULL),
	OPT_CHECK(0, "memory-swappiness", "int", check_int,
		  "Tune container memory swappiness (0 to 100)"),
	OPT_SWITCH(0, "no-healthcheck", "Disable any container-specified HEALTHCHECK"),
	OPT_VALUE(0, "isolation", "string", NULL),
};

/* ---- health ---- */

static const struct {
	const char *option, *key;
} times[] = {{"health-interval", "Interval"},
	     {"health-timeout", "Timeout"},
	     {"health-start-period", "StartPeriod"},
	     {"health-start-interval", "StartInterval"}};

static void test_of(struct jsonw *w, const char *kind, const char *command)
{
	jsonw_array(w, "Test");
	jsonw_str(w, NULL, kind);
	if (command)
		jsonw_str(w, NULL, command);
	jsonw_end_array(w);
}

int create_health(struct jsonw *w, const struct args *a, struct err *e)
{
	bool any = arg_given(a, "health-cmd") || arg_given(a, "health-retries");

	for (size_t i = 0; i < ARRAY_SIZE(times); i++)
		any = any || arg_given(a, times[i].option);
	if (arg_bool(a, "no-healthcheck") && any)
		return err_invalid(e, "--no-healthcheck conflicts with --health-* options");
	if (!any && !arg_bool(a, "no-healthcheck"))
		return 0;
	jsonw_object(w, "Healthcheck");
	if (arg_bool(a, "no-healthcheck"))
		test_of(w, "NONE", NULL);
	if (arg_given(a, "health-cmd"))
		test_of(w, "CMD-SHELL", arg_str(a, "health-cmd"));
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t ns = 0;

		if (arg_given(a, times[i].option) &&
		    clock_parse_duration(arg_str(a, times[i].option), &ns) >= 0)
			jsonw_i64(w, times[i].key, ns);
	}
	if (arg_given(a, "health-retries"))
		jsonw_i64(w, "Retries", arg_int(a, "health-retries"));
	jsonw_end_object(w);
	return 0;
}

/* ---- limits ---- */

static void devices(struct jsonw *w, const struct args *a, const char *option, const char *key)
{
	bool weight = streq(option, "blkio-weight-device");
	bool bytes = str_has_suffix(option, "-bps");
	char *const *v = arg_list(a, option);

	if (!v)
		return;
	jsonw_array(w, key);
	for (; *v; v++) {
		const char *colon = strrchr(*v, ':');
		auto_free char *path = need(strndup(*v, (size_t)(colon - *v)));
		int64_t n = 0;

		/* checked when it was parsed */
		if ((bytes ? parse_ram(colon + 1, &n) : parse_i64(colon + 1, &n)) < 0)
			continue;
		jsonw_object(w, NULL);
		jsonw_str(w, "Path", path);
		jsonw_i64(w, weight ? "Weight" : "Rate", n);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

void create_limits(struct jsonw *w, const struct args *a)
{
	static const struct option_key keys[] = {
		{"blkio-weight", "BlkioWeight", OPTION_NUMBER},
		{"cpu-rt-period", "CpuRealtimePeriod", OPTION_NUMBER},
		{"cpu-rt-runtime", "CpuRealtimeRuntime", OPTION_NUMBER},
		{"memory-swappiness", "MemorySwappiness", OPTION_NUMBER},
		{"io-maxiops", "IOMaximumIOps", OPTION_NUMBER},
	};
	static const struct {
		const char *option, *key;
	} lists[] = {{"blkio-weight-device", "BlkioWeightDevice"},
		     {"device-read-bps", "BlkioDeviceReadBps"},
		     {"device-write-bps", "BlkioDeviceWriteBps"},
		     {"device-read-iops", "BlkioDeviceReadIOps"},
		     {"device-write-iops", "BlkioDeviceWriteIOps"}};

	options_json(w, a, keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		devices(w, a, lists[i].option, lists[i].key);
	if (arg_given(a, "io-maxbandwidth"))
		jsonw_i64(w, "IOMaximumBandwidth", arg_bytes(a, "io-maxbandwidth"));
	if (arg_given(a, "kernel-memory"))
		jsonw_i64(w, "KernelMemory", arg_bytes(a, "kernel-memory"));
	if (arg_given(a, "device-cgroup-rule"))
		jsonw_strv(w, "DeviceCgroupRules", arg_list(a, "device-cgroup-rule"));
	if (arg_given(a, "isolation"))
		jsonw_str(w, "Isolation", arg_str(a, "isolation"));
}

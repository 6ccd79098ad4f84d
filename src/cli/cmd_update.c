/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmd_update.c - update: other limits for containers that are there */

#include <string.h>

#include "cli/commands.h"
#include "cli/create.h"

static const struct opt update_options[] = {
	OPT_CHECK(0, "blkio-weight", "uint16", check_int,
		  "Block IO (relative weight), between 10 and 1000, or 0 to disable"),
	OPT_CHECK(0, "cpu-period", "int", check_int,
		  "Limit CPU CFS (Completely Fair Scheduler) period"),
	OPT_CHECK(0, "cpu-quota", "int", check_int,
		  "Limit CPU CFS (Completely Fair Scheduler) quota"),
	OPT_CHECK(0, "cpu-rt-period", "int", check_int,
		  "Limit the CPU real-time period in microseconds"),
	OPT_CHECK(0, "cpu-rt-runtime", "int", check_int,
		  "Limit the CPU real-time runtime in microseconds"),
	OPT_CHECK('c', "cpu-shares", "int", check_int, "CPU shares (relative weight)"),
	OPT_CHECK(0, "cpus", "decimal", check_cpus, "Number of CPUs"),
	OPT_VALUE(0, "cpuset-cpus", "string", "CPUs in which to allow execution (0-3, 0,1)"),
	OPT_VALUE(0, "cpuset-mems", "string", "MEMs in which to allow execution (0-3, 0,1)"),
	OPT_CHECK('m', "memory", "bytes", check_bytes, "Memory limit"),
	OPT_CHECK(0, "memory-reservation", "bytes", check_bytes, "Memory soft limit"),
	OPT_CHECK(0, "memory-swap", "bytes", check_swap,
		  "Swap limit equal to memory plus swap: -1 to enable unlimited swap"),
	OPT_CHECK(0, "pids-limit", "int", check_int,
		  "Tune container pids limit (set -1 for unlimited)"),
	OPT_VALUE(0, "restart", "string", "Restart policy to apply when a container exits"),
};

static int body(struct jsonw *w, const struct args *a, struct err *e)
{
	static const struct option_key keys[] = {
		{"blkio-weight", "BlkioWeight", OPTION_NUMBER},
		{"cpu-period", "CpuPeriod", OPTION_NUMBER},
		{"cpu-quota", "CpuQuota", OPTION_NUMBER},
		{"cpu-rt-period", "CpuRealtimePeriod", OPTION_NUMBER},
		{"cpu-rt-runtime", "CpuRealtimeRuntime", OPTION_NUMBER},
		{"cpu-shares", "CpuShares", OPTION_NUMBER},
		{"pids-limit", "PidsLimit", OPTION_NUMBER},
		{"memory", "Memory", OPTION_BYTES},
		{"memory-reservation", "MemoryReservation", OPTION_BYTES},
		{"memory-swap", "MemorySwap", OPTION_BYTES},
		{"cpuset-cpus", "CpusetCpus", OPTION_TEXT},
		{"cpuset-mems", "CpusetMems", OPTION_TEXT},
	};
	int r = 0;

	jsonw_object(w, NULL);
	options_json(w, a, keys, ARRAY_SIZE(keys));
	if (arg_given(a, "cpus"))
		jsonw_i64(w, "NanoCpus", cpus_nano(arg_str(a, "cpus")));
	if (arg_given(a, "restart"))
		r = restart_object(w, "RestartPolicy", arg_str(a, "restart"), e);
	jsonw_end_object(w);
	return r;
}

static bool anything(const struct args *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(update_options); i++)
		if (arg_given(a, update_options[i].name))
			return true;
	return false;
}

static int update_one(struct cli *cli, const struct args *a, const char *name, struct err *e)
{
	auto_buf struct buf u = URL_INIT, text = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&text);
	auto_json json_t *answer = NULL;
	size_t i;
	json_t *s;
	int r = body(&w, a, e);

	if (r < 0)
		return r;
	url_path(&u, "/containers/%/update", name);
	r = cli_request(cli, "POST", &u, buf_str(&text), &answer, e);
	json_array_foreach(json_get(answer, "Warnings"), i, s)(void)
		fprintf(stderr, "WARNING: %s\n", json_string_value(s));
	return r;
}

static int update(struct cli *cli, const struct args *a, struct err *e)
{
	if (!anything(a))
		return err_invalid(e, "you must provide one or more flags when using this command");
	return cli_each(cli, a, update_one, true);
}

const struct command cmd_update = {
	.operands = "CONTAINER [CONTAINER...]",
	.summary = "Update configuration of one or more containers",
	.tables = {OPT_TABLE(update_options)},
	.min = 1,
	.max = -1,
	.run = update,
};

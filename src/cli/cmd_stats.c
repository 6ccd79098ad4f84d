/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_stats.c - stats: what containers use, a line each
 *
 * Each round asks every container for one sample (one-shot); its use of CPU is that since the round
 * before. The first round is for that alone.
 */

#include <ctype.h>
#include <string.h>
#include <time.h>

#include "cli/commands.h"
#include "cli/format.h"

#define ROUND_S 1

static const struct opt stats_options[] = {
	OPT_SWITCH('a', "all", "Show all containers (default shows just running)"),
	OPT_VALUE(0, "format", "string", FORMAT_HELP),
	OPT_SWITCH(0, "no-stream", "Disable streaming stats and only pull the first result"),
	OPT_SWITCH(0, "no-trunc", "Do not truncate output"),
};

static const struct column columns[] = {
	{"Container", "CONTAINER"},
	{"ID", "CONTAINER ID"},
	{"Name", "NAME"},
	{"CPUPerc", "CPU %"},
	{"MemUsage", "MEM USAGE / LIMIT"},
	{"MemPerc", "MEM %"},
	{"NetIO", "NET I/O"},
	{"BlockIO", "BLOCK I/O"},
	{"PIDs", "PIDS"},
};
static const struct listing figures = {
	columns, ARRAY_SIZE(columns),
	"{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}"
	"\t{{.PIDs}}",
	NULL};

/* ---- one sample as a row ---- */

static double share(int64_t part, int64_t whole)
{
	return whole > 0 && part > 0 ? (double)part / (double)whole * 100 : 0;
}

static void cell_cpu(json_t *row, const json_t *now, const json_t *before)
{
	const json_t *cpu = json_get(now, "cpu_stats"), *was = json_get(before, "cpu_stats");
	int64_t used = ji(json_get(cpu, "cpu_usage"), "total_usage") -
		       ji(json_get(was, "cpu_usage"), "total_usage");
	int64_t all = ji(cpu, "system_cpu_usage") - ji(was, "system_cpu_usage");

	row_setf(row, "CPUPerc", "%.2f%%",
		 was ? share(used, all) * (double)ji(cpu, "online_cpus") : 0);
}

/* Without what the page cache could give back; its name is another on v1 and v2. */
static int64_t memory_used(const json_t *memory)
{
	const json_t *stats = json_get(memory, "stats");
	int64_t usage = ji(memory, "usage");
	int64_t cache = json_get(stats, "total_inactive_file") ? ji(stats, "total_inactive_file")
							       : ji(stats, "inactive_file");

	return cache < usage ? usage - cache : usage;
}

static void cell_memory(json_t *row, const json_t *now)
{
	const json_t *memory = json_get(now, "memory_stats");
	auto_buf struct buf b = BUF_INIT(128);
	int64_t used = memory_used(memory), limit = ji(memory, "limit");

	human_binary(&b, used);
	(void)buf_puts(&b, " / ");
	human_binary(&b, limit);
	row_set_buf(row, "MemUsage", &b);
	row_setf(row, "MemPerc", "%.2f%%", share(used, limit));
}

static void pair(json_t *row, const char *key, int64_t in, int64_t out)
{
	auto_buf struct buf b = BUF_INIT(128);

	human_size(&b, in, 3);
	(void)buf_puts(&b, " / ");
	human_size(&b, out, 3);
	row_set_buf(row, key, &b);
}

static void cells_io(json_t *row, const json_t *now)
{
	json_t *io = json_get(json_get(now, "blkio_stats"), "io_service_bytes_recursive"), *v;
	int64_t in = 0, out = 0, rd = 0, wr = 0;
	const char *name;
	size_t i;

	json_object_foreach(json_get(now, "networks"), name, v)
	{
		in += ji(v, "rx_bytes");
		out += ji(v, "tx_bytes");
	}
	pair(row, "NetIO", in, out);
	json_array_foreach(io, i, v)
	{
		int op = tolower((unsigned char)*js(v, "op"));

		rd += op == 'r' ? ji(v, "value") : 0;
		wr += op == 'w' ? ji(v, "value") : 0;
	}
	pair(row, "BlockIO", rd, wr);
}

static bool runs(const json_t *sample)
{
	return json_object_size(json_get(sample, "memory_stats")) > 0;
}

static json_t *row_of(const char *asked, const json_t *now, const json_t *before, bool whole)
{
	json_t *row = need(json_object());
	const char *name = js(now, "name");
	char id[80];

	row_set(row, "Container", asked);
	row_set(row, "ID", short_id(js(now, "id"), whole, id));
	row_set(row, "Name", *name == '/' ? name + 1 : name);
	if (!runs(now)) {
		row_set(row, "CPUPerc", "--");
		row_set(row, "MemUsage", "-- / --");
		row_set(row, "MemPerc", "--");
		row_set(row, "NetIO", "--");
		row_set(row, "BlockIO", "--");
		row_set(row, "PIDs", "--");
		return row;
	}
	cell_cpu(row, now, before);
	cell_memory(row, now);
	cells_io(row, now);
	row_setf(row, "PIDs", "%lld", (long long)ji(json_get(now, "pids_stats"), "current"));
	return row;
}

/* ---- rounds ---- */

static int sample(struct cli *cli, const char *name, json_t *samples, struct err *e)
{
	auto_buf struct buf u = URL_INIT;
	json_t *one = NULL;
	int r;

	url_path(&u, "/containers/%/stats", name);
	url_query(&u, "stream", "0");
	url_query(&u, "one-shot", "1");
	r = cli_request(cli, "GET", &u, NULL, &one, e);
	if (r >= 0 && json_object_set_new(samples, name, one) < 0)
		cli_no_memory();
	return r;
}

/* @samples: by the names asked for, or by id where none were. One that is gone meanwhile is left
 * out, unless it was named. */
static int take(struct cli *cli, const struct args *a, json_t **samples, struct err *e)
{
	auto_json json_t *list = NULL, *out = need(json_object());
	auto_buf struct buf u = URL_INIT;
	size_t i;
	json_t *c;
	int r = 0;

	for (char *const *w = args_operands(a); r >= 0 && *w; w++)
		r = sample(cli, *w, out, e);
	if (!args_n(a)) {
		url_path(&u, "/containers/json", NULL);
		url_flag(&u, "all", arg_bool(a, "all"));
		r = cli_request(cli, "GET", &u, NULL, &list, e);
	}
	json_array_foreach(list, i, c)
	{
		struct err why = {0};
		int one = sample(cli, js(c, "Id"), out, &why);

		if (one < 0 && why.kind != ERR_NOT_FOUND)
			return err_set(e, why.kind, -one, "%s", why.msg);
	}
	if (r < 0)
		return r;
	*samples = json_incref(out);
	return 0;
}

static int print(const struct args *a, json_t *now, const json_t *before, bool screen,
		 struct err *e)
{
	auto_json json_t *rows = need(json_array());
	bool whole = arg_bool(a, "no-trunc");
	const char *name;
	json_t *s;
	char id[80];

	json_object_foreach(now, name, s)
	{
		const char *asked = args_n(a) ? name : short_id(name, whole, id);

		if (json_array_append_new(
			    rows, row_of(asked, s, json_object_get(before, name), whole)) < 0)
			cli_no_memory();
	}
	if (screen && (fputs("\033[H\033[J", stdout) < 0 || fflush(stdout) != 0))
		return err_sys(e, errno, "cannot write");
	int r = list_print(&figures, rows, arg_str(a, "format"), false, e);

	/* a pipe's reader gets each round as it comes */
	return r >= 0 && fflush(stdout) != 0 ? err_sys(e, errno, "cannot write") : r;
}

static int stats(struct cli *cli, const struct args *a, struct err *e)
{
	const struct timespec round = {.tv_sec = ROUND_S};
	bool once = arg_bool(a, "no-stream");
	auto_json json_t *before = NULL;
	int r = take(cli, a, &before, e);

	while (r >= 0) {
		auto_json json_t *now = NULL;

		(void)nanosleep(&round, NULL); /* a signal ends the program anyway */
		r = take(cli, a, &now, e);
		if (r >= 0)
			r = print(a, now, before, !once && !arg_given(a, "format"), e);
		if (r < 0 || once)
			break;
		json_decref(before);
		before = TAKE_PTR(now);
	}
	return r;
}

const struct command cmd_stats = {
	.operands = "[CONTAINER...]",
	.summary = "Display a live stream of container(s) resource usage statistics",
	.tables = {OPT_TABLE(stats_options)},
	.max = -1,
	.run = stats,
};

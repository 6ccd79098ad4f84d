/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stats_json.c - StatsResponse of the Engine API; what is zero there and left out by Docker, is
 * left out here */

#include "api/stats_json.h"

#include "base/clock.h"

static void cpu_json(struct jsonw *w, const char *key, const struct stat_cpu *c)
{
	static const struct stat_cpu none;

	c = c ? c : &none;
	jsonw_object(w, key);
	jsonw_object(w, "cpu_usage");
	jsonw_u64(w, "total_usage", c->total);
	if (c->n_percpu) {
		jsonw_array(w, "percpu_usage");
		for (size_t i = 0; i < c->n_percpu; i++)
			jsonw_u64(w, NULL, c->percpu[i]);
		jsonw_end_array(w);
	}
	jsonw_u64(w, "usage_in_kernelmode", c->kernel);
	jsonw_u64(w, "usage_in_usermode", c->user);
	jsonw_end_object(w);
	if (c->host)
		jsonw_u64(w, "system_cpu_usage", c->host);
	if (c->online)
		jsonw_u64(w, "online_cpus", c->online);
	jsonw_object(w, "throttling_data");
	jsonw_u64(w, "periods", c->periods);
	jsonw_u64(w, "throttled_periods", c->throttled);
	jsonw_u64(w, "throttled_time", c->throttled_ns);
	jsonw_end_object(w);
	jsonw_end_object(w);
}

static void io_json(struct jsonw *w, const char *key, const struct stat_io *v, size_t n)
{
	if (!n) {
		jsonw_null(w, key);
		return;
	}
	jsonw_array(w, key);
	for (size_t i = 0; i < n; i++) {
		jsonw_object(w, NULL);
		jsonw_u64(w, "major", v[i].major);
		jsonw_u64(w, "minor", v[i].minor);
		jsonw_str(w, "op", v[i].op);
		jsonw_u64(w, "value", v[i].value);
		jsonw_end_object(w);
	}
	jsonw_end_array(w);
}

static void blkio_json(struct jsonw *w, const struct rt_stats *s)
{
	static const char *const unknown[] = {"io_queue_recursive",	"io_service_time_recursive",
					      "io_wait_time_recursive", "io_merged_recursive",
					      "io_time_recursive",	"sectors_recursive"};

	jsonw_object(w, "blkio_stats");
	io_json(w, "io_service_bytes_recursive", s ? s->io_bytes : NULL, s ? s->n_io_bytes : 0);
	io_json(w, "io_serviced_recursive", s ? s->io_count : NULL, s ? s->n_io_count : 0);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		jsonw_null(w, unknown[i]); /* kept by schedulers that kernels no longer have */
	jsonw_end_object(w);
}

static void pids_json(struct jsonw *w, const struct rt_stats *s)
{
	jsonw_object(w, "pids_stats");
	if (s && s->pids)
		jsonw_u64(w, "current", s->pids);
	if (s && s->pids_limit && s->pids_limit != STAT_NO_LIMIT)
		jsonw_u64(w, "limit", s->pids_limit);
	jsonw_end_object(w);
}

static void memory_json(struct jsonw *w, const struct rt_stats *s)
{
	jsonw_object(w, "memory_stats");
	if (s) {
		jsonw_u64(w, "usage", s->memory);
		if (!s->v2 && s->memory_max)
			jsonw_u64(w, "max_usage", s->memory_max);
		jsonw_object(w, "stats");
		for (size_t i = 0; i < s->n_memory_stat; i++)
			jsonw_u64(w, s->memory_stat[i].name, s->memory_stat[i].value);
		jsonw_end_object(w);
		if (s->memory_failures)
			jsonw_u64(w, "failcnt", s->memory_failures);
		jsonw_u64(w, "limit", s->memory_limit);
	}
	jsonw_end_object(w);
}

static void networks_json(struct jsonw *w, const struct rt_stats *s)
{
	if (!s || !s->n_links)
		return;
	jsonw_object(w, "networks");
	for (size_t i = 0; i < s->n_links; i++) {
		const struct stat_link *l = &s->links[i];

		jsonw_object(w, l->name);
		jsonw_u64(w, "rx_bytes", l->rx_bytes);
		jsonw_u64(w, "rx_packets", l->rx_packets);
		jsonw_u64(w, "rx_errors", l->rx_errors);
		jsonw_u64(w, "rx_dropped", l->rx_dropped);
		jsonw_u64(w, "tx_bytes", l->tx_bytes);
		jsonw_u64(w, "tx_packets", l->tx_packets);
		jsonw_u64(w, "tx_errors", l->tx_errors);
		jsonw_u64(w, "tx_dropped", l->tx_dropped);
		jsonw_end_object(w);
	}
	jsonw_end_object(w);
}

void stats_json(struct jsonw *w, const struct stats_view *v)
{
	char when[RFC3339_SIZE];

	jsonw_object(w, NULL);
	jsonw_strf(w, "name", "/%s", v->name);
	jsonw_str(w, "id", v->id);
	jsonw_str(w, "read", clock_rfc3339(v->now ? v->now->read_ns : 0, when));
	jsonw_str(w, "preread", clock_rfc3339(v->now && v->before ? v->before_ns : 0, when));
	pids_json(w, v->now);
	blkio_json(w, v->now);
	jsonw_i64(w, "num_procs", 0); /* Windows' */
	jsonw_raw(w, "storage_stats", "{}");
	cpu_json(w, "cpu_stats", v->now ? &v->now->cpu : NULL);
	cpu_json(w, "precpu_stats", v->now ? v->before : NULL);
	memory_json(w, v->now);
	networks_json(w, v->now);
	jsonw_end_object(w);
}

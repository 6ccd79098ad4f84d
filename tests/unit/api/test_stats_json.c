/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_stats_json.c - a sample as the API shows it: keys, what is left out, v1 and v2 */

#include "api/stats_json.h"

#include "base/clock.h"
#include "base/json.h"
#include "tap.h"

static json_t *json_of_view(const struct stats_view *v)
{
	auto_buf struct buf b = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&b);
	struct err e = {0};
	json_t *j = NULL;

	stats_json(&w, v);
	if (json_read(buf_str(&b), b.len, &j, &e) < 0)
		ok(false, "no JSON: %s: %s", e.msg, buf_str(&b));
	return j;
}

static void same(const json_t *j, const char *key, const char *want)
{
	auto_json json_t *w = json_loads(want, JSON_DECODE_ANY, NULL);
	const json_t *v = json_object_get(j, key);
	auto_free char *got = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

	if (!ok(w && v && json_equal(v, w), "%s", key))
		printf("# got %s\n", got ? got : "nothing");
}

#define CPU_NONE                                                                                   \
	"{\"cpu_usage\": {\"total_usage\": 0, \"usage_in_kernelmode\": 0, \"usage_in_usermode\": " \
	"0}, \"throttling_data\": {\"periods\": 0, \"throttled_periods\": 0, \"throttled_time\": " \
	"0}}"

static void running(void)
{
	uint64_t percpu[] = {4, 6};
	struct stat_pair memory[] = {{"total_inactive_file", 5}};
	struct stat_io io[] = {{8, 0, 4096, "Read"}};
	struct stat_link links[] = {{"eth0", 1, 2, 3, 4, 5, 6, 7, 8}};
	struct rt_stats now = {.read_ns = 2 * NS_PER_S,
			       .cpu = {.total = 10,
				       .user = 7,
				       .kernel = 3,
				       .host = 1000,
				       .online = 2,
				       .percpu = percpu,
				       .n_percpu = 2,
				       .periods = 9,
				       .throttled = 8,
				       .throttled_ns = 7},
			       .memory = 100,
			       .memory_max = 120,
			       .memory_limit = 200,
			       .memory_failures = 2,
			       .memory_stat = memory,
			       .n_memory_stat = 1,
			       .io_bytes = io,
			       .n_io_bytes = 1,
			       .pids = 4,
			       .pids_limit = STAT_NO_LIMIT,
			       .links = links,
			       .n_links = 1};
	struct stat_cpu before = {.total = 1, .host = 500, .online = 2};
	struct stats_view v = {"1d", "web", &now, &before, NS_PER_S};
	auto_json json_t *j = json_of_view(&v);

	same(j, "name", "\"/web\"");
	same(j, "id", "\"1d\"");
	same(j, "read", "\"1970-01-01T00:00:02.000000000Z\"");
	same(j, "preread", "\"1970-01-01T00:00:01.000000000Z\"");
	same(j, "pids_stats", "{\"current\": 4}");
	same(j, "cpu_stats",
	     "{\"cpu_usage\": {\"total_usage\": 10, \"percpu_usage\": [4, 6], "
	     "\"usage_in_kernelmode\": 3, \"usage_in_usermode\": 7}, \"system_cpu_usage\": 1000, "
	     "\"online_cpus\": 2, \"throttling_data\": {\"periods\": 9, \"throttled_periods\": 8, "
	     "\"throttled_time\": 7}}");
	ok(json_integer_value(
		   json_object_get(json_object_get(j, "precpu_stats"), "system_cpu_usage")) == 500,
	   "precpu_stats");
	same(j, "memory_stats",
	     "{\"usage\": 100, \"max_usage\": 120, \"stats\": {\"total_inactive_file\": 5}, "
	     "\"failcnt\": 2, \"limit\": 200}");
	same(j, "networks",
	     "{\"eth0\": {\"rx_bytes\": 1, \"rx_packets\": 2, \"rx_errors\": 3, \"rx_dropped\": 4, "
	     "\"tx_bytes\": 5, \"tx_packets\": 6, \"tx_errors\": 7, \"tx_dropped\": 8}}");
	same(j, "blkio_stats",
	     "{\"io_service_bytes_recursive\": [{\"major\": 8, \"minor\": 0, \"op\": \"Read\", "
	     "\"value\": 4096}], \"io_serviced_recursive\": null, \"io_queue_recursive\": null, "
	     "\"io_service_time_recursive\": null, \"io_wait_time_recursive\": null, "
	     "\"io_merged_recursive\": null, \"io_time_recursive\": null, \"sectors_recursive\": "
	     "null}");
}

static void v2_and_first(void)
{
	struct rt_stats now = {.v2 = true,
			       .read_ns = NS_PER_S,
			       .memory = 1,
			       .memory_max = 9,
			       .memory_limit = 2,
			       .pids = 1,
			       .pids_limit = 77};
	struct stats_view v = {.id = "1d", .name = "web", .now = &now};
	auto_json json_t *j = json_of_view(&v);

	same(j, "memory_stats", "{\"usage\": 1, \"stats\": {}, \"limit\": 2}");
	same(j, "pids_stats", "{\"current\": 1, \"limit\": 77}");
	same(j, "precpu_stats", CPU_NONE);
	same(j, "preread", "\"0001-01-01T00:00:00Z\"");
	ok(!json_object_get(j, "networks"), "no networks");
}

static void stopped(void)
{
	struct stat_cpu before = {.total = 5};
	struct stats_view v = {"1d", "web", NULL, &before, NS_PER_S};
	auto_json json_t *j = json_of_view(&v);

	same(j, "read", "\"0001-01-01T00:00:00Z\"");
	same(j, "preread", "\"0001-01-01T00:00:00Z\"");
	same(j, "pids_stats", "{}");
	same(j, "memory_stats", "{}");
	same(j, "cpu_stats", CPU_NONE);
	same(j, "precpu_stats", CPU_NONE);
	ok(!json_object_get(j, "networks"), "no networks");
}

int main(void)
{
	running();
	v2_and_first();
	stopped();
	return tap_done();
}

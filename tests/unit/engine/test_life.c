/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_life.c - health checks' rules and results, the restart delay, ps's output, limits: all pure
 */

#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/life_internal.h"
#include "tap.h"
#include "world.h"

#define S NS_PER_S

/* ---- health ---- */

static void rules(void)
{
	auto_json json_t *plain =
		json_of("{\"Healthcheck\": {\"Test\": [\"CMD\", \"a\", \"b c\"]}}");
	auto_json json_t *shell =
		json_of("{\"Shell\": [\"/bin/ash\", \"-ec\"], \"Healthcheck\": {\"Test\": "
			"[\"CMD-SHELL\", \"x y\"], \"Interval\": 5000000, \"Timeout\": 6000000, "
			"\"Retries\": 9, \"StartPeriod\": 7000000, \"StartInterval\": 8000000}}");
	static const char *const none[] = {
		"{}",
		"{\"Healthcheck\": {}}",
		"{\"Healthcheck\": {\"Test\": [\"NONE\"]}}",
		"{\"Healthcheck\": {\"Test\": [\"CMD\"]}}",
		"{\"Healthcheck\": {\"Test\": [\"WORD\", \"x\"]}}",
	};
	struct health_rules r;

	is_int(health_rules_read(plain, &r), 0, "a command");
	ok(strv_len(r.args) == 2 && streq(r.args[1], "b c"), "as it is");
	ok(r.interval_ns == 30 * S && r.timeout_ns == 30 * S && r.start_period_ns == 0 &&
		   r.start_interval_ns == 5 * S && r.retries == 3,
	   "Docker's defaults");
	health_rules_done(&r);
	is_int(health_rules_read(shell, &r), 0, "a line for the shell");
	ok(strv_len(r.args) == 3 && streq(r.args[0], "/bin/ash") && streq(r.args[2], "x y"),
	   "the container's own shell");
	ok(r.interval_ns == 5000000 && r.timeout_ns == 6000000 && r.retries == 9 &&
		   r.start_period_ns == 7000000 && r.start_interval_ns == 8000000,
	   "as given");
	health_rules_done(&r);
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		auto_json json_t *j = json_of(none[i]);

		ok(health_rules_read(j, &r) == 0 && !r.args, "no check: %s", none[i]);
		health_rules_done(&r);
	}
}

static void note(struct container_health *h, const struct health_rules *r, int64_t start, int code)
{
	struct health_result x = {
		.start_ns = start, .end_ns = start + 1, .exit_code = code, .output = strdup("o")};

	is_int(health_note(h, r, 0, x), 0, "noted");
}

static void results(void)
{
	struct health_rules r = {.interval_ns = 30 * S,
				 .start_period_ns = 100 * S,
				 .start_interval_ns = 5 * S,
				 .retries = 2};
	struct container_health h = {.status = HEALTH_STARTING};

	is_int(health_next_ns(&h, &r, 10 * S), 5 * S, "soon again within the start period");
	is_int(health_next_ns(&h, &r, 100 * S), 30 * S, "not behind it");
	note(&h, &r, 50 * S, 1);
	ok(h.status == HEALTH_STARTING && h.streak == 0, "a failure in the start period");
	note(&h, &r, 101 * S, 1);
	ok(h.status == HEALTH_STARTING && h.streak == 1, "the first that counts");
	note(&h, &r, 102 * S, -1);
	ok(h.status == HEALTH_UNHEALTHY && h.streak == 2, "as often as retries say");
	note(&h, &r, 103 * S, 0);
	ok(h.status == HEALTH_HEALTHY && h.streak == 0, "one success makes all good");
	note(&h, &r, 50 * S, 1);
	ok(h.status == HEALTH_HEALTHY && h.streak == 1,
	   "once it was healthy, the start period is over");
	is_int(health_next_ns(&h, &r, 10 * S), 30 * S, "for the interval as well");
	note(&h, &r, 105 * S, 0);
	is_int(h.n_log, HEALTH_LOG_MAX, "five are kept");
	is_int(h.log[0].start_ns, 101 * S, "the oldest is gone");
	is_int(h.log[4].start_ns, 105 * S, "the newest last");
	ok(health_note(&h, &r, 0, (struct health_result){0}) == -ENOMEM, "no output: no memory");
	health_log_done(&h);
}

static void merged(void)
{
	auto_json json_t *image = json_of("{\"Healthcheck\": {\"Test\": [\"CMD\", \"i\"], "
					  "\"Interval\": 5, \"Retries\": 6}}");
	auto_json json_t *silent = json_of("{}");
	auto_json json_t *partly = json_of("{\"Healthcheck\": {\"retries\": 7, \"Interval\": 0, "
					   "\"Timeout\": 8, \"Strange\": 1}}");
	auto_json json_t *want = json_of("{\"Test\": [\"CMD\", \"i\"], \"Interval\": 5, "
					 "\"Retries\": 7, \"Timeout\": 8}");
	struct err e = {0};

	is_int(health_merge(silent, image, &e), 0, "a silent client");
	ok(json_equal(jo(silent, "Healthcheck"), jo(image, "Healthcheck")), "has the image's");
	is_int(health_merge(partly, image, &e), 0, "one that says something");
	ok(json_equal(jo(partly, "Healthcheck"), want), "has the image's for the rest");
}

/* ---- restarts ---- */

static void delays(void)
{
	static const int64_t want[] = {100,  200,   400,   800,	  1600,	 3200,
				       6400, 12800, 25600, 51200, 60000, 60000};
	int failures = 0;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		is_int(restart_delay_ms(&failures, S), want[i], "failure %zu", i + 1);
	is_int(restart_delay_ms(&failures, 10 * S), 100, "ten seconds of life forgive them");
	is_int(restart_delay_ms(&failures, S), 100, "and it begins anew");
	is_int(restart_delay_ms(&failures, S), 200, "as before");
	failures = INT32_MAX - 1;
	is_int(restart_delay_ms(&failures, 0), 60000, "for ever");
}

/* ---- top ---- */

static void tops(void)
{
	static const char text[] = "UID          PID    PPID  C CMD\n"
				   "root           7       1  0 sh -c  two  words  \n"
				   "root           8       7  0\n"
				   "daemon        99       1  0 other\n\n"
				   "root         100       7  0 last\n";
	static const pid_t pids[] = {7, 8, 100};
	struct top t;
	struct err e = {0};

	is_int(top_parse(text, pids, 3, &t, &e), 0, "ps -ef");
	is_int(strv_len(t.titles), 5, "titles");
	is_int(t.n, 3, "only the container's");
	is_str(t.processes[0][4], "sh -c  two  words", "the last cell is all that is left");
	is_int(strv_len(t.processes[1]), 4, "a line with less");
	is_str(t.processes[2][1], "100", "the last");
	top_done(&t);
	is_int(top_parse("  PID CMD\n 7 main\n - thread\n 9 x\n - its\n", pids, 3, &t, &e), 0,
	       "threads");
	is_int(t.n, 2, "those of a process that is the container's");
	top_done(&t);
	is_err(top_parse("UID CMD\nroot x\n", pids, 3, &t, &e), e, ERR_INTERNAL,
	       "Couldn't find PID field in ps output");
	is_err(top_parse("", pids, 3, &t, &e), e, ERR_INTERNAL,
	       "Couldn't find PID field in ps output");
	is_err(top_parse("PID CMD\nseven x\n", pids, 3, &t, &e), e, ERR_INTERNAL,
	       "Unexpected pid 'seven'");
}

/* ---- limits ---- */

static void device_rules(void)
{
	static const char *const good[] = {"c 1:3 rwm", "b *:* m", "a *:* r", "c 42:* rw"};
	static const char *const bad[] = {"",	      "c",	    "c 1:3",	"x 1:3 r",
					  "c 1 r",    "c 1:3 rwmr", "c 1:3 x",	"c 1:3  r",
					  "c :3 r",   "c 1: r",	    "c 1:-3 r", "c  1:3 r",
					  " c 1:3 r", "c 1:3 r ",   "c ** r"};
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_SIZE(good) + ARRAY_SIZE(bad); i++) {
		bool fine = i < ARRAY_SIZE(good);
		const char *rule = fine ? good[i] : bad[i - ARRAY_SIZE(good)];
		auto_json json_t *h = json_pack("{s:[s]}", "DeviceCgroupRules", rule);

		ok((device_rules_valid(h, &e) >= 0) == fine, "\"%s\"", rule);
	}
}

static void adjusted(void)
{
	auto_json json_t *h = json_of("{\"Memory\": 10000000, \"MemorySwap\": 0, \"CpuPercent\": "
				      "5, \"MemorySwappiness\": -1, \"PidsLimit\": null}");
	auto_json json_t *free_ = json_of("{\"Memory\": 0, \"MemorySwap\": 0}");
	auto_strv char **warnings = NULL;

	is_int(resources_adjust(h, &warnings), 0, "adjusted");
	ok(ji(h, "MemorySwap") == 20000000 || ji(h, "MemorySwap") == -1,
	   "as much swap as memory, or none counted");
	is_int(ji(h, "CpuPercent"), 0, "what is not there at all is discarded");
	ok(strv_has(warnings, "linux does not support CPU percent. Percent discarded."),
	   "and said");
	ok(json_is_null(json_object_get(h, "MemorySwappiness")), "-1 is not given");
	ok(json_is_null(json_object_get(h, "PidsLimit")), "what is not given stays so");
	is_int(resources_adjust(free_, &warnings), 0, "without limits");
	is_int(ji(free_, "MemorySwap"), 0, "none is made up");
}

int main(void)
{
	rules();
	results();
	merged();
	delays();
	tops();
	device_rules();
	adjusted();
	return tap_done();
}

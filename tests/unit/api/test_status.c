/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_status.c - the words of ps for a container's state */

#include "api/status.h"
#include "base/clock.h"
#include "tap.h"

#define MIN_S  60LL
#define HOUR_S (60 * MIN_S)
#define DAY_S  (24 * HOUR_S)

static const struct {
	int64_t s;
	const char *text;
} durations[] = {
	{-5, "Less than a second"},
	{0, "Less than a second"},
	{1, "1 second"},
	{2, "2 seconds"},
	{59, "59 seconds"},
	{60, "About a minute"},
	{119, "About a minute"},
	{120, "2 minutes"},
	{HOUR_S - 1, "59 minutes"},
	{HOUR_S, "About an hour"},
	{89 * MIN_S, "About an hour"},
	{90 * MIN_S, "2 hours"},
	{47 * HOUR_S, "47 hours"},
	{48 * HOUR_S, "2 days"},
	{13 * DAY_S, "13 days"},
	{14 * DAY_S, "2 weeks"},
	{59 * DAY_S, "8 weeks"},
	{60 * DAY_S, "2 months"},
	{729 * DAY_S, "24 months"},
	{730 * DAY_S, "2 years"},
	{3650 * DAY_S, "10 years"},
};

static const struct {
	struct container_state st; /* times in seconds, taken times a thousand million */
	enum health_status health;
	const char *text;
} states[] = {
	{{.status = CONTAINER_CREATED}, HEALTH_NONE, "Created"},
	{{.status = CONTAINER_RUNNING, .started_ns = 997}, HEALTH_NONE, "Up 3 seconds"},
	{{.status = CONTAINER_RUNNING, .started_ns = 1000}, HEALTH_NONE, "Up Less than a second"},
	{{.status = CONTAINER_RUNNING, .started_ns = 997},
	 HEALTH_STARTING,
	 "Up 3 seconds (health: starting)"},
	{{.status = CONTAINER_RUNNING, .started_ns = 880},
	 HEALTH_HEALTHY,
	 "Up 2 minutes (healthy)"},
	{{.status = CONTAINER_RUNNING, .started_ns = 997},
	 HEALTH_UNHEALTHY,
	 "Up 3 seconds (unhealthy)"},
	{{.status = CONTAINER_RUNNING, .started_ns = 820, .paused = true},
	 HEALTH_HEALTHY,
	 "Up 3 minutes (Paused)"},
	{{.status = CONTAINER_EXITED, .started_ns = 800, .finished_ns = 880},
	 HEALTH_UNHEALTHY,
	 "Exited (0) 2 minutes ago"},
	{{.status = CONTAINER_EXITED, .started_ns = 1, .finished_ns = 940, .exit_code = 137},
	 HEALTH_NONE,
	 "Exited (137) About a minute ago"},
	{{.status = CONTAINER_EXITED}, HEALTH_NONE, "Created"}, /* its start failed */
	{{.status = CONTAINER_RESTARTING, .started_ns = 1, .finished_ns = 995, .exit_code = 1},
	 HEALTH_UNHEALTHY,
	 "Restarting (1) 5 seconds ago"},
	{{.status = CONTAINER_REMOVING}, HEALTH_NONE, "Removal In Progress"},
	{{.status = CONTAINER_DEAD}, HEALTH_NONE, "Dead"},
};

int main(void)
{
	auto_buf struct buf b = BUF_INIT(256);

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		buf_clear(&b);
		status_duration(durations[i].s * NS_PER_S, &b);
		is_str(buf_str(&b), durations[i].text, "%lld s", (long long)durations[i].s);
	}
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct container_state st = states[i].st;

		buf_clear(&b);
		st.started_ns *= NS_PER_S;
		st.finished_ns *= NS_PER_S;
		status_text(&st, states[i].health, 1000 * NS_PER_S, &b);
		is_str(buf_str(&b), states[i].text, "state %zu", i);
	}
	return tap_done();
}

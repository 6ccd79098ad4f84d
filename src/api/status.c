/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status.c - the words of ps */

#include "api/status.h"

#include "base/clock.h"

void status_duration(int64_t ns, struct buf *out)
{
	int64_t s = ns / NS_PER_S, m = s / 60, h = (m + 30) / 60;

	if (s < 1)
		(void)buf_puts(out, "Less than a second");
	else if (s == 1)
		(void)buf_puts(out, "1 second");
	else if (s < 60)
		(void)buf_printf(out, "%lld seconds", (long long)s);
	else if (m == 1)
		(void)buf_puts(out, "About a minute");
	else if (m < 60)
		(void)buf_printf(out, "%lld minutes", (long long)m);
	else if (h == 1)
		(void)buf_puts(out, "About an hour");
	else if (h < 48)
		(void)buf_printf(out, "%lld hours", (long long)h);
	else if (h < 24 * 7 * 2)
		(void)buf_printf(out, "%lld days", (long long)h / 24);
	else if (h < 24 * 30 * 2)
		(void)buf_printf(out, "%lld weeks", (long long)h / 24 / 7);
	else if (h < 24 * 365 * 2)
		(void)buf_printf(out, "%lld months", (long long)h / 24 / 30);
	else
		(void)buf_printf(out, "%lld years", (long long)m / 60 / 24 / 365);
}

static void ended_text(const struct container_state *st, int64_t now_ns, struct buf *out)
{
	(void)buf_printf(out, "%s (%d) ", st->status == CONTAINER_EXITED ? "Exited" : "Restarting",
			 st->exit_code);
	status_duration(now_ns - st->finished_ns, out);
	(void)buf_puts(out, " ago");
}

static void up_text(const struct container_state *st, enum health_status health, int64_t now_ns,
		    struct buf *out)
{
	(void)buf_puts(out, "Up ");
	status_duration(now_ns - st->started_ns, out);
	if (st->paused)
		(void)buf_puts(out, " (Paused)");
	else if (health != HEALTH_NONE)
		(void)buf_printf(out, " (%s%s)", health == HEALTH_STARTING ? "health: " : "",
				 health_status_name(health));
}

void status_text(const struct container_state *st, enum health_status health, int64_t now_ns,
		 struct buf *out)
{
	switch (st->status) {
	case CONTAINER_CREATED:
		(void)buf_puts(out, "Created");
		return;
	case CONTAINER_RUNNING:
		up_text(st, health, now_ns, out);
		return;
	case CONTAINER_REMOVING:
		(void)buf_puts(out, "Removal In Progress");
		return;
	case CONTAINER_DEAD:
		(void)buf_puts(out, "Dead");
		return;
	case CONTAINER_EXITED:
		if (!st->started_ns) { /* it never ran: its start failed */
			(void)buf_puts(out, "Created");
			return;
		}
		ended_text(st, now_ns, out);
		return;
	case CONTAINER_RESTARTING:
		ended_text(st, now_ns, out);
		return;
	}
}

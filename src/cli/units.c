/* SPDX-License-Identifier: GPL-2.0-or-later */
/* units.c - numbers for people (docker/go-units' texts) */

#include "cli/units.h"

#include <time.h>

#include "base/clock.h"

static void scaled(struct buf *out, double v, double step, int digits, const char *const *units)
{
	while (v >= step && units[1]) {
		v /= step;
		units++;
	}
	(void)buf_printf(out, "%.*g%s", digits, v, *units);
}

void human_size(struct buf *out, int64_t bytes, int digits)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", NULL};

	scaled(out, (double)bytes, 1000, digits, units);
}

void human_binary(struct buf *out, int64_t bytes)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", NULL};

	scaled(out, (double)bytes, 1024, 4, units);
}

void human_span(struct buf *out, int64_t ns)
{
	long long s = ns / NS_PER_S, m = s / 60, h = (s + 1800) / 3600;

	if (s < 1)
		(void)buf_puts(out, "Less than a second");
	else if (s == 1)
		(void)buf_puts(out, "1 second");
	else if (s < 60)
		(void)buf_printf(out, "%lld seconds", s);
	else if (m == 1)
		(void)buf_puts(out, "About a minute");
	else if (m < 60)
		(void)buf_printf(out, "%lld minutes", m);
	else if (h == 1)
		(void)buf_puts(out, "About an hour");
	else if (h < 48)
		(void)buf_printf(out, "%lld hours", h);
	else if (h < 24 * 7 * 2)
		(void)buf_printf(out, "%lld days", h / 24);
	else if (h < 24 * 30 * 2)
		(void)buf_printf(out, "%lld weeks", h / 24 / 7);
	else if (h < 24 * 365 * 2)
		(void)buf_printf(out, "%lld months", h / 24 / 30);
	else
		(void)buf_printf(out, "%lld years", h / 24 / 365);
}

static void broken_down(int64_t real_ns, struct tm *tm)
{
	time_t t = (time_t)(real_ns / NS_PER_S);

	if (!localtime_r(&t, tm))
		*tm = (struct tm){.tm_year = -1899, .tm_mday = 1};
}

void human_moment(struct buf *out, int64_t real_ns)
{
	char text[64];
	struct tm tm;

	broken_down(real_ns, &tm);
	if (strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z %Z", &tm))
		(void)buf_puts(out, text);
}

void human_rfc3339(struct buf *out, int64_t real_ns)
{
	long off;
	char text[40];
	struct tm tm;

	broken_down(real_ns, &tm);
	off = tm.tm_gmtoff;
	if (!strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	(void)buf_printf(out, "%s.%09lld", text, (long long)(real_ns % NS_PER_S));
	if (off)
		(void)buf_printf(out, "%c%02ld:%02ld", off < 0 ? '-' : '+', labs(off) / 3600,
				 labs(off) / 60 % 60);
	else
		(void)buf_putc(out, 'Z');
}

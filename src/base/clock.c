/* SPDX-License-Identifier: GPL-2.0-or-later */
/* clock.c - time and its texts */

#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

static int64_t now(clockid_t id)
{
	struct timespec ts;

	(void)clock_gettime(id, &ts); /* cannot fail for these clocks */
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int64_t clock_real_ns(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_mono_ns(void)
{
	return now(CLOCK_MONOTONIC);
}

const char *clock_rfc3339(int64_t real_ns, char out[RFC3339_SIZE])
{
	int64_t sec = real_ns / NS_PER_S, ns = real_ns % NS_PER_S;
	struct tm tm;
	time_t t;

	if (ns < 0) {
		ns += NS_PER_S;
		sec--;
	}
	t = (time_t)sec;
	if (!real_ns || !gmtime_r(&t, &tm))
		(void)snprintf(out, RFC3339_SIZE, "0001-01-01T00:00:00Z");
	else
		(void)snprintf(out, RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%09uZ",
			       (unsigned)(tm.tm_year + 1900) % 10000,
			       (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
			       (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
			       (unsigned)tm.tm_sec % 100, (unsigned)(ns % NS_PER_S));
	return out;
}

const char *clock_rfc3339_short(int64_t real_ns, char out[RFC3339_SIZE])
{
	char *end;

	(void)clock_rfc3339(real_ns, out);
	end = strchr(out, 'Z');
	if (!end || !strchr(out, '.'))
		return out;
	while (end[-1] == '0')
		end--;
	end -= end[-1] == '.';
	end[0] = 'Z';
	end[1] = '\0';
	return out;
}

/* Exactly @n digits at *s, which moves on. */
static int digits(const char **s, int n, int *ret)
{
	int v = 0;

	for (int i = 0; i < n; i++, (*s)++) {
		if (**s < '0' || **s > '9')
			return -EINVAL;
		v = v * 10 + (**s - '0');
	}
	*ret = v;
	return 0;
}

static int expect(const char **s, char c)
{
	if (**s != c)
		return -EINVAL;
	(*s)++;
	return 0;
}

static int fraction(const char **s, int64_t *ret_ns)
{
	int64_t scale = NS_PER_S / 10, ns = 0;

	if (**s != '.') {
		*ret_ns = 0;
		return 0;
	}
	(*s)++;
	if (**s < '0' || **s > '9')
		return -EINVAL;
	for (; **s >= '0' && **s <= '9'; (*s)++, scale /= 10)
		ns += (**s - '0') * scale;
	*ret_ns = ns;
	return 0;
}

static int zone(const char **s, int *ret_offset_s)
{
	int sign, h, m;

	if (**s == 'Z' || **s == 'z') {
		(*s)++;
		*ret_offset_s = 0;
		return 0;
	}
	if (**s != '+' && **s != '-')
		return -EINVAL;
	sign = *(*s)++ == '-' ? -1 : 1;
	if (digits(s, 2, &h) < 0 || expect(s, ':') < 0 || digits(s, 2, &m) < 0 || h > 23 || m > 59)
		return -EINVAL;
	*ret_offset_s = sign * (h * 3600 + m * 60);
	return 0;
}

/* "2026-01-02" into @tm, whose year is then the calendar's */
static int date(const char **s, struct tm *tm)
{
	if (digits(s, 4, &tm->tm_year) < 0 || expect(s, '-') < 0 || digits(s, 2, &tm->tm_mon) < 0 ||
	    expect(s, '-') < 0 || digits(s, 2, &tm->tm_mday) < 0)
		return -EINVAL;
	if (tm->tm_year < 1 || tm->tm_mon < 1 || tm->tm_mon > 12 || tm->tm_mday < 1 ||
	    tm->tm_mday > 31)
		return -EINVAL;
	tm->tm_mon--;
	return 0;
}

/* "03:04:05"; 60 is a leap second */
static int time_of_day(const char **s, struct tm *tm)
{
	if (digits(s, 2, &tm->tm_hour) < 0 || expect(s, ':') < 0 || digits(s, 2, &tm->tm_min) < 0 ||
	    expect(s, ':') < 0 || digits(s, 2, &tm->tm_sec) < 0)
		return -EINVAL;
	return tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 60 ? -EINVAL : 0;
}

int clock_parse_rfc3339(const char *s, int64_t *ret_ns)
{
	struct tm tm = {0};
	int64_t ns;
	int off;

	if (date(&s, &tm) < 0 || (*s != 'T' && *s != 't'))
		return -EINVAL;
	s++;
	if (time_of_day(&s, &tm) < 0 || fraction(&s, &ns) < 0 || zone(&s, &off) < 0 || *s)
		return -EINVAL;
	if (tm.tm_year < 1700 || tm.tm_year > 2200) { /* not within 64 bits of nanoseconds */
		*ret_ns = 0;
		return 0;
	}
	tm.tm_year -= 1900;
	*ret_ns = ((int64_t)timegm(&tm) - off) * NS_PER_S + ns;
	return 0;
}

int clock_parse_duration(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {{"ms", NS_PER_MS},	     {"us", 1000},	   {"ns", 1},
		     {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S}};
	int64_t total = 0;

	if (!*s)
		return -EINVAL;
	while (*s) {
		int64_t whole = 0, frac;
		size_t i;

		if (*s < '0' || *s > '9')
			return -EINVAL;
		for (; *s >= '0' && *s <= '9'; s++)
			if (__builtin_mul_overflow(whole, 10, &whole) ||
			    __builtin_add_overflow(whole, *s - '0', &whole))
				return -ERANGE;
		if (fraction(&s, &frac) < 0)
			return -EINVAL;
		for (i = 0; i < ARRAY_SIZE(units); i++)
			if (str_has_prefix(s, units[i].unit))
				break;
		if (i == ARRAY_SIZE(units) || __builtin_mul_overflow(whole, units[i].ns, &whole) ||
		    __builtin_add_overflow(total, whole, &total))
			return -EINVAL;
		total += (int64_t)((double)frac / 1e9 * (double)units[i].ns);
		s += strlen(units[i].unit);
	}
	*ret_ns = total;
	return 0;
}

int clock_parse_stamp(const char *s, int64_t now_ns, int64_t *ret_ns)
{
	const char *p = s;
	bool neg = *p == '-';
	int64_t sec = 0, ns, ago;

	if (clock_parse_rfc3339(s, ret_ns) >= 0)
		return 0;
	p += neg;
	if (*p >= '0' && *p <= '9') {
		for (; *p >= '0' && *p <= '9'; p++)
			if (__builtin_mul_overflow(sec, 10, &sec) ||
			    __builtin_add_overflow(sec, *p - '0', &sec))
				return -ERANGE;
		if (fraction(&p, &ns) >= 0 && !*p) {
			if (__builtin_mul_overflow(sec, NS_PER_S, &sec) ||
			    __builtin_add_overflow(sec, ns, &sec))
				return -ERANGE;
			*ret_ns = neg ? -sec : sec;
			return 0;
		}
	}
	if (clock_parse_duration(s, &ago) < 0)
		return -EINVAL;
	*ret_ns = now_ns - ago;
	return 0;
}

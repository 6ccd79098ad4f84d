/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_clock.c - times as text and back, stamps as the API takes them */

#include "base/clock.h"
#include "base/str.h"
#include "tap.h"

#define T0 1700000000LL /* 2023-11-14T22:13:20Z */

static void rfc3339(void)
{
	static const struct {
		const char *text;
		int r;
		int64_t ns;
	} rows[] = {
		{"2023-11-14T22:13:20Z", 0, T0 * NS_PER_S},
		{"2023-11-14T22:13:20.5Z", 0, T0 * NS_PER_S + 500000000},
		{"2023-11-14T22:13:20.123456789Z", 0, T0 * NS_PER_S + 123456789},
		{"2023-11-14t22:13:20z", 0, T0 * NS_PER_S},
		{"2023-11-15T00:13:20+02:00", 0, T0 * NS_PER_S},
		{"2023-11-14T16:43:20.000000001-05:30", 0, T0 * NS_PER_S + 1},
		{"1970-01-01T00:00:00Z", 0, 0},
		{"1969-12-31T23:59:59.5Z", 0, -500000000},
		{"2024-02-29T00:00:00Z", 0, 1709164800 * NS_PER_S},
		{"2016-12-31T23:59:60Z", 0, 1483228800 * NS_PER_S},
		{"0001-01-01T00:00:00Z", 0, 0},
		{"9999-12-31T23:59:59Z", 0, 0},
		{"2023-11-14T22:13:20.1234567891Z", 0, T0 * NS_PER_S + 123456789},
		{"", -EINVAL, 0},
		{"2023-11-14", -EINVAL, 0},
		{"2023-11-14 22:13:20Z", -EINVAL, 0},
		{"2023-11-14T22:13:20", -EINVAL, 0},
		{"2023-11-14T22:13:20.Z", -EINVAL, 0},
		{"2023-11-14T22:13:20Zx", -EINVAL, 0},
		{"2023-11-14T22:13:20+2:00", -EINVAL, 0},
		{"2023-11-14T22:13:20+24:00", -EINVAL, 0},
		{"2023-13-14T22:13:20Z", -EINVAL, 0},
		{"2023-00-14T22:13:20Z", -EINVAL, 0},
		{"2023-11-32T22:13:20Z", -EINVAL, 0},
		{"2023-11-00T22:13:20Z", -EINVAL, 0},
		{"2023-11-14T24:13:20Z", -EINVAL, 0},
		{"2023-11-14T22:60:20Z", -EINVAL, 0},
		{"2023-11-14T22:13:61Z", -EINVAL, 0},
		{"0000-11-14T22:13:20Z", -EINVAL, 0},
		{"+023-11-14T22:13:20Z", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ns = 0;

		is_int(clock_parse_rfc3339(rows[i].text, &ns), rows[i].r, "%s", rows[i].text);
		is_int(ns, rows[i].ns, "in nanoseconds");
	}
}

static void written(void)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{0, "0001-01-01T00:00:00Z"},
		{T0 * NS_PER_S, "2023-11-14T22:13:20.000000000Z"},
		{T0 * NS_PER_S + 1, "2023-11-14T22:13:20.000000001Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
	};
	char out[RFC3339_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		is_str(clock_rfc3339(rows[i].ns, out), rows[i].text, "%s", rows[i].text);
}

static void stamps(void)
{
	const int64_t now = T0 * NS_PER_S;
	static const struct {
		const char *text;
		int r;
		int64_t ns;
	} rows[] = {
		{"1700000000", 0, T0 * NS_PER_S},
		{"1700000000.123456789", 0, T0 * NS_PER_S + 123456789},
		{"0", 0, 0},
		{"-5", 0, -5 * NS_PER_S},
		{"2023-11-14T22:13:20Z", 0, T0 * NS_PER_S},
		{"10m", 0, (T0 - 600) * NS_PER_S},
		{"1h30m", 0, (T0 - 5400) * NS_PER_S},
		{"1.5h", 0, (T0 - 5400) * NS_PER_S},
		{"2s500ms", 0, T0 * NS_PER_S - 2500000000},
		{"3us4ns", 0, T0 * NS_PER_S - 3004},
		{"", -EINVAL, 0},
		{"x", -EINVAL, 0},
		{"10", 0, 10 * NS_PER_S},
		{"10x", -EINVAL, 0},
		{"m", -EINVAL, 0},
		{"10m5", -EINVAL, 0},
		{"99999999999999999999", -ERANGE, 0},
		{"9999999999999", -ERANGE, 0},
		{"9999999h", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ns = 0;

		is_int(clock_parse_stamp(rows[i].text, now, &ns), rows[i].r, "stamp %s",
		       rows[i].text);
		is_int(ns, rows[i].ns, "in nanoseconds");
	}
}

int main(void)
{
	int64_t a = clock_mono_ns(), b = clock_mono_ns();

	ok(b >= a && a > 0, "the monotonic clock does not go back");
	ok(clock_real_ns() > T0 * NS_PER_S, "it is late");
	rfc3339();
	written();
	stamps();
	return tap_done();
}

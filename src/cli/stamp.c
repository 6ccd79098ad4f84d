/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stamp.c - moments for a query */

#include "cli/stamp.h"

#include <time.h>

#include "base/clock.h"
#include "client/client.h"

/* A date, or a date and a time, of the local zone. */
static int local_moment(const char *s, int64_t *ret_ns)
{
	static const char *const shapes[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(s, shapes[i], &tm);

		if (end && !*end) {
			*ret_ns = (int64_t)mktime(&tm) * NS_PER_S;
			return 0;
		}
	}
	return -EINVAL;
}

int url_stamp(struct buf *u, const char *key, const char *value, struct err *e)
{
	char text[48];
	int64_t ns;

	if (!value)
		return 0;
	if (clock_parse_stamp(value, clock_real_ns(), &ns) < 0 && local_moment(value, &ns) < 0)
		return err_invalid(e,
				   "invalid value for \"%s\": \"%s\" is no timestamp and no "
				   "duration",
				   key, value);
	(void)snprintf(text, sizeof(text), "%lld.%09lld", (long long)(ns / NS_PER_S),
		       (long long)(ns % NS_PER_S));
	url_query(u, key, text);
	return 0;
}

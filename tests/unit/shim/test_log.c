/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_log.c - lines as records: escapes, broken UTF-8, both formats; what does not fit */

#include <string.h>

#include "shim/internal.h"
#include "tap.h"

#define NS 1767323045123456789LL /* 2026-01-02T03:04:05.123456789Z */

static char room[RECORD_MAX];

static const char *record(const struct log_options *o, bool partial, const char *text, size_t len)
{
	struct log_entry e = {1, NS, partial, text, len};
	size_t n = log_format(o, &e, room, sizeof(room) - 1);

	room[n] = '\0';
	return room;
}

static void is_escaped(const char *text, size_t len, const char *want)
{
	struct log_options o = {.json = true};
	char all[256];

	(void)snprintf(all, sizeof(all),
		       "{\"log\":\"%s\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05."
		       "123456789Z\"}\n",
		       want);
	is_str(record(&o, true, text, len), all, "%s", want);
}

#define ESCAPED(text, want) is_escaped(text, sizeof(text) - 1, want)

int main(void)
{
	static char much[LINE_MAX_BYTES];
	struct log_entry worst = {2, NS, true, much, sizeof(much)};
	struct log_options json = {.json = true, .attrs = "{\"k\":\"v\"}"}, local = {.json = false};

	ESCAPED("plain", "plain");
	ESCAPED("\"\\\t\r\n", "\\\"\\\\\\t\\r\\n");
	ESCAPED("<a&b>", "\\u003ca\\u0026b\\u003e");
	ESCAPED("\0\1\x1f\x7f", "\\u0000\\u0001\\u001f\\u007f");
	ESCAPED("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	ESCAPED("\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029");
	ESCAPED("\xff\xc3", "\\ufffd\\ufffd");
	ESCAPED("\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80",
		"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd");
	ESCAPED("\xe2\x82", "\\ufffd\\ufffd");
	is_str(record(&json, false, "x", 1),
	       "{\"log\":\"x\\n\",\"stream\":\"stdout\",\"attrs\":{\"k\":\"v\"},"
	       "\"time\":\"2026-01-02T03:04:05.123456789Z\"}\n",
	       "a whole line, with attributes");
	is_str(record(&local, false, "x", 1), "2026-01-02T03:04:05.123456789Z stdout F x\n",
	       "local");
	is_str(record(&local, true, "x", 1), "2026-01-02T03:04:05.123456789Z stdout P x\n",
	       "a piece");
	memset(much, 1, sizeof(much));
	json.attrs = NULL;
	ok(log_format(&json, &worst, room, sizeof(room)) > 6 * sizeof(much), "the worst line fits");
	is_int(log_format(&json, &worst, room, 100), 0, "or is refused");
	return tap_done();
}

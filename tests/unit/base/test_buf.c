/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_buf.c - the growing buffer and its sticky error; the error text of everybody */

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "tap.h"

static void growing(void)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);
	char *taken;

	is_str(buf_str(&b), "", "empty before the first append");
	for (int i = 0; i < 1000; i++)
		(void)buf_printf(&b, "%d,", i);
	is_int(b.len, 3890, "a thousand appends");
	ok(!strncmp(b.data, "0,1,2,", 6) && !strcmp(b.data + b.len - 8, "998,999,"), "in order");
	buf_consume(&b, 3886);
	is_str(buf_str(&b), "999,", "consumed from the front");
	buf_consume(&b, 1000);
	is_str(buf_str(&b), "", "no further than the end");
	is_int(buf_add(&b, "a\0b", 3), 0, "bytes with a zero");
	is_int(b.len, 3, "are counted");
	taken = buf_take(&b);
	ok(taken && !memcmp(taken, "a\0b", 4), "taken, terminated");
	is_int(b.len, 0, "and empty after");
	free(taken);
	taken = buf_take(&b);
	is_str(taken, "", "an empty one gives an empty text");
	free(taken);
}

static void limited(void)
{
	auto_buf struct buf b = BUF_INIT(8);

	is_int(buf_puts(&b, "12345678"), 0, "up to the maximum");
	is_int(buf_putc(&b, '9'), -ENOBUFS, "not over it");
	is_int(buf_err(&b), -ENOBUFS, "the error sticks");
	is_str(buf_str(&b), "12345678", "what was there stays");
	buf_consume(&b, 8);
	is_int(buf_puts(&b, "x"), -ENOBUFS, "also when there is room again");
	ok(buf_take(&b) == NULL, "nothing is taken after a failure");
	buf_clear(&b);
	is_int(buf_printf(&b, "%s", "again"), 0, "clearing forgets it");
	is_int(buf_add(&b, "", 0), 0, "nothing is nothing");
	is_int(buf_add(&b, "x", SIZE_MAX), -ENOBUFS, "a length that overflows");
}

static void errors(void)
{
	struct err e = {0};
	char big[2048];

	is_int(err_set(&e, ERR_CONFLICT, EEXIST, "%s is there", "x"), -EEXIST, "set");
	ok(e.code == -EEXIST && e.kind == ERR_CONFLICT, "code and kind");
	is_str(e.msg, "x is there", "and text");
	is_int(err_wrap(&e, "cannot make %d", 7), -EEXIST, "wrapping keeps the code");
	is_str(e.msg, "cannot make 7: x is there", "and puts its text before");
	is_int(e.kind, ERR_CONFLICT, "the kind too");
	is_int(err_sys(&e, ENOENT, "cannot open %s", "f"), -ENOENT, "a system call's");
	is_str(e.msg, "cannot open f: No such file or directory", "says why");
	is_int(err_set(&e, ERR_INTERNAL, 0, "x"), -EIO, "a failure is never 0");
	is_int(err_set(NULL, ERR_INTERNAL, EPERM, "x"), -EPERM, "nobody has to listen");
	is_int(err_wrap(NULL, "x"), -EIO, "nor at a wrap");
	memset(big, 'y', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	(void)err_set(&e, ERR_INVALID, EINVAL, "%s", big);
	(void)err_wrap(&e, "before");
	is_int(strlen(e.msg), sizeof(e.msg) - 1, "a long text is cut");
	ok(!strncmp(e.msg, "before: yyy", 11), "at its end");
}

static void levels(void)
{
	static const struct {
		const char *text;
		int r;
		enum log_level level;
	} rows[] = {{"debug", 0, LOG_DEBUG}, {"info", 0, LOG_INFO},   {"warn", 0, LOG_WARN},
		    {"error", 0, LOG_ERROR}, {"fatal", 0, LOG_ERROR}, {"panic", 0, LOG_ERROR},
		    {"", -EINVAL, 0},	     {"verbose", -EINVAL, 0}, {NULL, -EINVAL, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum log_level got = LOG_DEBUG;
		int r = log_parse_level(rows[i].text, &got);

		ok(r == rows[i].r && (r < 0 || got == rows[i].level), "log level %s",
		   rows[i].text ? rows[i].text : "(none)");
	}
	log_setup("t", LOG_WARN, false);
	ok(!log_enabled(LOG_INFO) && log_enabled(LOG_WARN) && log_enabled(LOG_ERROR),
	   "what is under the level is not written");
}

int main(void)
{
	growing();
	limited();
	errors();
	levels();
	return tap_done();
}

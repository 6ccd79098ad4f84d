/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_logs.c - tail, since, until, follow, pauses, partial lines, both formats, rotated files */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "loop/loop.h"
#include "runtime/logs.h"
#include "tap.h"

static char dir[] = "/tmp/atoll-logs-XXXXXX";
static char *path;
static struct loop *loop;

/* what a reader was told */
struct seen {
	struct buf text; /* "1:text" and "2:text" pieces */
	size_t records, pause_at, close_at;
	bool done;
	struct log_reader *r;
	int64_t last_ns;
};

static int on_line(const struct log_line *line, void *data)
{
	struct seen *s = data;

	s->records++;
	s->last_ns = line->ns;
	if (s->text.len < 60000) {
		(void)buf_printf(&s->text, "%d:", line->stream);
		(void)buf_add(&s->text, line->text, line->len);
	}
	if (s->records == s->close_at) {
		log_reader_close(s->r);
		s->r = NULL;
	}
	return s->records == s->pause_at;
}

static void on_done(void *data)
{
	struct seen *s = data;

	s->done = true;
}

static void seen_clear(struct seen *s)
{
	buf_done(&s->text);
	*s = (struct seen){.text = BUF_INIT(64 << 20)};
}

static bool start(struct seen *s, const struct log_query *q)
{
	struct log_reader_ops ops = {.line = on_line, .done = on_done, .data = s};
	struct err e = {0};

	if (log_reader_open(loop, q, &ops, &s->r, &e) >= 0)
		return true;
	printf("# %s\n", e.msg);
	return false;
}

static struct log_query query(void)
{
	return (struct log_query){.path = path, .out = true, .err = true, .tail = -1};
}

static void run_until(const bool *flag, int turns)
{
	while (!*flag && turns--)
		(void)loop_run_once(loop, 200);
}

/* Reads to the end. */
static const char *all(struct seen *s, const struct log_query *q)
{
	seen_clear(s);
	if (!start(s, q))
		return "cannot open";
	run_until(&s->done, 100000);
	return s->done ? buf_str(&s->text) : "no end";
}

static void write_log(int flags, const char *text, size_t len)
{
	auto_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	if (fd < 0 || fs_write_all(fd, text, len) < 0)
		ok(false, "the log is written");
}

static void put(const char *text)
{
	write_log(O_TRUNC, text, strlen(text));
}

static void append(const char *text)
{
	write_log(O_APPEND, text, strlen(text));
}

#define T "2026-01-02T03:04:0"
#define Z ".000000000+00:00 "
static const char plain[] = T "1" Z "stdout F one\n" T "2" Z "stderr F two\n" T "3" Z
			      "stdout P thr\n" T "3" Z "stdout F ee\n" T "4" Z "stderr F four\n" T
			      "5" Z "stdout F \n" T "6" Z "stdout P end\n";

static void test_plain(void)
{
	struct seen s = {0};
	struct log_query q = query();

	put(plain);
	is_str(all(&s, &q), "1:one\n2:two\n1:thr1:ee\n2:four\n1:\n1:end", "the whole log");
	is_int(s.last_ns % NS_PER_S, 0, "its time");
	q.err = false;
	is_str(all(&s, &q), "1:one\n1:thr1:ee\n1:\n1:end", "stdout");
	q.err = true;
	q.out = false;
	is_str(all(&s, &q), "2:two\n2:four\n", "stderr");
	q = query();
	put("");
	is_str(all(&s, &q), "", "an empty log");
	put("no record\n\n\n x\n" T "1" Z "stdout F good\n" T "1" Z "stdbad F x\nstdout F y\n" T
	    "1" Z "stdout Q z\n");
	is_str(all(&s, &q), "1:good\n", "what is no record is passed over");
	put(T "1" Z "stdout F whole\n" T "1" Z "stdout F ha");
	is_str(all(&s, &q), "1:whole\n", "half a record is not there yet");
	(void)fs_unlink(path);
	is_str(all(&s, &q), "", "no log");
	seen_clear(&s);
}

static void test_binary(void)
{
	struct seen s = {0};
	struct log_query q = query();
	static const char raw[] = T "1" Z "stdout P \xff\0\x01\n";

	write_log(O_TRUNC, raw, sizeof(raw) - 1);
	(void)all(&s, &q);
	ok(s.text.len == 5 && !memcmp(s.text.data, "1:\xff\0\x01", 5), "any byte comes through");
	seen_clear(&s);
}

static const char *tail(struct seen *s, int64_t n, bool out, bool err)
{
	struct log_query q = query();

	q.tail = n;
	q.out = out;
	q.err = err;
	return all(s, &q);
}

static void test_tail(void)
{
	struct seen s = {0};

	put(plain);
	is_str(tail(&s, 0, true, true), "", "none");
	is_str(tail(&s, 1, true, true), "1:end", "a line without its end counts");
	is_str(tail(&s, 2, true, true), "1:\n1:end", "an empty line counts");
	is_str(tail(&s, 4, true, true), "1:thr1:ee\n2:four\n1:\n1:end", "pieces are one line");
	is_str(tail(&s, 6, true, true), "1:one\n2:two\n1:thr1:ee\n2:four\n1:\n1:end", "all");
	is_str(tail(&s, 1000, true, true), "1:one\n2:two\n1:thr1:ee\n2:four\n1:\n1:end", "more");
	is_str(tail(&s, 2, false, true), "", "of stderr, among the last two of both");
	is_str(tail(&s, 5, false, true), "2:two\n2:four\n",
	       "of stderr, among the last five of both");
	put("");
	is_str(tail(&s, 5, true, true), "", "of an empty log");
	seen_clear(&s);
}

/* @lines records of @width bytes of text, numbered. */
static void big_log(size_t lines, size_t width)
{
	auto_buf struct buf b = BUF_INIT(256 << 20);
	auto_free char *fill = malloc(width + 1);

	memset(fill, 'x', width);
	fill[width] = '\0';
	for (size_t i = 0; i < lines; i++)
		(void)buf_printf(&b, T "1" Z "std%s F %zu %s\n", i % 2 ? "err" : "out", i, fill);
	write_log(O_TRUNC, b.data, b.len);
}

static void test_big(void)
{
	struct seen s = {0};
	struct log_query q = query();
	int64_t began;
	char want[64];

	big_log(500000, 60);
	began = clock_mono_ns();
	(void)tail(&s, 3, true, true);
	is_int(s.records, 3, "the last three of 500000 lines");
	ok(!strncmp(buf_str(&s.text), "2:499997 x", 10), "are the last");
	ok(clock_mono_ns() - began < 100 * NS_PER_MS, "at once: %.1f ms",
	   (double)(clock_mono_ns() - began) / 1e6);
	for (int64_t n = 700; n < 1500; n += 97) { /* block borders at every offset */
		(void)tail(&s, n, true, true);
		(void)snprintf(want, sizeof(want), "%d:%lld x", n % 2 ? 2 : 1,
			       (long long)(500000 - n));
		ok(s.records == (size_t)n && !strncmp(buf_str(&s.text), want, strlen(want)),
		   "the last %lld", (long long)n);
	}
	(void)all(&s, &q);
	is_int(s.records, 500000, "all of it");
	big_log(3, 300000);
	(void)all(&s, &q);
	is_int(s.records, 3, "records larger than a block");
	(void)tail(&s, 1, true, true);
	ok(s.records == 1 && !strncmp(buf_str(&s.text), "1:2 x", 5), "the last of them");
	big_log(2, 3 << 20);
	append(T "1" Z "stdout F small\n");
	is_str(all(&s, &q), "1:small\n", "one beyond all measure is passed over");
	seen_clear(&s);
}

static void test_times(void)
{
	struct seen s = {0};
	struct log_query q = query();
	int64_t three = 0, four = 0;

	put(plain);
	ok(clock_parse_rfc3339(T "3Z", &three) >= 0 && clock_parse_rfc3339(T "4Z", &four) >= 0,
	   "times");
	q.since_ns = three;
	is_str(all(&s, &q), "1:thr1:ee\n2:four\n1:\n1:end", "since");
	q.until_ns = four;
	is_str(all(&s, &q), "1:thr1:ee\n2:four\n", "until, included");
	q.since_ns = 0;
	q.until_ns = three - 1;
	is_str(all(&s, &q), "1:one\n2:two\n", "until alone");
	q.tail = 3;
	is_str(all(&s, &q), "", "the last three are later");
	seen_clear(&s);
}

/* One turn after another until the text is @want. */
static void sees(struct seen *s, const char *want, const char *what)
{
	for (int i = 0; i < 50 && !streq(buf_str(&s->text), want); i++)
		(void)loop_run_once(loop, 100);
	is_str(buf_str(&s->text), want, "%s", what);
}

static void test_follow(void)
{
	struct seen s = {.text = BUF_INIT(65536)};
	struct log_query q = query();
	auto_free char *other = str_printf("%s/other", dir);
	static const char more[] = T "8" Z "stdout F in a new file\n";

	(void)fs_unlink(path);
	q.follow = true;
	ok(start(&s, &q), "a log that is not there yet");
	for (int i = 0; i < 3; i++)
		(void)loop_run_once(loop, 10);
	ok(!s.done, "is waited for");
	put(T "1" Z "stdout F one\n");
	sees(&s, "1:one\n", "it came");
	append(T "2" Z "stderr F tw");
	for (int i = 0; i < 3; i++)
		(void)loop_run_once(loop, 10);
	sees(&s, "1:one\n", "half a record is waited for");
	append("o\n");
	sees(&s, "1:one\n2:two\n", "the rest");
	append(T "3" Z "stdout F three\n");
	ok(fs_write(other, more, sizeof(more) - 1, 0600) >= 0 && rename(other, path) == 0,
	   "the log is replaced");
	sees(&s, "1:one\n2:two\n1:three\n1:in a new file\n",
	     "the old one to its end, then the new");
	append(T "9" Z "stdout F last\n");
	log_reader_finish(s.r);
	run_until(&s.done, 50);
	ok(s.done && str_has_suffix(buf_str(&s.text), "1:last\n"), "finished, nothing lost");
	seen_clear(&s);
}

static void test_follow_tail_until(void)
{
	struct seen s = {.text = BUF_INIT(65536)};
	struct log_query q = query();

	put(plain);
	q.follow = true;
	q.tail = 0;
	ok(start(&s, &q), "from now on");
	(void)loop_run_once(loop, 10);
	append(T "7" Z "stdout F new\n");
	sees(&s, "1:new\n", "only what is new");
	log_reader_close(s.r);
	ok(!s.done, "a close is no end");
	seen_clear(&s);
	q.until_ns = clock_real_ns() + 50 * NS_PER_MS;
	ok(start(&s, &q), "until a time to come");
	run_until(&s.done, 50);
	ok(s.done, "ends at that time");
	seen_clear(&s);
}

#define J(text, stream, s)                                                                         \
	"{\"log\":\"" text "\",\"stream\":\"" stream "\",\"time\":\"" T s "Z\"}\n"

static void test_json(void)
{
	struct seen s = {0};
	struct log_query q = query();

	put(J("one\\n", "stdout", "1") J("tw", "stderr", "2") J(
		"o\\n", "stderr",
		"2") "{\"stream\":\"stdout\",\"attrs\":{\"a\":\"}\\\"]\"},\"more\":[1,{}],\"log\":"
		     "\"\\u003cx\\u003e \\ud83d\\ude00 \\t\\\\\\n\",\"time\":\"" T "3Z\"}\n"
		     "{\"log\":\"cut off\nno record\n{}\n" T "4" Z
		     "stdout F of the other format\n");
	is_str(all(&s, &q), "1:one\n2:tw2:o\n1:<x> \xf0\x9f\x98\x80 \t\\\n1:of the other format\n",
	       "all of it");
	q.tail = 4; /* two of which are no records */
	is_str(all(&s, &q), "1:<x> \xf0\x9f\x98\x80 \t\\\n1:of the other format\n",
	       "the last two, in both formats");
	q.tail = 5;
	is_str(all(&s, &q), "2:o\n1:<x> \xf0\x9f\x98\x80 \t\\\n1:of the other format\n",
	       "a piece counts, as in Docker");
	seen_clear(&s);
}

/* path.1 is older than path. */
static void put_old(int n, const char *text)
{
	auto_free char *name = str_printf("%s.%d", path, n);

	ok(name && fs_write(name, text, strlen(text), 0600) >= 0, "file %d", n);
}

static void rotate(void)
{
	for (int n = 2; n >= 0; n--) {
		auto_free char *from = n ? str_printf("%s.%d", path, n) : strdup(path);
		auto_free char *to = str_printf("%s.%d", path, n + 1);

		(void)rename(from, to);
	}
}

static void test_rotated(void)
{
	struct seen s = {.text = BUF_INIT(65536)};
	struct log_query q = query();

	put_old(2, T "1" Z "stdout F a\n" T "1" Z "stdout F b\n");
	put_old(1, T "2" Z "stdout F c\n");
	put(T "3" Z "stdout F d\n" T "3" Z "stdout F e\n");
	is_str(all(&s, &q), "1:a\n1:b\n1:c\n1:d\n1:e\n", "all files, oldest first");
	q.tail = 4;
	is_str(all(&s, &q), "1:b\n1:c\n1:d\n1:e\n", "a tail into the oldest");
	q.tail = 3;
	is_str(all(&s, &q), "1:c\n1:d\n1:e\n", "a tail from the start of one");
	q.tail = 9;
	is_str(all(&s, &q), "1:a\n1:b\n1:c\n1:d\n1:e\n", "more than there are");
	q.follow = true;
	q.tail = 1;
	seen_clear(&s);
	ok(start(&s, &q), "followed");
	sees(&s, "1:e\n", "the last");
	/* two turns of the file while nobody looks */
	append(T "4" Z "stdout F f\n");
	rotate();
	put(T "5" Z "stdout F g\n");
	rotate();
	put(T "6" Z "stdout F h\n");
	sees(&s, "1:e\n1:f\n1:g\n1:h\n", "nothing is lost, nothing twice");
	log_reader_close(s.r);
	seen_clear(&s);
	for (int n = 1; n < 5; n++) {
		auto_free char *name = str_printf("%s.%d", path, n);

		(void)fs_unlink(name);
	}
}

static void test_pause(void)
{
	struct seen s = {.text = BUF_INIT(65536), .pause_at = 2};
	struct log_query q = query();

	put(plain);
	ok(start(&s, &q), "a reader that pauses");
	for (int i = 0; i < 5; i++)
		(void)loop_run_once(loop, 10);
	is_str(buf_str(&s.text), "1:one\n2:two\n", "pauses after the second");
	log_reader_resume(s.r);
	run_until(&s.done, 20);
	is_str(buf_str(&s.text), "1:one\n2:two\n1:thr1:ee\n2:four\n1:\n1:end", "nothing twice");
	seen_clear(&s);
	s.pause_at = 1;
	q.follow = true;
	ok(start(&s, &q), "one that follows");
	for (int i = 0; i < 5; i++)
		(void)loop_run_once(loop, 10);
	log_reader_finish(s.r);
	for (int i = 0; i < 5; i++)
		(void)loop_run_once(loop, 10);
	ok(s.records == 1 && !s.done, "stays paused when the container ends");
	log_reader_resume(s.r);
	run_until(&s.done, 20);
	is_int(s.records, 7, "and gets the rest");
	seen_clear(&s);
	s.close_at = 3;
	q = query();
	ok(start(&s, &q), "one that closes within line()");
	for (int i = 0; i < 5; i++)
		(void)loop_run_once(loop, 10);
	ok(s.records == 3 && !s.done && !s.r, "is gone");
	seen_clear(&s);
}

int main(void)
{
	if (!mkdtemp(dir) || loop_new(&loop) < 0)
		return tap_skip_all("no temporary directory");
	path = str_printf("%s/log", dir);
	test_plain();
	test_binary();
	test_tail();
	test_big();
	test_times();
	test_follow();
	test_follow_tail_until();
	test_pause();
	test_json();
	test_rotated();
	loop_free(loop);
	ok(fs_rm_tree(dir) >= 0, "cleaned up");
	free(path);
	return tap_done();
}

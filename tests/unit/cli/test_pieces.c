/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_pieces.c - frames, detach keys, lines, moments, request targets, environment files */

#include <unistd.h>

#include "base/fs.h"
#include "cli/create.h"
#include "cli/envfile.h"
#include "cli/progress.h"
#include "cli/stamp.h"
#include "cli/tty.h"
#include "client/demux.h"
#include "tap.h"

/* ---- frames ---- */

struct streams {
	struct buf out, err;
};

static int sink(void *arg, int stream, const char *piece, size_t len)
{
	struct streams *s = arg;

	return buf_add(stream == 2 ? &s->err : &s->out, piece, len);
}

static void frames(size_t step)
{
	static const char wire[] = "\1\0\0\0\0\0\0\3abc\2\0\0\0\0\0\0\2xy\1\0\0\0\0\0\0\0"
				   "\0\0\0\0\0\0\0\1d\3\0\0\0\0\0\0\1z";
	struct streams s = {BUF_INIT(100), BUF_INIT(100)};
	struct demux d = {0};
	int r = 0;

	for (size_t at = 0; at < sizeof(wire) - 1 && r == 0; at += step)
		r = demux_feed(&d, wire + at, MIN(step, sizeof(wire) - 1 - at), sink, &s);
	is_int(r, 0, "frames in pieces of %zu", step);
	is_str(buf_str(&s.out), "abcd", "standard output");
	is_str(buf_str(&s.err), "xyz", "standard error");
	buf_done(&s.out);
	buf_done(&s.err);
}

static void bad_frame(void)
{
	struct demux d = {0};

	is_int(demux_feed(&d, "hello world", 11, sink, NULL), -EBADMSG, "text is no frame");
}

/* ---- detach keys ---- */

static void detach(const char *keys, const char *typed, size_t step, const char *sent, bool want)
{
	char out[64 + DETACH_KEYS_MAX], all[128] = "";
	struct detach d;
	struct err e = {0};
	bool hit = false;
	size_t len = strlen(typed), n = 0;

	is_int(detach_parse(keys, &d, &e), 0, "keys %s", keys);
	for (size_t at = 0; at < len && !hit; at += step) {
		size_t got = detach_filter(&d, typed + at, MIN(step, len - at), out, &hit);

		memcpy(all + n, out, got);
		n += got;
	}
	is_int(hit, want, "hit");
	is_str(all, sent, "what is sent on");
}

static void detach_keys(void)
{
	struct detach d;
	struct err e = {0};

	for (size_t step = 1; step < 8; step++) {
		detach(DETACH_DEFAULT, "ab\x10\x11zz", step, "ab", true);
		detach(DETACH_DEFAULT, "a\x10z\x10", step, "a\x10z", false);
		detach(DETACH_DEFAULT, "\x10\x10\x11", step, "\x10", true);
		detach("ctrl-a,z", "x\x01z", step, "x", true);
		detach("q", "abq", step, "ab", true);
		detach("a,b,c", "ababc", step, "ab", true);
	}
	ok(detach_parse("ctrl-", &d, &e) < 0 && strstr(e.msg, "invalid detach keys"),
	   "ctrl- alone");
	ok(detach_parse("abc", &d, &e) < 0, "three letters are no key");
	is_int(detach_parse("ctrl-@,ctrl-[", &d, &e), 0, "special keys");
	is_int(d.keys[0], 0, "ctrl-@");
	is_int(d.keys[1], 27, "ctrl-[");
}

/* ---- lines ---- */

static int collect(void *data, const char *text, size_t len)
{
	(void)len;
	return buf_printf(data, "<%s>", text);
}

static void lines(void)
{
	auto_buf struct buf rest = BUF_INIT(16), out = BUF_INIT(100);

	is_int(lines_feed(&rest, "a\n\nbc", 5, collect, &out), 0, "lines");
	is_int(lines_feed(&rest, "d\n", 2, collect, &out), 0, "the rest of one");
	is_str(buf_str(&out), "<a><bcd>", "whole lines");
	is_int(lines_feed(&rest, "0123456789012345678", 19, collect, &out), -ENOBUFS, "too long");
}

static void progress(void)
{
	struct progress p = {.line = BUF_INIT(1000), .quiet = true};
	static const char text[] = "{\"stream\":\"x\"}\n{\"errorDetail\":{\"message\":\"no\"},"
				   "\"error\":\"no\"}";
	struct err e = {0};
	int r = progress_data(&p, text, sizeof(text) - 1);

	is_int(r, 0, "progress");
	r = progress_end(&p, &e);
	is_err(r, e, ERR_INTERNAL, "no");
	buf_done(&p.line);
}

/* ---- targets ---- */

static void targets(void)
{
	auto_buf struct buf u = URL_INIT;
	char *const filters[] = {(char[]){"name=a"}, (char[]){"label=x=y"}, (char[]){"name=b"},
				 NULL};
	char *const none[] = {(char[]){"name"}, NULL};
	struct err e = {0};
	int r;

	url_path(&u, "/images/%/json", "a/../b:1");
	url_query(&u, "q", "a b&c");
	url_query(&u, "none", NULL);
	url_flag(&u, "all", true);
	url_flag(&u, "not", false);
	is_str(buf_str(&u), "/images/a%2F..%2Fb%3A1/json?q=a%20b%26c&all=1", "escaped");
	url_path(&u, "/x", NULL);
	is_int(url_filters(&u, filters, &e), 0, "filters");
	is_str(buf_str(&u),
	       "/x?filters=%7B%22name%22%3A%7B%22a%22%3Atrue%2C%22b%22%3Atrue%7D%2C%22label%22%3A%"
	       "7B"
	       "%22x%3Dy%22%3Atrue%7D%7D",
	       "by key");
	r = url_filters(&u, none, &e);
	is_err(r, e, ERR_INVALID, "invalid filter 'name': a filter is written key=value");
}

static void stamps(void)
{
	static const struct {
		const char *text, *want;
	} t[] = {{"10", "/x?since=10.000000000"},
		 {"1700000000.5", "/x?since=1700000000.500000000"},
		 {"2023-11-14T22:13:20Z", "/x?since=1700000000.000000000"},
		 {"2023-11-14T22:13:20", "/x?since=1700000000.000000000"},
		 {"2023-11-14", "/x?since=1699920000.000000000"},
		 {"soon", NULL}};

	(void)setenv("TZ", "UTC", 1);
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		auto_buf struct buf u = URL_INIT;
		struct err e = {0};
		int r;

		url_path(&u, "/x", NULL);
		r = url_stamp(&u, "since", t[i].text, &e);
		ok((r == 0) == (t[i].want != NULL), "%s: %s", t[i].text, e.msg);
		if (t[i].want)
			is_str(buf_str(&u), t[i].want, "as a query");
	}
}

/* ---- csv, files ---- */

static void csv(const char *text, const char *want)
{
	auto_strv char **v = NULL;
	auto_buf struct buf b = BUF_INIT(100);
	int r = csv_split(text, &v);

	for (size_t i = 0; v && v[i]; i++)
		(void)buf_printf(&b, "<%s>", v[i]);
	ok((r == 0) == (want != NULL), "csv %s", text);
	if (want)
		is_str(buf_str(&b), want, "fields");
}

static void env_file(void)
{
	char path[] = "/tmp/cli-env-XXXXXX";
	int fd = mkstemp(path);
	static const char text[] = "# note\nA=1\n\n  B=x y\nHAVE\nNOT_THERE\nC=\r\n";
	char *const files[] = {path, NULL}, *const own[] = {(char[]){"D=4"}, (char[]){"HAVE"},
							    NULL};
	auto_strv char **env = NULL, **labels = NULL;
	struct err e = {0};

	(void)setenv("HAVE", "it", 1);
	(void)unsetenv("NOT_THERE");
	if (fd < 0 || fs_write_all(fd, text, sizeof(text) - 1) < 0)
		abort();
	is_int(env_collect(files, own, &env, &e), 0, "environment");
	is_int(strv_len(env), 6, "variables");
	ok(env && strv_has(env, "A=1") && strv_has(env, "B=x y") && strv_has(env, "HAVE=it") &&
		   strv_has(env, "C=") && strv_has(env, "D=4"),
	   "the right ones");
	is_int(labels_collect(files, NULL, &labels, &e), 0, "labels");
	ok(labels && strv_has(labels, "HAVE") && strv_has(labels, "NOT_THERE"),
	   "labels take nothing from the environment");
	if (ftruncate(fd, 0) < 0 || pwrite(fd, "a b=1\n", 6, 0) != 6)
		abort();
	ok(labels_collect(files, NULL, &labels, &e) < 0 && strstr(e.msg, "whitespaces"),
	   "a name with a space: %s", e.msg);
	(void)close(fd);
	(void)unlink(path);
	ok(env_collect(files, NULL, &env, &e) < 0 && strstr(e.msg, "No such file"), "no file: %s",
	   e.msg);
}

int main(void)
{
	for (size_t step = 1; step < 40; step += 6)
		frames(step);
	bad_frame();
	detach_keys();
	lines();
	progress();
	targets();
	stamps();
	csv("a,b", "<a><b>");
	csv("", "<>");
	csv("a,,", "<a><><>");
	csv("\"a,\"\"b\"\"\",c", "<a,\"b\"><c>");
	csv("\"a", NULL);
	csv("\"a\"b", NULL);
	env_file();
	return tap_done();
}

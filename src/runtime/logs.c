/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logs.c - reading k8s-file logs, from any line on and as they grow
 *
 * Theory of operation. All work is done in turns of the loop, each reading at most TURN_BYTES:
 *
 *   SEEKING  (--tail) blocks are read backwards from the end until enough lines lie behind
 *   READING  records are read forwards from @off, each handed to line()
 *   paused   line() asked for it; nothing is scheduled until log_reader_resume()
 *   waiting  the end was reached in follow mode; inotify, the until timer or
 *            log_reader_finish() schedule the next turn
 *
 * @off is always the start of the next record, so a pause loses nothing and repeats nothing. conmon
 * writes a record with one writev; one without its newline yet is left for the next turn. Where a
 * log with a size limit is full, conmon puts a new file in its place: the rest of the old one is
 * read, then the new one. A line() or done() may close the reader: it is freed when the turn ends.
 */

#include "runtime/logs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/str.h"
#include "loop/loop.h"

#define TURN_BYTES  (256 << 10)
#define BLOCK_BYTES (64 << 10)
#define HEADER_MAX  64 /* "2026-01-02T03:04:05.000000000+00:00 stdout F " is 46 */

enum next { AGAIN, WAIT, END };

struct log_reader {
	struct loop *loop;
	struct log_query q; /* q.path is ours */
	struct log_reader_ops ops;
	int fd;	     /* negative: no such file yet */
	off_t off;   /* where the next record starts */
	off_t end;   /* not followed: the size when it was opened; else -1 */
	char *block; /* @size bytes, BLOCK_BYTES unless a record is longer */
	size_t size;
	int inotify;
	struct source *turn, *watch, *until;
	bool seeking, paused, finishing, busy, closed;

	/* SEEKING: all newlines from @seek on are seen; @next is the start of the record seen last
	 */
	off_t seek, seek_end, next;
	int64_t lines; /* still to go back */
	bool begun[3]; /* a line of the stream was counted: its earlier pieces belong to it */
};

struct record {
	int stream;
	bool partial;
	int64_t ns;
	const char *text;
	size_t len; /* without the newline */
};

/* @len bytes of a record without its newline; its text may be cut off. */
static bool parse_record(const char *s, size_t len, struct record *ret)
{
	const char *end = s + len, *p = memchr(s, ' ', MIN(len, (size_t)HEADER_MAX));
	char stamp[HEADER_MAX];
	size_t n = p ? (size_t)(p - s) : 0;

	if (!n || n >= sizeof(stamp) || end - p < 10)
		return false;
	memcpy(stamp, s, n);
	stamp[n] = '\0';
	if (!memcmp(p, " stdout ", 8))
		ret->stream = 1;
	else if (!memcmp(p, " stderr ", 8))
		ret->stream = 2;
	else
		return false;
	ret->partial = p[8] == 'P';
	ret->text = p + 10;
	ret->len = (size_t)(end - ret->text);
	return (p[8] == 'P' || p[8] == 'F') && p[9] == ' ' &&
	       clock_parse_rfc3339(stamp, &ret->ns) >= 0;
}

static bool wanted(const struct log_reader *r, int stream)
{
	return stream == 1 ? r->q.out : r->q.err;
}

static void reader_free(struct log_reader *r)
{
	if (!r)
		return;
	(void)source_free(r->turn);
	(void)source_free(r->watch);
	(void)source_free(r->until);
	(void)fd_close(r->inotify);
	(void)fd_close(r->fd);
	free(r->block);
	free((char *)(uintptr_t)r->q.path);
	free(r);
}
DEFINE_AUTO(struct log_reader, reader_free);

/* ---- backwards: where the last n lines begin ---- */

/* Going back over the record at @start. Return: true where it is one line too many. */
static bool one_back(struct log_reader *r, off_t start, const char *s, size_t len)
{
	struct record rec;
	bool line;

	if (parse_record(s, len, &rec) && wanted(r, rec.stream)) {
		line = !rec.partial || !r->begun[rec.stream];
		if (line && r->lines == 0)
			return true;
		r->lines -= line;
		r->begun[rec.stream] = true;
	}
	r->next = start;
	return false;
}

/* The records that start in the block, last first. The first @own bytes are searched for newlines;
 * what follows them lets the last header be read. */
static bool scan_back(struct log_reader *r, off_t lo, size_t own, size_t len)
{
	const char *b = r->block, *nl;
	size_t below = own;

	while ((nl = memrchr(b, '\n', below))) {
		size_t at = (size_t)(nl - b);
		off_t start = lo + (off_t)at + 1;

		if (start < r->seek_end && one_back(r, start, nl + 1, len - at - 1))
			return true;
		below = at;
	}
	return lo == 0 && one_back(r, 0, b, len);
}

static enum next seek_turn(struct log_reader *r)
{
	for (off_t budget = TURN_BYTES; budget > 0 && r->seek > 0; budget -= BLOCK_BYTES / 2) {
		off_t lo = MAX((off_t)0, r->seek - BLOCK_BYTES / 2);
		size_t own = (size_t)(r->seek - lo);
		size_t len = (size_t)(MIN(r->seek + HEADER_MAX, r->seek_end) - lo);
		ssize_t n = pread(r->fd, r->block, len, lo);

		if (n != (ssize_t)len) /* it shrank: nothing to count on */
			r->next = r->seek = 0;
		else if (scan_back(r, lo, own, len))
			r->seek = 0;
		else
			r->seek = lo;
	}
	if (r->seek > 0)
		return AGAIN;
	r->off = r->next;
	r->seeking = false;
	return AGAIN;
}

static int file_open(struct log_reader *r)
{
	struct stat st;

	r->fd = open(r->q.path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (r->fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(r->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	r->end = r->q.follow ? -1 : st.st_size;
	r->off = 0;
	return 0;
}

/* Where reading begins: at once, or after looking for the last lines. */
static void first_position(struct log_reader *r)
{
	struct stat st;

	if (r->fd < 0 || r->q.tail < 0 || fstat(r->fd, &st) < 0)
		return;
	r->lines = r->q.tail;
	r->seek = r->seek_end = r->next = r->off = st.st_size;
	r->seeking = r->lines > 0;
}

/* ---- forwards ---- */

/* Hands out the complete records among @len bytes. Return: how many bytes they were. */
static size_t deliver(struct log_reader *r, size_t len, enum next *ret)
{
	size_t at = 0;
	const char *nl;

	*ret = AGAIN;
	while (*ret == AGAIN && (nl = memchr(r->block + at, '\n', len - at))) {
		const char *s = r->block + at;
		struct record rec;

		at = (size_t)(nl + 1 - r->block);
		if (!parse_record(s, (size_t)(nl - s), &rec) || rec.ns < r->q.since_ns)
			continue;
		if (r->q.until_ns && rec.ns > r->q.until_ns)
			*ret = END;
		else if (wanted(r, rec.stream) &&
			 r->ops.line(rec.stream, rec.ns, rec.text, rec.len + !rec.partial,
				     r->ops.data) != 0)
			r->paused = true;
		if (r->paused || r->closed)
			*ret = WAIT;
	}
	return at;
}

/* A full log was replaced by a new file. */
static bool replaced(struct log_reader *r)
{
	struct stat here, there;

	if (!r->q.follow || stat(r->q.path, &there) < 0)
		return false;
	if (r->fd >= 0 && (fstat(r->fd, &here) < 0 ||
			   (here.st_ino == there.st_ino && here.st_dev == there.st_dev)))
		return false;
	r->fd = fd_close(r->fd);
	return file_open(r) >= 0 && r->fd >= 0;
}

static enum next at_end(struct log_reader *r)
{
	if (replaced(r))
		return AGAIN;
	return r->q.follow && !r->finishing ? WAIT : END;
}

/* A record longer than the block: a larger block, and beyond all measure its beginning is dropped;
 * what is left of it is no record and passed over. */
static enum next no_record(struct log_reader *r, size_t got)
{
	char *larger;

	if (got < r->size)
		return at_end(r);
	if (r->size >= LIMIT_LOG_LINE) {
		r->off += (off_t)got;
		return AGAIN;
	}
	larger = realloc(r->block, r->size * 2);
	if (!larger)
		return END;
	r->block = larger;
	r->size *= 2;
	return AGAIN;
}

static enum next read_turn(struct log_reader *r)
{
	enum next next = AGAIN;

	for (ssize_t budget = TURN_BYTES; next == AGAIN && budget > 0;) {
		size_t want = r->end < 0 ? r->size : MIN(r->size, (size_t)(r->end - r->off));
		ssize_t n = r->fd < 0 ? 0 : pread(r->fd, r->block, want, r->off);
		size_t used;

		if (n <= 0)
			return at_end(r);
		used = deliver(r, (size_t)n, &next);
		r->off += (off_t)used;
		if (!used)
			next = no_record(r, (size_t)n);
		budget -= n;
	}
	return next;
}

/* ---- turns ---- */

static void schedule(struct log_reader *r);

static void turn(void *data)
{
	struct log_reader *r = data;
	enum next next;

	r->turn = NULL;
	r->busy = true;
	next = r->seeking ? seek_turn(r) : read_turn(r);
	if (next == END && !r->closed)
		r->ops.done(r->ops.data);
	r->busy = false;
	if (next == END || r->closed)
		reader_free(r);
	else if (next == AGAIN)
		schedule(r);
}

static void schedule(struct log_reader *r)
{
	if (!r->turn && !r->paused && loop_defer(r->loop, turn, r, &r->turn) < 0)
		r->turn = NULL; /* out of memory: the next event tries again */
}

static void changed(int fd, uint32_t events UNUSED, void *data)
{
	char drop[4096];

	while (read(fd, drop, sizeof(drop)) > 0)
		;
	schedule(data);
}

static void until_passed(void *data)
{
	log_reader_finish(data);
}

/* The folder is watched: the file may not be there yet, and may be replaced. */
static int watch(struct log_reader *r)
{
	auto_free char *dir = strdup(r->q.path);
	char *slash = dir ? strrchr(dir, '/') : NULL;
	int n;

	if (!slash)
		return dir ? -EINVAL : -ENOMEM;
	slash[slash == dir] = '\0';
	r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (r->inotify < 0)
		return -errno;
	if (inotify_add_watch(r->inotify, dir, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return -errno;
	n = loop_io(r->loop, r->inotify, EPOLLIN, changed, r, &r->watch);
	if (n >= 0 && r->q.until_ns) {
		int64_t ms = (r->q.until_ns - clock_real_ns()) / NS_PER_MS;

		n = loop_timer(r->loop, MAX(ms, 0) + 1, until_passed, r, &r->until);
	}
	return n;
}

int log_reader_open(struct loop *l, const struct log_query *q, const struct log_reader_ops *ops,
		    struct log_reader **ret, struct err *e)
{
	auto_(reader_free) struct log_reader *r = calloc(1, sizeof(*r));
	int n = 0;

	if (!r)
		return err_nomem(e);
	*r = (struct log_reader){.loop = l,
				 .q = *q,
				 .ops = *ops,
				 .fd = -EBADF,
				 .inotify = -EBADF,
				 .size = BLOCK_BYTES,
				 .block = malloc(BLOCK_BYTES)};
	r->q.path = strdup(q->path);
	if (!r->q.path || !r->block)
		return err_nomem(e);
	if (q->follow)
		n = watch(r);
	if (n >= 0)
		n = file_open(r);
	if (n >= 0) {
		first_position(r);
		n = loop_defer(l, turn, r, &r->turn);
	}
	if (n < 0)
		return err_sys(e, -n, "cannot read the log %s", q->path);
	*ret = TAKE_PTR(r);
	return 0;
}

void log_reader_resume(struct log_reader *r)
{
	r->paused = false;
	if (!r->busy)
		schedule(r);
}

void log_reader_finish(struct log_reader *r)
{
	r->finishing = true;
	if (!r->busy)
		schedule(r);
}

void log_reader_close(struct log_reader *r)
{
	if (!r)
		return;
	r->closed = true;
	if (!r->busy)
		reader_free(r);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * logs.c - reading a container's log, from any line on and as it grows
 *
 * Theory of operation. All work is done in turns of the loop, each reading at most TURN_BYTES:
 *
 *   SEEKING  (--tail) blocks are read backwards from the end until enough lines lie behind
 *   READING  records are read forwards from @off, each handed to line()
 *   paused   line() asked for it; nothing is scheduled until log_reader_resume()
 *   waiting  the end was reached in follow mode; inotify, the until timer or
 *            log_reader_finish() schedule the next turn
 *
 * @off is always the start of the next record, so a pause loses nothing and repeats nothing. The
 * shim writes whole records; one without its newline yet is left for the next turn. The files are
 * read oldest first, each held open (log_files.h): what is rotated meanwhile is read to its end,
 * then what took its place. A line() or done() may close the reader: it is freed when the turn
 * ends.
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
#include "runtime/log_files.h"
#include "runtime/log_record.h"

#define TURN_BYTES  (256 << 10)
#define BLOCK_BYTES (64 << 10)

enum next { AGAIN, WAIT, END };

struct log_reader {
	struct loop *loop;
	struct log_query q; /* q.path is ours */
	struct log_reader_ops ops;
	struct log_files files; /* the first is read; none: not there yet */
	off_t off;		/* where the next record starts */
	off_t end;		/* of the newest, not followed: its size when it was opened; -1 */
	char *block;		/* @size bytes, BLOCK_BYTES unless a record is longer */
	size_t size;
	int inotify;
	struct source *turn, *watch, *until;
	bool seeking, paused, finishing, busy, closed;
	bool torn; /* a rotated file was looked at once more */

	/* SEEKING: all newlines of file @back from @seek on are seen; @next is the start of the
	 * record seen last, in file @next_file */
	size_t back, next_file;
	off_t seek, seek_end, next;
	int64_t lines; /* still to go back */
	bool begun[3]; /* a line of the stream was counted: its earlier pieces belong to it */
};

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
	log_files_close(&r->files);
	free(r->block);
	free((char *)(uintptr_t)r->q.path);
	free(r);
}
DEFINE_AUTO(struct log_reader, reader_free);

/* ---- backwards: where the last n lines begin ---- */

/* Going back over the record at @start. As Docker counts, lines of a stream that was not asked for
 * count as well; a record of json-file is a line whatever it is: it tells only at its end. Return:
 * true where it is one line too many. */
static bool one_back(struct log_reader *r, off_t start, const char *s, size_t len)
{
	struct log_record rec;
	bool line, json;

	if (log_record_peek(s, len, &rec, &json)) {
		line = json || !rec.partial || !r->begun[rec.stream];
		if (line && r->lines == 0)
			return true;
		r->lines -= line;
		if (!json)
			r->begun[rec.stream] = true;
	}
	r->next = start;
	r->next_file = r->back;
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
	return lo == 0 && r->seek_end && one_back(r, 0, b, len);
}

/* From the end of file @n on. */
static void seek_in(struct log_reader *r, size_t n)
{
	struct stat st;

	r->back = n;
	r->seek = r->seek_end = fstat(r->files.fd[n], &st) < 0 ? 0 : st.st_size;
}

static enum next seek_turn(struct log_reader *r)
{
	bool found = false;

	for (off_t budget = TURN_BYTES; budget > 0 && r->seek > 0; budget -= BLOCK_BYTES / 2) {
		off_t lo = MAX((off_t)0, r->seek - BLOCK_BYTES / 2);
		size_t own = (size_t)(r->seek - lo);
		size_t len = (size_t)(MIN(r->seek + LOG_HEADER_MAX, r->seek_end) - lo);
		ssize_t n = pread(r->files.fd[r->back], r->block, len, lo);

		found = n != (ssize_t)len; /* it shrank: nothing to count on */
		found = found || scan_back(r, lo, own, len);
		r->seek = found ? 0 : lo;
	}
	if (r->seek > 0)
		return AGAIN;
	if (!found && r->back > 0) {
		seek_in(r, r->back - 1);
		return AGAIN;
	}
	while (r->next_file > 0) {
		log_files_drop(&r->files);
		r->next_file--;
	}
	r->off = r->next;
	r->seeking = false;
	return AGAIN;
}

static int files_open(struct log_reader *r)
{
	struct stat st = {0};
	int n = log_files_open(r->q.path, &r->files);

	if (n >= 0 && r->files.n && fstat(r->files.fd[r->files.n - 1], &st) < 0)
		n = -errno;
	r->end = r->q.follow ? -1 : st.st_size;
	r->off = 0;
	return n;
}

/* Where reading begins: at once, or after looking for the last lines. */
static void first_position(struct log_reader *r)
{
	if (!r->files.n || r->q.tail < 0)
		return;
	while (!r->q.tail && r->files.n > 1)
		log_files_drop(&r->files);
	seek_in(r, r->files.n - 1);
	r->next = r->off = r->seek_end;
	r->next_file = r->back;
	r->lines = r->q.tail;
	r->seeking = r->lines > 0;
}

/* ---- forwards ---- */

static int give(struct log_reader *r, const struct log_record *rec)
{
	struct log_line line = {.stream = rec->stream,
				.ns = rec->ns,
				.text = rec->text,
				.len = rec->len + !rec->partial, /* its newline is behind it */
				.attrs = rec->attrs,
				.attrs_len = rec->attrs_len};

	return r->ops.line(&line, r->ops.data);
}

/* Hands out the complete records among @len bytes. Return: how many bytes they were. */
static size_t deliver(struct log_reader *r, size_t len, enum next *ret)
{
	size_t at = 0;
	char *nl;

	*ret = AGAIN;
	while (*ret == AGAIN && (nl = memchr(r->block + at, '\n', len - at))) {
		char *s = r->block + at;
		struct log_record rec;

		at = (size_t)(nl + 1 - r->block);
		if (!log_record_parse(s, (size_t)(nl - s), &rec) || rec.ns < r->q.since_ns)
			continue;
		if (r->q.until_ns && rec.ns > r->q.until_ns)
			*ret = END;
		else if (wanted(r, rec.stream) && give(r, &rec) != 0)
			r->paused = true;
		if (r->paused || r->closed)
			*ret = WAIT;
	}
	return at;
}

/* The end of the file that is read: the next one, if there is one. */
static enum next at_end(struct log_reader *r)
{
	bool none = !r->files.n;

	if (r->files.n <= 1 && r->q.follow && log_files_newer(r->q.path, &r->files) && none)
		return AGAIN;
	if (r->files.n > 1) {
		/* what was written between the last read and the rotation */
		struct stat st;

		if (fstat(r->files.fd[0], &st) == 0 && st.st_size > r->off && !r->torn) {
			r->torn = true;
			return AGAIN;
		}
		log_files_drop(&r->files);
		r->off = 0;
		r->torn = false;
		return AGAIN;
	}
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
		bool all = r->end < 0 || r->files.n > 1;
		size_t want = all ? r->size : MIN(r->size, (size_t)(r->end - r->off));
		ssize_t n = r->files.n ? pread(r->files.fd[0], r->block, want, r->off) : 0;
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
				 .inotify = -EBADF,
				 .size = BLOCK_BYTES,
				 .block = malloc(BLOCK_BYTES)};
	r->q.path = strdup(q->path);
	if (!r->q.path || !r->block)
		return err_nomem(e);
	if (q->follow)
		n = watch(r);
	if (n >= 0)
		n = files_open(r);
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

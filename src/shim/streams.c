/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * streams.c - what the process says: to the clients as it comes, to the log line by line
 *
 * A line is logged when its newline is there, when it is longer than 16 KiB (in pieces, all with
 * the time of the first), or when the output ends. All descriptors are non-blocking here; the
 * process's own ends of the pipes are not.
 */

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "shim/internal.h"

bool streams_open(const struct shim *s)
{
	return s->out[0].fd >= 0 || s->out[1].fd >= 0;
}

/* ---- lines ---- */

static void log_piece(struct output *o, const char *text, size_t len, bool partial)
{
	log_record(o->stream, o->begun_ns, partial, text, len);
	o->partial = partial;
}

static void unfinished(struct output *o)
{
	if (o->len)
		log_piece(o, o->line, o->len, true);
	o->len = 0;
}

/* Whole lines straight from @data where nothing was kept before. */
static void to_log(struct output *o, const char *data, size_t len)
{
	int64_t now = clock_real_ns();

	while (len) {
		const char *nl = memchr(data, '\n', len);
		size_t piece = MIN(nl ? (size_t)(nl - data) : len, LINE_MAX_BYTES - o->len);
		bool whole = nl && data + piece == nl;

		if (!o->len && !o->partial)
			o->begun_ns = now;
		if (!o->len && (whole || piece == LINE_MAX_BYTES)) {
			log_piece(o, data, piece, !whole);
		} else {
			memcpy(o->line + o->len, data, piece);
			o->len += piece;
			if (whole)
				log_piece(o, o->line, o->len, false);
			else if (o->len == LINE_MAX_BYTES)
				log_piece(o, o->line, o->len, true);
			o->len = whole || o->len == LINE_MAX_BYTES ? 0 : o->len;
		}
		data += piece + whole;
		len -= piece + whole;
	}
}

void streams_read(struct shim *s, struct output *o)
{
	static char room[SHIM_DATA_MAX];
	ssize_t n = read(o->fd, room, sizeof(room));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) { /* of a terminal EIO: all its users are gone */
		unfinished(o);
		log_flush();
		o->fd = fd_close(o->fd);
		return;
	}
	clients_output(s, o->stream, room, (size_t)n);
	to_log(o, room, (size_t)n);
	if (o->len && clients_partials(s))
		unfinished(o);
	log_flush();
}

void streams_close(struct shim *s)
{
	for (int i = 0; i < 2; i++) {
		unfinished(&s->out[i]);
		s->out[i].fd = fd_close(s->out[i].fd);
	}
	s->in = fd_close(s->in);
	log_end();
}

/* ---- input ---- */

int streams_input_fd(const struct shim *s)
{
	return s->o.tty ? s->out[0].fd : s->in;
}

ssize_t streams_write(struct shim *s, const char *data, size_t len)
{
	int fd = streams_input_fd(s);
	ssize_t n;

	if (fd < 0)
		return s->made ? -1 : 0;
	do
		n = write(fd, data, len);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return 0;
	if (!s->o.tty)
		s->in = fd_close(s->in);
	return -1;
}

/* A terminal is one descriptor both ways: it stays. */
void streams_eof(struct shim *s)
{
	s->in = fd_close(s->in);
}

void streams_size(struct shim *s, unsigned rows, unsigned cols)
{
	struct winsize w = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)cols};

	if (s->o.tty && s->out[0].fd >= 0) {
		(void)ioctl(s->out[0].fd, TIOCSWINSZ, &w);
	} else { /* clients tell it as soon as the start is answered */
		s->rows = w.ws_row;
		s->cols = w.ws_col;
	}
}

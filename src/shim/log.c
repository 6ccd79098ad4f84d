/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * log.c - lines become records
 *
 * json-file is Docker's: {"log":"text\n","stream":"stdout","attrs":{...},"time":"..."}, written as
 * Go writes JSON (<, >, & and U+2028/9 escaped, what is no UTF-8 becomes U+FFFD). A line without
 * its newline goes on in the next record. The local format is "time stream F text" (P: it goes on).
 *
 * Non-blocking: a child of ours writes. Records go to it as packets; while its socket is full they
 * are dropped and counted, so a slow disk holds up nobody.
 */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/str.h"
#include "shim/internal.h"

#define END_MS 2000 /* for the writer to end */

struct head { /* before the text of a packet to the writer */
	int64_t ns;
	uint64_t lost; /* records before it */
	int stream;
	bool partial;
};

static struct log_options opt;
static char record[RECORD_MAX];
static int writer = -1; /* our end of its socket */
static uint64_t dropped;

/* ---- JSON ---- */

/* Length of the UTF-8 sequence at @s, 0: it is none (RFC 3629). */
static size_t utf8(const unsigned char *s, size_t n)
{
	unsigned char lo = 0x80, hi = 0xbf;
	size_t len = s[0] >= 0xc2 && s[0] <= 0xdf   ? 2
		     : s[0] >= 0xe0 && s[0] <= 0xef ? 3
		     : s[0] >= 0xf0 && s[0] <= 0xf4 ? 4
						    : 0;

	if (!len || len > n)
		return 0;
	lo = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : lo;
	hi = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : hi;
	if (s[1] < lo || s[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return len;
}

struct out {
	char *p;
	size_t len, size;
	bool full;
};

static void put(struct out *o, const void *data, size_t len)
{
	if (o->full || len > o->size - o->len) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->len, data, len);
	o->len += len;
}

static void puts_(struct out *o, const char *s)
{
	put(o, s, strlen(s));
}

/* One character that is not copied as it is. Return: bytes of the input used */
static size_t escape(struct out *o, const unsigned char *s, size_t n)
{
	static const char *const by_letter[128] = {
		['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t", ['"'] = "\\\"", ['\\'] = "\\\\"};
	size_t len = s[0] < 0x80 ? 1 : utf8(s, n);
	char text[8];

	if (s[0] < 0x80 && by_letter[s[0]]) {
		puts_(o, by_letter[s[0]]);
	} else if (s[0] < 0x80) {
		(void)snprintf(text, sizeof(text), "\\u%04x", s[0]);
		puts_(o, text);
	} else if (!len) {
		puts_(o, "\\ufffd");
		return 1;
	} else if (len == 3 && s[0] == 0xe2 && s[1] == 0x80 && (s[2] == 0xa8 || s[2] == 0xa9)) {
		puts_(o, s[2] == 0xa8 ? "\\u2028" : "\\u2029");
	} else {
		put(o, s, len);
	}
	return len;
}

static bool plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

static void json_text(struct out *o, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < len;) {
		size_t n = 0;

		while (i + n < len && plain(s[i + n]))
			n++;
		put(o, s + i, n);
		i += n;
		if (i < len)
			i += escape(o, s + i, len - i);
	}
}

static void json_record(struct out *o, const struct log_entry *e, const char *attrs,
			const char *when)
{
	puts_(o, "{\"log\":\"");
	json_text(o, e->text, e->len);
	puts_(o, e->partial ? "\",\"stream\":\"" : "\\n\",\"stream\":\"");
	puts_(o, e->stream == 2 ? "stderr\"," : "stdout\",");
	if (attrs) {
		puts_(o, "\"attrs\":");
		puts_(o, attrs);
		puts_(o, ",");
	}
	puts_(o, "\"time\":\"");
	puts_(o, when);
	puts_(o, "\"}\n");
}

size_t log_format(const struct log_options *lo, const struct log_entry *e, char *room, size_t size)
{
	struct out o = {.p = room, .size = size};
	char when[RFC3339_SIZE];

	(void)clock_rfc3339(e->ns, when);
	if (lo->json) {
		json_record(&o, e, lo->attrs, when);
	} else {
		puts_(&o, when);
		puts_(&o, e->stream == 2 ? " stderr " : " stdout ");
		puts_(&o, e->partial ? "P " : "F ");
		put(&o, e->text, e->len);
		puts_(&o, "\n");
	}
	return o.full ? 0 : o.len;
}

/* ---- to the file ---- */

static void to_file(int stream, int64_t ns, bool partial, const char *text, size_t len)
{
	struct log_entry e = {stream, ns, partial, text, len};
	size_t n = log_format(&opt, &e, record, sizeof(record));

	if (n)
		logfile_put(record, n);
}

static void tell_lost(uint64_t lost)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "(%llu lines of this log were lost)",
			 (unsigned long long)lost);

	to_file(2, clock_real_ns(), false, text, (size_t)n);
}

/* ---- the writer of non-blocking logs ---- */

static void writer_loop(int fd)
{
	static char text[LINE_MAX_BYTES];
	struct head h;
	struct iovec v[2] = {{&h, sizeof(h)}, {text, sizeof(text)}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
	ssize_t n;

	for (;;) {
		n = recvmsg(fd, &m, MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			logfile_flush();
			n = recvmsg(fd, &m, 0);
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(h))
			break;
		if (h.lost)
			tell_lost(h.lost);
		to_file(h.stream, h.ns, h.partial, text, (size_t)n - sizeof(h));
	}
	logfile_close();
	_exit(0);
}

static int start_writer(int64_t buffer)
{
	int pair[2], size = (int)MIN(buffer, (int64_t)1 << 30);
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	if (setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		/* a descriptor of the attach socket or the status would look like a shim */
		for (int fd = FD_STATUS; fd <= FD_CLIENT; fd++)
			if (fd != pair[1])
				(void)close(fd);
		writer_loop(pair[1]);
	}
	(void)close(pair[1]);
	writer = pair[0];
	return pid < 0 ? -errno : 0;
}

static void to_writer(int stream, int64_t ns, bool partial, const char *text, size_t len)
{
	struct head h = {.ns = ns, .lost = dropped, .stream = stream, .partial = partial};
	struct iovec v[2] = {{&h, sizeof(h)}, {(void *)(uintptr_t)text, len}};
	struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};

	if (sendmsg(writer, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		dropped++;
	else
		dropped = 0;
}

/* ---- */

int log_begin(const struct log_options *o)
{
	int r;

	opt = *o;
	if (!o->path)
		return 0;
	r = logfile_open(o);
	return r >= 0 && o->buffer ? start_writer(o->buffer) : r;
}

void log_record(int stream, int64_t ns, bool partial, const char *text, size_t len)
{
	uint64_t lost;

	if (!opt.path)
		return;
	if (writer >= 0) {
		to_writer(stream, ns, partial, text, len);
		return;
	}
	lost = logfile_lost();
	if (lost)
		tell_lost(lost);
	to_file(stream, ns, partial, text, len);
}

void log_flush(void)
{
	if (opt.path && writer < 0)
		logfile_flush();
}

void log_end(void)
{
	if (!opt.path)
		return;
	if (writer < 0) {
		logfile_close();
		return;
	}
	/* its socket's end tells it; a disk that hangs is not waited for */
	(void)shutdown(writer, SHUT_WR);
	(void)poll(&(struct pollfd){.fd = writer, .events = POLLIN}, 1, END_MS);
	writer = fd_close(writer);
	opt.path = NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve.h - an HTTP server in a thread of the test, with a handler for each thing to be tried */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* what the handlers saw; waited for with await() */
enum seen {
	SEEN_REQUEST,
	SEEN_GONE,	  /* http_on_gone */
	SEEN_STREAM_GONE, /* a stream's */
	SEEN_HIJACK_GONE,
	SEEN_DRAINED,
	SEEN_PAUSED,   /* a stream writer was told to pause */
	SEEN_WAITING,  /* requests that /wait and /hijack?hold hold back */
	SEEN_HIJACKED, /* sockets handed over */
	SEEN_HIJACK_EOF,
	SEEN_UPLOAD_PAUSED,
	SEEN_BLOCKED, /* /block holds the loop's thread until serve_unblock() */
	SEEN_QUEUED,  /* bytes that /flood wrote */
	SEEN_MAX,
};

struct serve;
struct serve *serve_start(unsigned max_connections);
struct serve *serve_start_strict(unsigned ms); /* who is slow is ended after so long */
void serve_unblock(void);
void serve_stop(struct serve *s);		   /* frees the server with whatever is open */
const char *serve_host(const struct serve *s);	   /* unix:///... */
const char *serve_path(const struct serve *s);	   /* of the unix socket */
unsigned serve_port(const struct serve *s);	   /* on 127.0.0.1 */
const char *serve_tcp_host(const struct serve *s); /* tcp://127.0.0.1:port */

uint64_t seen(enum seen what);
bool await(enum seen what, uint64_t at_least); /* false after 20 s */

/* raw clients; all reads time out after 20 s */
int raw_unix(const struct serve *s);
int raw_tcp(const struct serve *s);
bool raw_send(int fd, const void *data, size_t len);
bool raw_puts(int fd, const char *s);
size_t raw_read(int fd, char *buf, size_t want); /* until want bytes or the end */
/* reads until the end or until @text has been seen; NUL-terminated. Return: bytes */
size_t raw_until(int fd, const char *text, char *buf, size_t room);
/* one request to its end on a connection of its own (half_close: SHUT_WR after sending) */
const char *raw_ask(const struct serve *s, const char *request, bool half_close);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_feed.c - lines as messages of a resolver that says what it keeps, the first character of
 * each being the number of descriptors with it; then all is set, asked for, swept and given up
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/map.h"
#include "dns/feed_link.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static void found_sandbox(const char *sandbox, UNUSED uint16_t port, UNUSED void *data)
{
	check(*sandbox);
}

static void found_hold(const char *key, UNUSED void *data)
{
	check(key);
}

/* What it says to the resolver does not stay in the queue. */
static void drain(int fd)
{
	static char buf[DNS_MESSAGE_MAX];
	int fds[FD_PASS_MAX];
	size_t n_fds = FD_PASS_MAX;

	while (fd_recv(fd, buf, sizeof(buf), fds, &n_fds) > 0) {
		while (n_fds)
			(void)fd_close(fds[--n_fds]);
		n_fds = FD_PASS_MAX;
	}
}

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	(void)fd_close(fd);
	return fd;
}

static void told(struct feed *f, const uint8_t *line, size_t len)
{
	auto_free char *text = strndup((const char *)line + 1, len - 1);
	size_t n = MIN((size_t)(line[0] & 15), (size_t)4);
	int fds[FD_PASS_MAX];

	for (size_t i = 0; i < n; i++)
		fds[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	link_told(f, text, strlen(text), fds, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed *f = calloc(1, sizeof(*f));
	struct feed_hold_rec *h;
	struct feed_sandbox_rec *s;
	int before = lowest_free(), pair[2];

	check(f && size <= (1u << 20) &&
	      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0);
	log_setup("fuzz", LOG_ERROR, false);
	*f = (struct feed){.sock = pair[0], .ready = -EBADF, .state = LINK_HELLO, .opening = true};
	f->found_sandbox = found_sandbox;
	f->found_hold = found_hold;
	check(map_new(&f->sandboxes) >= 0 && map_new(&f->endpoints) >= 0 &&
	      map_new(&f->holds) >= 0);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		if (n && f->state == LINK_HELLO)
			told(f, data, n);
		drain(pair[1]);
		n += end != NULL;
		data += n;
		size -= n;
	}
	for (size_t pos = 0; (s = map_next(f->sandboxes, &pos, NULL));)
		check(s->n_fds >= 2 && (pos & 1 || feed_sandbox_known(f, s->id)));
	for (size_t pos = 0; (h = map_next(f->holds, &pos, NULL));) {
		struct feed_hold move = {.key = h->key, .fd = -1, .proto = 6, .port = 1};

		move.target = ip_v4((uint32_t)pos);
		check(h->fd >= 0 && feed_hold(f, &move, NULL) >= 0);
		drain(pair[1]);
	}
	check(feed_sweep(f) >= 0);
	drain(pair[1]);
	feed_close(f);
	(void)fd_close(pair[1]);
	check(lowest_free() == before);
	return 0;
}

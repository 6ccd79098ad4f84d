/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_slow.c - clients that are slow, silent, too many, or gone before they were read */

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "serve.h"
#include "tap.h"

#define SLOW_MS 400

static bool has(const char *text, const char *part)
{
	bool good = strstr(text, part) != NULL;

	if (!good)
		printf("# \"%s\" is not in \"%.300s\"\n", part, text);
	return good;
}

/* Sends @text byte by byte, again and again, until the server ends it. Return: ms until then; -1:
 * not within 10 s */
static int64_t trickle(int fd, const char *text)
{
	int64_t began = clock_mono_ns(), now = began;
	struct pollfd p = {.fd = fd, .events = POLLIN};

	for (size_t at = 0; now - began < 10 * NS_PER_S; at++) {
		char byte;

		(void)send(fd, text + at % strlen(text), 1, MSG_NOSIGNAL);
		now = clock_mono_ns();
		if (poll(&p, 1, 20) > 0 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0)
			return (now - began) / NS_PER_MS;
	}
	return -1;
}

static void slow(void)
{
	struct serve *s = serve_start_strict(SLOW_MS);
	static const struct {
		const char *what, *begin, *then;
	} rows[] = {
		{"a silent one", "", ""},
		{"a target in bytes", "GET /", "a"},
		{"headers in bytes", "GET /hello HTTP/1.1\r\n", "X-A: b\r\n"},
		{"a body in bytes",
		 "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x"},
	};
	char text[1024];
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t ms;

		fd = raw_unix(s);
		(void)raw_puts(fd, rows[i].begin);
		if (*rows[i].then) {
			ms = trickle(fd, rows[i].then);
		} else {
			struct pollfd p = {.fd = fd, .events = POLLIN};
			int64_t began = clock_mono_ns();

			ms = poll(&p, 1, 10000) > 0 ? (clock_mono_ns() - began) / NS_PER_MS : -1;
		}
		ok(ms >= SLOW_MS / 2 && ms < 9000, "%s: ended after %lld ms", rows[i].what,
		   (long long)ms);
		(void)close(fd);
	}
	fd = raw_unix(s);
	(void)raw_puts(fd, "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	(void)raw_until(fd, "bool=0", text, sizeof(text));
	is_int(recv(fd, text, 1, 0), 0, "an idle one is ended");
	(void)close(fd);
	fd = raw_unix(s);
	(void)raw_puts(fd, "GET /wait HTTP/1.1\r\nHost: x\r\n\r\n");
	ok(await(SEEN_WAITING, 1), "one waits for its answer");
	(void)poll(NULL, 0, 3 * SLOW_MS); /* much longer than the others had */
	is_int(recv(fd, text, 1, MSG_DONTWAIT), -1, "and is left alone");
	(void)raw_ask(s, "POST /release HTTP/1.0\r\n\r\n", false);
	ok(raw_until(fd, "200 OK", text, sizeof(text)) && has(text, "200 OK"), "it gets it");
	(void)close(fd);
	serve_stop(s);
}

/* All in one go, and gone: what changes something is done, the rest is not worth it. */
static void leavers(void)
{
	struct serve *s = serve_start(0);
	static const char post[] =
		"POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
	uint64_t before = seen(SEEN_REQUEST);

	/* the loop is held, so that all is there before it looks */
	for (int i = 0; i < 20; i++) {
		int block = raw_unix(s), fd;
		uint64_t blocked = seen(SEEN_BLOCKED);

		(void)raw_puts(block, "GET /block HTTP/1.0\r\n\r\n");
		ok(await(SEEN_BLOCKED, blocked + 1), "the loop is held");
		fd = raw_unix(s);
		(void)raw_puts(fd, post);
		(void)close(fd);
		serve_unblock();
		ok(await(SEEN_REQUEST, before + 2 * (uint64_t)(i + 1)), "request %d is carried out",
		   i);
		(void)close(block);
	}
	/* without holding it: as it comes */
	before = seen(SEEN_REQUEST);
	for (int i = 0; i < 200; i++) {
		int fd = raw_unix(s);

		(void)raw_puts(fd, post);
		(void)close(fd);
	}
	/* a hang-up in the microseconds between two looks at it is allowed to lose one */
	ok(await(SEEN_REQUEST, before + 180), "of 200 at least 180");
	serve_stop(s);
}

/* What broke off is dropped: the whole one behind it is the next that is seen. */
static void broken_off(void)
{
	static const char *const halves[] = {
		"POST /collect HTTP/1.1\r\nHost: x\r\ncontent-length:  4\r\n\r\nabc",
		("POST /collect HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
		 "chunked\r\n\r\n3\r\nabc\r\n"),
		"POST /collect HTTP/1.1\r\nHost: x\r\n"};
	struct serve *s = serve_start(0);

	for (size_t i = 0; i < ARRAY_SIZE(halves); i++) {
		int block = raw_unix(s), fd;
		uint64_t blocked = seen(SEEN_BLOCKED), before;
		char text[4096];

		(void)raw_puts(block, "GET /block HTTP/1.0\r\n\r\n");
		ok(await(SEEN_BLOCKED, blocked + 1), "the loop is held");
		before = seen(SEEN_REQUEST);
		fd = raw_unix(s);
		(void)raw_puts(fd, halves[i]);
		(void)close(fd);
		fd = raw_unix(s);
		(void)raw_puts(fd,
			       "POST /collect HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
		(void)close(fd);
		serve_unblock();
		ok(await(SEEN_REQUEST, before + 1), "the whole one");
		fd = raw_unix(s);
		(void)raw_puts(fd, "GET /empty HTTP/1.0\r\n\r\n");
		(void)recv(fd, text, sizeof(text), MSG_WAITALL);
		(void)close(fd);
		is_int(seen(SEEN_REQUEST), before + 2, "and this one, not the half %zu", i);
		(void)close(block);
	}
	serve_stop(s);
}

static unsigned open_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static double cpu_of_process(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The clients are a child's, so that its descriptors are not ours. */
static int clients_without_descriptors(struct serve *s)
{
	int refused = 0, fd[30];
	char text[1024];

	for (int i = 0; i < 30; i++) {
		fd[i] = raw_unix(s);
		if (!raw_puts(fd[i], "GET /events HTTP/1.1\r\nHost: x\r\n\r\n"))
			return 101;
	}
	for (int i = 0; i < 30; i++) {
		(void)raw_until(fd[i], "\r\n\r\n", text, sizeof(text));
		if (strstr(text, "HTTP/1.1 503") && strstr(text, "Retry-After: 1\r\n"))
			refused++;
		else if (!strstr(text, "HTTP/1.1 200"))
			return 102;
	}
	return refused;
}

static void no_descriptors(void)
{
	struct serve *s = serve_start(0);
	struct rlimit old, low;
	double cpu;
	int status, go[2];
	char byte;
	pid_t child;

	if (pipe(go) < 0)
		exit(1);
	(void)getrlimit(RLIMIT_NOFILE, &old);
	child = fork();
	if (child == 0) { /* it waits for the low limit */
		(void)fd_close(go[1]);
		_exit(read(go[0], &byte, 1) == 0 ? clients_without_descriptors(s) : 103);
	}
	low = old;
	low.rlim_cur = open_descriptors() + 12;
	(void)setrlimit(RLIMIT_NOFILE, &low);
	(void)fd_close(go[1]);
	(void)waitpid(child, &status, 0);
	ok(WIFEXITED(status) && WEXITSTATUS(status) > 0 && WEXITSTATUS(status) < 30,
	   "some are served and %d refused with 503", WEXITSTATUS(status));
	cpu = cpu_of_process();
	(void)poll(NULL, 0, 500);
	ok(cpu_of_process() - cpu < 0.1, "and nothing spins");
	(void)setrlimit(RLIMIT_NOFILE, &old);
	(void)fd_close(go[0]);
	ok(has(raw_ask(s, "GET /hello HTTP/1.0\r\n\r\n", false), "200 OK"), "then all goes on");
	serve_stop(s);
}

int main(void)
{
	slow();
	leavers();
	broken_off();
	no_descriptors();
	return tap_done();
}

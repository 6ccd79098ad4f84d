/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_relay.c - bytes, half-closes and ends between a wire and a plain socket
 *
 * The wire is a WebSocket, whose frames the test writes and reads itself.
 */

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/fs.h"
#include "http/frames.h"
#include "http/relay.h"
#include "http/websocket.h"
#include "loop/loop.h"
#include "tap.h"

static bool done;

static void relay_done(void *data)
{
	(void)data;
	done = true;
}

struct ends {
	struct loop *loop;
	int client, plain; /* ours; the relay has the other two */
};

static void open_ends(struct ends *x, const char *early, size_t len)
{
	int a[2], b[2];
	struct relay *r;
	struct wire *w;

	done = false;
	if (loop_new(&x->loop) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, a) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, b) < 0 ||
	    websocket_wire(a[1], false, early, len, &w) < 0 ||
	    relay_new(x->loop, w, b[1], relay_done, NULL, &r) < 0)
		exit(1);
	x->client = a[0];
	x->plain = b[0];
}

static void close_ends(struct ends *x)
{
	(void)fd_close(x->client);
	(void)fd_close(x->plain);
	for (int i = 0; i < 100 && !done; i++)
		(void)loop_run_once(x->loop, 20);
	ok(done, "the relay ends with its sides");
	loop_free(x->loop);
}

/* Turns of the loop until @fd has something, or two seconds. Return: bytes, 0 end, -1 nothing */
static ssize_t get(struct ends *x, int fd, char *out, size_t room)
{
	for (int i = 0; i < 200; i++) {
		ssize_t n = recv(fd, out, room, MSG_DONTWAIT);

		if (n >= 0 || errno != EAGAIN)
			return n;
		(void)loop_run_once(x->loop, 10);
	}
	return -1;
}

static void put_frame(int fd, int first, const char *text)
{
	char frame[256] = {(char)first, (char)(0x80 | strlen(text))}; /* a mask of zeroes */

	memcpy(frame + 6, text, strlen(text));
	ok(send(fd, frame, 6 + strlen(text), MSG_NOSIGNAL) == (ssize_t)(6 + strlen(text)), "sent");
}

static void both_ways(void)
{
	struct ends x;
	char got[256];

	open_ends(&x, "\x82\x82\0\0\0\0hi", 8);
	ok(get(&x, x.plain, got, sizeof(got)) == 2 && !memcmp(got, "hi", 2), "early bytes");
	put_frame(x.client, 0x82, "more");
	ok(get(&x, x.plain, got, sizeof(got)) == 4 && !memcmp(got, "more", 4), "bytes in");
	ok(send(x.plain, "answer", 6, 0) == 6 && get(&x, x.client, got, sizeof(got)) == 8 &&
		   !memcmp(got,
			   "\x82\x06"
			   "answer",
			   8),
	   "bytes out");
	(void)shutdown(x.plain, SHUT_WR);
	ok(get(&x, x.client, got, sizeof(got)) == 4 && !memcmp(got, "\x88\x02\x03\xe8", 4),
	   "the plain side's end is a close");
	put_frame(x.client, 0x82, "late");
	ok(get(&x, x.plain, got, sizeof(got)) == 4, "what still comes is delivered");
	put_frame(x.client, 0x88, "");
	is_int(get(&x, x.plain, got, sizeof(got)), 0, "then the end");
	close_ends(&x);
}

/* A wire that is lost: all before it is delivered, then the plain side ends. */
static void lost(void)
{
	struct ends x;
	char got[256];

	open_ends(&x, "", 0);
	put_frame(x.client, 0x82, "last words");
	x.client = fd_close(x.client);
	is_int(get(&x, x.plain, got, sizeof(got)), 10, "delivered");
	is_int(get(&x, x.plain, got, sizeof(got)), 0, "the end");
	ok(done, "over");
	close_ends(&x);
}

/* Nobody reads on the plain side: the wire is not read either, and the loop sleeps. */
static void pressure(void)
{
	struct ends x;
	char block[65536] = {(char)0x82, (char)0xfe, (char)0xff, (char)0xf0};
	size_t sent = 0, got = 0, rest = 0;
	int quiet = 0;
	struct pollfd p;

	open_ends(&x, "", 0);
	/* frames of 65520 bytes until nothing goes on any more */
	while (quiet < 20) {
		ssize_t n =
			send(x.client, block + rest, 8 + 65520 - rest, MSG_DONTWAIT | MSG_NOSIGNAL);

		quiet = n < 0 ? quiet + 1 : 0;
		rest = n < 0 ? rest : (rest + (size_t)n) % (8 + 65520);
		sent += n > 0 ? (size_t)n : 0;
		(void)loop_run_once(x.loop, 5);
	}
	ok(sent > 100000 && sent < (4u << 20), "it stops after %zu bytes", sent);
	for (;;) {
		ssize_t n = get(&x, x.plain, block, sizeof(block));

		if (n <= 0)
			break;
		got += (size_t)n;
		if (got + 8 * (sent / 65528 + 1) >= sent)
			break;
	}
	ok(got > sent / 2, "and goes on when it is read (%zu)", got);
	x.plain = fd_close(x.plain);
	for (int i = 0; i < 20; i++)
		(void)loop_run_once(x.loop, 5);
	p = (struct pollfd){.fd = x.client, .events = POLLIN};
	ok(poll(&p, 1, 0) == 1, "the client is told that the other side has closed");
	close_ends(&x);
}

int main(void)
{
	both_ways();
	lost();
	pressure();
	return tap_done();
}

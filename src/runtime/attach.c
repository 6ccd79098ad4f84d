/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - bytes to and from a container or exec, over the shim's attach socket (base/shim.h)
 *
 * Of a container the socket is "attach" in its bundle, whose path may be longer than sun_path
 * holds: it is reached by /proc/self/fd. An exec's shim is born with its only client's socket. The
 * shim closes it when the process's output is at its end and given out.
 *
 * Output goes straight to the reader while he takes it; while he pauses, nothing is read, and the
 * shim keeps it for him, or waits. The end of an exec (held) is told only after its exit.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/shim.h"
#include "base/str.h"
#include "runtime/internal.h"

#define PACKETS_TURN 16 /* read in one turn of the loop */

struct rt_attach {
	struct list node;
	struct runtime *r;
	struct rt_attach_ops ops;
	int fd;
	struct source *io, *again;
	struct rt_attach **owner; /* set to NULL when this is freed; may be NULL */
	bool paused;		  /* by the reader */
	bool want_write;	  /* by the writer */
	bool want_eof;		  /* the end of input is still to be said */
	bool corked;		  /* nothing is given out before attach_uncork() */
	bool held;		  /* its end is not told before attach_let_end() */
	bool at_end;		  /* nothing more comes from the shim */
	bool busy, dead;
};

static void release(struct rt_attach *a)
{
	list_remove(&a->node);
	a->io = source_free(a->io);
	a->again = source_free(a->again);
	a->fd = fd_close(a->fd);
	a->dead = true;
	if (a->owner)
		*a->owner = NULL;
	a->owner = NULL;
	if (!a->busy)
		free(a);
}

static bool stopped(const struct rt_attach *a)
{
	return a->dead || a->paused || a->corked;
}

static void ready(int fd, uint32_t events, void *data);

/* Without interest the descriptor leaves epoll, which would tell of a hang-up again and again. */
static void interest(struct rt_attach *a)
{
	bool writes = (a->want_write || a->want_eof) && !a->at_end;
	uint32_t events = (!stopped(a) && !a->at_end ? (uint32_t)EPOLLIN : 0) |
			  (writes ? (uint32_t)EPOLLOUT : 0);

	if (a->dead)
		return;
	if (!events)
		a->io = source_free(a->io);
	else if (a->io)
		(void)source_io_events(a->io, events);
	else if (loop_io(a->r->loop, a->fd, events, ready, a, &a->io) < 0)
		a->at_end = true; /* out of memory: better an early end than none */
}

/* One packet. Return: whether there may be another. */
static bool take_one(struct rt_attach *a)
{
	static char room[SHIM_PACKET_MAX]; /* the loop's thread only */
	ssize_t n = recv(a->fd, room, sizeof(room), MSG_DONTWAIT);

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	/* the shim ended with input unread: told once, before what is still queued for us */
	if (n < 0 && errno == ECONNRESET)
		return true;
	if (n <= 0) {
		a->at_end = true;
		return false;
	}
	if (n > 1 && a->ops.output(room[0] == 2 ? 2 : 1, room + 1, (size_t)n - 1, a->ops.data) &&
	    !a->dead)
		a->paused = true;
	return true;
}

static void pump(struct rt_attach *a)
{
	struct rt_attach_ops ops = a->ops;

	for (int i = 0; i < PACKETS_TURN && !stopped(a) && !a->at_end; i++)
		if (!take_one(a))
			break;
	interest(a);
	if (a->at_end && !a->held && !stopped(a)) {
		release(a);
		ops.closed(ops.data);
	}
}

static void leave(struct rt_attach *a)
{
	a->busy = false;
	if (a->dead)
		free(a);
}

/* Return: 1 sent (or there is nobody to hear it), 0 not now */
static int say(struct rt_attach *a, const struct shim_packet *p)
{
	static char room[SHIM_PACKET_MAX]; /* the loop's thread only */
	size_t len = shim_format(p, room, sizeof(room));
	ssize_t n;

	do
		n = send(a->fd, room, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 && errno == EAGAIN ? 0 : 1;
}

static void writable(struct rt_attach *a)
{
	if (a->want_write) {
		a->want_write = false;
		if (a->ops.writable)
			a->ops.writable(a->ops.data);
	}
	if (!a->dead && a->want_eof && !a->want_write)
		a->want_eof = !say(a, &(struct shim_packet){.kind = SHIM_EOF});
}

static void ready(int fd, uint32_t events, void *data)
{
	struct rt_attach *a = data;

	(void)fd;
	a->busy = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		writable(a);
	if (!a->dead)
		pump(a);
	leave(a);
}

static void again(void *data)
{
	struct rt_attach *a = data;

	a->again = NULL;
	a->busy = true;
	pump(a);
	leave(a);
}

/* Not from within the caller: he need not expect output, or the end, there. */
static void kick(struct rt_attach *a)
{
	interest(a);
	if (!a->again && a->at_end)
		(void)loop_defer(a->r->loop, again, a, &a->again);
}

void attach_hold(struct rt_attach *a, struct rt_attach **owner)
{
	a->corked = true;
	a->held = true;
	a->owner = owner;
	interest(a);
}

void attach_uncork(struct rt_attach *a)
{
	a->corked = false;
	kick(a);
}

void attach_let_end(struct rt_attach *a)
{
	a->corked = false;
	a->held = false;
	a->owner = NULL;
	kick(a);
}

int attach_connect(const struct runtime *r, const char *id)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_free char *dir = rt_path(r, id, NULL, NULL);
	auto_close int dfd = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (dfd < 0 || fd < 0)
		return -errno;
	/* a container of the versions before has another socket of that name: conmon's */
	if (faccessat(dfd, SHIM_PID, F_OK, 0) < 0)
		return -ENOTCONN;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/attach", dfd);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int attach_new(struct runtime *r, int fd, const struct rt_attach_ops *ops, struct rt_attach **ret)
{
	struct rt_attach *a = calloc(1, sizeof(*a));
	int rc = a ? 0 : -ENOMEM;

	if (a) {
		*a = (struct rt_attach){.r = r, .ops = *ops, .fd = fd};
		rc = loop_io(r->loop, fd, EPOLLIN, ready, a, &a->io);
	}
	if (rc < 0) {
		(void)fd_close(fd);
		free(a);
		return rc;
	}
	list_append(&r->attaches, &a->node);
	*ret = a;
	return 0;
}

int rt_attach_open(struct runtime *r, const char *id, const struct rt_attach_ops *ops,
		   struct rt_attach **ret, struct err *e)
{
	struct shim_packet hello = {.kind = SHIM_HELLO,
				    .flags = (ops->what & RT_ATTACH_NO_OUTPUT ? 0u : SHIM_OUTPUT) |
					     (ops->what & RT_ATTACH_NO_INPUT ? 0u : SHIM_INPUT) |
					     (ops->what & RT_ATTACH_LOG ? SHIM_PARTIALS : 0u)};
	int fd = attach_connect(r, id);
	int rc = fd < 0 ? fd : attach_new(r, fd, ops, ret);

	if (rc < 0)
		return err_sys(e, -rc, "cannot attach to container %s", id);
	(void)say(*ret, &hello); /* an empty queue takes it; a dead shim is seen as the end */
	return 0;
}

ssize_t rt_attach_write(struct rt_attach *a, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		struct shim_packet p = {.kind = SHIM_DATA,
					.data = (const char *)data + done,
					.len = MIN(len - done, (size_t)SHIM_DATA_MAX)};

		if (!say(a, &p)) {
			a->want_write = true;
			interest(a);
			break;
		}
		done += p.len; /* where nobody reads input any more it is dropped */
	}
	return (ssize_t)done;
}

void rt_attach_eof(struct rt_attach *a)
{
	if (!a->want_write && say(a, &(struct shim_packet){.kind = SHIM_EOF}))
		return;
	a->want_eof = true;
	interest(a);
}

void rt_attach_resume(struct rt_attach *a)
{
	if (!a->paused)
		return;
	a->paused = false;
	kick(a);
}

void rt_attach_close(struct rt_attach *a)
{
	if (a)
		release(a);
}

void attaches_drop(struct runtime *r)
{
	struct rt_attach *a;

	list_for_each (a, &r->attaches, node)
		release(a);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - bytes to and from a container or exec, over conmon's attach socket
 *
 * The socket is SOCK_SEQPACKET at attach in the bundle. Packets out begin with the stream (2
 * standard output, 3 standard error; a terminal has only the first); packets in are plain input, at
 * most 8 KiB each. conmon closes it when the process's output is at its end. The path may be longer
 * than sun_path holds: the socket is reached by /proc/self/fd.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "runtime/internal.h"

#define PACKET_MAX   (64u << 10)
#define PIECE_MAX    (8u << 10) /* of input */
#define PACKETS_TURN 16		/* read in one turn of the loop */

struct rt_attach {
	struct list node;
	struct runtime *r;
	struct rt_attach_ops ops;
	int fd;
	struct source *io;
	struct rt_attach **owner; /* set to NULL when this is freed; may be NULL */
	bool paused, want_write, reading, dead;
	bool held;   /* its end is not told before attach_let_end() */
	bool at_end; /* ... and has come */
};

static void release(struct rt_attach *a)
{
	list_remove(&a->node);
	a->io = source_free(a->io);
	a->fd = fd_close(a->fd);
	a->dead = true;
	if (a->owner)
		*a->owner = NULL;
	if (!a->reading)
		free(a);
}

static void interest(struct rt_attach *a)
{
	if (!a->io)
		return;
	(void)source_io_events(a->io, (a->paused ? 0 : (uint32_t)EPOLLIN) |
					      (a->want_write ? (uint32_t)EPOLLOUT : 0));
}

static void end(struct rt_attach *a)
{
	struct rt_attach_ops ops = a->ops;

	if (a->held) {
		a->at_end = true;
		a->io = source_free(a->io);
		return;
	}
	release(a);
	ops.closed(ops.data);
}

void attach_hold(struct rt_attach *a, struct rt_attach **owner)
{
	a->held = true;
	a->owner = owner;
	a->paused = true;
	interest(a);
}

void attach_let_end(struct rt_attach *a)
{
	a->held = false;
	a->owner = NULL;
	if (a->at_end)
		end(a);
}

/* Return: whether more may follow. */
static bool read_one(struct rt_attach *a, char *room)
{
	ssize_t n = recv(a->fd, room, PACKET_MAX, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		end(a);
		return false;
	}
	if (n > 1 && a->ops.output(room[0] == 3 ? 2 : 1, room + 1, (size_t)n - 1, a->ops.data) &&
	    !a->dead) {
		a->paused = true;
		interest(a);
	}
	return !a->dead && !a->paused;
}

static void ready(int fd, uint32_t events, void *data)
{
	struct rt_attach *a = data;
	static char room[PACKET_MAX]; /* the loop's thread only */

	(void)fd;
	a->reading = true;
	if ((events & EPOLLOUT) && a->want_write) {
		a->want_write = false;
		interest(a);
		if (a->ops.writable)
			a->ops.writable(a->ops.data);
	}
	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		for (int i = 0; !a->dead && !a->at_end && !a->paused && i < PACKETS_TURN; i++)
			if (!read_one(a, room))
				break;
	a->reading = false;
	if (a->dead)
		free(a);
}

static int connect_at(const char *dir)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	auto_close int dfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (dfd < 0 || fd < 0)
		return -errno;
	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/attach", dfd);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

int rt_attach_open(struct runtime *r, const char *id, const char *exec_id,
		   const struct rt_attach_ops *ops, struct rt_attach **ret, struct err *e)
{
	auto_free char *dir = rt_path(r, id, exec_id, NULL);
	struct rt_attach *a = calloc(1, sizeof(*a));
	int rc;

	if (!a || !dir) {
		free(a);
		return err_nomem(e);
	}
	*a = (struct rt_attach){.r = r, .ops = *ops, .fd = connect_at(dir)};
	rc = a->fd < 0 ? a->fd : loop_io(r->loop, a->fd, EPOLLIN, ready, a, &a->io);
	if (rc < 0) {
		(void)fd_close(a->fd);
		free(a);
		return err_sys(e, -rc, "cannot attach to container %s", id);
	}
	list_append(&r->attaches, &a->node);
	*ret = a;
	return 0;
}

ssize_t rt_attach_write(struct rt_attach *a, const void *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = send(a->fd, (const char *)data + done, MIN(len - done, PIECE_MAX),
				 MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			a->want_write = true;
			interest(a);
			break;
		}
		if (n < 0)
			return (ssize_t)len; /* nobody reads input any more: drop it */
		done += (size_t)n;
	}
	return (ssize_t)done;
}

void rt_attach_eof(struct rt_attach *a)
{
	(void)shutdown(a->fd, SHUT_WR);
}

void rt_attach_resume(struct rt_attach *a)
{
	if (!a->paused)
		return;
	a->paused = false;
	interest(a);
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

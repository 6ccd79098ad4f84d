/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.c - bytes to and from a container or exec, over conmon's attach socket
 *
 * The socket is SOCK_SEQPACKET at attach in the bundle. Packets out begin with the stream (2
 * standard output, 3 standard error; a terminal has only the first); packets in are plain input, at
 * most 32 KiB each. conmon closes it when the process's output is at its end. The path may be
 * longer than sun_path holds: the socket is reached by /proc/self/fd.
 *
 * Output goes straight to the reader while he takes it. A paused reader holds conmon up, and with
 * it the process: that is wanted while it runs. But conmon writes the exit code behind the last
 * byte, so once the process has ended a paused attach takes the rest into its store (bounded: about
 * what pipes and sockets can still hold), and gives it out when the reader resumes.
 *
 * The end is told when everything is given out, and of an exec (held) only after its exit.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/str.h"
#include "runtime/internal.h"

#define PACKET_MAX   (16u << 10)  /* conmon sends at most 8 KiB and one byte */
#define PIECE_MAX    (32u << 10)  /* of input: what conmon reads at once */
#define PACKETS_TURN 16		  /* read in one turn of the loop */
#define STORE_MAX    (512u << 10) /* two pipes, a socket's queue */

struct rt_attach {
	struct list node;
	struct runtime *r;
	char id[ID_LEN + 1];
	bool is_exec;
	struct rt_attach_ops ops;
	int fd;
	struct source *io, *again;
	struct rt_attach **owner; /* set to NULL when this is freed; may be NULL */
	struct buf store;	  /* packets, each behind its length */
	size_t store_at;
	bool paused;	 /* by the reader */
	bool want_write; /* by the writer */
	bool corked;	 /* nothing is given out before attach_uncork() */
	bool held;	 /* its end is not told before attach_let_end() */
	bool storing;	 /* the process ended */
	bool at_end;	 /* nothing more comes from conmon */
	bool busy, dead;
};

static void attach_free(struct rt_attach *a)
{
	buf_done(&a->store);
	free(a);
}

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
		attach_free(a);
}

static bool stopped(const struct rt_attach *a)
{
	return a->dead || a->paused || a->corked;
}

static bool wants_packets(const struct rt_attach *a)
{
	if (a->dead || a->at_end)
		return false;
	return stopped(a) ? a->storing && a->store.len < STORE_MAX - PACKET_MAX : true;
}

static void ready(int fd, uint32_t events, void *data);

/* Without interest the descriptor leaves epoll, which would tell of a hang-up again and again. */
static void interest(struct rt_attach *a)
{
	uint32_t events = (wants_packets(a) ? (uint32_t)EPOLLIN : 0) |
			  (a->want_write && !a->at_end ? (uint32_t)EPOLLOUT : 0);

	if (a->dead)
		return;
	if (!events)
		a->io = source_free(a->io);
	else if (a->io)
		(void)source_io_events(a->io, events);
	else if (loop_io(a->r->loop, a->fd, events, ready, a, &a->io) < 0)
		a->at_end = true; /* out of memory: better an early end than none */
}

static void give(struct rt_attach *a, const char *packet, size_t len)
{
	if (len > 1 && a->ops.output(packet[0] == 3 ? 2 : 1, packet + 1, len - 1, a->ops.data) &&
	    !a->dead)
		a->paused = true;
}

static void give_stored(struct rt_attach *a)
{
	while (!stopped(a) && a->store_at < a->store.len) {
		const char *p = a->store.data + a->store_at;
		uint16_t len;

		memcpy(&len, p, sizeof(len));
		a->store_at += sizeof(len) + len;
		give(a, p + sizeof(len), len);
	}
	if (!a->dead && a->store_at == a->store.len) {
		buf_done(&a->store);
		a->store_at = 0;
	}
}

/* One packet. Return: whether there may be another. */
static bool take_one(struct rt_attach *a)
{
	static char room[PACKET_MAX]; /* the loop's thread only */
	ssize_t n = recv(a->fd, room, sizeof(room), 0);
	uint16_t len = (uint16_t)n;

	if (n < 0 && errno == EINTR)
		return true;
	if (n < 0 && errno == EAGAIN)
		return false;
	/* conmon ended with input unread: told once, before what is still queued for us */
	if (n < 0 && errno == ECONNRESET)
		return true;
	if (n <= 0) {
		a->at_end = true;
		return false;
	}
	if (!stopped(a) && !a->store.len)
		give(a, room, (size_t)n);
	else if (buf_add(&a->store, &len, sizeof(len)) < 0 || buf_add(&a->store, room, len) < 0)
		a->at_end = true;
	return true;
}

static void pump(struct rt_attach *a)
{
	struct rt_attach_ops ops = a->ops;

	give_stored(a);
	for (int i = 0; i < PACKETS_TURN && wants_packets(a); i++)
		if (!take_one(a))
			break;
	interest(a);
	if (a->at_end && !a->held && !a->store.len && !stopped(a)) {
		release(a);
		ops.closed(ops.data);
	}
}

static void leave(struct rt_attach *a)
{
	a->busy = false;
	if (a->dead)
		attach_free(a);
}

static void ready(int fd, uint32_t events, void *data)
{
	struct rt_attach *a = data;

	(void)fd;
	a->busy = true;
	if ((events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) && a->want_write) {
		a->want_write = false;
		if (a->ops.writable)
			a->ops.writable(a->ops.data);
	}
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
	if (!a->again && (a->store.len || a->at_end))
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

void attaches_unblock(struct runtime *r, const char *id)
{
	struct rt_attach *a;

	list_for_each (a, &r->attaches, node)
		if (!a->is_exec && streq(a->id, id)) {
			a->storing = true;
			interest(a);
		}
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
	const struct proc *p = proc_find(r, id);
	int rc;

	if (!a || !dir) {
		free(a);
		return err_nomem(e);
	}
	*a = (struct rt_attach){.r = r,
				.is_exec = exec_id != NULL,
				.ops = *ops,
				.fd = connect_at(dir),
				.store = BUF_INIT(STORE_MAX)};
	(void)snprintf(a->id, sizeof(a->id), "%s", id);
	a->storing = !exec_id && p && !p->watch;
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

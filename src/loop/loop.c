/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * loop.c - epoll loop with timers, signals, children, deferred calls
 *
 * Every source is on the loop's list until freed. A freed source may still be named by an event of
 * the current epoll batch, so its memory goes only at the end of the turn (the graveyard).
 * Timers are a binary heap over one timerfd-free deadline: epoll_wait's timeout serves.
 */

#include "loop/loop.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/list.h"

enum source_kind { S_IO, S_TIMER, S_SIGNAL, S_DEFER, S_PREPARE, S_CHILD };

struct source {
	struct list node;      /* loop->sources, then loop->graveyard */
	struct list kind_node; /* loop->defers or loop->prepares */
	struct loop *loop;
	enum source_kind kind;
	bool dead;
	int fd; /* IO: the caller's; SIGNAL, CHILD: ours */
	bool own_fd;
	uint32_t events;
	int64_t due_ns; /* TIMER, 0: disarmed */
	size_t heap_at; /* TIMER: position + 1, 0: not in the heap */
	pid_t pid;
	int signo;
	union {
		loop_io_fn io;
		loop_fn fn;
		loop_signal_fn signal;
		loop_prepare_fn prepare;
		loop_child_fn child;
	} cb;
	void *data;
};

struct loop {
	int epfd;
	bool exiting;
	int code;
	struct list sources, graveyard, defers, prepares;
	struct source **heap;
	size_t heap_len, heap_room, n_timers;
};

/* ---- the timer heap ---- */

static void heap_set(struct loop *l, size_t i, struct source *s)
{
	l->heap[i] = s;
	s->heap_at = i + 1;
}

static void heap_up(struct loop *l, size_t i)
{
	struct source *s = l->heap[i];

	while (i && l->heap[(i - 1) / 2]->due_ns > s->due_ns) {
		heap_set(l, i, l->heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_set(l, i, s);
}

static void heap_down(struct loop *l, size_t i)
{
	struct source *s = l->heap[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child + 1 < l->heap_len && l->heap[child + 1]->due_ns < l->heap[child]->due_ns)
			child++;
		if (child >= l->heap_len || l->heap[child]->due_ns >= s->due_ns)
			break;
		heap_set(l, i, l->heap[child]);
		i = child;
	}
	heap_set(l, i, s);
}

static void heap_remove(struct source *s)
{
	struct loop *l = s->loop;
	size_t i = s->heap_at;
	struct source *last;

	if (!i--)
		return;
	s->heap_at = 0;
	last = l->heap[--l->heap_len];
	if (last == s)
		return;
	heap_set(l, i, last);
	heap_up(l, i);
	heap_down(l, last->heap_at - 1);
}

/* Room is reserved when the timer is made, so arming cannot fail. */
static void heap_insert(struct source *s)
{
	struct loop *l = s->loop;

	heap_set(l, l->heap_len++, s);
	heap_up(l, l->heap_len - 1);
}

/* ---- sources ---- */

static struct source *source_new(struct loop *l, enum source_kind kind, void *data)
{
	struct source *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->loop = l;
	s->kind = kind;
	s->fd = -EBADF;
	s->data = data;
	list_append(&l->sources, &s->node);
	return s;
}

struct source *source_free(struct source *s)
{
	if (!s || s->dead)
		return NULL;
	s->dead = true;
	heap_remove(s);
	s->loop->n_timers -= s->kind == S_TIMER;
	list_remove(&s->kind_node);
	if (s->fd >= 0)
		(void)epoll_ctl(s->loop->epfd, EPOLL_CTL_DEL, s->fd,
				NULL); /* a closed fd is out already */
	if (s->own_fd)
		s->fd = fd_close(s->fd);
	list_remove(&s->node);
	list_append(&s->loop->graveyard, &s->node);
	return NULL;
}

static void bury(struct loop *l)
{
	while (!list_empty(&l->graveyard)) {
		struct source *s = list_entry(l->graveyard.next, struct source, node);

		list_remove(&s->node);
		free(s);
	}
}

int loop_new(struct loop **ret)
{
	struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	list_init(&l->sources);
	list_init(&l->graveyard);
	list_init(&l->defers);
	list_init(&l->prepares);
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epfd < 0) {
		int r = -errno;

		free(l);
		return r;
	}
	*ret = l;
	return 0;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (!list_empty(&l->sources))
		(void)source_free(list_entry(l->sources.next, struct source, node));
	bury(l);
	(void)fd_close(l->epfd);
	free(l->heap);
	free(l);
}

static int watch(struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	s->events = events;
	return epoll_ctl(s->loop->epfd, EPOLL_CTL_ADD, s->fd, &ev) < 0 ? -errno : 0;
}

static int finish(struct source *s, int r, struct source **ret)
{
	if (r < 0) {
		(void)source_free(s);
		return r;
	}
	if (ret)
		*ret = s;
	return 0;
}

int loop_io(struct loop *l, int fd, uint32_t events, loop_io_fn fn, void *data, struct source **ret)
{
	struct source *s = source_new(l, S_IO, data);

	if (!s)
		return -ENOMEM;
	s->fd = fd;
	s->cb.io = fn;
	return finish(s, watch(s, events), ret);
}

int source_io_events(struct source *s, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	if (s->events == events)
		return 0;
	s->events = events;
	return epoll_ctl(s->loop->epfd, EPOLL_CTL_MOD, s->fd, &ev) < 0 ? -errno : 0;
}

int loop_timer(struct loop *l, int64_t ms, loop_fn fn, void *data, struct source **ret)
{
	struct source *s = source_new(l, S_TIMER, data);

	if (!s)
		return -ENOMEM;
	s->cb.fn = fn;
	l->n_timers++;
	if (l->n_timers > l->heap_room) {
		size_t room = MAX((size_t)16, l->n_timers * 2);
		struct source **more = reallocarray(l->heap, room, sizeof(*more));

		if (!more)
			return finish(s, -ENOMEM, ret);
		l->heap = more;
		l->heap_room = room;
	}
	source_timer_set(s, ms);
	return finish(s, 0, ret);
}

void source_timer_set(struct source *s, int64_t ms)
{
	heap_remove(s);
	s->due_ns = ms < 0 ? 0 : clock_mono_ns() + ms * NS_PER_MS;
	if (ms >= 0)
		heap_insert(s);
}

int loop_signal(struct loop *l, int signo, loop_signal_fn fn, void *data, struct source **ret)
{
	struct source *s = source_new(l, S_SIGNAL, data);
	sigset_t set;

	if (!s)
		return -ENOMEM;
	s->cb.signal = fn;
	s->signo = signo;
	(void)sigemptyset(&set);
	(void)sigaddset(&set, signo);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->own_fd = true;
	return finish(s, s->fd < 0 ? -errno : watch(s, EPOLLIN), ret);
}

int loop_defer(struct loop *l, loop_fn fn, void *data, struct source **ret)
{
	struct source *s = source_new(l, S_DEFER, data);

	if (!s)
		return -ENOMEM;
	s->cb.fn = fn;
	list_append(&l->defers, &s->kind_node);
	return finish(s, 0, ret);
}

int loop_prepare(struct loop *l, loop_prepare_fn fn, void *data, struct source **ret)
{
	struct source *s = source_new(l, S_PREPARE, data);

	if (!s)
		return -ENOMEM;
	s->cb.prepare = fn;
	list_append(&l->prepares, &s->kind_node);
	return finish(s, 0, ret);
}

int loop_child(struct loop *l, pid_t pid, int pidfd, loop_child_fn fn, void *data,
	       struct source **ret)
{
	struct source *s = source_new(l, S_CHILD, data);

	if (!s)
		return -ENOMEM;
	s->cb.child = fn;
	s->pid = pid;
	s->own_fd = true;
	/* a descriptor of our own: epoll forgets a descriptor number that somebody else closes */
	s->fd = pidfd >= 0 ? fcntl(pidfd, F_DUPFD_CLOEXEC, 3)
			   : (int)syscall(SYS_pidfd_open, pid, 0);
	return finish(s, s->fd < 0 ? -errno : watch(s, EPOLLIN), ret);
}

/* ---- dispatch ---- */

static void child_ended(struct source *s)
{
	loop_child_fn fn = s->cb.child;
	void *data = s->data;
	pid_t pid = s->pid;
	int status = -1;
	pid_t r;

	do
		r = waitpid(pid, &status, WNOHANG);
	while (r < 0 && errno == EINTR);
	if (r == 0)
		return; /* not yet */
	(void)source_free(s);
	fn(pid, r == pid ? status : -1, data);
}

static void dispatch(struct source *s, uint32_t events)
{
	struct signalfd_siginfo si;

	if (s->dead)
		return;
	switch (s->kind) {
	case S_IO:
		s->cb.io(s->fd, events, s->data);
		break;
	case S_SIGNAL:
		while (!s->dead && read(s->fd, &si, sizeof(si)) == (ssize_t)sizeof(si))
			s->cb.signal((int)si.ssi_signo, s->data);
		break;
	case S_CHILD:
		child_ended(s);
		break;
	case S_TIMER:
	case S_DEFER:
	case S_PREPARE:
		break; /* never in epoll */
	}
}

static void run_timers(struct loop *l)
{
	int64_t now = clock_mono_ns();

	while (l->heap_len && l->heap[0]->due_ns <= now && !l->exiting) {
		struct source *s = l->heap[0];

		heap_remove(s);
		s->due_ns = 0;
		s->cb.fn(s->data);
	}
}

static void run_defers(struct loop *l)
{
	struct list now;

	/* those that come while we run wait for the next turn */
	list_init(&now);
	while (!list_empty(&l->defers)) {
		struct list *n = l->defers.next;

		list_remove(n);
		list_append(&now, n);
	}
	while (!list_empty(&now)) {
		struct source *s = list_entry(now.next, struct source, kind_node);
		loop_fn fn = s->cb.fn;
		void *data = s->data;

		(void)source_free(s);
		fn(data);
	}
}

static int wait_ms(struct loop *l, int timeout_ms)
{
	struct source *s;

	if (!list_empty(&l->defers))
		timeout_ms = 0;
	list_for_each (s, &l->prepares, kind_node) {
		int ms = s->cb.prepare(s->data);

		if (ms >= 0 && (timeout_ms < 0 || ms < timeout_ms))
			timeout_ms = ms;
	}
	if (!list_empty(&l->defers))
		timeout_ms = 0;
	if (l->heap_len) {
		int64_t ns = l->heap[0]->due_ns - clock_mono_ns();
		int64_t ms = ns <= 0 ? 0 : (ns + NS_PER_MS - 1) / NS_PER_MS;

		if (timeout_ms < 0 || ms < timeout_ms)
			timeout_ms = (int)MIN(ms, (int64_t)INT_MAX);
	}
	return timeout_ms;
}

int loop_run_once(struct loop *l, int timeout_ms)
{
	struct epoll_event evs[64];
	int n = epoll_wait(l->epfd, evs, ARRAY_SIZE(evs), wait_ms(l, timeout_ms));

	if (n < 0 && errno != EINTR)
		return -errno;
	run_timers(l);
	for (int i = 0; i < n; i++)
		dispatch(evs[i].data.ptr, evs[i].events);
	run_defers(l);
	bury(l);
	return 0;
}

int loop_run(struct loop *l)
{
	l->exiting = false;
	while (!l->exiting) {
		int r = loop_run_once(l, -1);

		if (r < 0)
			return r;
	}
	return l->code;
}

void loop_exit(struct loop *l, int code)
{
	l->exiting = true;
	l->code = code;
}

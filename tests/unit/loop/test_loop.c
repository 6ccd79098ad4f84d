/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_loop.c - io, timers, signals, children, deferred and preparing calls; freeing within */

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/clock.h"
#include "loop/loop.h"
#include "tap.h"

#define TAG(text) ((void *)(uintptr_t)(text)) /* callbacks take what may be written to */

static struct loop *l;
static struct buf trace = BUF_INIT(4096); /* what happened, in order */

static const char *happened(void)
{
	static char text[4096];

	(void)snprintf(text, sizeof(text), "%s", buf_str(&trace));
	buf_clear(&trace);
	return text;
}

static void turns(int n)
{
	while (n--)
		(void)loop_run_once(l, 0);
}

static void note(void *data)
{
	(void)buf_puts(&trace, data);
}

/* ---- io ---- */

static void readable(int fd, uint32_t events, void *data)
{
	char c = '?';

	if (events & EPOLLIN && read(fd, &c, 1) == 1)
		(void)buf_printf(&trace, "%s%c ", (const char *)data, c);
	if (events & EPOLLHUP)
		(void)buf_printf(&trace, "%shup ", (const char *)data);
}

static void io(void)
{
	struct source *s = NULL;
	int sv[2];

	(void)socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv);
	is_int(loop_io(l, sv[0], EPOLLIN, readable, TAG("a"), &s), 0, "io");
	turns(1);
	is_str(happened(), "", "nothing to read");
	(void)!write(sv[1], "xy", 2);
	turns(2);
	is_str(happened(), "ax ay ", "as long as there is something");
	is_int(source_io_events(s, EPOLLOUT), 0, "other events");
	(void)!write(sv[1], "z", 1);
	turns(1);
	is_str(happened(), "", "are not told of reading");
	is_int(source_io_events(s, EPOLLIN), 0, "and back");
	turns(1);
	is_str(happened(), "az ", "are");
	close(sv[1]);
	turns(1);
	is_str(happened(), "ahup ", "the other end closed");
	s = source_free(s);
	ok(!s, "freeing gives NULL");
	turns(1);
	is_str(happened(), "", "freed");
	ok(!source_free(NULL), "nothing is freed");
	close(sv[0]);
	ok(loop_io(l, -1, EPOLLIN, readable, TAG("b"), &s) < 0 && !s, "no descriptor");
}

struct pair {
	struct source *mine, *other;
	int fd;
};

static void free_both(int fd, uint32_t events, void *data)
{
	struct pair *p = data;

	(void)fd;
	(void)events;
	(void)buf_puts(&trace, "once ");
	p->mine = source_free(p->mine);
	p->other = source_free(p->other);
}

/* Both are ready in the same turn: whoever comes first frees himself and the other. */
static void freeing_within(void)
{
	struct pair a, b;
	int one[2], two[2];

	(void)!pipe2(one, O_CLOEXEC);
	(void)!pipe2(two, O_CLOEXEC);
	(void)!write(one[1], "x", 1);
	(void)!write(two[1], "x", 1);
	is_int(loop_io(l, one[0], EPOLLIN, free_both, &a, &a.mine), 0, "two sources");
	is_int(loop_io(l, two[0], EPOLLIN, free_both, &b, &b.mine), 0, "ready at once");
	a.other = b.mine;
	b.other = a.mine;
	turns(3);
	is_str(happened(), "once ", "one is called, who frees both");
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
}

/* ---- timers ---- */

static struct source *again;

static void rearm(void *data)
{
	int *left = data;

	(void)buf_puts(&trace, "again ");
	if (--*left)
		source_timer_set(again, 1);
}

static void wait_for(const char *want)
{
	int64_t end = clock_mono_ns() + 5 * NS_PER_S;

	while (strcmp(buf_str(&trace), want) != 0 && clock_mono_ns() < end)
		(void)loop_run_once(l, 50);
}

static void timers(void)
{
	struct source *a, *b, *c, *never;
	int64_t start = clock_mono_ns();
	int left = 3;

	is_int(loop_timer(l, 30, note, TAG("30 "), &a), 0, "timers");
	is_int(loop_timer(l, 10, note, TAG("10 "), &b), 0, "timers");
	is_int(loop_timer(l, 20, note, TAG("20 "), &c), 0, "timers");
	is_int(loop_timer(l, -1, note, TAG("never "), &never), 0, "and one not armed");
	wait_for("10 20 30 ");
	is_str(happened(), "10 20 30 ", "in the order they are due");
	ok(clock_mono_ns() - start >= 30 * NS_PER_MS, "not before");
	source_timer_set(a, 1);
	source_timer_set(b, 0);
	source_timer_set(b, -1);
	wait_for("30 ");
	is_str(happened(), "30 ", "armed again, and one disarmed");
	is_int(loop_timer(l, 0, rearm, &left, &again), 0, "one that arms itself");
	wait_for("again again again ");
	is_str(happened(), "again again again ", "three times");
	source_timer_set(c, 0);
	c = source_free(c);
	turns(2);
	is_str(happened(), "", "a freed one is not called");
	(void)source_free(a);
	(void)source_free(b);
	(void)source_free(again);
	(void)source_free(never);
}

/* A thousand with random times come in order: the heap. */
static int64_t last_due;
static unsigned out_of_order, called;

struct due {
	struct source *s;
	int64_t ms;
};

static void in_order(void *data)
{
	struct due *d = data;

	out_of_order += d->ms < last_due;
	last_due = d->ms;
	called++;
	d->s = source_free(d->s);
}

static void many_timers(void)
{
	static struct due list[1000];
	int64_t end = clock_mono_ns() + 10 * NS_PER_S;
	unsigned dropped = 0;

	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		list[i].ms = (int64_t)(i * 7919 % 97);
		if (loop_timer(l, 1000000, in_order, &list[i], &list[i].s) < 0)
			out_of_order++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
		if (i % 10 == 3) {
			list[i].s = source_free(list[i].s);
			dropped++;
		} else {
			source_timer_set(list[i].s, 20 + list[i].ms * 2);
		}
	}
	while (called < ARRAY_SIZE(list) - dropped && clock_mono_ns() < end)
		(void)loop_run_once(l, 50);
	is_int(called, ARRAY_SIZE(list) - dropped, "a thousand timers, some freed");
	is_int(out_of_order, 0, "in order");
}

/* ---- signals and children ---- */

static void signalled(int signo, void *data)
{
	(void)buf_printf(&trace, "%s%d ", (const char *)data, signo == SIGUSR1);
}

static void signals(void)
{
	struct source *s;

	is_int(loop_signal(l, SIGUSR1, signalled, TAG("usr"), &s), 0, "a signal");
	(void)raise(SIGUSR1);
	turns(1);
	is_str(happened(), "usr1 ", "is told");
	(void)source_free(s);
}

static void ended(pid_t pid, int status, void *data)
{
	(void)pid;
	if (status < 0)
		(void)buf_printf(&trace, "%sunknown ", (const char *)data);
	else
		(void)buf_printf(&trace, "%s%d ", (const char *)data,
				 WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status));
}

static pid_t child(int code)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (code < 0)
			(void)pause();
		_exit(code);
	}
	return pid;
}

static void children(void)
{
	pid_t pid = child(7);
	struct source *s;
	int pidfd;

	is_int(loop_child(l, pid, -1, ended, TAG("exit"), NULL), 0, "a child");
	wait_for("exit7 ");
	is_str(happened(), "exit7 ", "has ended");
	is_int(waitpid(pid, NULL, WNOHANG), -1, "and was reaped");
	pid = child(-1);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	is_int(loop_child(l, pid, pidfd, ended, TAG("killed"), NULL), 0, "one by its pidfd");
	turns(1);
	is_str(happened(), "", "lives");
	(void)kill(pid, SIGKILL);
	wait_for("killed109 ");
	is_str(happened(), "killed109 ", "was killed");
	ok(fcntl(pidfd, F_GETFD) >= 0, "the pidfd stays the caller's");
	close(pidfd);
	pid = child(0);
	is_int(loop_child(l, pid, -1, ended, TAG("other"), NULL), 0,
	       "one that somebody else reaps");
	(void)waitpid(pid, NULL, 0);
	wait_for("otherunknown ");
	is_str(happened(), "otherunknown ", "its end is known, not how");
	pid = child(-1);
	is_int(loop_child(l, pid, -1, ended, TAG("x"), &s), 0, "one nobody waits for any more");
	(void)source_free(s);
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	turns(2);
	is_str(happened(), "", "is not told");
	ok(loop_child(l, pid, -1, ended, TAG("x"), NULL) == -ESRCH, "no such process");
}

/* ---- deferred and preparing ---- */

static void defer_more(void *data)
{
	(void)buf_puts(&trace, "first ");
	if (loop_defer(l, note, data, NULL) < 0)
		(void)buf_puts(&trace, "failed ");
}

static struct source *victim;

static void free_victim(void *data)
{
	note(data);
	victim = source_free(victim);
}

static int prepare(void *data)
{
	(void)buf_puts(&trace, "prepare ");
	return *(int *)data;
}

static void exit_now(void *data)
{
	loop_exit(data, 42);
}

static void deferred(void)
{
	struct source *s;
	int ms = 5;
	int64_t start;

	is_int(loop_defer(l, defer_more, TAG("second "), &s), 0, "deferred");
	(void)loop_run_once(l, -1);
	is_str(happened(), "first ", "called on the next turn, which does not wait");
	(void)loop_run_once(l, -1);
	is_str(happened(), "second ", "what comes meanwhile a turn later");
	turns(1);
	is_str(happened(), "", "once");
	is_int(loop_defer(l, free_victim, TAG("killer "), NULL), 0, "one that frees the next");
	is_int(loop_defer(l, note, TAG("victim "), &victim), 0, "of the same turn");
	turns(2);
	is_str(happened(), "killer ", "which is not called");
	is_int(loop_prepare(l, prepare, &ms, &s), 0, "before each wait");
	start = clock_mono_ns();
	(void)loop_run_once(l, -1);
	is_str(happened(), "prepare ", "asked how long it may be");
	ok(clock_mono_ns() - start < NS_PER_S, "and it is no longer");
	(void)source_free(s);
	is_int(loop_defer(l, exit_now, l, NULL), 0, "the end");
	is_int(loop_run(l), 42, "with its code");
}

int main(void)
{
	if (loop_new(&l) < 0)
		return 1;
	io();
	freeing_within();
	timers();
	many_timers();
	signals();
	children();
	deferred();
	/* sources that are left are freed with the loop, uncalled */
	ok(loop_timer(l, 0, note, TAG("late "), NULL) == 0 &&
		   loop_defer(l, note, TAG("late "), NULL) == 0,
	   "left over");
	loop_free(l);
	loop_free(NULL);
	is_str(happened(), "", "uncalled");
	buf_done(&trace);
	return tap_done();
}

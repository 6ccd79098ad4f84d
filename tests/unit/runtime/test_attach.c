/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_attach.c - bytes in and out of containers and execs: none is lost, ends come once and last
 */

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "living.h"
#include "tap.h"

static struct rt_create with_stdin = {.open_stdin = true, .stdin_once = true};

/* Many that end at once: nothing is lost, whoever is faster. */
static void test_at_once(void)
{
	struct life l;
	int good = 0;

	for (int i = 0; i < 10; i++) {
		good += life_run(&l, "echo all") && streq(buf_str(&l.heard.out), "all\n") &&
			l.heard.closed == 1;
		(void)life_delete(&l);
		life_done(&l);
	}
	is_int(good, 10, "the output of processes that end at once");
}

static void test_much(void)
{
	struct life l;

	ok(life_run(&l, "dd if=/dev/zero bs=65536 count=80 2>/dev/null"), "5 MiB are written");
	is_int(l.heard.out.len, 80 * 65536, "and arrive");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* Writes all of @text as the attach takes it. */
static bool feed(struct rt_attach *a, const char *text, size_t len)
{
	int64_t end = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;

	while (len && clock_mono_ns() < end) {
		ssize_t n = rt_attach_write(a, text, len);

		text += n;
		len -= (size_t)n;
		if (loop_run_once(loop, n ? 0 : 100) < 0)
			break;
	}
	return len == 0;
}

static void test_input(void)
{
	size_t size = 300000;
	auto_free char *text = malloc(size);
	struct life l;
	struct rt_spec s;

	for (size_t i = 0; text && i < size; i++)
		text[i] = (char)('a' + i % 23);
	life_init(&l);
	s = life_spec(&l, sh("cat"));
	ok(text && life_create(&l, &s, &with_stdin) && life_attach(&l), "made");
	is_int(rt_attach_write(l.heard.attach, "early ", 6), 6, "input before the start");
	ok(life_start(&l), "runs");
	ok(feed(l.heard.attach, text, size), "input is taken");
	rt_attach_eof(l.heard.attach);
	ok(until(&l.exits, 1) && until(&l.heard.closed, 1), "the end of input ends it");
	is_int(l.exit_code, 0, "well");
	ok(l.heard.out.len == size + 6 && !memcmp(l.heard.out.data, "early ", 6) &&
		   !memcmp(l.heard.out.data + 6, text, size),
	   "all of it came back");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* Waits for the end of all without reading anything: the loop stands still. It may have ended and
 * been reaped while the start was still awaited. */
static bool ended_unseen(const struct life *l)
{
	auto_close int fd = (int)syscall(SYS_pidfd_open, shim_of(l), 0);
	struct pollfd p = {fd, POLLIN, 0};

	return fd < 0 ? errno == ESRCH : poll(&p, 1, PATIENCE_MS) == 1;
}

/* Input that is never read must not take the output's place. */
static void test_unread_input(void)
{
	static const char junk[150000];
	struct life l;
	struct rt_spec s;
	int good = 0;

	for (int i = 0; i < 5; i++) {
		life_init(&l);
		s = life_spec(&l, sh("echo said; exit 4"));
		if (life_create(&l, &s, &with_stdin) && life_attach(&l)) {
			while (rt_attach_write(l.heard.attach, junk, sizeof(junk)) > 0)
				;
			good += life_start(&l) && ended_unseen(&l) && until(&l.exits, 1) &&
				until(&l.heard.closed, 1) && l.exit_code == 4 &&
				streq(buf_str(&l.heard.out), "said\n");
		}
		(void)life_delete(&l);
		life_done(&l);
	}
	is_int(good, 5, "output comes in spite of unread input");
}

/* A reader who pauses holds the process up, but not its exit. */
static void test_pause(void)
{
	struct life l;
	struct rt_spec s;
	size_t before;
	int turns = 0;

	life_init(&l);
	s = life_spec(&l, sh("dd if=/dev/zero bs=1024 count=600 2>/dev/null; echo x >/done"));
	ok(life_create(&l, &s, NULL) && life_attach(&l), "made");
	l.heard.pause_at = 1;
	ok(life_start(&l) && until(&l.heard.pauses, 1), "runs");
	settle(300);
	before = l.heard.out.len;
	ok(before > 0 && before <= 32768 && l.exits == 0, "the pause holds it up");
	l.heard.pause_at = 450 * 1024;
	rt_attach_resume(l.heard.attach);
	ok(until(&l.heard.pauses, 2) && until(&l.exits, 1),
	   "its exit is told although the reader pauses");
	is_int(l.exit_code, 0, "with its code");
	before = l.heard.out.len;
	for (int64_t end = clock_mono_ns() + 100 * NS_PER_MS; clock_mono_ns() < end; turns++)
		(void)loop_run_once(loop, 50);
	ok(turns < 10, "waiting for the reader costs no turns of the loop (%d)", turns);
	ok(before < 600 * 1024 && l.heard.out.len == before && !l.heard.closed,
	   "nothing is given to a paused reader");
	rt_attach_resume(l.heard.attach);
	is_int(l.heard.out.len, before, "nor from within resume");
	ok(until(&l.heard.closed, 1), "then the end");
	is_int(l.heard.out.len, 600 * 1024, "and every byte");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

static void test_terminal(void)
{
	struct rt_create how = {.tty = true, .open_stdin = true};
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, sh("echo up; read x; busybox stty size; exit 6"));
	s.tty = true;
	ok(life_create(&l, &s, &how) && life_attach(&l) && life_start(&l), "with a terminal");
	while (!l.heard.out.len && loop_run_once(loop, 100) >= 0)
		;
	is_int(rt_resize(rt, l.id, NULL, 41, 133), 0, "resized");
	settle(50);
	is_int(rt_attach_write(l.heard.attach, "\n", 1), 1, "a key");
	ok(until(&l.exits, 1) && until(&l.heard.closed, 1) && l.exit_code == 6, "it ends");
	is_str(buf_str(&l.heard.out), "up\r\n\r\n41 133\r\n", "the terminal's text");
	is_int(rt_resize(rt, "none", NULL, 1, 1), -ENOENT, "no terminal, no resize");
	ok(life_delete(&l), "deleted");
	life_done(&l);
}

/* ---- execs ---- */

static bool ended(struct run_exec *x)
{
	return until(&x->told, 1) && until(&x->exits, 1) && until(&x->heard.closed, 1);
}

static void test_exec(const struct life *l)
{
	struct run_exec x;

	ok(exec_start(&x, l, "echo out; echo err >&2; exit 7", true) && ended(&x), "an exec");
	ok(x.told == 1 && x.pid_or_err > 0 && x.exits == 1 && x.heard.closed == 1,
	   "all was told once");
	is_str(buf_str(&x.heard.out), "out\n", "its output");
	is_str(buf_str(&x.heard.err), "err\n", "its errors");
	is_int(x.exit_code, 7, "its exit code");
	ok(!x.closed_first, "which was there before the end of the stream");
	ok(!x.heard.early, "and the process before its output");
	heard_done(&x.heard);

	ok(exec_start(&x, l, "cat", true) && until(&x.told, 1), "one that reads");
	ok(feed(x.heard.attach, "in and out", 10), "input");
	rt_attach_eof(x.heard.attach);
	ok(ended(&x), "and its end");
	is_str(buf_str(&x.heard.out), "in and out", "came back");
	heard_done(&x.heard);

	ok(exec_start(&x, l, "exit 8", false) && until(&x.told, 1) && until(&x.exits, 1),
	   "a detached one");
	is_int(x.exit_code, 8, "its exit code");
	heard_done(&x.heard);
}

static void test_exec_many(const struct life *l)
{
	struct run_exec x[20];
	int good = 0;

	for (size_t i = 0; i < ARRAY_SIZE(x); i++) {
		(void)exec_start(&x[i], l, "echo here; exit 2", true);
		if (i % 4 == 3) /* four at a time */
			for (size_t k = i - 3; k <= i; k++)
				good += ended(&x[k]) && x[k].exit_code == 2 && !x[k].closed_first &&
					!x[k].heard.early &&
					streq(buf_str(&x[k].heard.out), "here\n");
	}
	is_int(good, ARRAY_SIZE(x), "many short ones, four at a time");
	for (size_t i = 0; i < ARRAY_SIZE(x); i++)
		heard_done(&x[i].heard);
}

static void test_exec_refused(const struct life *l)
{
	char *const none[] = {(char *)"nosuch", NULL}, *const bare[] = {(char *)"/etc/passwd",
									NULL};
	char *const *const what[] = {none, bare};
	static const char *const texts[] = {
		"OCI runtime exec failed: exec failed: unable to start container process: exec: "
		"\"nosuch\": executable file not found in $PATH: unknown",
		"OCI runtime exec failed: exec failed: unable to start container process: open "
		"executable: permission denied: unknown"};

	for (int i = 0; i < 4; i++) {
		struct run_exec x;

		ok(exec_args(&x, l, what[i / 2], i & 1) && until(&x.told, 1), "tried");
		is_err(x.pid_or_err, x.e, ERR_INVALID, texts[i / 2]);
		settle(20);
		ok(!x.exits && !x.heard.closed && x.told == 1, "nothing else is told");
		heard_done(&x.heard);
	}
}

/* Execs end with their container; what its reader leaves open does not hold up the delete. */
static void test_exec_cut_off(struct life *l)
{
	struct run_exec x;

	ok(exec_start(&x, l, "echo up; sleep 1000", true) && until(&x.told, 1), "a long one");
	for (int i = 0; i < 100 && !x.heard.out.len && loop_run_once(loop, 100) >= 0; i++)
		;
	ok(x.heard.out.len, "it speaks");
	is_int(rt_signal(rt, l->id, SIGKILL), 0, "the container is killed");
	ok(until(&l->exits, 1) && ended(&x), "both end");
	is_int(x.exit_code, 137, "the exec as well");
	ok(life_delete(l), "deleted");
	heard_done(&x.heard);
}

static void test_execs(void)
{
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_start(&l), "a container for execs");
	test_exec(&l);
	test_exec_many(&l);
	test_exec_refused(&l);
	test_exec_cut_off(&l);
	life_done(&l);
	while (!list_empty(&rt->syncs) && loop_run_once(loop, 1000) >= 0)
		;
	ok(waitpid(-1, NULL, WNOHANG) < 0, "every shim was reaped");
}

/* All is closed while things are under way: for the leak checker. */
static void test_close(void)
{
	struct run_exec x;
	struct life l;
	struct rt_spec s;

	life_init(&l);
	s = life_spec(&l, sh("sleep 1000"));
	ok(life_create(&l, &s, NULL) && life_attach(&l) && life_start(&l), "runs");
	ok(exec_start(&x, &l, "sleep 1000", true) && until(&x.told, 1), "an exec");
	x.heard.attach = l.heard.attach = NULL; /* the runtime's close takes them */
	living_runtime();
	is_int(x.exits + x.heard.closed + l.exits + l.heard.closed, 0, "a close tells nothing");
	ok(life_delete(&l), "deleted");
	heard_done(&x.heard);
	life_done(&l);
}

int main(void)
{
	const char *why = living_open();

	if (why)
		return tap_skip_all(why);
	test_at_once();
	test_much();
	test_input();
	test_unread_input();
	test_pause();
	test_terminal();
	test_execs();
	test_close();
	living_close();
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_session.c - the program against an engine of the test: order of calls, streams, exit codes,
 * errors */

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "fake_engine.h"
#include "tap.h"

extern char **environ;

static const char *program;

struct result {
	int code;
	struct buf out, err;
};

static void result_done(struct result *r)
{
	buf_done(&r->out);
	buf_done(&r->err);
}

static void read_all(int fd, struct buf *out)
{
	char data[4096];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		(void)buf_add(out, data, (size_t)n);
	(void)close(fd);
}

/* Runs atoll with @args; @input is short enough for a pipe. */
static struct result run(const char *host, const char *const *args, const char *input)
{
	struct result r = {.out = BUF_INIT(1u << 20), .err = BUF_INIT(1u << 20)};
	const char *argv[20] = {program, "-H", host};
	posix_spawn_file_actions_t fa;
	int in[2], out[2], err[2], status;
	pid_t pid;

	for (size_t i = 0; args[i]; i++)
		argv[i + 3] = args[i];
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 ||
	    posix_spawn_file_actions_init(&fa) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, in[0], 0) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, out[1], 1) != 0 ||
	    posix_spawn_file_actions_adddup2(&fa, err[1], 2) != 0 ||
	    posix_spawn(&pid, program, &fa, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&fa);
	(void)close(in[0]);
	(void)close(out[1]);
	(void)close(err[1]);
	if (fs_write_all(in[1], input, strlen(input)) < 0)
		abort();
	(void)close(in[1]);
	read_all(out[0], &r.out);
	read_all(err[0], &r.err);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	r.code = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	return r;
}
#define RUN(host, input, ...) run(host, (const char *[]){__VA_ARGS__, NULL}, input)

static void attached(void)
{
	struct fake *f = fake_start("1.51");
	struct result r = RUN(fake_host(f), "typed\n", "run", "-i", "--rm", "img", "cat");
	auto_free char *log = fake_log(f);

	is_int(r.code, 7, "the container's exit code");
	is_str(buf_str(&r.out), "typed\n", "its output, and the half-close reached it");
	is_str(buf_str(&r.err), "WARNING: careful\ndone\n", "its errors, after the warning");
	is_str(log,
	       "HEAD /_ping\n"
	       "POST /v1.51/containers/create\n"
	       "POST /v1.51/containers/c1/attach?stream=1&stdin=1&stdout=1&stderr=1\n"
	       "POST /v1.51/containers/c1/wait?condition=removed\n"
	       "POST /v1.51/containers/c1/start\n",
	       "attach before wait before start");
	result_done(&r);
	fake_stop(f);
}

static void without_input(void)
{
	struct fake *f = fake_start("1.99");
	struct result r = RUN(fake_host(f), "", "run", "--name", "a b", "img");
	auto_free char *log = fake_log(f);

	is_int(r.code, 7, "exit code");
	ok(strstr(log, "POST /v1.51/containers/create?name=a%20b\n"),
	   "our newest version, and an escaped name");
	ok(strstr(log, "attach?stream=1&stdout=1&stderr=1\n") && strstr(log, "condition=next-exit"),
	   "no input is attached");
	result_done(&r);
	fake_stop(f);
}

static void refused(const char *text, int code)
{
	struct fake *f = fake_start("1.44");
	struct result r;

	fake_refuse_start(f, text);
	r = RUN(fake_host(f), "", "run", "img", "x");
	is_int(r.code, code, "%s", text);
	ok(strstr(buf_str(&r.err), "atoll: Error response from daemon: ") &&
		   strstr(buf_str(&r.err), text),
	   "its text");
	result_done(&r);
	fake_stop(f);
}

static void detached(void)
{
	struct fake *f = fake_start("1.44");
	struct result r = RUN(fake_host(f), "", "run", "-d", "img");
	auto_free char *log = fake_log(f);

	is_int(r.code, 0, "detached");
	is_str(buf_str(&r.out), "c1\n", "the id");
	ok(!strstr(log, "attach") && strstr(log, "POST /v1.44/containers/c1/start\n"),
	   "started and left");
	result_done(&r);
	fake_stop(f);
}

/* Several names: what works is printed, what fails is said, exit code 1. */
static void several(void)
{
	struct fake *f = fake_start("1.24");
	struct result r = RUN(fake_host(f), "", "volume", "rm", "one", "busy", "gone", "two");

	is_int(r.code, 1, "exit code");
	is_str(buf_str(&r.out), "one\ntwo\n", "names");
	is_str(buf_str(&r.err),
	       "Error response from daemon: volume is in use\n"
	       "Error response from daemon: no JSON\n",
	       "errors");
	result_done(&r);
	fake_stop(f);
}

static void unreachable(void)
{
	struct fake *f = fake_start("1.12");
	struct result r = RUN("unix:///nowhere.sock", "", "ps");

	is_int(r.code, 1, "no engine");
	ok(strstr(buf_str(&r.err),
		  "Cannot connect to the Atoll engine at unix:///nowhere.sock. Is atolld running?"),
	   "and what to do");
	result_done(&r);
	r = RUN(fake_host(f), "", "ps");
	is_int(r.code, 1, "too old an engine");
	ok(strstr(buf_str(&r.err), "1.24 is the oldest"), "says so");
	result_done(&r);
	r = RUN("/no/scheme", "", "ps");
	ok(strstr(buf_str(&r.err), "at unix:///no/scheme."), "a path is a socket");
	result_done(&r);
	fake_stop(f);
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return tap_skip_all("the program's path is not given");
	program = argv[1];
	(void)unsetenv("DOCKER_API_VERSION");
	attached();
	without_input();
	refused("exec: x: executable file not found in $PATH", 127);
	refused("exec: permission denied", 126);
	refused("something else", 125);
	detached();
	several();
	unreachable();
	return tap_done();
}

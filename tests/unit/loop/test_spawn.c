/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_spawn.c - programs started: descriptors placed, the environment bare, failures told here */

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "tap.h"

static const char *run(const struct spawn *s, int *ret_code)
{
	static char text[4096];
	auto_buf struct buf out = BUF_INIT(1 << 20);

	*ret_code = spawn_wait(s, &out);
	(void)snprintf(text, sizeof(text), "%s", buf_str(&out));
	return text;
}

static const char *shell(const char *script, int *ret_code)
{
	const char *argv[] = {"sh", "-c", script, NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	return run(&s, ret_code);
}

static void ends(void)
{
	static const struct {
		const char *script;
		int code;
		const char *out;
	} rows[] = {
		{"exit 0", 0, ""},
		{"exit 7", 7, ""},
		{"kill -9 $$", 137, ""},
		{"echo out; echo err >&2", 0, "out\nerr\n"},
		{"read x; echo \"<$x>\"", 0, "<>\n"}, /* input is empty */
		{"pwd", 0, "/\n"},
		{"trap '' TERM; kill $$; echo alive", 0, "alive\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int code;

		is_str(shell(rows[i].script, &code), rows[i].out, "%s", rows[i].script);
		is_int(code, rows[i].code, "ends so");
	}
}

static void failures(void)
{
	static const struct {
		const char *program;
		int r;
	} rows[] = {
		{"/absent/program", -ENOENT},
		{"absent-program", -ENOENT},
		{"/etc/passwd", -EACCES},
		{"/", -EACCES},
	};
	struct spawn s = SPAWN_INIT;
	const char *argv[] = {"true", NULL};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *args[] = {rows[i].program, NULL};

		s.argv = args;
		is_int(spawn_start(&s, NULL), rows[i].r, "%s cannot be started", rows[i].program);
	}
	s.argv = argv;
	s.cwd = "/absent";
	is_int(spawn_start(&s, NULL), -ENOENT, "no such directory");
	s.cwd = NULL;
	s.netns = open("/dev/null", O_RDONLY | O_CLOEXEC);
	is_int(spawn_start(&s, NULL), -EINVAL, "no such namespace");
	close(s.netns);
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no child is left over");
}

static void environment(void)
{
	const char *argv[] = {"env", NULL}, *env[] = {"A=1", "B=x y", NULL};
	struct spawn s = SPAWN_INIT;
	int code;

	(void)setenv("SECRET", "x", 1);
	s.argv = argv;
	is_str(run(&s, &code),
	       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
	       "nothing of ours but PATH");
	s.env = env;
	is_str(run(&s, &code), "A=1\nB=x y\n", "or what is given");
}

/* Its numbers are where they were asked for, whatever ours are, and nothing else is open. */
static void descriptors(void)
{
	const char *argv[] = {"sh", "-c", "ls /proc/self/fd | tr '\\n' ' '; cat <&3; cat <&7",
			      NULL};
	int a[2], b[2], leak = dup(STDERR_FILENO); /* would be inherited */
	struct spawn_fd fds[2];
	struct spawn s = SPAWN_INIT;
	int code;

	(void)!pipe2(a, O_CLOEXEC);
	(void)!pipe2(b, O_CLOEXEC);
	(void)!write(a[1], "A", 1);
	(void)!write(b[1], "B", 1);
	close(a[1]);
	close(b[1]);
	fds[0] = (struct spawn_fd){b[0], 3};
	fds[1] = (struct spawn_fd){a[0], 7};
	s.argv = argv;
	s.fds = fds;
	s.n_fds = 2;
	is_str(run(&s, &code), "0 1 2 3 4 7 BA", "3 and 7 (4 is ls's own)");
	ok(fcntl(a[0], F_GETFD) == FD_CLOEXEC, "ours stay ours");
	/* each other's numbers */
	fds[0] = (struct spawn_fd){b[0], a[0]};
	fds[1] = (struct spawn_fd){a[0], b[0]};
	argv[2] = "exit 0";
	is_str(run(&s, &code), "", "swapped");
	is_int(code, 0, "is possible");
	close(a[0]);
	close(b[0]);
	close(leak);
}

static void signals(void)
{
	const char *argv[] = {"sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status", NULL};
	struct spawn s = SPAWN_INIT;
	sigset_t block, old;
	int code;

	(void)sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
	(void)sigemptyset(&block);
	(void)sigaddset(&block, SIGUSR1);
	(void)sigprocmask(SIG_BLOCK, &block, &old);
	s.argv = argv;
	is_str(run(&s, &code), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n",
	       "none blocked, none ignored");
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
}

static void pidfds(void)
{
	const char *argv[] = {"sleep", "100", NULL};
	struct spawn s = SPAWN_INIT;
	siginfo_t si = {0};
	int pidfd = -1;
	pid_t pid;

	s.argv = argv;
	s.new_session = true;
	pid = spawn_start(&s, &pidfd);
	ok(pid > 0 && pidfd >= 0, "started with a pidfd");
	is_int(getsid(pid), pid, "in a session of its own");
	(void)kill(pid, SIGTERM);
	is_int(waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED), 0, "waited for by it");
	ok(si.si_pid == pid && si.si_status == SIGTERM, "ended");
	close(pidfd);
}

static void flood(void)
{
	auto_buf struct buf out = BUF_INIT(1 << 20);
	const char *argv[] = {"sh", "-c", "head -c 300000 /dev/zero; exit 3", NULL};
	struct spawn s = SPAWN_INIT;

	s.argv = argv;
	is_int(spawn_wait(&s, &out), 3, "more output than is kept does not block it");
	is_int(out.len, 65536, "the first 64 KiB are kept");
	is_int(spawn_wait(&s, NULL), 3, "or none");
}

int main(void)
{
	ends();
	failures();
	environment();
	descriptors();
	signals();
	pidfds();
	flood();
	return tap_done();
}

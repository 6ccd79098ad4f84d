/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * launch.c - the runtime makes the process, which then is our child
 *
 * The runtime runs in our folder (the bundle, or the exec's), with the process's standard input,
 * output and error as its own; a terminal it sends over the console socket. It ends when the
 * process is there, whose pid is in "pidfile"; as a subreaper we get it as a child. Where it fails,
 * what it wrote to standard error is the reason.
 */

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "shim/internal.h"

#define ARGS_MAX   24
#define REASON_MAX 4096
#define PIPE_MODE  0666 /* so that the process's user may open /dev/stdout again */

static const char *const env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

void say(struct shim *s, const struct shim_packet *p)
{
	char room[REASON_MAX + 1];
	size_t len = shim_format(p, room, sizeof(room));

	if (s->status >= 0 && send(s->status, room, len, MSG_NOSIGNAL) < 0)
		s->status = fd_close(s->status); /* it is gone; we go on */
}

/* ---- standard input, output, error ---- */

struct stdio {
	int in, out, err; /* the process's ends */
};

static int make_pipe(int *ours, int *theirs, bool we_write)
{
	int p[2], mine, other;

	if (pipe2(p, O_CLOEXEC) < 0)
		return -errno;
	mine = we_write ? p[1] : p[0];
	other = we_write ? p[0] : p[1];
	(void)fcntl(mine, F_SETFL, O_NONBLOCK);
	(void)fchmod(other, PIPE_MODE);
	*ours = mine;
	*theirs = other;
	return 0;
}

static int listen_console(struct shim *s)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX, .sun_path = "console"};

	s->console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->console < 0 || bind(s->console, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
	    listen(s->console, 1) < 0)
		return -errno;
	return 0;
}

/* With a terminal the pipe of standard error is only for the runtime's own words. */
static int make_stdio(struct shim *s, struct stdio *io)
{
	int r = make_pipe(&s->out[1].fd, &io->err, false);

	if (r >= 0 && s->o.tty)
		r = listen_console(s);
	else if (r >= 0)
		r = make_pipe(&s->out[0].fd, &io->out, false);
	if (r >= 0 && s->o.open_stdin && !s->o.tty)
		r = make_pipe(&s->in, &io->in, true);
	if (r >= 0 && io->in < 0)
		r = io->in = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (r >= 0 && io->out < 0)
		r = io->out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return r < 0 ? (r == -1 ? -errno : r) : 0;
}

/* The terminal's descriptor comes with any message. */
void launch_console(struct shim *s)
{
	char byte[256];
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} c;
	struct iovec v = {byte, sizeof(byte)};
	struct msghdr m = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)};
	auto_close int fd = accept4(s->console, NULL, NULL, SOCK_CLOEXEC);
	struct cmsghdr *h;

	if (fd < 0 || recvmsg(fd, &m, MSG_CMSG_CLOEXEC) < 0)
		return;
	h = CMSG_FIRSTHDR(&m);
	if (h && h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
	    h->cmsg_len == CMSG_LEN(sizeof(int))) {
		memcpy(&s->out[0].fd, CMSG_DATA(h), sizeof(int));
		(void)fcntl(s->out[0].fd, F_SETFL, O_NONBLOCK);
		if (s->rows || s->cols)
			streams_size(s, s->rows, s->cols);
	}
	s->console = fd_close(s->console);
	(void)unlink("console");
}

/* ---- the runtime ---- */

/* Not the name alone: crun leaves the folder where it makes devices for a user namespace. */
static const char *pid_file(void)
{
	static char path[PATH_MAX + sizeof("/pidfile")];

	if (!getcwd(path, PATH_MAX))
		return "pidfile";
	memcpy(path + strlen(path), "/pidfile", sizeof("/pidfile"));
	return path;
}

static void arguments(const struct shim *s, const char *argv[ARGS_MAX])
{
	size_t n = 0;

	argv[n++] = "runtime";
	argv[n++] = "--root";
	argv[n++] = s->o.root;
	argv[n++] = s->o.is_exec ? "exec" : "create";
	if (s->o.is_exec) {
		argv[n++] = "--detach";
		argv[n++] = "--process";
		argv[n++] = "process.json";
	} else {
		argv[n++] = "--bundle";
		argv[n++] = ".";
	}
	argv[n++] = "--pid-file";
	argv[n++] = pid_file();
	if (s->o.tty) {
		argv[n++] = "--console-socket";
		argv[n++] = "console";
	}
	argv[n++] = s->o.container;
	argv[n] = NULL;
}

/* In the child: nothing of ours goes along. */
static void exec_runtime(const struct shim *s, const struct stdio *io)
{
	const char *argv[ARGS_MAX];
	sigset_t none;

	arguments(s, argv);
	(void)prctl(PR_SET_PDEATHSIG,
		    SIGKILL); /* a shim that is killed must not leave it at work */
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	for (int signo = 1; signo < 32; signo++)
		(void)sigaction(signo, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
	if (dup2(io->in, 0) < 0 || dup2(io->out, 1) < 0 || dup2(io->err, 2) < 0)
		_exit(127);
	(void)execveat(FD_RUNTIME, "", (char *const *)(uintptr_t)argv,
		       (char *const *)(uintptr_t)env, AT_EMPTY_PATH);
	(void)dprintf(2, "cannot run the runtime: %s", strerror(errno));
	_exit(127);
}

int launch_start(struct shim *s)
{
	struct stdio io = {-1, -1, -1};
	int r = make_stdio(s, &io);

	if (r >= 0) {
		s->runtime = fork();
		if (s->runtime == 0)
			exec_runtime(s, &io);
		r = s->runtime < 0 ? -errno : 0;
	}
	(void)fd_close(io.in);
	(void)fd_close(io.out);
	(void)fd_close(io.err);
	return r;
}

static pid_t read_pid(void)
{
	auto_close int fd = open("pidfile", O_RDONLY | O_CLOEXEC);
	char text[16];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	uint32_t pid = 0;

	while (n > 0 && text[n - 1] == '\n')
		n--;
	if (n <= 0)
		return -1;
	text[n] = '\0';
	return parse_u32(text, &pid) < 0 ? -1 : (pid_t)pid;
}

static void failed(struct shim *s)
{
	char text[REASON_MAX];
	size_t len = 0;
	ssize_t n;

	while (len < sizeof(text) && (n = read(s->out[1].fd, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	while (len && text[len - 1] == '\n')
		len--;
	say(s, &(struct shim_packet){.kind = SHIM_FAILED, .data = text, .len = len});
	_exit(1);
}

static void runtime_ended(struct shim *s, int status)
{
	s->runtime = 0;
	s->process = WIFEXITED(status) && WEXITSTATUS(status) == 0 ? read_pid() : -1;
	if (s->process > 0 && s->o.tty && s->console >= 0)
		launch_console(s); /* it was sent before the runtime ended */
	if (s->process <= 0)
		failed(s);
	s->made = true;
	if (s->o.tty)
		s->out[1].fd = fd_close(s->out[1].fd);
	say(s, &(struct shim_packet){.kind = SHIM_MADE, .number = s->process});
	if (!s->o.is_exec)
		s->status = fd_close(s->status);
}

/* Others than the two are what the process left behind. */
void launch_reap(struct shim *s)
{
	int status;
	pid_t pid;

	if (s->runtime) {
		if (waitpid(s->runtime, &status, WNOHANG) != s->runtime)
			return; /* before it ended the process is not our child */
		runtime_ended(s, status);
	}
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == s->process) {
			s->ended = true;
			s->ended_ns = clock_mono_ns();
			s->exit_code = WIFEXITED(status) ? WEXITSTATUS(status)
							 : 128 + WTERMSIG(status);
		}
}

/* ---- the end ---- */

/* Beside and renamed: whoever sees it sees all of it. It need not outlive the machine. */
void launch_exit_file(const struct shim *s)
{
	char beside[4096], text[64];
	int n = snprintf(text, sizeof(text), "%d %lld\n", s->exit_code, (long long)clock_real_ns());
	int len = snprintf(beside, sizeof(beside), "%s.new", s->o.exit_path);
	auto_close int fd = -1;

	if (len < 0 || (size_t)len >= sizeof(beside))
		return;
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd >= 0 && write(fd, text, (size_t)n) == n)
		(void)rename(beside, s->o.exit_path);
}

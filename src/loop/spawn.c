/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spawn.c - vfork-fast program start
 *
 * The child shares our memory until it execs (CLONE_VM | CLONE_VFORK), on a stack of its own; it
 * calls only async-signal-safe functions and tells a failure by writing into our frame. All signals
 * are blocked meanwhile, so no handler of ours runs in the child.
 */

#include "loop/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/str.h"

#define STACK_BYTES (128u << 10)
#define FD_HIGH	    512 /* descriptors are first moved above all targets */
#define FDS_MAX	    16
#define OUTPUT_MAX  (64u << 10)

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

struct child {
	const struct spawn *s;
	const char *path;
	sigset_t mask;	     /* the child's */
	volatile int failed; /* errno of what failed */
};

/* These frames end with an exec, unseen by a sanitizer, which would then mistake the next child's
 * stack, at the same place, for dead memory. */
#define CHILD_SIDE __attribute__((no_sanitize_address))

CHILD_SIDE
static int place(int fd, int target)
{
	return dup2(fd, target) < 0 ? -1 : 0;
}

CHILD_SIDE
static int place_fds(const struct spawn *s)
{
	int high[FDS_MAX + 3], in = s->in, out = s->out, err = s->err;
	int null = in < 0 || out < 0 || err < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
	unsigned last = 2;

	if ((in < 0 || out < 0 || err < 0) && null < 0)
		return -1;
	for (size_t i = 0; i < s->n_fds + 3; i++) {
		int fd = i == 0	  ? (in < 0 ? null : in)
			 : i == 1 ? (out < 0 ? null : out)
			 : i == 2 ? (err < 0 ? null : err)
				  : s->fds[i - 3].fd;

		high[i] = fcntl(fd, F_DUPFD_CLOEXEC, FD_HIGH);
		if (high[i] < 0)
			return -1;
	}
	for (size_t i = 0; i < s->n_fds + 3; i++) {
		int target = i < 3 ? (int)i : s->fds[i - 3].target;

		if (place(high[i], target) < 0)
			return -1;
		last = MAX(last, (unsigned)target);
	}
	/* between the targets and above them nothing of ours remains */
	for (unsigned fd = 3; fd < last; fd++) {
		bool wanted = false;

		for (size_t i = 0; i < s->n_fds; i++)
			wanted = wanted || (unsigned)s->fds[i].target == fd;
		if (!wanted)
			(void)close((int)fd);
	}
	return (int)syscall(SYS_close_range, last + 1, ~0u, 0) < 0 ? -1 : 0;
}

CHILD_SIDE
static int child_main(void *data)
{
	struct child *c = data;
	const struct spawn *s = c->s;
	/* the kernel's struct sigaction, all zeros: SIG_DFL. libc's own function refuses the
	 * signals it uses itself, which may have been inherited ignored */
	static const unsigned long dfl[4];

	for (int sig = 1; sig <= 64; sig++)
		(void)syscall(SYS_rt_sigaction, sig, dfl, NULL, 8); /* KILL and STOP refuse */
	if ((s->mntns >= 0 && setns(s->mntns, CLONE_NEWNS) < 0) ||
	    (s->netns >= 0 && setns(s->netns, CLONE_NEWNET) < 0) ||
	    (s->new_session && setsid() < 0) ||
	    (s->die_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) ||
	    chdir(s->cwd ? s->cwd : "/") < 0 || place_fds(s) < 0)
		goto fail;
	(void)sigprocmask(SIG_SETMASK, &c->mask, NULL);
	(void)execve(c->path, (char *const *)(uintptr_t)s->argv,
		     (char *const *)(uintptr_t)(s->env ? s->env : default_env));
fail:
	c->failed = errno ? errno : EIO;
	_exit(127);
}

/* argv[0] in PATH, before the child exists: execvp is not safe after vfork. */
static int find_program(const char *name, char **ret)
{
	const char *path = getenv("PATH");
	auto_strv char **dirs = NULL;

	if (strchr(name, '/')) {
		*ret = strdup(name);
		return *ret ? 0 : -ENOMEM;
	}
	if (strv_split(path ? path : default_env[0] + strlen("PATH="), ":", &dirs) < 0)
		return -ENOMEM;
	for (size_t i = 0; dirs && dirs[i]; i++) {
		char *full = str_printf("%s/%s", dirs[i], name);

		if (full && access(full, X_OK) == 0) {
			*ret = full;
			return 0;
		}
		free(full);
	}
	return -ENOENT;
}

pid_t spawn_start(const struct spawn *s, int *ret_pidfd)
{
	auto_free char *path = NULL;
	struct child c = {.s = s};
	sigset_t all, old;
	char *stack;
	pid_t pid;
	int r, saved;

	if (s->n_fds > FDS_MAX)
		return -EINVAL;
	r = find_program(s->argv[0], &path);
	if (r < 0)
		return r;
	c.path = path;
	(void)sigemptyset(&c.mask);
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_BLOCK, &all, &old);
	pid = clone(child_main, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &c);
	saved = errno;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)munmap(stack, STACK_BYTES);
	if (pid < 0)
		return -saved;
	if (c.failed) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -c.failed;
	}
	if (ret_pidfd) {
		*ret_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
		if (*ret_pidfd < 0) {
			r = -errno;
			(void)kill(pid, SIGKILL);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
			return r;
		}
	}
	return pid;
}

int spawn_wait(const struct spawn *s, struct buf *output)
{
	auto_close int rd = -EBADF, wr = -EBADF;
	struct spawn mine = *s;
	int fds[2], status;
	char chunk[4096];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	rd = fds[0];
	wr = fds[1];
	if (output)
		mine.out = mine.err = wr;
	pid = spawn_start(&mine, NULL);
	if (pid < 0)
		return pid;
	wr = fd_close(wr);
	for (;;) {
		ssize_t n = read(rd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (output && output->len < OUTPUT_MAX)
			(void)buf_add(output, chunk, MIN((size_t)n, OUTPUT_MAX - output->len));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* probe.c - run in a container: which system calls come through; or, as an init does, another
 * program (-- program args). Linked statically. */

#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *what, long r)
{
	printf("%s %s\n", what, r >= 0 ? "works" : strerrorname_np(errno));
}

static int as_init(char **argv)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) != pid)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "--"))
		return as_init(argv + 2);

	say("getpid", syscall(SYS_getpid));
	say("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	say("unshare-user", syscall(SYS_unshare, CLONE_NEWUSER));
	say("unshare-net", syscall(SYS_unshare, CLONE_NEWNET));
	say("clone-user", syscall(SYS_clone, CLONE_NEWUSER | CLONE_VFORK, NULL, NULL, NULL, NULL));
	say("clone3", syscall(SYS_clone3, NULL, 0));
	say("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1));
	say("add_key", syscall(SYS_add_key, "user", "a", "b", 1, KEY_SPEC_PROCESS_KEYRING));
	say("bpf", syscall(SYS_bpf, 0, NULL, 0));
	say("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
	say("userfaultfd", syscall(SYS_userfaultfd, 0));
	say("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
	say("inet", socket(AF_INET, SOCK_STREAM, 0));
	return 0;
}

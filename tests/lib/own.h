/* SPDX-License-Identifier: GPL-2.0-or-later */
/* own.h - for harnesses: a test that is the first process of its own, and what must not fail */
#pragma once

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MUST(cond)                                                                                 \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #cond,              \
				strerror(errno));                                                  \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* The rest of the test is the first process of its own: whatever it starts ends with it. @after (or
 * NULL) cleans up behind it, outside. Return: 0 in the new process, a negative errno */
static inline int own_processes(void (*after)(const char *arg), const char *arg)
{
	int status;
	pid_t pid;

	if (unshare(CLONE_NEWPID) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		return prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			_exit(1);
	if (after)
		after(arg);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

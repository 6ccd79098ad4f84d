/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_isolate.c - behind the last two stages: what is refused, what kills, what still works */

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "dns/isolate.h"
#include "tap.h"

static int try_exec(void)
{
	char *argv[] = {(char[]){"/bin/true"}, NULL};

	return execv(argv[0], argv);
}

static int try_unix(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int try_packet(void)
{
	return socket(AF_PACKET, SOCK_RAW, 0);
}

static int try_write(void)
{
	return open("/tmp/atoll-dns-isolate", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static int try_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : 0;
}

static int try_unlink(void)
{
	return unlink("/tmp/atoll-dns-isolate");
}

static int try_read(void)
{
	return open("/etc/passwd", O_RDONLY | O_CLOEXEC);
}

static int try_inet(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* Exit code: 0 it worked, an errno, or 128 + the signal. */
static int confined(int (*try)(void))
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		struct err e = {0};

		if (isolate_privileges(&e) < 0 || isolate_syscalls(&e) < 0)
			_exit(127);
		_exit(try() < 0 ? errno : 0);
	}
	if (waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int main(void)
{
	is_int(confined(try_read), 0, "reading a file");
	is_int(confined(try_inet), 0, "an internet socket");
	is_int(confined(try_unix), EPERM, "a unix socket");
	is_int(confined(try_packet), EPERM, "a packet socket");
	is_int(confined(try_write), EPERM, "writing a file");
	is_int(confined(try_unlink), EPERM, "removing a file");
	is_int(confined(try_code), EPERM, "memory to execute");
	is_int(confined(try_exec), 128 + SIGSYS, "a program");
	return tap_done();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_runtime.c - an OCI runtime for tests of the shim: create and exec run sh -c with the file
 * "script" of the folder it is started in; a script that begins with "FAIL " is its last words
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static char script[65536];

static const char *after(char **argv, const char *word)
{
	for (; *argv; argv++)
		if (!strcmp(*argv, word))
			return argv[1];
	return NULL;
}

/* A new terminal: its master goes over the socket. Return: the slave */
static int terminal(const char *path)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), sock;
	char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec v = {(void *)(size_t) "x", 1};
	struct msghdr m = {.msg_iov = &v,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int slave;

	(void)snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
	    connect(sock, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		exit(3);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	if (slave < 0 || sendmsg(sock, &m, 0) < 0)
		exit(4);
	return slave;
}

int main(int argc, char **argv)
{
	const char *console = after(argv, "--console-socket"),
		   *pid_file = after(argv, "--pid-file");
	int fd = open("script", O_RDONLY | O_CLOEXEC), slave = -1;
	FILE *f;
	pid_t pid;

	if (argc < 2 || !pid_file || fd < 0 || read(fd, script, sizeof(script) - 1) < 0)
		return 2;
	if (!strncmp(script, "FAIL ", 5)) {
		(void)fputs(script + 5, stderr);
		return 1;
	}
	if (console)
		slave = terminal(console);
	pid = fork();
	if (pid == 0) {
		(void)setsid();
		if (slave >= 0 && (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 ||
				   dup2(slave, 1) < 0 || dup2(slave, 2) < 0))
			_exit(126);
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(127);
	}
	f = fopen(pid_file, "we");
	if (!f || fprintf(f, "%d", pid) < 0 || fclose(f) != 0)
		return 5;
	return 0;
}

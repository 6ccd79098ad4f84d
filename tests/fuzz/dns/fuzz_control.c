/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_control.c - lines as messages to the resolver's control socket, the first character of each
 * being the number of descriptors with it; then another client is told what is kept
 *
 * Descriptors are unix sockets, so that nothing reaches a network. None may be lost or closed
 * twice.
 */

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/log.h"
#include "dns/protocol.h"
#include "dns/server.h"
#include "loop/loop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool good)
{
	if (!good)
		abort();
}

static struct control_socket listening(struct sockaddr_un *sa, socklen_t *len)
{
	struct control_socket s = {socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), -EBADF, 0};

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	*len = sizeof(*sa);
	s.owner = geteuid();
	/* a name of the kernel's choice */
	check(s.fd >= 0 && bind(s.fd, (struct sockaddr *)sa, sizeof(sa->sun_family)) == 0 &&
	      listen(s.fd, 4) == 0 && getsockname(s.fd, (struct sockaddr *)sa, len) == 0);
	return s;
}

static void turns(struct loop *l)
{
	for (unsigned i = 0; i < 4; i++)
		check(loop_run_once(l, 0) >= 0);
}

/* Reads all it is told. */
static int client(struct loop *l, const struct sockaddr_un *sa, socklen_t len)
{
	static char buf[DNS_MESSAGE_MAX];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int fds[FD_PASS_MAX];
	size_t n_fds = FD_PASS_MAX;

	check(fd >= 0 && connect(fd, (const struct sockaddr *)sa, len) == 0);
	turns(l);
	while (fd_recv(fd, buf, sizeof(buf), fds, &n_fds) > 0) {
		while (n_fds)
			(void)fd_close(fds[--n_fds]);
		n_fds = FD_PASS_MAX;
		turns(l);
	}
	return fd;
}

static void say(int fd, const uint8_t *line, size_t len)
{
	size_t n = len ? MIN((size_t)(line[0] & 15), (size_t)8) : 0, opened = 0;
	int fds[8 + 1];

	for (; opened < n; opened += 2)
		check(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds + opened) == 0);
	if (len > 1)
		(void)fd_send(fd, line + 1, len - 1, fds, n);
	while (opened)
		(void)fd_close(fds[--opened]);
}

static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	(void)fd_close(fd);
	return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_(loop_free) struct loop *l = NULL;
	struct sockaddr_un sa;
	socklen_t len;
	struct server *s = NULL;
	struct control_socket sock;
	int before = lowest_free(), fd;

	if (size > DNS_MESSAGE_MAX)
		return 0;
	log_setup("fuzz", LOG_ERROR, false);
	sock = listening(&sa, &len);
	check(loop_new(&l) == 0 && server_new(l, "/nonexistent/resolv.conf", &s, NULL) >= 0 &&
	      control_new(s, &sock, NULL) >= 0);
	fd = client(l, &sa, len);
	while (size) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t n = end ? (size_t)(end - data) : size;

		say(fd, data, n);
		turns(l);
		n += end != NULL;
		data += n;
		size -= n;
	}
	(void)fd_close(client(l, &sa, len));
	(void)fd_close(fd);
	turns(l);
	server_free(s);
	loop_free(l);
	l = NULL;
	check(lowest_free() == before);
	return 0;
}

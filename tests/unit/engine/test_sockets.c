/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test_sockets.c - where atolld listens, socket activation, and what the service manager hears */

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/auto.h"
#include "base/fs.h"
#include "base/str.h"
#include "bin/process.h"
#include "bin/sockets.h"
#include "tap.h"

static char dir[64];

static int open_host(struct sockets *s, const char *host, struct err *e)
{
	char *hosts[] = {(char *)(uintptr_t)host, NULL};

	*e = (struct err){0};
	return sockets_open(s, hosts, &(struct sockets_config){0}, e);
}

static int dial(const char *path)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	return connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ? -errno : 0;
}

static void unix_sockets(void)
{
	auto_free char *host = str_printf("unix://%s/run/a.sock", dir);
	const char *path = host + strlen("unix://");
	struct sockets s, other;
	struct stat st;
	struct err e;

	is_int(open_host(&s, host, &e), 0, "made, its folder too (%s)", e.msg);
	ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0660, "for owner and group");
	is_int(dial(path), 0, "somebody listens");
	ok(open_host(&other, host, &e) < 0 && strstr(e.msg, "somebody else listens"),
	   "not taken away: %s", e.msg);
	s.fds[0] = fd_close(s.fds[0]); /* a killed engine leaves its socket behind */
	is_int(dial(path), -ECONNREFUSED, "nobody listens");
	is_int(open_host(&other, host, &e), 0, "a stale one is replaced (%s)", e.msg);
	is_int(dial(path), 0, "and served");
	sockets_close(&other);
	ok(!fs_exists(path), "removed at the end");
	sockets_close(&s);
	is_int(fs_write(path, "x", 1, 0600), 0, "a file at its place");
	ok(open_host(&s, host, &e) < 0 && strstr(e.msg, "is no socket"), "stays: %s", e.msg);
	is_int(fs_unlink(path), 0, "away");
}

static void bad_hosts(void)
{
	static const struct {
		const char *host, *text;
	} rows[] = {
		{"tcp://0.0.0.0:2375", "tlsverify"},
		{"tcp://:2375", "tlsverify"},
		{"tcp://192.0.2.1:2375", "tlsverify"},
		{"tcp://name:2375", "invalid bind address (tcp://name:2375)"},
		{"tcp://127.0.0.1:0", "invalid bind address"},
		{"tcp://127.0.0.1:99999", "invalid bind address"},
		{"tcp://127.0.0.1:x", "invalid bind address"},
		{"unix://relative", "must be absolute"},
		{"unix:///"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		 "aaa"
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		 "shorter than 108 bytes"},
		{"fd://", "no sockets found via socket activation"},
		{"http://x", "invalid bind address format: http://x"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockets s;
		struct err e;

		ok(open_host(&s, rows[i].host, &e) < 0 && strstr(e.msg, rows[i].text), "%s: %s",
		   rows[i].host, e.msg);
	}
}

/* What may listen where, with TLS and with open words. */
static void reach(void)
{
	static const struct {
		const char *host;
		bool tls, anywhere, good;
		uint16_t port; /* that is bound then */
	} rows[] = {
		{"tcp://127.0.0.1", false, false, true, 2375},
		{"tcp://127.0.0.1", true, false, true, 2376},
		{"tcp://[::1]:23799", false, false, true, 23799},
		{"tcp://localhost:23798", true, false, true, 23798},
		{"tcp://:23797", true, true, true, 23797},
		{"tcp://0.0.0.0:23796", false, true, true, 23796},
		{"tcp://[::]:23795", true, true, true, 23795},
		{"tcp://:2376", true, false, false, 0},
		{"tcp://[::]:2376", true, false, false, 0},
		{"tcp://[2001:db8::1]:2376", false, false, false, 0},
	};

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0) {
		printf("# no network namespace of our own: ports are not tried\n");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct sockets_config c = {.tls = rows[i].tls, .anywhere = rows[i].anywhere};
		char *hosts[] = {(char *)(uintptr_t)rows[i].host, NULL};
		struct sockaddr_in6 sa;
		socklen_t len = sizeof(sa);
		struct sockets s;
		struct err e = {0};
		int r = sockets_open(&s, hosts, &c, &e);

		if (!rows[i].good) {
			ok(r < 0 && strstr(e.msg, "--tlsverify"), "%s: %s", rows[i].host, e.msg);
			continue;
		}
		/* a loopback that is down has no address of IPv6 */
		ok(r == 0 || (strchr(rows[i].host, '[') && r == -EADDRNOTAVAIL), "%s (%s)",
		   rows[i].host, e.msg);
		if (r < 0)
			continue;
		ok(s.tcp[0] && getsockname(s.fds[0], (struct sockaddr *)&sa, &len) == 0 &&
			   ntohs(sa.sin6_port) == rows[i].port,
		   "on port %u", rows[i].port);
		sockets_close(&s);
	}
}

static void a_group(void)
{
	auto_free char *host = str_printf("unix://%s/g.sock", dir);
	char *hosts[] = {host, NULL};
	struct sockets s;
	struct err e = {0};

	is_err(sockets_open(&s, hosts, &(struct sockets_config){.group = "no-such-group"}, &e), e,
	       ERR_NOT_FOUND, "the group no-such-group of --group does not exist");
	ok(!fs_exists(host + strlen("unix://")), "nothing is left");
}

/* In a child, since descriptor 3 and the environment are the process's. */
static int activated(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockets s;
	struct err e;
	char pid[16];

	(void)snprintf(pid, sizeof(pid), "%d", getpid());
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0 ||
	    dup2(fd, 3) < 0 || setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "1", 1) < 0)
		return 1;
	if (open_host(&s, "fd://", &e) < 0)
		return 2;
	if (s.n != 1 || s.fds[0] != 3 || s.paths[0] || getenv("LISTEN_FDS"))
		return 3;
	return fcntl(3, F_GETFD) & FD_CLOEXEC && fcntl(3, F_GETFL) & O_NONBLOCK ? 0 : 4;
}

static void socket_activation(void)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0)
		_exit(activated());
	(void)waitpid(child, &status, 0);
	is_int(WEXITSTATUS(status), 0, "systemd's socket is taken");
}

static void heard(const char *address, const char *what)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char text[64] = "";

	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", address);
	if (*address == '@')
		a.sun_path[0] = '\0';
	(void)unlink(address);
	ok(bind(fd, (struct sockaddr *)&a,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address))) == 0,
	   "listening, %s", what);
	(void)setenv("NOTIFY_SOCKET", address, 1);
	service_notify("READY=1");
	ok(recv(fd, text, sizeof(text) - 1, 0) == 7, "a message came");
	is_str(text, "READY=1", "%s", what);
	(void)unsetenv("NOTIFY_SOCKET");
}

int main(void)
{
	auto_free char *path = NULL, *abstract = NULL;

	(void)snprintf(dir, sizeof(dir), "/tmp/atoll-test-sockets-XXXXXX");
	if (!mkdtemp(dir))
		return 1;
	path = str_printf("%s/notify", dir);
	abstract = str_printf("@atoll-test-%d", getpid());
	unix_sockets();
	bad_hosts();
	a_group();
	socket_activation();
	heard(path, "by path");
	heard(abstract, "by an abstract name");
	service_notify("READY=1"); /* nobody asked: nothing happens */
	reach();
	if (fs_rm_tree(dir) < 0)
		printf("# %s stays\n", dir);
	return tap_done();
}

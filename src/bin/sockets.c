/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sockets.c - see sockets.h */

#include "sockets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/str.h"

#define BACKLOG	     511
#define SD_FIRST_FD  3
#define DEFAULT_TCP  "127.0.0.1:2375"
#define DEFAULT_UNIX "/run/atoll.sock"

static int put(struct sockets *s, int fd, const char *path, struct err *e)
{
	if (s->n == SOCKETS_MAX) {
		(void)fd_close(fd);
		return err_invalid(e, "more than %d listening sockets are asked for", SOCKETS_MAX);
	}
	s->fds[s->n] = fd;
	s->paths[s->n] = path ? strdup(path) : NULL;
	s->n++;
	return 0;
}

/* ---- unix ---- */

static int set_group(const char *path, const char *group, struct err *e)
{
	const struct group *g = group ? getgrnam(group) : getgrnam("atoll");

	if (!g && !group)
		g = getgrnam("docker");
	if (!g)
		return group ? err_not_found(e, "the group %s of --group does not exist", group)
			     : 0;
	return chown(path, 0, g->gr_gid) < 0
		       ? err_sys(e, errno, "cannot give %s to the group %s", path, g->gr_name)
		       : 0;
}

/* A socket nobody listens on any more goes; anything else at its place stays. */
static int make_room(const struct sockaddr_un *a, struct err *e)
{
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;

	if (lstat(a->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot look at %s", a->sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_conflict(e, "%s is there already and is no socket", a->sun_path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)a, sizeof(*a)) == 0)
		return err_conflict(e, "somebody else listens on unix://%s", a->sun_path);
	return unlink(a->sun_path) < 0 ? err_sys(e, errno, "cannot remove %s", a->sun_path) : 0;
}

static int bind_unix(int fd, const struct sockaddr_un *a, const char *group, struct err *e)
{
	mode_t old = umask(0117); /* never open to all, not even for a moment */
	int r = bind(fd, (const struct sockaddr *)a, sizeof(*a));

	if (r < 0)
		r = err_sys(e, errno, "cannot listen on unix://%s", a->sun_path);
	(void)umask(old);
	if (r < 0)
		return r;
	r = set_group(a->sun_path, group, e);
	if (r >= 0 && listen(fd, BACKLOG) < 0)
		r = err_sys(e, errno, "cannot listen on unix://%s", a->sun_path);
	if (r < 0)
		(void)unlink(a->sun_path);
	return r;
}

static int open_unix(struct sockets *s, const char *path, const char *group, struct err *e)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	auto_free char *dir = strdup(*path ? path : DEFAULT_UNIX);
	char *slash;
	int r;

	if (fd < 0 || !dir)
		return err_sys(e, errno, "cannot make a socket");
	if (*dir != '/' || strlen(dir) >= sizeof(a.sun_path))
		return err_invalid(
			e, "unix://%s: the path must be absolute and shorter than %zu bytes", path,
			sizeof(a.sun_path));
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s", dir);
	slash = strrchr(dir, '/');
	*slash = '\0';
	r = *dir ? fs_mkdir_p(dir, 0755) : 0;
	if (r < 0)
		return err_sys(e, -r, "cannot make %s", dir);
	r = make_room(&a, e);
	if (r >= 0)
		r = bind_unix(fd, &a, group, e);
	return r < 0 ? r : put(s, TAKE_FD(fd), a.sun_path, e);
}

/* ---- tcp ---- */

static int parse_tcp(const char *text, struct sockaddr_in *a, struct err *e)
{
	const char *host = *text ? text : DEFAULT_TCP, *colon = strrchr(host, ':');
	auto_free char *ip = strndup(host, colon ? (size_t)(colon - host) : strlen(host));
	struct ip addr = ip_v4(0x7f000001);
	uint16_t port = 2375;

	if (!ip)
		return err_nomem(e);
	if ((colon && (parse_u16(colon + 1, &port) < 0 || !port)) ||
	    (*ip && !streq(ip, "localhost") && (ip_parse(ip, &addr) < 0 || addr.family != 4)))
		return err_invalid(e,
				   "invalid bind address (tcp://%s): it takes an IPv4 address and "
				   "a port",
				   text);
	if (!*ip) /* ":2375" means every address, as in Docker */
		addr = ip_any(V4);
	*a = (struct sockaddr_in){.sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl((uint32_t)addr.lo)};
	if (!ip_is_loopback(addr))
		return err_forbidden(
			e,
			"the API on tcp://%s would be root on this host for everybody who reaches "
			"it: without TLS (tlsverify, which this version does not have) it is "
			"served "
			"on loopback addresses only; use ssh (docker -H ssh://HOST) from elsewhere",
			text);
	return 0;
}

static int open_tcp(struct sockets *s, const char *text, struct err *e)
{
	auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in a;
	int r = parse_tcp(text, &a, e), on = 1;

	if (r < 0)
		return r;
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0)
		return err_sys(e, errno, "cannot listen on tcp://%s", text);
	log_warn("the API is open to every user of this host address=tcp://%s", text);
	return put(s, TAKE_FD(fd), NULL, e);
}

/* ---- systemd ---- */

static int take_passed(struct sockets *s, struct err *e)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	uint32_t p, n;
	int r = 0;

	if (!pid || !count || parse_u32(pid, &p) < 0 || parse_u32(count, &n) < 0 ||
	    p != (uint32_t)getpid() || n == 0)
		return err_invalid(e,
				   "no sockets found via socket activation: make sure the service "
				   "was started by systemd");
	for (uint32_t i = 0; r >= 0 && i < n && i < SOCKETS_MAX; i++) {
		int fd = SD_FIRST_FD + (int)i, listening = 0;
		socklen_t len = sizeof(listening);

		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
			return err_invalid(e, "descriptor %d of socket activation does not listen",
					   fd);
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 || fd_nonblock(fd) < 0)
			return err_sys(e, errno, "cannot prepare descriptor %d", fd);
		r = put(s, fd, NULL, e);
	}
	(void)unsetenv("LISTEN_PID"); /* not our children's */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

/* ---- all ---- */

static int open_one(struct sockets *s, const char *host, const char *group, struct err *e)
{
	if (str_has_prefix(host, "unix://"))
		return open_unix(s, host + strlen("unix://"), group, e);
	if (str_has_prefix(host, "tcp://"))
		return open_tcp(s, host + strlen("tcp://"), e);
	if (str_has_prefix(host, "fd://"))
		return take_passed(s, e);
	return err_invalid(e, "invalid bind address format: %s", host);
}

int sockets_open(struct sockets *s, char *const *hosts, const char *fallback, const char *group,
		 struct err *e)
{
	int r = 0;

	*s = (struct sockets){0};
	if (!hosts)
		r = open_one(s, fallback, group, e);
	for (size_t i = 0; r >= 0 && hosts && hosts[i]; i++)
		r = open_one(s, hosts[i], group, e);
	if (r < 0)
		sockets_close(s);
	return r;
}

void sockets_close(struct sockets *s)
{
	for (size_t i = 0; i < s->n; i++) {
		s->fds[i] = fd_close(s->fds[i]);
		if (s->paths[i])
			(void)unlink(s->paths[i]);
		free(s->paths[i]);
	}
	s->n = 0;
}

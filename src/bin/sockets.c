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
#define PORT_PLAIN   2375 /* Docker's */
#define PORT_TLS     2376
#define DEFAULT_UNIX "/run/atoll.sock"

static int put(struct sockets *s, int fd, const char *path, bool tcp, struct err *e)
{
	if (s->n == SOCKETS_MAX) {
		(void)fd_close(fd);
		return err_invalid(e, "more than %d listening sockets are asked for", SOCKETS_MAX);
	}
	s->fds[s->n] = fd;
	s->paths[s->n] = path ? strdup(path) : NULL;
	s->tcp[s->n] = tcp;
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
	return r < 0 ? r : put(s, TAKE_FD(fd), a.sun_path, false, e);
}

/* ---- tcp ---- */

struct tcp_address {
	struct ip ip;
	uint16_t port;
};

/* "127.0.0.1:2375", "[::1]:2376", "localhost", ":2376" (every address), "" (loopback) */
static int parse_tcp(const char *text, const struct sockets_config *c, struct tcp_address *ret,
		     struct err *e)
{
	const char *host = *text ? text : "127.0.0.1", *end = strrchr(host, ']'), *colon,
		   *from = host;
	uint16_t port = c->tls ? PORT_TLS : PORT_PLAIN;
	struct ip ip = ip_v4(0x7f000001);
	auto_free char *name = NULL;

	colon = strchr(end ? end : host, ':');
	if (*host == '[' && end) {
		from++;
		name = strndup(from, (size_t)(end - from));
	} else {
		name = strndup(host, colon ? (size_t)(colon - host) : strlen(host));
	}
	if (!name)
		return err_nomem(e);
	if ((colon && (parse_u16(colon + 1, &port) < 0 || !port)) ||
	    (*name && !streq(name, "localhost") && ip_parse(name, &ip) < 0) ||
	    (ip.family == 6) != (from != host))
		return err_invalid(
			e,
			"invalid bind address (tcp://%s): it takes an address and a port, "
			"as in tcp://192.0.2.1:2376 or tcp://[2001:db8::1]:2376",
			text);
	if (!*name) /* ":2376" means every address, as in Docker; those of IPv6, too */
		ip = ip_any(V6);
	*ret = (struct tcp_address){ip, port};
	return 0;
}

/* Whoever talks to the API is root on this host. */
static int check_reach(struct ip ip, const char *shown, const struct sockets_config *c,
		       struct err *e)
{
	if (c->anywhere || ip_is_loopback(ip))
		return 0;
	return err_forbidden(
		e,
		"the API on tcp://%s would be root on this host for everybody who reaches it: "
		"start "
		"with --tlsverify, --tlscacert, --tlscert and --tlskey, so that clients need a "
		"certificate, or listen on a loopback address, or use ssh (docker -H ssh://HOST); "
		"%s if the network itself is trusted",
		shown, c->tls ? "--tlsverify=false" : "--tls=false");
}

/* Return: the listening socket, or -errno */
static int bind_tcp(struct tcp_address a)
{
	struct sockaddr_storage sa;
	socklen_t len = ip_sockaddr(a.ip, a.port, &sa);
	auto_close int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, only = !ip_is_any(a.ip);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (a.ip.family == 6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only)) < 0) ||
	    bind(fd, (const struct sockaddr *)&sa, len) < 0 || listen(fd, BACKLOG) < 0)
		return -errno;
	return TAKE_FD(fd);
}

static int open_tcp(struct sockets *s, const char *text, const struct sockets_config *c,
		    struct err *e)
{
	struct tcp_address a;
	int r = parse_tcp(text, c, &a, e);

	if (r >= 0)
		r = check_reach(a.ip, text, c, e);
	if (r < 0)
		return r;
	r = bind_tcp(a);
	if (r == -EAFNOSUPPORT && ip_is_any(a.ip)) /* a host without IPv6 */
		r = bind_tcp((struct tcp_address){ip_any(V4), a.port});
	return r < 0 ? err_sys(e, -r, "cannot listen on tcp://%s", text) : put(s, r, NULL, true, e);
}

/* ---- systemd ---- */

/* Return: 1 a TCP socket where it may be, 0 a local one, -errno */
static int look_at(int fd, const struct sockets_config *c, struct err *e)
{
	struct sockaddr_storage sa = {0};
	const void *bytes = &((struct sockaddr_in *)&sa)->sin_addr;
	socklen_t len = sizeof(sa);
	char text[IP_STR];
	struct ip ip;
	int r;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) < 0)
		return err_sys(e, errno, "cannot look at descriptor %d", fd);
	if (sa.ss_family == AF_INET6)
		bytes = &((struct sockaddr_in6 *)&sa)->sin6_addr;
	else if (sa.ss_family != AF_INET)
		return 0;
	if (ip_from_bytes(bytes, sa.ss_family == AF_INET6 ? 16 : 4, &ip) < 0)
		return err_sys(e, EAFNOSUPPORT, "cannot look at descriptor %d", fd);
	r = check_reach(ip, ip_str(ip, text), c, e);
	return r < 0 ? r : 1;
}

static int take_passed(struct sockets *s, const struct sockets_config *c, struct err *e)
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
		r = look_at(fd, c, e);
		if (r >= 0)
			r = put(s, fd, NULL, r == 1, e);
	}
	(void)unsetenv("LISTEN_PID"); /* not our children's */
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return r;
}

/* ---- all ---- */

static int open_one(struct sockets *s, const char *host, const struct sockets_config *c,
		    struct err *e)
{
	if (str_has_prefix(host, "unix://"))
		return open_unix(s, host + strlen("unix://"), c->group, e);
	if (str_has_prefix(host, "tcp://"))
		return open_tcp(s, host + strlen("tcp://"), c, e);
	if (str_has_prefix(host, "fd://"))
		return take_passed(s, c, e);
	return err_invalid(e, "invalid bind address format: %s", host);
}

int sockets_open(struct sockets *s, char *const *hosts, const struct sockets_config *c,
		 struct err *e)
{
	int r = 0;

	*s = (struct sockets){0};
	if (!hosts)
		r = open_one(s, c->fallback, c, e);
	for (size_t i = 0; r >= 0 && hosts && hosts[i]; i++)
		r = open_one(s, hosts[i], c, e);
	if (r < 0)
		sockets_close(s);
	return r;
}

int sockets_listen_tcp(const char *address, struct err *e)
{
	const struct sockets_config any = {.anywhere = true};
	struct tcp_address a;
	int r = parse_tcp(address, &any, &a, e);

	if (r < 0)
		return r;
	r = bind_tcp(a);
	return r < 0 ? err_sys(e, -r, "cannot listen on tcp://%s", address) : r;
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

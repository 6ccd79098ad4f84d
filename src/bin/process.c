/* SPDX-License-Identifier: GPL-2.0-or-later */
/* process.c - see process.h */

#include "process.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/log.h"
#include "engine/config.h"

void process_setup(const struct daemon_config *c)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct rlimit files;

	log_setup("atolld", c->log_level, c->log_json);
	(void)umask(0022);
	(void)sigaction(SIGPIPE, &ignore, NULL);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* up to the hard limit is always allowed */
	}
	for (size_t i = 0; c->ignored && c->ignored[i]; i++)
		log_info("an option was accepted that has no effect in this engine option=%s",
			 c->ignored[i]);
}

int pidfile_write(const char *path, struct err *e)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d\n", getpid());
	int r = *path ? fs_write_atomic(path, text, (size_t)len, 0644) : 0;

	return r < 0 ? err_sys(e, -r, "cannot write the pid file %s", path) : 0;
}

void pidfile_remove(const char *path)
{
	if (*path && fs_unlink(path) < 0)
		log_warn("the pid file cannot be removed path=%s", path);
}

void service_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	size_t len = path ? strlen(path) : 0;
	auto_close int fd = -EBADF;

	if (!len || len >= sizeof(a.sun_path) || (*path != '/' && *path != '@'))
		return;
	memcpy(a.sun_path, path, len);
	if (*path == '@')
		a.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&a,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0)
		log_warn("the service manager could not be told state=%s error=%s", state,
			 strerror(errno));
}

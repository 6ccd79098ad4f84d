/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill.c - signals: to a container's first process by its pidfd, and to all in its cgroup
 *
 * Where the pid namespace is shared, the end of the first process does not end the others.
 */

#include <string.h>
#include <sys/pidfd.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/internal.h"

#define CONFIG_MAX (32u << 20)

char *rt_cgroup(const struct runtime *r, const char *id)
{
	static const char key[] = "\"cgroupsPath\":\""; /* in a string the quotes are escaped */
	auto_free char *config = rt_path(r, id, NULL, "config.json");
	auto_buf struct buf text = BUF_INIT(CONFIG_MAX);
	const char *p = NULL;
	size_t len;

	if (config && fs_read(config, CONFIG_MAX - 1, &text) >= 0)
		p = strstr(buf_str(&text), key);
	p = p ? p + sizeof(key) - 1 : NULL;
	len = p ? strcspn(p, "\"\\") : 0;
	return len && p[len] == '"' ? strndup(p, len) : str_printf("%s/%s", r->cgroup_parent, id);
}

int rt_signal(struct runtime *r, const char *id, int signo)
{
	struct proc *p = proc_find(r, id);

	if (!p)
		return -ESRCH;
	return pidfd_send_signal(p->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

int rt_kill_all(struct runtime *r, const char *id)
{
	auto_free char *path = rt_cgroup(r, id);
	int rc;

	if (!proc_find(r, id))
		return -ESRCH;
	rc = path ? cgroup_kill(path, 0) : -ENOMEM;
	return rc == -EBUSY ? 0 : rc; /* there were some, and they are told */
}

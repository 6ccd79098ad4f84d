/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * oom.c - the kernel tells that it has killed for memory, while the container goes on
 *
 * v1: an eventfd given to cgroup.event_control beside memory.oom_control. v2: memory.events is
 * changed, which inotify tells. Both come for more than kills (a limit was met), v1's before the
 * kill: the counter oom_kill decides, looked at again for a moment.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"
#include "runtime/cgroup_file.h"
#include "runtime/control.h"
#include "runtime/internal.h"
#include "runtime/stats.h"

#define LOOK_MS	  50
#define LOOKS_MAX 20

struct rt_oom {
	char *cgroup;
	uint64_t kills; /* those told of */
	int fd;
	int looks;
	struct source *io, *timer;
	void (*fn)(void *data);
	void *data;
};

static const char *file_of(void)
{
	return cgroup_layout() == CGROUP_V2 ? "memory.events" : "memory.oom_control";
}

static uint64_t kills(const struct rt_oom *o)
{
	auto_buf struct buf text = BUF_INIT(CGROUP_FILE_MAX);
	uint64_t n = 0;

	if (cgroup_read("memory", o->cgroup, file_of(), &text) < 0 ||
	    !stats_value(buf_str(&text), "oom_kill", &n))
		return o->kills; /* the group is going */
	return n;
}

static void look(void *data)
{
	struct rt_oom *o = data;
	uint64_t now = kills(o);

	if (now != o->kills) {
		o->kills = now;
		o->fn(o->data);
	} else if (o->looks++ < LOOKS_MAX) {
		source_timer_set(o->timer, LOOK_MS);
	}
}

static void told(int fd, uint32_t events, void *data)
{
	_Alignas(struct inotify_event) char room[4096];
	struct rt_oom *o = data;

	(void)events;
	if (read(fd, room, sizeof(room)) <= 0)
		return;
	o->looks = 0;
	source_timer_set(o->timer, 0);
}

/* v1: the group's own removal makes the eventfd readable, too. */
static int open_v1(struct rt_oom *o)
{
	auto_free char *path = cgroup_file("memory", o->cgroup, "memory.oom_control");
	auto_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -ENOMEM;
	auto_free char *line = NULL;

	if (fd < 0)
		return path ? -errno : -ENOMEM;
	o->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (o->fd < 0)
		return -errno;
	line = str_printf("%d %d", o->fd, fd);
	return line ? cgroup_write("memory", o->cgroup, "cgroup.event_control", line) : -ENOMEM;
}

static int open_v2(struct rt_oom *o)
{
	auto_free char *path = cgroup_file("", o->cgroup, "memory.events");

	if (!path)
		return -ENOMEM;
	o->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	return o->fd < 0 || inotify_add_watch(o->fd, path, IN_MODIFY) < 0 ? -errno : 0;
}

int rt_oom_watch(struct runtime *r, const char *id, void (*fn)(void *data), void *data,
		 struct rt_oom **ret)
{
	struct rt_oom *o = calloc(1, sizeof(*o));
	int rc;

	if (!o)
		return -ENOMEM;
	*o = (struct rt_oom){.cgroup = rt_cgroup(r, id), .fd = -EBADF, .fn = fn, .data = data};
	rc = !o->cgroup ? -ENOMEM : cgroup_layout() == CGROUP_V2 ? open_v2(o) : open_v1(o);
	if (rc >= 0) {
		o->kills = kills(o);
		rc = loop_timer(r->loop, -1, look, o, &o->timer);
	}
	if (rc >= 0)
		rc = loop_io(r->loop, o->fd, EPOLLIN, told, o, &o->io);
	if (rc < 0) {
		rt_oom_free(o);
		return rc == -ENOMEM ? rc : -EOPNOTSUPP;
	}
	*ret = o;
	return 0;
}

void rt_oom_free(struct rt_oom *o)
{
	if (!o)
		return;
	(void)source_free(o->io);
	(void)source_free(o->timer);
	(void)fd_close(o->fd);
	free(o->cgroup);
	free(o);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv.c - follows a resolv.conf
 *
 * Any event in a watched directory arms a short timer; when it is quiet the file is read. A file
 * that is being rewritten in place is empty for a moment: servers that vanish altogether are
 * believed only when the next look, a little later, says so too.
 */

#include <limits.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "dns/servers.h"
#include "loop/loop.h"

#define FILE_MAX  (64u << 10)
#define ZONES	  "/sys/class/net"
#define QUIET_MS  10
#define DOUBT_MS  200
#define LOOK_NS	  NS_PER_S
#define WATCH_FOR (IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_DELETE | IN_MOVED_FROM)

struct resolv {
	struct loop *loop;
	char *path;
	resolv_fn fn;
	void *data;
	struct servers servers;
	struct stat seen;
	bool doubt; /* the file has no servers, we still have some */
	int inotify;
	int watches[2]; /* directory of the path, directory of what it leads to */
	struct source *io, *timer;
	int64_t looked_ns;
};

static int watch_dir_of(struct resolv *r, const char *path)
{
	auto_free char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash)
		return -1;
	slash[slash == dir] = '\0';
	return inotify_add_watch(r->inotify, dir, WATCH_FOR | IN_ONLYDIR);
}

/* Adding a watch twice gives the same one; a link may lead elsewhere now. */
static void rewatch(struct resolv *r)
{
	char real[PATH_MAX];
	int old = r->watches[1];

	r->watches[0] = watch_dir_of(r, r->path);
	r->watches[1] = realpath(r->path, real) ? watch_dir_of(r, real) : -1;
	if (old >= 0 && old != r->watches[0] && old != r->watches[1])
		(void)inotify_rm_watch(r->inotify, old); /* gone with its directory perhaps */
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_servers(struct resolv *r, struct servers *ret)
{
	auto_buf struct buf text = BUF_INIT(FILE_MAX);

	*ret = (struct servers){.n = 0};
	(void)memset(&r->seen, 0, sizeof(r->seen));
	/* the signature first: a change after it shows at the next look */
	if (stat(r->path, &r->seen) < 0 || fs_read(r->path, FILE_MAX, &text) < 0)
		return;
	servers_parse_resolv(buf_str(&text), ret);
	servers_set_zones(ret, ZONES);
}

static void refresh(struct resolv *r)
{
	struct servers now;

	rewatch(r);
	read_servers(r, &now);
	if (!now.n && r->servers.n && !r->doubt) {
		r->doubt = true;
		source_timer_set(r->timer, DOUBT_MS);
		return;
	}
	r->doubt = false;
	if (servers_eq(&now, &r->servers))
		return;
	log_info("name servers changed file=%s servers=%zu", r->path, now.n);
	r->servers = now;
	r->fn(&r->servers, r->data);
}

static void on_timer(void *data)
{
	refresh(data);
}

static void on_inotify(int fd, UNUSED uint32_t events, void *data)
{
	char buf[4096] __attribute__((aligned(8)));
	struct resolv *r = data;

	while (read(fd, buf, sizeof(buf)) > 0)
		; /* what happened shows in the file */
	if (!r->doubt)
		source_timer_set(r->timer, QUIET_MS);
}

void resolv_look(struct resolv *r)
{
	int64_t now = clock_mono_ns();
	struct stat st = {0};

	if (now - r->looked_ns < LOOK_NS || r->doubt)
		return;
	r->looked_ns = now;
	if (stat(r->path, &st) < 0)
		st = (struct stat){0};
	if (!same_file(&st, &r->seen))
		refresh(r);
}

const struct servers *resolv_servers(const struct resolv *r)
{
	return &r->servers;
}

int resolv_new(struct loop *l, const char *path, resolv_fn fn, void *data, struct resolv **ret)
{
	struct resolv *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	*r = (struct resolv){.loop = l, .fn = fn, .data = data, .watches = {-1, -1}};
	r->path = strdup(path);
	r->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	err = !r->path ? -ENOMEM : r->inotify < 0 ? -errno : 0;
	if (err >= 0)
		err = loop_io(l, r->inotify, EPOLLIN, on_inotify, r, &r->io);
	if (err >= 0)
		err = loop_timer(l, -1, on_timer, r, &r->timer);
	if (err < 0) {
		resolv_free(r);
		return err;
	}
	rewatch(r);
	read_servers(r, &r->servers);
	*ret = r;
	return 0;
}

void resolv_free(struct resolv *r)
{
	if (!r)
		return;
	(void)source_free(r->io);
	(void)source_free(r->timer);
	(void)fd_close(r->inotify);
	free(r->path);
	free(r);
}

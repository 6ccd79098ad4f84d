/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cgroup_file.c - reading and writing the files of a container's cgroup, v1 and v2; its processes
 */

#include "runtime/cgroup_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/str.h"
#include "runtime/cgroup.h"

#define ROOT	  "/sys/fs/cgroup"
#define DEPTH_MAX 32 /* of groups a container made below its own */
#define PIDS_MAX  (1u << 20)

char *cgroup_file(const char *controller, const char *path, const char *name)
{
	if (cgroup_layout() == CGROUP_V2)
		return str_printf(ROOT "%s/%s", path, name);
	return str_printf(ROOT "/%s%s/%s", controller, path, name);
}

int cgroup_read(const char *controller, const char *path, const char *name, struct buf *out)
{
	auto_free char *file = cgroup_file(controller, path, name);

	buf_clear(out);
	return file ? fs_read(file, CGROUP_FILE_MAX, out) : -ENOMEM;
}

int cgroup_write(const char *controller, const char *path, const char *name, const char *text)
{
	auto_free char *file = cgroup_file(controller, path, name);

	return file ? fs_write_str(file, text) : -ENOMEM;
}

bool cgroup_has(const char *controller, const char *path, const char *name)
{
	auto_free char *file = cgroup_file(controller, path, name);

	return file && fs_exists(file);
}

/* ---- processes ---- */

struct pids {
	pid_t *v;
	size_t n, room;
};

static int pids_add(struct pids *p, const char *text)
{
	auto_strv char **lines = NULL;
	int r = strv_split(text, "\n", &lines);

	for (size_t i = 0; r >= 0 && lines && lines[i] && p->n < PIDS_MAX; i++) {
		uint32_t pid;

		if (parse_u32(lines[i], &pid) < 0 || !pid)
			continue;
		if (p->n == p->room) {
			size_t room = p->room ? p->room * 2 : 64;
			pid_t *v = realloc(p->v, room * sizeof(*v));

			if (!v)
				return -ENOMEM;
			p->v = v;
			p->room = room;
		}
		p->v[p->n++] = (pid_t)pid;
	}
	return r;
}

static int pids_below(struct pids *p, const char *dir, int depth)
{
	auto_free char *file = str_printf("%s/cgroup.procs", dir);
	auto_buf struct buf text = BUF_INIT(CGROUP_FILE_MAX * 8);
	struct dirent *de;
	DIR *d;
	int r = file ? fs_read(file, CGROUP_FILE_MAX * 8 - 1, &text) : -ENOMEM;

	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r >= 0)
		r = pids_add(p, buf_str(&text));
	d = r >= 0 && depth < DEPTH_MAX ? opendir(dir) : NULL;
	while (d && r >= 0 && (de = readdir(d))) {
		auto_free char *sub = NULL;

		if (de->d_type != DT_DIR || *de->d_name == '.')
			continue;
		sub = str_printf("%s/%s", dir, de->d_name);
		r = sub ? pids_below(p, sub, depth + 1) : -ENOMEM;
	}
	if (d)
		(void)closedir(d);
	return r;
}

int cgroup_pids(const char *path, pid_t **ret, size_t *ret_n)
{
	/* each process is in every hierarchy; one of these is on any host that runs containers */
	static const char *const hierarchies[] = {"memory", "pids", "devices", "cpu"};
	struct pids p = {0};
	int r = 0;

	for (size_t i = 0; r >= 0 && !p.n && i < ARRAY_SIZE(hierarchies); i++) {
		auto_free char *dir = cgroup_file(hierarchies[i], path, "");

		r = dir ? pids_below(&p, dir, 0) : -ENOMEM;
	}
	if (r < 0) {
		free(p.v);
		return r;
	}
	*ret = p.v;
	*ret_n = p.n;
	return 0;
}

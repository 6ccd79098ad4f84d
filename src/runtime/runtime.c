/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runtime.c - opening: the programs, their versions, the folders below the exec-root */

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/str.h"
#include "loop/spawn.h"
#include "runtime/cgroup.h"
#include "runtime/filters.h"
#include "runtime/internal.h"

static const char *const dirs[] = {"/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
				   "/usr/bin",	      "/sbin",		"/bin"};

/* The first of @names that is a program. */
static char *find(const char *const *names)
{
	for (; *names; names++) {
		if (**names == '/')
			return access(*names, X_OK) == 0 ? strdup(*names) : NULL;
		for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
			char *path = str_printf("%s/%s", dirs[i], *names);

			if (path && access(path, X_OK) == 0)
				return path;
			free(path);
		}
	}
	return NULL;
}

/* "crun version 1.8.1\n..." -> "1.8.1" */
static char *version_of(const char *program)
{
	const char *const argv[] = {program, "--version", NULL};
	auto_buf struct buf out = BUF_INIT(64u << 10);
	struct spawn s = SPAWN_INIT;
	const char *p;

	s.argv = argv;
	if (spawn_wait(&s, &out) != 0)
		return strdup("unknown");
	p = strstr(buf_str(&out), "version ");
	p = p ? p + strlen("version ") : buf_str(&out);
	return strndup(p, strcspn(p, " \n"));
}

static int find_programs(struct runtime *r, const struct runtime_config *c, struct err *e)
{
	const char *const runtimes[] = {c->crun ? c->crun : "crun", c->crun ? NULL : "runc", NULL};
	const char *base;

	r->program = find(runtimes);
	if (!r->program)
		return err_set(
			e, ERR_INTERNAL, ENOENT,
			"no OCI runtime: neither crun nor runc is installed (apt-get install "
			"crun)");
	base = strrchr(r->program, '/') + 1;
	r->is_crun = !streq(base, "runc");
	r->name = strdup(base);
	r->version = version_of(r->program);
	r->shim = strdup(c->shim);
	if (!r->name || !r->version || !r->shim)
		return err_nomem(e);
	if (access(r->shim, X_OK) < 0)
		return err_sys(e, errno, "%s", r->shim);
	r->program_fd = program_open(r->program, r->is_crun);
	return r->program_fd < 0 ? err_sys(e, -r->program_fd, "%s", r->program) : 0;
}

static int make_dirs(struct runtime *r, struct err *e)
{
	static const char *const names[] = {"run", "exits", "crun"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		auto_free char *path = str_printf("%s/%s", r->exec_root, names[i]);
		int rc = path ? fs_mkdir_p(path, 0700) : -ENOMEM;

		if (rc < 0)
			return err_sys(e, -rc, "cannot make %s/%s", r->exec_root, names[i]);
	}
	return 0;
}

int runtime_open(struct loop *l, const struct runtime_config *c, struct runtime **ret,
		 struct err *e)
{
	struct runtime *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return err_nomem(e);
	r->loop = l;
	r->life_fd = c->life_fd;
	r->exits = r->program_fd = -EBADF;
	list_init(&r->calls);
	list_init(&r->syncs);
	list_init(&r->dels);
	list_init(&r->attaches);
	list_init(&r->filters);
	r->warm_file = warm_file();
	r->exec_root = strdup(c->exec_root);
	r->cgroup_parent = strdup(str_empty(c->cgroup_parent) ? "/atoll" : c->cgroup_parent);
	r->root = str_printf("%s/crun", c->exec_root);
	rc = !r->exec_root || !r->cgroup_parent || !r->root || map_new(&r->procs) < 0
		     ? err_nomem(e)
		     : find_programs(r, c, e);
	if (rc >= 0)
		rc = make_dirs(r, e);
	if (rc >= 0)
		rc = exits_open(r, e);
	if (rc < 0) {
		runtime_close(r);
		return rc;
	}
	log_debug("runtime %s %s", r->program, r->version);
	*ret = r;
	return 0;
}

void runtime_close(struct runtime *r)
{
	struct proc *p;
	size_t pos = 0;

	if (!r)
		return;
	calls_drop(r);
	attaches_drop(r);
	syncs_drop(r);
	dels_drop(r);
	filters_drop(r);
	while (r->procs && (p = map_next(r->procs, &pos, NULL)))
		proc_free(p);
	map_free(r->procs);
	(void)source_free(r->exits_io);
	(void)fd_close(r->exits);
	free(r->exec_root);
	free(r->cgroup_parent);
	free(r->root);
	free(r->program);
	free(r->shim);
	free(r->warm_file);
	(void)fd_close(r->program_fd);
	free(r->name);
	free(r->version);
	free(r);
}

char *rt_path(const struct runtime *r, const char *id, const char *exec_id, const char *file)
{
	if (exec_id)
		return str_printf("%s/run/%s/exec/%s%s%s", r->exec_root, id, exec_id,
				  file ? "/" : "", file ? file : "");
	return str_printf("%s/run/%s%s%s", r->exec_root, id, file ? "/" : "", file ? file : "");
}

const char *runtime_name(const struct runtime *r)
{
	return r->name;
}

const char *runtime_version(const struct runtime *r)
{
	return r->version;
}

int runtime_cgroup_version(const struct runtime *r)
{
	(void)r;
	return cgroup_layout() == CGROUP_V2 ? 2 : 1;
}

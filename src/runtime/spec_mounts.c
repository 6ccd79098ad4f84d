/* SPDX-License-Identifier: GPL-2.0-or-later */
/* spec_mounts.c - the mounts of a container: Docker's defaults, then the user's; its working
 * directory */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/str.h"
#include "base/userns.h"
#include "runtime/spec.h"

#define SHM_SIZE (64ll << 20)

static bool is_mounted(const struct rt_spec *s, const char *target)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (streq(s->mounts[i].target, target))
			return true;
	return false;
}

static int write_mount(struct jsonw *w, const char *target, const char *type, const char *source,
		       const char *options)
{
	auto_strv char **opts = NULL;

	if (strv_split(options, ",", &opts) < 0)
		return -ENOMEM;
	jsonw_object(w, NULL);
	jsonw_str(w, "destination", target);
	jsonw_str(w, "type", type);
	jsonw_str(w, "source", source);
	jsonw_array(w, "options");
	for (size_t i = 0; opts && opts[i]; i++)
		if (*opts[i])
			jsonw_str(w, NULL, opts[i]);
	jsonw_end_array(w);
	jsonw_end_object(w);
	return buf_err(w->out);
}

struct default_mount {
	const char *target, *type, *source, *options, *privileged; /* options of --privileged */
};

static const struct default_mount defaults[] = {
	{"/proc", "proc", "proc", "nosuid,noexec,nodev", NULL},
	{"/dev", "tmpfs", "tmpfs", "nosuid,strictatime,mode=755,size=65536k", NULL},
	{"/dev/pts", "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5",
	 NULL},
	{"/sys", "sysfs", "sysfs", "nosuid,noexec,nodev,ro", "nosuid,noexec,nodev,rw"},
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,relatime,ro",
	 "nosuid,noexec,nodev,relatime,rw"},
};

/* /dev/mqueue and /dev/shm: the host's own, or ones of the container's. */
static int ipc_mounts(struct jsonw *w, const struct rt_spec *s)
{
	static const char flags[] = "nosuid,noexec,nodev", bind[] = "rbind,nosuid,noexec,nodev";
	bool host = streq(s->ipc_mode, "host");
	auto_free char *shm = str_printf("%s,mode=1777,size=%lld", flags,
					 (long long)(s->shm_size > 0 ? s->shm_size : SHM_SIZE));
	int r = shm ? 0 : -ENOMEM;

	if (r >= 0 && !is_mounted(s, "/dev/mqueue") && (!host || fs_exists("/dev/mqueue")))
		r = host ? write_mount(w, "/dev/mqueue", "bind", "/dev/mqueue", bind)
			 : write_mount(w, "/dev/mqueue", "mqueue", "mqueue", flags);
	if (r < 0 || is_mounted(s, "/dev/shm") || streq(s->ipc_mode, "none"))
		return r;
	if (host)
		return fs_exists("/dev/shm") ? write_mount(w, "/dev/shm", "bind", "/dev/shm", bind)
					     : 0;
	return write_mount(w, "/dev/shm", "tmpfs", "shm", shm);
}

/* A small program as pid 1 that reaps orphans and passes signals on. Static ones come first: the
 * image may lack a libc. */
static char *find_init(const char *said)
{
	static const char *const names[] = {"docker-init", "tini-static", "catatonit", "tini"};
	static const char *const dirs[] = {"/usr/local/bin",	  "/usr/bin", "/usr/libexec/podman",
					   "/usr/libexec/docker", "/sbin",    "/bin"};

	if (!str_empty(said))
		return strdup(said);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t k = 0; k < ARRAY_SIZE(dirs); k++) {
			char *path = str_printf("%s/%s", dirs[k], names[i]);

			if (path && access(path, X_OK) == 0)
				return path;
			free(path);
		}
	return NULL;
}

static int init_mount(struct jsonw *w, const struct rt_spec *s, struct err *e)
{
	auto_free char *path = s->init ? find_init(s->init_path) : NULL;

	if (!s->init)
		return 0;
	if (!path)
		return err_invalid(e, "--init needs docker-init, tini or catatonit on this host, "
				      "and none of them is installed");
	if (access(path, X_OK) < 0)
		return err_sys(e, errno, "cannot run the init program %s", path);
	if (write_mount(w, SPEC_INIT_TARGET, "bind", path, "bind,ro") < 0)
		return err_nomem(e);
	return 0;
}

int spec_mounts(struct jsonw *w, const struct spec *sp, struct err *e)
{
	const struct rt_spec *s = sp->s;
	int r = 0;

	jsonw_array(w, "mounts");
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(defaults); i++) {
		const struct default_mount *d = &defaults[i];

		if (!is_mounted(s, d->target))
			r = write_mount(w, d->target, d->type, d->source,
					s->privileged && d->privileged ? d->privileged
								       : d->options);
	}
	if (r >= 0)
		r = ipc_mounts(w, s);
	for (size_t i = 0; r >= 0 && i < s->n_mounts; i++) {
		const struct rt_mount *m = &s->mounts[i];

		r = write_mount(w, m->target, m->type, m->source ? m->source : m->type,
				m->options ? m->options : "");
	}
	if (r < 0)
		return err_sys(e, -r, "cannot write the mounts of container %s", s->id);
	r = init_mount(w, s, e);
	jsonw_end_array(w);
	return r;
}

static bool option_has(const char *options, const char *name)
{
	auto_strv char **opts = NULL;

	return options && strv_split(options, ",", &opts) >= 0 && strv_has(opts, name);
}

const char *spec_propagation(const struct rt_spec *s)
{
	const char *p = NULL;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const char *o = s->mounts[i].options;

		if (option_has(o, "shared") || option_has(o, "rshared"))
			return "rshared";
		if (option_has(o, "slave") || option_has(o, "rslave"))
			p = "rslave";
	}
	return p;
}

/* ---- the working directory ---- */

/* The mount whose folder holds @path (the longest target), or NULL: the root file system's. */
static const struct rt_mount *mount_above(const struct rt_spec *s, const char *path)
{
	const struct rt_mount *best = NULL;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const char *target = s->mounts[i].target;
		size_t n = strlen(target);

		if (!strncmp(path, target, n) && (path[n] == '/' || !path[n]) &&
		    (!best || n > strlen(best->target)))
			best = &s->mounts[i];
	}
	return best;
}

/* mkdir -p of @path below @root, never leaving it, whatever links lie there. */
static int make_dirs(int root, const char *path)
{
	auto_free char *part = strdup(path);
	auto_close int dir = fs_open_in_root(root, ".", O_PATH | O_DIRECTORY, 0);

	if (!part)
		return -ENOMEM;
	for (size_t i = strspn(part, "/"); dir >= 0 && part[i];) {
		size_t n = strcspn(part + i, "/");
		char end = part[i + n];
		int next;

		part[i + n] = '\0';
		next = fs_open_in_root(root, part, O_PATH | O_DIRECTORY, 0);
		if (next == -ENOENT && mkdirat(dir, part + i, 0755) == 0)
			next = fs_open_in_root(root, part, O_PATH | O_DIRECTORY, 0);
		(void)fd_close(dir);
		dir = next;
		part[i + n] = end;
		i += n + strspn(part + i + n, "/");
	}
	return dir < 0 ? dir : 0;
}

/* they belong to the container's root */
static int make_dirs_as(const struct idmaps *maps, int root, const char *path)
{
	int r;

	if (!maps)
		return make_dirs(root, path);
	r = fsids_enter(maps->uid.v[0].first, maps->gid.v[0].first);
	if (r < 0)
		return r;
	r = make_dirs(root, path);
	fsids_leave();
	return r;
}

int spec_make_cwd(const struct rt_spec *s, struct err *e)
{
	const char *cwd = str_empty(s->cwd) ? "/" : s->cwd, *base = s->rootfs, *rest = cwd;
	const struct rt_mount *m = mount_above(s, cwd);
	auto_close int root = -EBADF;
	int r;

	if (*cwd != '/')
		return err_invalid(
			e, "the working directory '%s' is invalid, it needs to be an absolute path",
			cwd);
	if (m && (!streq(m->type, "bind") || option_has(m->options, "ro")))
		return 0; /* the runtime's affair */
	if (m) {
		base = m->source;
		rest = cwd + strlen(m->target);
	}
	if (!rest[strspn(rest, "/")])
		return 0;
	root = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = root < 0 ? -errno : make_dirs_as(s->maps, root, rest);
	if (r == -ENOTDIR)
		return err_invalid(e, "Cannot mkdir: %s is not a directory", cwd);
	return r < 0 ? err_sys(e, -r, "cannot make the working directory %s", cwd) : 0;
}

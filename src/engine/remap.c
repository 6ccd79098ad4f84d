/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * remap.c - --userns-remap: whose subordinate ids containers have, and what is made of them
 *
 * The option names a user, and perhaps a group; /etc/subuid and /etc/subgid say which ids are
 * theirs. All that is stored lies in a data root of its own, <data-root>/<uid>.<gid>, as Docker has
 * it: volumes have the owners of one mapping. All containers are in one user namespace.
 */

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "base/userns.h"
#include "engine/internal.h"
#include "engine/options.h"

#define SUB_MAX	     (1u << 20)
#define DEFAULT_USER "dockremap"

struct who {
	char *user, *group; /* names */
	uint32_t uid, gid;
};

static void who_done(struct who *w)
{
	free(w->user);
	free(w->group);
}

static int no_default(struct err *e)
{
	return err_invalid(e, "userns-remap=default needs the user and group " DEFAULT_USER
			      ": make them (useradd --system --user-group " DEFAULT_USER
			      ") and give them ids (a line " DEFAULT_USER
			      ":100000:65536 in /etc/subuid and in /etc/subgid)");
}

static int find_user(const char *text, struct who *w, struct err *e)
{
	bool is_number = parse_u32(text, &w->uid) >= 0;
	const struct passwd *p = is_number ? getpwuid(w->uid) : getpwnam(text);

	if (!p)
		return err_invalid(e, "userns-remap: user %s: no such user", text);
	w->uid = p->pw_uid;
	return str_set(&w->user, p->pw_name) < 0 ? err_nomem(e) : 0;
}

static int find_group(const char *text, struct who *w, struct err *e)
{
	bool is_number = parse_u32(text, &w->gid) >= 0;
	const struct group *g = is_number ? getgrgid(w->gid) : getgrnam(text);

	if (!g)
		return err_invalid(e, "userns-remap: group %s: no such group", text);
	w->gid = g->gr_gid;
	return str_set(&w->group, g->gr_name) < 0 ? err_nomem(e) : 0;
}

static int find(const char *option, struct who *w, struct err *e)
{
	bool is_default = streq(option, "default");
	auto_free char *user = strdup(is_default ? DEFAULT_USER : option);
	char *group = user ? strchr(user, ':') : NULL;
	int r;

	if (!user)
		return err_nomem(e);
	if (group)
		*group++ = '\0';
	if (is_default && (!getpwnam(user) || !getgrnam(user)))
		return no_default(e);
	if (!*user || (group && !*group))
		return err_invalid(e, "userns-remap: invalid value: \"%s\"", option);
	r = find_user(user, w, e);
	return r < 0 ? r : find_group(group ? group : w->user, w, e);
}

static int read_map(const char *path, const char *name, uint32_t id, struct idmap *ret,
		    struct err *e)
{
	auto_buf struct buf text = BUF_INIT(SUB_MAX);
	int r = fs_read(path, SUB_MAX, &text);

	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		return err_sys(e, -r, "cannot read %s", path);
	if (idmap_parse(buf_str(&text), name, id, ret) < 0)
		return err_nomem(e);
	if (!ret->n)
		return err_invalid(e,
				   "Can't create ID mappings: No subordinate ids found for \"%s\" "
				   "in %s (a line like %s:100000:65536 gives some)",
				   name, path, name);
	return 0;
}

int remap_settle(struct daemon_config *c, struct err *e)
{
	struct who w = {0};
	int r;

	if (!c->userns_remap || !*c->userns_remap)
		return 0;
	r = find(c->userns_remap, &w, e);
	if (r >= 0 && !w.uid) { /* as Docker */
		log_warn("user namespaces: root cannot be remapped with itself: switched off");
		who_done(&w);
		return 0;
	}
	if (r >= 0)
		r = read_map("/etc/subuid", w.user, w.uid, &c->remap.uid, e);
	if (r >= 0)
		r = read_map("/etc/subgid", w.user, w.uid, &c->remap.gid, NULL);
	if (r == -EINVAL && c->remap.uid.n)
		r = read_map("/etc/subgid", w.group, w.gid, &c->remap.gid, e);
	who_done(&w);
	if (r < 0)
		return r;
	auto_free char *root = str_printf("%s/%u.%u", c->data_root, c->remap.uid.v[0].first,
					  c->remap.gid.v[0].first);

	return !root || str_set(&c->data_root, root) < 0 ? err_nomem(e) : 0;
}

/* ---- the folders ---- */

static bool may_pass(const struct stat *st, const struct daemon_config *c)
{
	if (st->st_uid == c->remap.uid.v[0].first)
		return st->st_mode & S_IXUSR;
	return st->st_mode & (st->st_gid == c->remap.gid.v[0].first ? S_IXGRP : S_IXOTH);
}

int remap_folders(const struct daemon_config *c, struct err *e)
{
	auto_free char *path = strdup(c->data_root);
	char *end = path ? strrchr(path, '/') : NULL;
	struct stat st;
	int r;

	if (!remap_on(c))
		return 0;
	if (!end)
		return err_nomem(e);
	*end = '\0'; /* the data root that was asked for */
	r = fs_mkdir_p(path, 0711);
	if (r >= 0 && chmod(path, 0711) < 0)
		r = -errno;
	if (r < 0)
		return err_sys(e, -r, "cannot make the data root %s", path);
	for (char *p = path; p; p = strchr(p + 1, '/')) {
		size_t len = strcspn(p + 1, "/");
		char kept = p[1 + len];

		p[1 + len] = '\0';
		if (stat(path, &st) < 0)
			return err_sys(e, errno, "cannot look at %s", path);
		if (!may_pass(&st, c))
			return err_invalid(e,
					   "a subdirectory in your graphroot path (%s) restricts "
					   "access to the remapped root uid/gid; please fix by "
					   "adding 'o+x' permissions to existing directories",
					   path);
		p[1 + len] = kept;
	}
	return 0;
}

bool remap_on(const struct daemon_config *c)
{
	return c->remap.uid.n > 0;
}

int remap_open(struct engine *en, struct err *e)
{
	const struct daemon_config *c = en->config;
	auto_free char *path = str_printf("%s/userns", c->exec_root);
	auto_free char *mapped = str_printf("%s/mapped", c->exec_root);
	int r;

	if (!path || !mapped)
		return err_nomem(e);
	storage_remap_sweep(mapped); /* of a life that was killed */
	if (!remap_on(c)) {
		userns_unpin(path);
		return 0;
	}
	en->userns_path = TAKE_PTR(path);
	r = userns_pin(en->userns_path, &c->remap, &en->userns, e);
	if (r >= 0)
		log_info("containers are in a user namespace, their root is uid=%u gid=%u",
			 c->remap.uid.v[0].first, c->remap.gid.v[0].first);
	return r;
}

void remap_close(struct engine *en, bool containers_live)
{
	if (!en->userns_path)
		return;
	if (!containers_live)
		userns_unpin(en->userns_path);
	if (en->userns > 0)
		en->userns = fd_close(en->userns);
	free(en->userns_path);
}

int remap_storage(struct engine *en, struct err *e)
{
	const struct daemon_config *c = en->config;
	auto_free char *dir = str_printf("%s/mapped", c->exec_root);
	const struct storage_remap m = {.dir = dir,
					.userns = en->userns,
					.uid = c->remap.uid.v[0].first,
					.gid = c->remap.gid.v[0].first};

	if (!remap_on(c))
		return 0;
	return dir ? storage_remap(en->storage, &m, e) : err_nomem(e);
}

bool remapped(const struct container *c)
{
	return remap_on(c->en->config) && !streq(js(c->host_config, "UsernsMode"), "host");
}

int remap_join_check(const struct container *c, const struct container *peer, const char *what,
		     struct err *e)
{
	if (!remapped(c) || remapped(peer))
		return 0;
	return err_invalid(e,
			   "cannot join %s namespace of container %s, which is in the host's user "
			   "namespace",
			   what, peer->name);
}

int remap_check(struct engine *en, const json_t *host, struct err *e)
{
	if (!remap_on(en->config) || streq(js(host, "UsernsMode"), "host"))
		return 0;
	if (jb(host, "Privileged"))
		return err_invalid(e, "privileged mode is incompatible with user namespaces.  You "
				      "must run the container in the host namespace when running "
				      "privileged mode");
	if (streq(js(host, "NetworkMode"), "host"))
		return err_invalid(e, "cannot share the host's network namespace when user "
				      "namespaces are enabled");
	if (streq(js(host, "PidMode"), "host"))
		return err_invalid(e, "cannot share the host PID namespace when user namespaces "
				      "are enabled");
	return 0;
}

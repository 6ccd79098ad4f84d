/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.c - VolumesFrom, Binds, Mounts, image volumes and --tmpfs of a create, as mount points
 *
 * A mount point is a JSON object as inspect shows it (Type, Name, Source, Destination, Driver,
 * Mode, RW, Propagation), with our own keys beside, which begin with "_" and are left out of
 * inspect: "_options" of a tmpfs for the runtime, "_copy" (fill an empty volume from the image),
 * "_hidden" (--tmpfs is no mount point in Docker), "_from" (came by --volumes-from), "_subpath" of
 * a volume, "_make" (a missing source is made at start), "_flat", "_ro_flat" and "_ro_all" (what is
 * mounted below the source), "_flags" and "_file" (what the source is, read at each start: the
 * runtime would drop the flags of its mount).
 */

#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/json.h"
#include "base/str.h"
#include "engine/mounts.h"

static ssize_t mount_at(const struct container *c, const char *target)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m)
	{
		if (streq(js(m, "Destination"), target))
			return (ssize_t)i;
	}
	return -1;
}

/* What a mount is made of before it becomes a JSON object. */
struct point {
	const char *type, *name, *source, *mode, *propagation, *subpath;
	bool ro, copy, hidden;
	bool flat;	     /* without what is mounted below the source */
	bool ro_flat;	     /* what is mounted below the source stays writable */
	bool ro_all;	     /* all of it read-only, or an error */
	bool make;	     /* a bind's missing source is made at start */
	const char *options; /* of a tmpfs */
};

static json_t *point_json(const struct point *p, const char *target)
{
	const char *prop = streq(p->type, "tmpfs") ? "" : p->propagation ? p->propagation : "";
	json_t *m;

	if (streq(p->type, "bind") && !*prop)
		prop = "rprivate";
	m = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "Type", p->type, "Source",
		      p->source ? p->source : "", "Destination", target, "Mode",
		      p->mode ? p->mode : "", "RW", !p->ro, "Propagation", prop);
	if (!m)
		return NULL;
	if (p->name) {
		(void)json_object_set_new(m, "Name", json_string(p->name));
		(void)json_object_set_new(m, "Driver", json_string("local"));
	}
	if (streq(p->type, "tmpfs"))
		(void)json_object_set_new(m, "_options", json_string(p->options ? p->options : ""));
	if (!str_empty(p->subpath))
		(void)json_object_set_new(m, "_subpath", json_string(p->subpath));
	return m;
}

static void set_flags(json_t *m, const struct point *p)
{
	const struct {
		const char *key;
		bool on;
	} flags[] = {{"_copy", p->copy},       {"_hidden", p->hidden}, {"_flat", p->flat},
		     {"_ro_flat", p->ro_flat}, {"_ro_all", p->ro_all}, {"_make", p->make}};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].on)
			(void)json_object_set_new(m, flags[i].key, json_true());
}

/* Takes the place of one that came by --volumes-from; any other at the same place is an error. */
static int point_place(struct container *c, json_t *m, const char *asked, struct err *e)
{
	ssize_t at = mount_at(c, js(m, "Destination"));
	int r;

	if (!m)
		return err_nomem(e);
	if (at >= 0 && !jb(json_array_get(c->mounts, (size_t)at), "_from")) {
		json_decref(m);
		return err_invalid(e, "Duplicate mount point: %s", asked);
	}
	r = at >= 0 ? json_array_set_new(c->mounts, (size_t)at, m)
		    : json_array_append_new(c->mounts, m);
	return r < 0 ? err_nomem(e) : 0;
}

static int point_add(struct container *c, const char *asked, const struct point *p, struct err *e)
{
	auto_free char *target = NULL;
	int r = mount_path_clean(asked, &target);
	json_t *m;

	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return err_invalid(e, "invalid mount path: '%s' mount path must be absolute",
				   asked);
	if (streq(target, "/"))
		return err_invalid(e, "invalid specification: destination can't be '/'");
	m = point_json(p, target);
	if (m)
		set_flags(m, p);
	return point_place(c, m, target, e);
}

/* ---- volumes ---- */

struct volume_wish {
	const char *name, *driver; /* "" or NULL: anonymous, local */
	json_t *labels, *options;
};

static int volume_point(struct container *c, const struct volume_wish *wish, const char *target,
			struct point *p, struct err *e)
{
	auto_free char *source = NULL;
	struct volume *v;
	int r = engine_volume_driver_check(wish->driver, e);

	if (r >= 0)
		r = engine_volume_create(c->en, wish->name, wish->labels, wish->options, &v, e);
	if (r < 0)
		return r;
	source = volume_mountpoint(v);
	if (!source)
		return err_nomem(e);
	p->type = "volume";
	p->name = v->name;
	p->source = source;
	return point_add(c, target, p, e);
}

/* ---- -v ---- */

static int bind_volume(struct container *c, const char *name, const char *target, struct point *p,
		       struct err *e)
{
	const struct volume_wish wish = {.name = name,
					 .driver = js(c->host_config, "VolumeDriver")};

	p->mode = str_empty(p->mode) ? "z" : p->mode; /* what Docker shows of a volume */
	return volume_point(c, &wish, target, p, e);
}

/* "-v src:dst[:mode]" */
static int add_bind(struct container *c, const char *spec, struct err *e)
{
	auto_strv char **part = NULL;
	struct point p = {.copy = true};
	struct mount_mode mode = {0};
	auto_free char *source = NULL;
	size_t n;
	int r = strv_split(spec, ":", &part);

	if (r < 0)
		return err_nomem(e);
	n = strv_len(part);
	if (n == 0 || n > 3 || !*part[0] || (n > 1 && !*part[1]) ||
	    (n == 2 && mount_mode_parse(part[1], &mode) >= 0))
		return err_invalid(e, "invalid volume specification: '%s'", spec);
	if (n == 3 && (r = mount_mode_parse(part[2], &mode)) < 0)
		return r == -ENOMEM ? err_nomem(e) : err_invalid(e, "invalid mode: %s", part[2]);
	p.mode = n == 3 ? part[2] : NULL;
	p.ro = mode.ro;
	p.copy = !mode.nocopy;
	if (n == 1)
		return bind_volume(c, NULL, part[0], &p, e);
	if (*part[0] != '/' && mode.propagation)
		return err_invalid(e,
				   "invalid volume specification: '%s': invalid mount config for "
				   "type \"volume\": field BindOptions must not be specified",
				   spec);
	if (*part[0] != '/')
		return bind_volume(c, part[0], part[1], &p, e);
	if (mode.nocopy)
		return err_invalid(e,
				   "invalid volume specification: '%s': invalid mount config for "
				   "type \"bind\": field VolumeOptions must not be specified",
				   spec);
	if (mount_path_clean(part[0], &source) < 0)
		return err_invalid(e, "invalid volume specification: '%s'", spec);
	p.type = "bind";
	p.source = source;
	p.propagation = mode.propagation;
	p.copy = false;
	p.make = true;
	p.ro_flat = c->ro_flat;
	return point_add(c, part[1], &p, e);
}

/* ---- --mount ---- */

static int add_tmpfs(struct container *c, const json_t *m, struct err *e)
{
	const json_t *o = jo(m, "TmpfsOptions");
	json_t *list = jo(o, "Options"), *pair;
	auto_buf struct buf opts = BUF_INIT(65536);
	struct point p = {.type = "tmpfs"};
	size_t i;

	if (jb(m, "ReadOnly"))
		(void)buf_puts(&opts, "ro,");
	if (ji(o, "Mode"))
		(void)buf_printf(&opts, "mode=%o,", (unsigned)ji(o, "Mode"));
	if (ji(o, "SizeBytes") > 0)
		(void)buf_printf(&opts, "size=%lld,", (long long)ji(o, "SizeBytes"));
	json_array_foreach(list, i, pair)
	{
		(void)buf_printf(&opts, "%s,", json_string_value(json_array_get(pair, 0)));
	}
	if (buf_err(&opts))
		return err_nomem(e);
	if (opts.len)
		opts.data[--opts.len] = '\0';
	p.options = buf_str(&opts);
	p.ro = jb(m, "ReadOnly");
	return point_add(c, js(m, "Target"), &p, e);
}

static int add_volume(struct container *c, const json_t *m, struct err *e)
{
	const json_t *o = jo(m, "VolumeOptions"), *driver = jo(o, "DriverConfig");
	const struct volume_wish wish = {.name = js(m, "Source"),
					 .driver = js(driver, "Name"),
					 .labels = jo(o, "Labels"),
					 .options = jo(driver, "Options")};
	struct point p = {.ro = jb(m, "ReadOnly"),
			  .copy = !jb(o, "NoCopy"),
			  .mode = "z",
			  .subpath = js(o, "Subpath")};

	return volume_point(c, &wish, js(m, "Target"), &p, e);
}

static int add_mount(struct container *c, const json_t *m, struct err *e)
{
	const char *type = js(m, "Type"), *prop = js(jo(m, "BindOptions"), "Propagation");
	const json_t *o = jo(m, "BindOptions");
	auto_free char *source = NULL;
	struct point p = {.type = "bind",
			  .ro = jb(m, "ReadOnly"),
			  .propagation = *prop ? prop : NULL,
			  .flat = jb(o, "NonRecursive"),
			  .ro_flat = jb(o, "ReadOnlyNonRecursive") || c->ro_flat,
			  .ro_all = jb(o, "ReadOnlyForceRecursive"),
			  .make = jb(o, "CreateMountpoint")};
	int r = mount_check(m, e);

	if (r < 0)
		return r;
	if (streq(type, "tmpfs"))
		return add_tmpfs(c, m, e);
	if (streq(type, "volume"))
		return add_volume(c, m, e);
	r = mount_path_clean(js(m, "Source"), &source);
	if (r < 0)
		return r == -ENOMEM ? err_nomem(e) : err_invalid(e, "bind source path is too long");
	p.source = source;
	return point_add(c, js(m, "Target"), &p, e);
}

/* ---- --volumes-from ---- */

/* "web:ro": the mounts of another container, but for its --tmpfs. */
static int add_from(struct container *c, const char *spec, struct err *e)
{
	auto_free char *name = strndup(spec, strcspn(spec, ":"));
	const char *text = strchr(spec, ':');
	struct mount_mode mode = {0};
	struct container *other;
	json_t *m;
	size_t i;
	int r;

	if (!name)
		return err_nomem(e);
	if (!*spec)
		return err_invalid(e, "volumes-from specification cannot be an empty string");
	if (text && (mount_mode_parse(text + 1, &mode) < 0 || mode.propagation || mode.nocopy))
		return err_invalid(e, "invalid mode: %s", text + 1);
	r = engine_find(c->en, name, &other, e);
	if (r < 0 && e)
		e->kind = ERR_INVALID; /* the request names what is not there: Docker's 400 */
	if (r < 0)
		return r;
	json_array_foreach(other->mounts, i, m)
	{
		json_t *copy = jb(m, "_hidden") ? NULL : json_copy(m);
		ssize_t at = mount_at(c, js(m, "Destination"));

		if (jb(m, "_hidden"))
			continue;
		if (!copy)
			return err_nomem(e);
		(void)json_object_del(copy, "_copy");
		(void)json_object_set_new(copy, "_from", json_true());
		(void)json_object_set_new(copy, "Mode", json_string(""));
		if (mode.ro)
			(void)json_object_set_new(copy, "RW", json_false());
		if ((at < 0 ? json_array_append_new(c->mounts, copy)
			    : json_array_set_new(c->mounts, (size_t)at, copy)) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* ---- all of a create ---- */

static int add_tmpfs_flag(struct container *c, const char *target, const char *options,
			  struct err *e)
{
	struct point p = {.type = "tmpfs", .options = options, .hidden = true};
	int r = tmpfs_options_check(options, e);

	return r < 0 ? r : point_add(c, target, &p, e);
}

/* VOLUME of the image and -v /path, where nothing else is mounted */
static int add_anonymous(struct container *c, const char *target, struct err *e)
{
	const struct volume_wish wish = {.driver = js(c->host_config, "VolumeDriver")};
	struct point p = {.copy = true};
	auto_free char *clean = NULL;

	if (mount_path_clean(target, &clean) >= 0 && mount_at(c, clean) >= 0)
		return 0;
	return volume_point(c, &wish, target, &p, e);
}

int mounts_resolve(struct container *c, const json_t *image_config, char ***warnings, struct err *e)
{
	const char *target;
	json_t *v;
	size_t i;
	int r = 0;

	(void)image_config; /* its volumes were merged into Config.Volumes */
	(void)warnings;
	c->mounts = json_array();
	json_array_foreach(jo(c->host_config, "VolumesFrom"), i, v)
	{
		r = r < 0 ? r : add_from(c, json_string_value(v), e);
	}
	json_object_foreach(jo(c->host_config, "Tmpfs"), target, v)
	{
		r = r < 0 ? r : add_tmpfs_flag(c, target, json_string_value(v), e);
	}
	json_array_foreach(jo(c->host_config, "Binds"), i, v)
	{
		r = r < 0 ? r : add_bind(c, json_string_value(v), e);
	}
	json_array_foreach(jo(c->host_config, "Mounts"), i, v)
	{
		r = r < 0 ? r : add_mount(c, v, e);
	}
	json_object_foreach(jo(c->config, "Volumes"), target, v)
	{
		r = r < 0 ? r : add_anonymous(c, target, e);
	}
	return r;
}

json_t *container_mounts(struct container *c)
{
	json_t *out = json_array(), *m;
	size_t i;

	json_array_foreach(c->mounts, i, m)
	{
		json_t *copy = jb(m, "_hidden") ? NULL : json_copy(m), *unused;
		const char *key;
		void *next;

		if (!copy)
			continue;
		json_object_foreach_safe(copy, next, key, unused)
		{
			if (*key == '_')
				(void)json_object_del(copy, key);
		}
		(void)json_array_append_new(out, copy);
	}
	return out;
}

void mounts_free(struct rt_mount *m, size_t n)
{
	for (size_t i = 0; m && i < n; i++) {
		free(m[i].source);
		free(m[i].target);
		free(m[i].type);
		free(m[i].options);
	}
	free(m);
}

/* A file of the container's directory (or of the one whose network it shares) over one of the
 * image. */
static void file_mount(struct container *c, struct rt_mount *m, const char *file,
		       const char *target, bool ro)
{
	char dir[4096];
	struct container *peer = container_netns_peer(c);

	*m = (struct rt_mount){
		.source =
			str_printf("%s/%s", container_dir(peer ? peer : c, dir, sizeof(dir)), file),
		.target = strdup(target),
		.type = strdup("bind"),
		.options = strdup(ro ? "rbind,ro,rprivate" : "rbind,rw,rprivate"),
	};
}

static int by_depth(const void *a, const void *b)
{
	const struct rt_mount *x = a, *y = b;
	int dx = 0, dy = 0;

	for (const char *s = x->target; *s; s++)
		dx += *s == '/';
	for (const char *s = y->target; *s; s++)
		dy += *s == '/';
	return dx != dy ? dx - dy : strcmp(x->target, y->target);
}

/* Can this kernel make what is mounted below read-only, too? Since 5.12, by mount_setattr(2). */
static bool ro_recursive(void)
{
	return syscall(SYS_mount_setattr, -EBADF, "", 0, NULL, (size_t)0) < 0 && errno != ENOSYS;
}

/* crun takes the "r" of a propagation for one of the bind as well. */
static char *bind_options(const json_t *m)
{
	/* nothing is mounted below a file, and crun 1.8 fails to look */
	bool all = !jb(m, "_ro_flat") && !jb(m, "_file") && streq(js(m, "Type"), "bind") &&
		   ro_recursive();
	bool flat = jb(m, "_flat");
	const char *prop = js(m, "Propagation"), *kept = js(m, "_flags");

	prop = *prop ? prop : "rprivate";
	return str_printf("%s,%s%s%s%s", flat ? "bind" : "rbind",
			  jb(m, "RW") ? ""
			  : all	      ? "rro,"
				      : "ro,",
			  kept, *kept ? "," : "", prop + (flat && *prop == 'r'));
}

/* Docker's flags of a tmpfs, but for those that are contradicted. */
static char *tmpfs_options(const char *more)
{
	static const char *const flags[][2] = {
		{"noexec", "exec"}, {"nosuid", "suid"}, {"nodev", "dev"}};
	auto_buf struct buf out = BUF_INIT(65536);
	auto_strv char **words = NULL;

	if (strv_split(more, ",", &words) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (!strv_has(words, flags[i][1]))
			(void)buf_printf(&out, "%s%s", out.len ? "," : "", flags[i][0]);
	if (*more)
		(void)buf_printf(&out, "%s%s", out.len ? "," : "", more);
	return buf_err(&out) ? NULL : strdup(buf_str(&out));
}

static struct rt_mount one_mount(struct container *c, const json_t *m, size_t i)
{
	const char *more = js(m, "_options");

	if (streq(js(m, "Type"), "tmpfs"))
		return (struct rt_mount){.target = strdup(js(m, "Destination")),
					 .type = strdup("tmpfs"),
					 .options = tmpfs_options(more)};
	return (struct rt_mount){.source = mount_source(c, m, i),
				 .target = strdup(js(m, "Destination")),
				 .type = strdup("bind"),
				 .options = bind_options(m)};
}

/* /dev/shm that others may join, or that of the one whose IPC namespace is joined. Return: 1 filled
 * in, 0 the runtime makes one, -ENOMEM. */
static int shm_mount(struct container *c, struct rt_mount *ret)
{
	struct container *owner = shm_owner(c);
	auto_free char *source = NULL;

	if (!owner || mount_at(c, "/dev/shm") >= 0)
		return 0;
	source = shm_path(owner);
	if (!source)
		return -ENOMEM;
	*ret = (struct rt_mount){.source = TAKE_PTR(source),
				 .target = strdup("/dev/shm"),
				 .type = strdup("bind"),
				 .options = strdup("rbind,rw,rprivate")};
	return 1;
}

struct rt_mount *mounts_for_spec(struct container *c, size_t *ret_n)
{
	static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
	size_t n = 0, i;
	struct rt_mount *out =
		calloc(json_array_size(c->mounts) + ARRAY_SIZE(files) + 1, sizeof(*out));
	json_t *m;
	bool bad = !out;
	int extra = 0;

	for (i = 0; out && i < ARRAY_SIZE(files); i++) {
		auto_free char *target = str_printf("/etc/%s", files[i]);

		if (target && mount_at(c, target) < 0)
			file_mount(c, &out[n++], files[i], target, false);
	}
	json_array_foreach(c->mounts, i, m)
	{
		if (out)
			out[n++] = one_mount(c, m, i);
	}
	if (out && (extra = shm_mount(c, &out[n])) > 0)
		n++;
	bad = bad || extra < 0;
	for (i = 0; i < n; i++)
		bad = bad || !out[i].target || !out[i].type || !out[i].options ||
		      (streq(out[i].type, "bind") && !out[i].source);
	if (bad) {
		mounts_free(out, n);
		return NULL;
	}
	qsort(out, n, sizeof(*out), by_depth);
	*ret_n = n;
	return out;
}

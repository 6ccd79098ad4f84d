/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts.c - Binds, Mounts, image volumes and --tmpfs of a create, as resolved mount points
 *
 * A mount point is a JSON object as inspect shows it (Type, Name, Source, Destination, Driver,
 * Mode, RW, Propagation), with our own keys beside, left out of inspect: "_options" for the
 * runtime,
 * "_copy" (fill an empty volume from the image), "_hidden" (--tmpfs is no mount point in Docker).
 */

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/internal.h"

static bool volume_name_ok(const char *s)
{
	if (!isalnum((unsigned char)*s) || !s[1])
		return false;
	for (s++; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr("_.-", *s))
			return false;
	return true;
}

/* "/a//b/./c/" -> "/a/b/c"; -EINVAL where it is relative or climbs with "..". */
static int clean_path(const char *s, char **ret)
{
	auto_buf struct buf b = BUF_INIT(4096);

	if (*s != '/')
		return -EINVAL;
	while (*s) {
		size_t n;

		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (n == 2 && !strncmp(s, "..", 2))
			return -EINVAL;
		if (n && !(n == 1 && *s == '.')) {
			(void)buf_putc(&b, '/');
			(void)buf_add(&b, s, n);
		}
		s += n;
	}
	if (!b.len)
		(void)buf_putc(&b, '/');
	if (buf_err(&b))
		return buf_err(&b) == -ENOBUFS ? -EINVAL : -ENOMEM;
	*ret = buf_take(&b);
	return *ret ? 0 : -ENOMEM;
}

static bool mounted_at(const struct container *c, const char *target)
{
	size_t i;
	json_t *m;

	json_array_foreach(c->mounts, i, m) if (streq(js(m, "Destination"), target)) return true;
	return false;
}

/* What a mount is made of before it becomes a JSON object. */
struct point {
	const char *type, *name, *source, *mode, *propagation;
	bool ro, copy, hidden;
	const char *options; /* of a tmpfs */
};

static int point_add(struct container *c, const char *asked, const struct point *p, struct err *e)
{
	auto_free char *target = NULL, *opts = NULL;
	json_t *m;
	int r = clean_path(asked, &target);

	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return err_invalid(e, "invalid mount path: '%s' mount path must be absolute",
				   asked);
	if (streq(target, "/"))
		return err_invalid(e, "invalid volume specification: destination can't be '/'");
	if (mounted_at(c, target))
		return err_invalid(e, "Duplicate mount point: %s", target);
	if (streq(p->type, "tmpfs"))
		opts = str_printf("noexec,nosuid,nodev%s%s", p->options && *p->options ? "," : "",
				  p->options ? p->options : "");
	else
		opts = str_printf("rbind,%s,%s", p->ro ? "ro" : "rw",
				  p->propagation ? p->propagation : "rprivate");
	m = json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:s}", "Type", p->type, "Source",
		      p->source ? p->source : "", "Destination", target, "Mode",
		      p->mode ? p->mode : "", "RW", !p->ro, "Propagation",
		      streq(p->type, "bind") ? (p->propagation ? p->propagation : "rprivate") : "",
		      "_options", opts ? opts : "");
	if (!m || !opts)
		return err_nomem(e);
	if (p->name) {
		(void)json_object_set_new(m, "Name", json_string(p->name));
		(void)json_object_set_new(m, "Driver", json_string("local"));
	}
	if (p->copy)
		(void)json_object_set_new(m, "_copy", json_true());
	if (p->hidden)
		(void)json_object_set_new(m, "_hidden", json_true());
	return json_array_append_new(c->mounts, m) < 0 ? err_nomem(e) : 0;
}

static int volume_point(struct container *c, const char *name, const char *target, struct point *p,
			struct err *e)
{
	auto_free char *source = NULL;
	struct volume *v;
	int r = engine_volume_create(c->en, name, NULL, NULL, &v, e);

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

static int bind_options(const char *text, struct point *p)
{
	auto_strv char **opts = NULL;

	if (strv_split(text, ",", &opts) < 0)
		return -ENOMEM;
	for (size_t i = 0; opts && opts[i]; i++) {
		const char *o = opts[i];

		if (streq(o, "ro"))
			p->ro = true;
		else if (streq(o, "nocopy"))
			p->copy = false;
		else if (str_has_suffix(o, "private") || str_has_suffix(o, "shared") ||
			 str_has_suffix(o, "slave"))
			p->propagation = streq(o, "private")   ? "private"
					 : streq(o, "shared")  ? "shared"
					 : streq(o, "slave")   ? "slave"
					 : streq(o, "rshared") ? "rshared"
					 : streq(o, "rslave")  ? "rslave"
							       : "rprivate";
		else if (!streq(o, "rw") && !streq(o, "z") && !streq(o, "Z") &&
			 !streq(o, "cached") && !streq(o, "delegated") && !streq(o, "consistent") &&
			 *o)
			return -EINVAL;
	}
	return 0;
}

/* "-v src:dst[:opts]": an absolute src is made as a directory if it is not there, as Docker does.
 */
static int add_bind(struct container *c, const char *spec, struct err *e)
{
	auto_strv char **part = NULL;
	struct point p = {.copy = true};
	auto_free char *source = NULL;
	size_t n;
	int r = strv_split(spec, ":", &part);

	if (r < 0)
		return err_nomem(e);
	n = strv_len(part);
	if (n == 1)
		return volume_point(c, NULL, part[0], &p, e);
	if (n > 3 || !*part[0] || !*part[1])
		return err_invalid(e, "invalid volume specification: '%s'", spec);
	if (n == 3) {
		r = bind_options(part[2], &p);
		if (r < 0)
			return err_invalid(e, "invalid mode: %s", part[2]);
		p.mode = part[2];
	}
	if (*part[0] != '/') {
		if (!volume_name_ok(part[0]))
			return err_invalid(e,
					   "create %s: \"%s\" includes invalid characters for a "
					   "local volume name, only "
					   "\"[a-zA-Z0-9][a-zA-Z0-9_.-]\" are allowed. If you "
					   "intended to pass a host "
					   "directory, use absolute path",
					   part[0], part[0]);
		return volume_point(c, part[0], part[1], &p, e);
	}
	if (clean_path(part[0], &source) < 0)
		return err_invalid(e, "invalid volume specification: '%s'", spec);
	if (!fs_exists(source)) {
		r = fs_mkdir_p(source, 0755);
		if (r < 0)
			return err_sys(e, -r, "error while creating mount source path '%s'",
				       source);
	}
	p.type = "bind";
	p.source = source;
	p.copy = false;
	return point_add(c, part[1], &p, e);
}

static int add_mount_tmpfs(struct container *c, const json_t *m, const char *target, struct err *e)
{
	const json_t *o = jo(m, "TmpfsOptions");
	auto_free char *opts = NULL, *mode = NULL;
	struct point p = {.type = "tmpfs", .ro = jb(m, "ReadOnly")};

	if (*js(m, "Source"))
		return err_invalid(e, "invalid mount config for type \"tmpfs\": field Source must "
				      "not be specified");
	mode = ji(o, "Mode") ? str_printf(",mode=%o", (unsigned)ji(o, "Mode")) : strdup("");
	opts = ji(o, "SizeBytes") > 0
		       ? str_printf("size=%lld%s", (long long)ji(o, "SizeBytes"), mode)
		       : strdup(mode && *mode ? mode + 1 : "");
	p.options = opts;
	return point_add(c, target, &p, e);
}

static int add_mount(struct container *c, const json_t *m, struct err *e)
{
	const char *type = js(m, "Type"), *source = js(m, "Source"), *target = js(m, "Target");
	const char *prop = js(jo(m, "BindOptions"), "Propagation");
	struct point p = {.ro = jb(m, "ReadOnly")};

	if (!json_is_object(m))
		return err_invalid(e, "json: cannot unmarshal into Go struct field "
				      "HostConfig.Mounts of type mount.Mount");
	if (!*target)
		return err_invalid(
			e, "invalid mount config for type \"%s\": field Target must not be empty",
			type);
	if (streq(type, "tmpfs"))
		return add_mount_tmpfs(c, m, target, e);
	if (streq(type, "volume")) {
		p.copy = !jb(jo(m, "VolumeOptions"), "NoCopy");
		if (*source && !volume_name_ok(source))
			return err_invalid(e,
					   "invalid mount config for type \"volume\": \"%s\" is no "
					   "volume name",
					   source);
		return volume_point(c, *source ? source : NULL, target, &p, e);
	}
	if (!streq(type, "bind"))
		return err_invalid(e, "invalid mount config for type \"%s\": mount type unknown",
				   type);
	if (*source != '/')
		return err_invalid(e,
				   "invalid mount config for type \"bind\": invalid mount path: "
				   "'%s' mount path "
				   "must be absolute",
				   source);
	if (!fs_exists(source) && !jb(jo(m, "BindOptions"), "CreateMountpoint"))
		return err_invalid(e,
				   "invalid mount config for type \"bind\": bind source path does "
				   "not exist: %s",
				   source);
	if (!fs_exists(source) && fs_mkdir_p(source, 0755) < 0)
		return err_sys(e, errno, "error while creating mount source path '%s'", source);
	p.type = "bind";
	p.source = source;
	p.propagation = *prop ? prop : NULL;
	return point_add(c, target, &p, e);
}

int mounts_resolve(struct container *c, const json_t *image_config, char ***warnings, struct err *e)
{
	const char *target;
	json_t *v;
	size_t i;
	int r;

	(void)image_config; /* its volumes were merged into Config.Volumes */
	(void)warnings;
	c->mounts = json_array();
	json_array_foreach(jo(c->host_config, "Binds"), i,
			   v) if ((r = add_bind(c, json_string_value(v), e)) < 0) return r;
	json_array_foreach(jo(c->host_config, "Mounts"), i,
			   v) if ((r = add_mount(c, v, e)) < 0) return r;
	json_object_foreach(jo(c->host_config, "Tmpfs"), target, v)
	{
		struct point p = {.type = "tmpfs", .options = json_string_value(v), .hidden = true};

		if ((r = point_add(c, target, &p, e)) < 0)
			return r;
	}
	json_object_foreach(jo(c->config, "Volumes"), target, v)
	{
		struct point p = {.copy = true};
		auto_free char *clean = NULL;

		if (clean_path(target, &clean) >= 0 && mounted_at(c, clean))
			continue;
		if ((r = volume_point(c, NULL, target, &p, e)) < 0)
			return r;
	}
	return 0;
}

json_t *container_mounts(struct container *c)
{
	json_t *out = json_array(), *m;
	size_t i;

	json_array_foreach(c->mounts, i, m)
	{
		json_t *copy;

		if (jb(m, "_hidden"))
			continue;
		copy = json_copy(m);
		(void)json_object_del(copy, "_options");
		(void)json_object_del(copy, "_copy");
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

struct rt_mount *mounts_for_spec(struct container *c, size_t *ret_n)
{
	static const char *const files[] = {"resolv.conf", "hostname", "hosts"};
	size_t n = 0, i;
	struct rt_mount *out = calloc(json_array_size(c->mounts) + ARRAY_SIZE(files), sizeof(*out));
	json_t *m;
	bool bad = !out;

	for (i = 0; out && i < ARRAY_SIZE(files); i++) {
		auto_free char *target = str_printf("/etc/%s", files[i]);

		if (target && !mounted_at(c, target))
			file_mount(c, &out[n++], files[i], target, false);
	}
	json_array_foreach(c->mounts, i, m)
	{
		bool tmpfs = streq(js(m, "Type"), "tmpfs");

		if (!out)
			break;
		out[n++] = (struct rt_mount){.source = tmpfs ? NULL : strdup(js(m, "Source")),
					     .target = strdup(js(m, "Destination")),
					     .type = strdup(tmpfs ? "tmpfs" : "bind"),
					     .options = strdup(js(m, "_options"))};
	}
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

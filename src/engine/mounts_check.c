/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mounts_check.c - what may be asked of a mount: paths, the mode of a -v, one entry of Mounts
 *
 * Pure: nothing is looked up but whether a bind's source exists. The texts are Docker's.
 */

#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/mounts.h"

/* Drops the last part of an absolute path that is being built. */
static void path_up(struct buf *b)
{
	while (b->len && b->data[--b->len] != '/')
		;
	if (b->data)
		b->data[b->len] = '\0';
}

int mount_path_clean(const char *s, char **ret)
{
	auto_buf struct buf b = BUF_INIT(4096);

	if (*s != '/')
		return -EINVAL;
	while (*s) {
		size_t n;

		s += strspn(s, "/");
		n = strcspn(s, "/");
		if (n == 2 && !strncmp(s, "..", 2)) {
			path_up(&b);
		} else if (n && !(n == 1 && *s == '.')) {
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

/* ---- the mode of -v and --volumes-from ---- */

static const char *const propagations[] = {"private", "rprivate", "shared",
					   "rshared", "slave",	  "rslave"};

const char *mount_propagation(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(propagations); i++)
		if (streq(propagations[i], word))
			return propagations[i];
	return NULL;
}

/* Of each kind of word one is allowed. */
int mount_mode_parse(const char *text, struct mount_mode *ret)
{
	auto_strv char **words = NULL;
	struct mount_mode m = {0};
	unsigned rw = 0, label = 0, prop = 0, copy = 0, consistency = 0;

	if (str_empty(text)) {
		*ret = m;
		return 0;
	}
	if (strv_split(text, ",", &words) < 0)
		return -ENOMEM;
	for (size_t i = 0; words && words[i]; i++) {
		const char *w = words[i];

		if (streq(w, "ro") || streq(w, "rw")) {
			rw++;
			m.ro = streq(w, "ro");
		} else if (streq(w, "z") || streq(w, "Z")) {
			label++;
		} else if (mount_propagation(w)) {
			prop++;
			m.propagation = mount_propagation(w);
		} else if (streq(w, "nocopy")) {
			copy++;
			m.nocopy = true;
		} else if (streq(w, "consistent") || streq(w, "cached") || streq(w, "delegated")) {
			consistency++;
		} else {
			return -EINVAL;
		}
	}
	if (rw > 1 || label > 1 || prop > 1 || copy > 1 || consistency > 1)
		return -EINVAL;
	*ret = m;
	return 0;
}

/* ---- one entry of HostConfig.Mounts ---- */

#define BAD(type, ...) err_wrap_type(err_invalid(e, __VA_ARGS__), e, type)

static int err_wrap_type(int r, struct err *e, const char *type)
{
	if (e)
		(void)err_wrap(e, "invalid mount config for type \"%s\"", type);
	return r;
}

/* A key of Mount that only one type may have. */
static const struct {
	const char *key, *type;
} own_options[] = {
	{"BindOptions", "bind"},   {"VolumeOptions", "volume"},	  {"ImageOptions", "image"},
	{"TmpfsOptions", "tmpfs"}, {"ClusterOptions", "cluster"},
};

/* A path below a volume: relative, and never above it, read as text. */
static bool subpath_is_local(const char *s)
{
	int depth = 0;

	if (!*s || *s == '/')
		return false;
	while (*s) {
		size_t n = strcspn(s, "/");

		if (n == 2 && !strncmp(s, "..", 2))
			depth--;
		else if (n && !(n == 1 && *s == '.'))
			depth++;
		if (depth < 0)
			return false;
		s += n + (s[n] == '/');
	}
	return true;
}

static int check_bind(const json_t *m, struct err *e)
{
	const json_t *o = jo(m, "BindOptions");
	const char *source = js(m, "Source"), *prop = js(o, "Propagation");
	bool ro = jb(m, "ReadOnly"), flat = jb(o, "ReadOnlyNonRecursive");
	bool force = jb(o, "ReadOnlyForceRecursive");

	if (!*source)
		return BAD("bind", "field Source must not be empty");
	if (*prop && !mount_propagation(prop))
		return BAD("bind", "invalid propagation mode: %s", prop);
	if (*source != '/')
		return BAD("bind", "invalid mount path: '%s' mount path must be absolute", source);
	if (!fs_exists(source) && !jb(o, "CreateMountpoint"))
		return BAD("bind", "bind source path does not exist: %s", source);
	if (flat && !ro)
		return err_invalid(
			e, "mount options conflict: !ReadOnly && BindOptions.ReadOnlyNonRecursive");
	if (force && !ro)
		return err_invalid(e, "mount options conflict: !ReadOnly && "
				      "BindOptions.ReadOnlyForceRecursive");
	if (flat && force)
		return err_invalid(e, "mount options conflict: ReadOnlyNonRecursive && "
				      "BindOptions.ReadOnlyForceRecursive");
	return 0;
}

static int check_volume(const json_t *m, struct err *e)
{
	const char *sub = js(jo(m, "VolumeOptions"), "Subpath"), *source = js(m, "Source");

	if (*sub && !*source)
		return BAD("volume", "must not set Subpath when using anonymous volumes");
	if (*sub && !subpath_is_local(sub))
		return BAD("volume", "subpath must be a relative path within the volume");
	return 0;
}

/* TmpfsOptions.Options (1.46): [["exec"], ["noexec"]] */
static int check_tmpfs(const json_t *m, struct err *e)
{
	json_t *list = jo(jo(m, "TmpfsOptions"), "Options"), *pair;
	size_t i;

	if (*js(m, "Source"))
		return BAD("tmpfs", "field Source must not be specified");
	json_array_foreach(list, i, pair)
	{
		const char *word = json_string_value(json_array_get(pair, 0));

		if (!json_array_size(pair) || json_array_size(pair) > 2)
			return BAD("tmpfs", "invalid option array length");
		if (!streq(word, "exec") && !streq(word, "noexec"))
			return BAD("tmpfs", "invalid option: %s", word ? word : "");
	}
	return 0;
}

int mount_check(const json_t *m, struct err *e)
{
	const char *type = js(m, "Type"), *target = js(m, "Target");
	auto_free char *clean = NULL;
	int r;

	if (!json_is_object(m))
		return err_invalid(e, "json: cannot unmarshal into Go struct field "
				      "HostConfig.Mounts of type mount.Mount");
	for (size_t i = 0; i < ARRAY_SIZE(own_options); i++)
		if (jo(m, own_options[i].key) && !streq(type, own_options[i].type))
			return BAD(type, "field %s must not be specified", own_options[i].key);
	if (!*target)
		return BAD(type, "field Target must not be empty");
	r = mount_path_clean(target, &clean);
	if (r == -ENOMEM)
		return err_nomem(e);
	if (r < 0)
		return BAD(type, "invalid mount path: '%s' mount path must be absolute", target);
	if (streq(clean, "/"))
		return BAD(type, "invalid specification: destination can't be '/'");
	if (streq(type, "bind"))
		return check_bind(m, e);
	if (streq(type, "volume"))
		return check_volume(m, e);
	if (streq(type, "tmpfs"))
		return check_tmpfs(m, e);
	return BAD(type, "mount type unknown");
}

/* ---- the options of --tmpfs ---- */

static bool tmpfs_word_ok(const char *w)
{
	static const char *const words[] = {
		"defaults",   "ro",	     "rw",	     "suid",	   "nosuid",
		"dev",	      "nodev",	     "exec",	     "noexec",	   "sync",
		"async",      "dirsync",     "remount",	     "mand",	   "nomand",
		"atime",      "noatime",     "diratime",     "nodiratime", "bind",
		"rbind",      "unbindable",  "runbindable",  "private",	   "rprivate",
		"shared",     "rshared",     "slave",	     "rslave",	   "relatime",
		"norelatime", "strictatime", "nostrictatime"};
	static const char *const values[] = {
		"size=", "mode=", "uid=", "gid=", "nr_inodes=", "nr_blocks=", "mpol="};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i], w))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (str_has_prefix(w, values[i]))
			return true;
	return !*w;
}

int tmpfs_options_check(const char *text, struct err *e)
{
	auto_strv char **words = NULL;

	if (strv_split(text, ",", &words) < 0)
		return err_nomem(e);
	for (size_t i = 0; words && words[i]; i++)
		if (!tmpfs_word_ok(words[i]))
			return err_invalid(e, "invalid tmpfs option [\"%s\"]", words[i]);
	return 0;
}

/* ---- the options of a volume of the local driver ---- */

/* cifs: a port belongs into "o=", not behind the host of "//host:445/share". */
static bool has_url_port(const char *device)
{
	const char *host = strstr(device, "//");
	size_t n = host ? strcspn(host + 2, "/") : 0;

	return host && memchr(host + 2, ':', n);
}

int volume_options_check(json_t *options, struct err *e)
{
	static const struct {
		const char *key, *needs[2];
	} rows[] = {
		{"type", {"device", NULL}}, {"device", {"type", NULL}}, {"o", {"device", "type"}}};
	const char *key, *size = js(options, "size");
	int64_t bytes = 0;
	json_t *v;

	json_object_foreach(options, key, v)
	{
		if (!streq(key, "type") && !streq(key, "o") && !streq(key, "device") &&
		    !streq(key, "size"))
			return err_invalid(e, "invalid option: \"%s\"", key);
	}
	if (streq(js(options, "type"), "cifs") && has_url_port(js(options, "device")))
		return err_invalid(e,
				   "port not allowed in CIFS device URL, include 'port' in 'o='");
	if (json_object_get(options, "size") && parse_ram(size, &bytes) < 0)
		return err_invalid(e, "invalid size: '%s'", size);
	if (bytes > 0)
		return err_invalid(e, "quota size requested but no quota support");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t k = 0; json_object_get(options, rows[i].key) && k < 2; k++)
			if (rows[i].needs[k] && !json_object_get(options, rows[i].needs[k]))
				return err_invalid(e, "missing required option: \"%s\"",
						   rows[i].needs[k]);
	return 0;
}

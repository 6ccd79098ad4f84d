/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * container.c - a container's directory and its root over overlayfs
 *
 * containers/<id>/{upper,work,merged}: upper is made at the first mount, with the owner and mode of
 * the topmost layer's root, for the merged root shows upper's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "storage/internal.h"

int storage_container_add(struct storage *s, const char *id, struct err *e)
{
	static const char *const folders[] = {"", "/work", "/merged"};

	if (!storage_name_ok(id))
		return err_set(e, ERR_INTERNAL, EINVAL, "not a container id: %s", id);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		auto_free char *path = storage_path(s, "containers/%s%s", id, folders[i]);

		if (!path)
			return err_nomem(e);
		if (mkdir(path, i ? 0700 : s->mapped ? 0711 : 0710) < 0 && errno != EEXIST)
			return err_sys(e, errno, "cannot make %s", path);
	}
	return 0;
}

const char *storage_container_dir(struct storage *s, const char *id, char *out, size_t room)
{
	(void)snprintf(out, room, "%s/containers/%s", s->root, id);
	return out;
}

bool is_mount_point(const char *path)
{
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) < 0)
		return false;
	return st.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

bool storage_mounted(struct storage *s, const char *id)
{
	auto_free char *merged = storage_path(s, "containers/%s/merged", id);

	return merged && is_mount_point(merged);
}

static int make_upper(const char *upper, const char *top_layer, struct err *e)
{
	if (mkdir(upper, 0700) < 0) {
		if (errno == EEXIST)
			return 0;
		return err_sys(e, errno, "cannot make %s", upper);
	}
	auto_close int from = open(top_layer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_close int to = open(upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = from < 0 || to < 0 ? -errno : copy_attributes(from, to);

	if (r < 0) {
		(void)rmdir(upper); /* the next mount begins anew */
		return err_sys(e, -r, "cannot prepare %s", upper);
	}
	return 0;
}

static int layer_paths(struct storage *s, char *const *layers, char ***ret, struct err *e)
{
	size_t n = strv_len(layers);

	if (n == 0)
		return err_set(e, ERR_INTERNAL, EINVAL, "a root needs at least one layer");
	if (n > LIMIT_LAYERS)
		return err_invalid(e, "the image has %zu layers, at most %d can be mounted", n,
				   LIMIT_LAYERS);
	for (size_t i = 0; i < n; i++) {
		auto_free char *path = NULL;
		int r = storage_layer_path(s, layers[i], &path);

		if (r < 0)
			return err_sys(e, -r, "layer %s", layers[i]);
		if (!fs_exists(path))
			return err_set(e, ERR_INTERNAL, ENOENT, "layer %s is missing", layers[i]);
		if (strv_add(ret, path) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* the same place in the view with mapped ids */
static char *mapped_path(const struct storage *s, const char *path)
{
	return str_printf("%s%s", s->mapped, path + strlen(s->root));
}

static int mount_mapped(const struct storage *s, const struct overlay *o, struct err *e)
{
	auto_free char *upper = mapped_path(s, o->upper), *work = mapped_path(s, o->work);
	auto_strv char **lower = NULL;

	for (char *const *l = o->lower; *l; l++) {
		auto_free char *path = mapped_path(s, *l);

		if (!path || strv_add(&lower, path) < 0)
			return err_nomem(e);
	}
	if (!upper || !work)
		return err_nomem(e);
	return overlay_mount(&(struct overlay){lower, upper, work, o->target, s->uid, s->gid}, e);
}

int storage_mount(struct storage *s, const char *id, char *const *layers, bool host_ids,
		  struct err *e)
{
	auto_free char *upper = storage_path(s, "containers/%s/upper", id);
	auto_free char *work = storage_path(s, "containers/%s/work", id);
	auto_free char *merged = storage_path(s, "containers/%s/merged", id);
	auto_strv char **lower = NULL;

	if (!upper || !work || !merged)
		return err_nomem(e);
	if (is_mount_point(merged))
		return 0;
	int r = layer_paths(s, layers, &lower, e);

	if (r >= 0)
		r = lower ? make_upper(upper, lower[strv_len(lower) - 1], e)
			  : err_set(e, ERR_INTERNAL, EINVAL,
				    "the image of container %s has no layer", id);
	const struct overlay o = {lower, upper, work, merged, 0, 0};

	if (r < 0)
		return r;
	return s->mapped && !host_ids ? mount_mapped(s, &o, e) : overlay_mount(&o, e);
}

int storage_unmount(struct storage *s, const char *id, struct err *e)
{
	auto_free char *merged = storage_path(s, "containers/%s/merged", id);

	if (!merged)
		return err_nomem(e);
	if (umount2(merged, UMOUNT_NOFOLLOW) == 0 || errno == EINVAL || errno == ENOENT)
		return 0;
	if (errno != EBUSY)
		return err_sys(e, errno, "cannot unmount %s", merged);
	/* somebody looks into it: it goes when they leave */
	log_debug("lazy unmount path=%s", merged);
	if (umount2(merged, UMOUNT_NOFOLLOW | MNT_DETACH) < 0)
		return err_sys(e, errno, "cannot unmount %s", merged);
	return 0;
}

void storage_container_remove(struct storage *s, const char *id)
{
	struct err e = {0};

	if (!storage_name_ok(id))
		return;
	if (storage_unmount(s, id, &e) < 0)
		log_warn("container=%s error=\"%s\"", id, e.msg);
	auto_free char *path = storage_path(s, "containers/%s", id);

	if (path)
		storage_trash(s, path);
}

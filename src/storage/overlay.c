/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * overlay.c - one overlay mount
 *
 * The mount has "userxattr": opaque directories are marked user.overlay.opaque, not trusted.*, so
 * the process that unpacks foreign layers needs no CAP_SYS_ADMIN. Overlayfs hides and refuses that
 * prefix inside the mount, and the unpacker drops it from archives. userxattr implies no
 * redirect_dir and no metacopy: nothing in a layer can point elsewhere.
 *
 * From Linux 6.5 each layer is its own "lowerdir+" parameter and only the kernel's own limit of
 * 500 layers holds; before, all of them share one page of mount options.
 * Source: Documentation/filesystems/overlayfs.rst; fsopen(2), fsconfig(2), fsmount(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "base/userns.h"
#include "storage/internal.h"

/* <sys/mount.h> clashes with <linux/mount.h> before glibc 2.37 */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *data);

#define OPTIONS_MAX 4095 /* one page with its NUL */

static int set_str(int fs, const char *key, const char *value)
{
	return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

/* a colon or backslash would be read as a separator in the old form */
static int add_escaped(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (strchr(":\\,", *path))
			(void)buf_putc(b, '\\');
		(void)buf_putc(b, *path);
	}
	return buf_err(b);
}

int overlay_mount_text(const struct overlay *o, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(OPTIONS_MAX);
	size_t n = strv_len(o->lower);

	(void)buf_puts(&b, "userxattr,upperdir=");
	(void)add_escaped(&b, o->upper);
	(void)buf_puts(&b, ",workdir=");
	(void)add_escaped(&b, o->work);
	(void)buf_puts(&b, ",lowerdir=");
	for (size_t i = n; i-- > 0;) { /* topmost first */
		(void)add_escaped(&b, o->lower[i]);
		if (i > 0)
			(void)buf_putc(&b, ':');
	}
	if (buf_err(&b) == -ENOBUFS)
		return err_set(e, ERR_INTERNAL, E2BIG,
			       "the image has %zu layers, more than this kernel mounts "
			       "(Linux 6.5 or later takes them all)",
			       n);
	if (buf_err(&b) < 0)
		return err_nomem(e);
	if (mount("overlay", o->target, "overlay", 0, buf_str(&b)) < 0)
		return err_sys(e, errno, "cannot mount overlay on %s", o->target);
	return 0;
}

/* these two, unlike lowerdir+, are unescaped in this form too */
static int set_escaped(int fs, const char *key, const char *path)
{
	auto_buf struct buf b = BUF_INIT(OPTIONS_MAX);
	int r = add_escaped(&b, path);

	return r < 0 ? r : set_str(fs, key, buf_str(&b));
}

/* Return: 1 this kernel knows no lowerdir+; 0; -errno with *@what the parameter refused */
static int configure(int fs, const struct overlay *o, const char **what)
{
	size_t n = strv_len(o->lower);
	int r;

	for (size_t i = n; i-- > 0;) {
		*what = o->lower[i];
		r = set_str(fs, "lowerdir+", o->lower[i]);
		if (r == -EINVAL && i == n - 1)
			return 1;
		if (r < 0)
			return r;
	}
	*what = "upperdir";
	r = set_escaped(fs, "upperdir", o->upper);
	if (r < 0)
		return r;
	*what = "workdir";
	r = set_escaped(fs, "workdir", o->work);
	if (r < 0)
		return r;
	*what = "userxattr";
	if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return -errno;
	(void)set_str(fs, "source", "overlay"); /* what mount tables show */
	*what = "create";
	return syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0 ? -errno : 0;
}

static int mount_it(const struct overlay *o, struct err *e)
{
	const char *what = "fsopen";
	auto_close int fs = (int)syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC);
	int r = fs < 0 ? -errno : configure(fs, o, &what);

	if (r == 1 || r == -ENOSYS)
		return overlay_mount_text(o, e);
	if (r < 0) {
		char text[256] = "";
		ssize_t n = fs < 0 ? -1 : read(fs, text, sizeof(text) - 1); /* the kernel's words */

		text[n > 0 ? n : 0] = '\0';
		text[strcspn(text, "\n")] = '\0';
		return err_sys(e, -r, "cannot mount overlay on %s (%s%s%s)", o->target, what,
			       *text ? ": " : "", text);
	}
	auto_close int mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);

	if (mnt < 0)
		return err_sys(e, errno, "cannot mount overlay on %s", o->target);
	if (syscall(SYS_move_mount, mnt, "", AT_FDCWD, o->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, errno, "cannot place overlay on %s", o->target);
	return 0;
}

/* The kernel keeps who mounted it: as that it makes whiteouts and what it copies up. */
int overlay_mount(const struct overlay *o, struct err *e)
{
	int r;

	if (!o->uid && !o->gid)
		return mount_it(o, e);
	r = fsids_enter(o->uid, o->gid);
	if (r < 0)
		return err_sys(e, -r, "cannot mount overlay on %s", o->target);
	r = mount_it(o, e);
	fsids_leave();
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* helper_record.c - writes a layer's recipe (recipe.h) while the layer is unpacked */

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/recipe.h"
#include "image/recipe_format.h"

#define FLUSH (64u << 10)

struct recipe {
	int dir, kept, moved, out;
	char name[24];
	struct archive *a;
	struct buf buf;	   /* not yet given to @a */
	uint64_t n_files;  /* records 'F' so far */
	uint64_t n_before; /* before the entry in hand */
	uint32_t n_kept;
	int failed; /* -errno */
	bool dropped, finished;
};

static const char *beside(const struct recipe *r, const char *what, char out[40])
{
	(void)snprintf(out, 40, "%s.%s", r->name, what);
	return out;
}

static int open_out(struct recipe *r)
{
	char file[40];
	struct archive_entry *ae = archive_entry_new();
	int ok;

	r->out = openat(r->dir, beside(r, "recipe", file),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->out < 0 || !ae) {
		archive_entry_free(ae);
		return r->out < 0 ? -errno : -ENOMEM;
	}
	r->a = archive_write_new();
	archive_entry_set_pathname(ae, "recipe");
	archive_entry_set_filetype(ae, AE_IFREG);
	ok = r->a && archive_write_add_filter_zstd(r->a) == ARCHIVE_OK &&
	     archive_write_set_format_raw(r->a) == ARCHIVE_OK &&
	     archive_write_open_fd(r->a, r->out) == ARCHIVE_OK &&
	     archive_write_header(r->a, ae) == ARCHIVE_OK;
	archive_entry_free(ae);
	return ok ? 0 : -EIO;
}

int recipe_new(int dirfd, const char *name, struct recipe **ret, struct err *e)
{
	struct recipe *r = calloc(1, sizeof(*r));

	if (!r)
		return err_nomem(e);
	*r = (struct recipe){.dir = dirfd,
			     .kept = -EBADF,
			     .moved = -EBADF,
			     .out = -EBADF,
			     .buf = BUF_INIT(2 * FLUSH + RECIPE_RAW_MAX)};
	(void)snprintf(r->name, sizeof(r->name), "%s", name);
	int rc = open_out(r);

	if (rc < 0) {
		recipe_free(r);
		return err_sys(e, -rc, "cannot write the layer's recipe");
	}
	(void)buf_puts(&r->buf, RECIPE_MAGIC);
	*ret = r;
	return 0;
}

void recipe_free(struct recipe *r)
{
	char file[40];

	if (!r)
		return;
	if (r->a)
		(void)archive_write_free(r->a);
	(void)fd_close(r->out);
	(void)fd_close(r->moved);
	(void)fd_close(r->kept);
	if (!r->finished || r->dropped) {
		(void)path_remove(r->dir, beside(r, "recipe", file));
		(void)path_remove(r->dir, beside(r, "kept", file));
	}
	buf_done(&r->buf);
	free(r);
}

void recipe_drop(struct recipe *r)
{
	r->dropped = true;
}

static void flush(struct recipe *r)
{
	if (!r->failed && buf_err(&r->buf))
		r->failed = buf_err(&r->buf);
	if (!r->failed && r->buf.len &&
	    archive_write_data(r->a, r->buf.data, r->buf.len) != (la_ssize_t)r->buf.len)
		r->failed = archive_errno(r->a) > 0 ? -archive_errno(r->a) : -EIO;
	buf_clear(&r->buf);
}

static void put(struct buf *b, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		(void)buf_putc(b, (char)(value >> (8 * i)));
}

void recipe_raw(struct recipe *r, const void *data, size_t len)
{
	const char *p = data;

	while (!r->dropped && len > 0) {
		size_t piece = MIN(len, (size_t)RECIPE_RAW_MAX);

		(void)buf_putc(&r->buf, 'R');
		put(&r->buf, piece, 4);
		(void)buf_add(&r->buf, p, piece);
		if (r->buf.len >= FLUSH)
			flush(r);
		p += piece;
		len -= piece;
	}
}

void recipe_entry(struct recipe *r)
{
	r->n_before = r->n_files;
}

void recipe_file(struct recipe *r, const char *path, uint64_t size)
{
	if (r->dropped)
		return;
	(void)buf_putc(&r->buf, 'F');
	put(&r->buf, size, 8);
	put(&r->buf, strlen(path), 4);
	(void)buf_puts(&r->buf, path);
	r->n_files++;
	if (r->buf.len >= FLUSH)
		flush(r);
}

static int open_kept(struct recipe *r)
{
	char dir[40];

	if (r->kept >= 0)
		return 0;
	if (mkdirat(r->dir, beside(r, "kept", dir), 0700) < 0)
		return -errno;
	r->kept = openat(r->dir, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->kept >= 0)
		r->moved = openat(r->kept, "moved",
				  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return r->moved < 0 ? -errno : 0;
}

int recipe_keep(struct recipe *r, int dirfd, const char *name, const char *path)
{
	auto_buf struct buf b = BUF_INIT(RECIPE_PATH_MAX + 64);
	struct stat st;
	char to[16];

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (r->dropped || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) ||
	    (S_ISREG(st.st_mode) && !st.st_size))
		return 0;
	int rc = open_kept(r);

	if (rc < 0)
		return rc;
	(void)snprintf(to, sizeof(to), "k%u", r->n_kept);
	if (renameat(dirfd, name, r->kept, to) < 0)
		return -errno;
	put(&b, r->n_before, 8);
	put(&b, r->n_kept++, 4);
	put(&b, strlen(path), 4);
	(void)buf_puts(&b, path);
	rc = buf_err(&b);
	if (rc >= 0)
		rc = fs_write_all(r->moved, b.data, b.len);
	return rc < 0 ? rc : 1;
}

int recipe_finish(struct recipe *r, uint64_t size, struct err *e)
{
	(void)buf_putc(&r->buf, 'E');
	put(&r->buf, size, 8);
	flush(r);
	if (!r->failed && archive_write_close(r->a) != ARCHIVE_OK)
		r->failed = archive_errno(r->a) > 0 ? -archive_errno(r->a) : -EIO;
	if (r->failed)
		return err_sys(e, -r->failed, "cannot write the layer's recipe");
	r->finished = true;
	return 0;
}

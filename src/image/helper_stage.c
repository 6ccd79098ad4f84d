/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_stage.c - the outer archive: each file of it becomes b<n>, with size and sha256
 *
 * manifest.json may come last, so everything is staged before anything is understood. The names of
 * the archive are keys of a map here and never file names. Layers may be links to earlier ones
 * ("docker save" of old did so).
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "image/helper.h"

#define FILES_MAX 16384 /* an image has at most 127 layers, a few files each */
#define LINKS_MAX 8
#define DRAIN_MAX (64u << 20) /* padding after the end */

struct stage {
	int dir;
	struct map *blobs;
	unsigned files;
	int in;
	char block[ARCHIVE_BLOCK];
};

int stage_new(int dirfd, struct stage **ret, struct err *e)
{
	struct stage *s = calloc(1, sizeof(*s));

	if (!s || map_new(&s->blobs) < 0) {
		free(s);
		return err_nomem(e);
	}
	s->dir = dirfd;
	*ret = s;
	return 0;
}

static void blob_free(struct blob *b)
{
	if (b)
		free(b->link);
	free(b);
}

void stage_free(struct stage *s)
{
	size_t pos = 0;

	if (!s)
		return;
	for (struct blob *b; (b = map_next(s->blobs, &pos, NULL));)
		blob_free(b);
	map_free(s->blobs);
	free(s);
}

static const char *file_name(const struct blob *b, char out[16])
{
	(void)snprintf(out, 16, "b%u", b->number);
	return out;
}

static int copy_data(struct archive *a, const char *name, int fd, struct blob *b, struct err *e)
{
	struct sha256_ctx hash;
	uint8_t sum[SHA256_DIGEST_SIZE];
	const void *data;
	int64_t offset;
	size_t len;
	int r;

	sha256_init(&hash);
	while ((r = archive_read_data_block(a, &data, &len, &offset)) == ARCHIVE_OK) {
		if (offset != (int64_t)b->size)
			return err_invalid(e, "entry \"%.200s\": sparse files are not taken here",
					   name);
		b->size += len;
		sha256_update(&hash, len, data);
		if (b->size > LIMIT_LAYER_BYTES)
			return err_invalid(e, "entry \"%.200s\": larger than %llu GiB", name,
					   LIMIT_LAYER_BYTES >> 30);
		if (is_bomb((uint64_t)archive_filter_bytes(a, 0),
			    (uint64_t)archive_filter_bytes(a, -1)))
			return err_invalid(e, "the archive unpacks to more than %d times its size",
					   LIMIT_BOMB_RATIO);
		r = fs_write_all(fd, data, len);
		if (r < 0)
			return err_sys(e, -r, "cannot stage entry \"%.200s\"", name);
	}
	if (r != ARCHIVE_EOF)
		return err_invalid(e, "entry \"%.200s\": %s", name, archive_error_string(a));
	sha256_digest(&hash, sizeof(sum), sum);
	char *p = b->digest + snprintf(b->digest, sizeof(b->digest), "sha256:");

	for (size_t i = 0; i < sizeof(sum); i++)
		p += snprintf(p, 3, "%02x", sum[i]);
	return 0;
}

static int stage_file(struct stage *s, struct archive *a, const char *name, struct blob *b,
		      struct err *e)
{
	char file[16];

	b->number = s->files;
	auto_close int fd = openat(s->dir, file_name(b, file),
				   O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, errno, "cannot stage entry \"%.200s\"", name);
	return copy_data(a, name, fd, b, e);
}

/* a symbolic link's target, seen from the directory of @path, as a cleaned path of the archive */
static int link_target(const char *path, const char *target, char **ret, struct err *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *dir = strndup(path, slash ? (size_t)(slash - path) : 0);

	if (!dir)
		return err_nomem(e);
	for (; str_has_prefix(target, "../"); target += 3) {
		char *up = strrchr(dir, '/');

		if (!*dir)
			return err_invalid(e, "entry \"%.200s\": its link leads out of the archive",
					   path);
		*(up ? up : dir) = '\0';
	}
	auto_free char *joined = str_printf("%s/%s", dir, target);

	return joined ? path_clean(joined, ret, e) : err_nomem(e);
}

static int stage_entry(struct stage *s, struct archive *a, struct archive_entry *ae, struct err *e)
{
	const char *name = archive_entry_pathname(ae);
	auto_free char *path = NULL;
	struct blob *b;

	if (++s->files > FILES_MAX)
		return err_invalid(e, "the archive has more than %d files", FILES_MAX);
	if (!name)
		return err_invalid(e, "an entry has no readable name");
	int r = path_clean(name, &path, e);
	bool hard = archive_entry_hardlink(ae) != NULL;

	if (r < 0 || (!hard && archive_entry_filetype(ae) == AE_IFDIR))
		return r;
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_nomem(e);
	if (hard)
		r = path_clean(archive_entry_hardlink(ae), &b->link, e);
	else if (archive_entry_filetype(ae) == AE_IFLNK && archive_entry_symlink(ae))
		r = link_target(path, archive_entry_symlink(ae), &b->link, e);
	else if (archive_entry_filetype(ae) == AE_IFREG)
		r = stage_file(s, a, name, b, e);
	else
		r = err_invalid(e, "entry \"%.200s\": not a file", name);
	if (r >= 0) {
		blob_free(map_del(s->blobs, path));
		r = map_put(s->blobs, path, b) < 0 ? err_nomem(e) : 0;
	}
	if (r < 0)
		blob_free(b);
	return r;
}

static la_ssize_t read_in(struct archive *a, void *data, const void **buffer)
{
	struct stage *s = data;
	ssize_t n = read(s->in, s->block, sizeof(s->block));

	if (n < 0)
		archive_set_error(a, errno, "cannot read: %s", strerror(errno));
	*buffer = s->block;
	return n;
}

static int fail(struct archive *a, struct err *e)
{
	const char *text = archive_error_string(a);

	return err_invalid(e, "invalid tar archive: %s", text ? text : "unknown error");
}

static int read_entries(struct stage *s, struct archive *a, struct err *e)
{
	struct archive_entry *ae;
	int r = archive_filters(a, e);

	if (r < 0)
		return r;
	(void)archive_read_support_format_tar(a);
	if (archive_read_open(a, s, NULL, read_in, NULL) != ARCHIVE_OK)
		return fail(a, e);
	while ((r = archive_read_next_header(a, &ae)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		r = stage_entry(s, a, ae, e);
		if (r < 0)
			return r;
	}
	if (r != ARCHIVE_EOF)
		return fail(a, e);
	/* whoever sends must not meet a closed pipe because of some padding */
	for (size_t total = 0; total < DRAIN_MAX;) {
		ssize_t n = read(s->in, s->block, sizeof(s->block));

		if (n <= 0)
			break;
		total += (size_t)n;
	}
	return 0;
}

int stage_read(struct stage *s, int fd, struct err *e)
{
	struct archive *a = archive_read_new();

	if (!a)
		return err_nomem(e);
	s->in = fd;
	int r = read_entries(s, a, e);

	(void)archive_read_free(a);
	return r;
}

static const struct blob *find(struct stage *s, const char *name, struct err *e)
{
	auto_free char *path = NULL;

	if (path_clean(name, &path, e) < 0)
		return NULL;
	const struct blob *b = map_get(s->blobs, path);

	for (int i = 0; b && b->link && i < LINKS_MAX; i++)
		b = map_get(s->blobs, b->link);
	if (b && !b->link)
		return b;
	(void)err_invalid(e, "the archive lacks \"%.200s\"", name);
	return NULL;
}

bool stage_has(struct stage *s, const char *name)
{
	return find(s, name, NULL) != NULL;
}

const struct blob *stage_find(struct stage *s, const char *name, struct err *e)
{
	static const char blobs[] = "blobs/sha256/";
	const struct blob *b = find(s, name, e);

	if (b && str_has_prefix(name, blobs) &&
	    !streq(name + strlen(blobs), b->digest + strlen("sha256:"))) {
		(void)err_invalid(e, "the content of \"%.200s\" has another digest, %s", name,
				  b->digest);
		return NULL;
	}
	return b;
}

int stage_open(struct stage *s, const struct blob *b, struct err *e)
{
	char file[16];
	int fd = openat(s->dir, file_name(b, file), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "cannot open staged %s", file) : fd;
}

int stage_text(struct stage *s, const char *name, struct buf *out, struct err *e)
{
	const struct blob *b = stage_find(s, name, e);
	char file[16];

	if (!b)
		return e && e->code < 0 ? e->code : -EINVAL;
	int r = fs_read_at(s->dir, file_name(b, file), LIMIT_MANIFEST, out);

	if (r == -EFBIG)
		return err_invalid(e, "\"%.200s\" is larger than %u MiB", name,
				   LIMIT_MANIFEST >> 20);
	return r < 0 ? err_sys(e, -r, "cannot read \"%.200s\"", name) : 0;
}

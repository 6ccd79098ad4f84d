/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_recipe.c - a layer's tar made again by its recipe (recipe.h)
 *
 * A recipe lies in a layer's directory, written by a helper that read foreign bytes: each number is
 * checked, each path is opened beneath its directory, and the sum of it all is the diff id or an
 * error.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/recipe.h"
#include "image/recipe_format.h"

#define MOVED_MAX (64u << 20)

struct move { /* of a path, in their order */
	uint64_t limit;
	uint32_t kept;
	struct move *next;
};

struct reader {
	int dir, diff, kept;
	struct archive *a;
	struct map *moves; /* struct move by path; NULL: nothing moved */
	struct sha256_ctx hash;
	uint64_t written, n_files;
	bool count_only;
	recipe_write_fn write;
	void *data;
	const char *diff_id; /* for texts */
	char block[RECIPE_RAW_MAX];
};

static int broken(const struct reader *r, const char *why, struct err *e)
{
	return err_set(
		e, ERR_INTERNAL, EBADMSG,
		"layer %s cannot be made again, its recipe is damaged (%s): remove the image and "
		"load or pull it again",
		r->diff_id, why);
}

/* ---- the recipe's bytes ---- */

/* Return: 0, or 1 at the end where nothing is left */
static int take(struct reader *r, void *out, size_t len, struct err *e)
{
	size_t done = 0;

	while (done < len) {
		la_ssize_t n = archive_read_data(r->a, (char *)out + done, len - done);

		if (n < 0)
			return broken(r, archive_error_string(r->a), e);
		if (n == 0)
			return done ? broken(r, "it breaks off", e) : 1;
		done += (size_t)n;
	}
	return 0;
}

static uint64_t number(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | p[bytes];
	return v;
}

static int take_number(struct reader *r, unsigned bytes, uint64_t *ret, struct err *e)
{
	uint8_t raw[8];
	int rc = take(r, raw, bytes, e);

	if (rc)
		return rc < 0 ? rc : broken(r, "it breaks off", e);
	*ret = number(raw, bytes);
	return 0;
}

/* ---- what moved ---- */

static int add_move(struct reader *r, const char *path, uint64_t limit, uint32_t kept)
{
	struct move *m = calloc(1, sizeof(*m)), *last;

	if (!m)
		return -ENOMEM;
	*m = (struct move){.limit = limit, .kept = kept};
	last = map_get(r->moves, path);
	if (!last) {
		int rc = map_put(r->moves, path, m);

		if (rc < 0)
			free(m);
		return rc < 0 ? rc : 0;
	}
	while (last->next)
		last = last->next;
	last->next = m;
	return 0;
}

static int parse_moves(struct reader *r, const struct buf *b)
{
	const uint8_t *p = (const uint8_t *)b->data, *end = p + b->len;

	while (p < end) {
		if (end - p < 16)
			return -EBADMSG;
		uint64_t limit = number(p, 8), len = number(p + 12, 4);
		uint32_t kept = (uint32_t)number(p + 8, 4);

		p += 16;
		if (len > RECIPE_PATH_MAX || len > (uint64_t)(end - p))
			return -EBADMSG;
		auto_free char *path = strndup((const char *)p, len);
		int rc = path ? add_move(r, path, limit, kept) : -ENOMEM;

		if (rc < 0)
			return rc;
		p += len;
	}
	return 0;
}

static int read_moves(struct reader *r, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(MOVED_MAX);

	r->kept = openat(r->dir, "kept", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->kept < 0)
		return errno == ENOENT ? 0 : err_sys(e, errno, "cannot open the layer");
	int rc = fs_read_at(r->kept, "moved", MOVED_MAX, &b);

	if (rc >= 0 && map_new(&r->moves) < 0)
		return err_nomem(e);
	if (rc >= 0)
		rc = parse_moves(r, &b);
	return rc < 0 ? broken(r, "what moved", e) : 0;
}

/* the first move of @path after file @n was made */
static const struct move *find_move(const struct reader *r, const char *path, uint64_t n)
{
	const struct move *m = map_get(r->moves, path);

	while (m && m->limit <= n)
		m = m->next;
	return m;
}

/* Where file @n of the recipe, made as @path, is now: below @ret_dir. */
static char *locate(const struct reader *r, const char *path, uint64_t n, int *ret_dir)
{
	auto_free char *prefix = strdup(path);
	const struct move *first = NULL;
	size_t rest = 0;

	*ret_dir = r->diff;
	for (size_t len = strlen(path); prefix && r->moves && len > 0;) {
		prefix[len] = '\0';
		const struct move *m = find_move(r, prefix, n);

		if (m && (!first || m->limit < first->limit)) {
			first = m;
			rest = len;
		}
		while (len > 0 && prefix[--len] != '/')
			;
	}
	if (!first)
		return prefix ? strdup(path) : NULL;
	*ret_dir = r->kept;
	return str_printf("k%u%s", first->kept, path + rest);
}

/* ---- the tar's bytes ---- */

static int emit(struct reader *r, const void *data, size_t len, struct err *e)
{
	r->written += len;
	if (r->count_only)
		return 0;
	sha256_update(&r->hash, len, data);
	int rc = r->write(data, len, r->data);

	return rc < 0 ? err_sys(e, -rc, "cannot write the layer") : 0;
}

static int emit_raw(struct reader *r, struct err *e)
{
	uint64_t len = 0;
	int rc = take_number(r, 4, &len, e);

	if (rc < 0)
		return rc;
	if (len > sizeof(r->block))
		return broken(r, "a record's length", e);
	rc = take(r, r->block, len, e);
	if (rc)
		return rc < 0 ? rc : broken(r, "it breaks off", e);
	return emit(r, r->block, len, e);
}

static int open_file(struct reader *r, const char *path, uint64_t size, struct err *e)
{
	struct open_how how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	struct stat st;
	int dir;
	auto_free char *at = locate(r, path, r->n_files, &dir);

	if (!at)
		return err_nomem(e);
	auto_close int fd = (int)syscall(SYS_openat2, dir, at, &how, sizeof(how));

	if (fd < 0)
		return err_sys(e, errno, "layer %s: file %.300s", r->diff_id, path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return err_set(
			e, ERR_INTERNAL, EBADMSG,
			"layer %s: file %.300s is not as it came: remove the image and load or "
			"pull it again",
			r->diff_id, path);
	return TAKE_FD(fd);
}

static int copy_file(struct reader *r, const char *path, uint64_t size, struct err *e)
{
	auto_close int fd = open_file(r, path, size, e);
	int rc = fd < 0 ? fd : 0;

	while (rc >= 0 && size > 0) {
		ssize_t n = read(fd, r->block, MIN(size, sizeof(r->block)));

		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EBADMSG, "layer %s: file %.300s",
				       r->diff_id, path);
		rc = emit(r, r->block, (size_t)n, e);
		size -= (uint64_t)n;
	}
	return rc;
}

static int emit_file(struct reader *r, struct err *e)
{
	uint64_t size = 0, len = 0;
	char path[RECIPE_PATH_MAX + 1];
	int rc = take_number(r, 8, &size, e);

	if (rc >= 0)
		rc = take_number(r, 4, &len, e);
	if (rc < 0)
		return rc;
	if (size > LIMIT_LAYER_BYTES || len == 0 || len > RECIPE_PATH_MAX)
		return broken(r, "a file's record", e);
	rc = take(r, path, len, e);
	if (rc)
		return rc < 0 ? rc : broken(r, "it breaks off", e);
	path[len] = '\0';
	if (r->count_only)
		r->written += size;
	else
		rc = copy_file(r, path, size, e);
	r->n_files++;
	return rc;
}

static int check_end(struct reader *r, struct err *e)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char got[DIGEST_SIZE], *p = got + snprintf(got, sizeof(got), "sha256:");
	uint64_t size = 0;
	int rc = take_number(r, 8, &size, e);

	if (rc < 0)
		return rc;
	if (size != r->written)
		return broken(r, "its size", e);
	if (r->count_only)
		return 0;
	sha256_digest(&r->hash, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		p += snprintf(p, 3, "%02x", sum[i]);
	return streq(got, r->diff_id) ? 0 : broken(r, "another content came out", e);
}

static int follow(struct reader *r, struct err *e)
{
	char magic[sizeof(RECIPE_MAGIC) - 1], kind;
	int rc = take(r, magic, sizeof(magic), e);

	if (rc >= 0 && (rc > 0 || memcmp(magic, RECIPE_MAGIC, sizeof(magic)) != 0))
		rc = broken(r, "its first line", e);
	while (rc >= 0) {
		rc = take(r, &kind, 1, e);
		if (rc)
			return rc < 0 ? rc : broken(r, "it breaks off", e);
		if (r->written > LIMIT_LAYER_BYTES)
			return broken(r, "too large", e);
		switch (kind) {
		case 'R':
			rc = emit_raw(r, e);
			break;
		case 'F':
			rc = emit_file(r, e);
			break;
		case 'E':
			return check_end(r, e);
		default:
			return broken(r, "an unknown record", e);
		}
	}
	return rc;
}

/* ---- opening ---- */

static int open_recipe(struct reader *r, int fd, struct err *e)
{
	struct archive_entry *ae;

	r->a = archive_read_new();
	if (!r->a)
		return err_nomem(e);
	if (archive_read_support_filter_zstd(r->a) != ARCHIVE_OK ||
	    archive_read_support_format_raw(r->a) != ARCHIVE_OK ||
	    archive_read_open_fd(r->a, fd, ARCHIVE_BLOCK) != ARCHIVE_OK ||
	    archive_read_next_header(r->a, &ae) != ARCHIVE_OK)
		return broken(r, archive_error_string(r->a), e);
	r->diff = openat(r->dir, "diff", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->diff < 0)
		return err_sys(e, errno, "layer %s", r->diff_id);
	sha256_init(&r->hash);
	return r->count_only ? 0 : read_moves(r, e);
}

static void reader_free(struct reader *r)
{
	size_t pos = 0;

	for (struct move *m, *next; r->moves && (m = map_next(r->moves, &pos, NULL));)
		for (; m; m = next) {
			next = m->next;
			free(m);
		}
	map_free(r->moves);
	if (r->a)
		(void)archive_read_free(r->a);
	(void)fd_close(r->diff);
	(void)fd_close(r->kept);
	free(r);
}

static int run(struct reader *r, struct err *e)
{
	auto_close int fd =
		openat(r->dir, "recipe", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(
			e, ERR_INTERNAL, ENOENT,
			"layer %s cannot be made again as it came, for it was unpacked without a "
			"recipe: load or pull its image again",
			r->diff_id);
	if (fd < 0)
		return err_sys(e, errno, "layer %s", r->diff_id);
	int rc = open_recipe(r, fd, e);

	return rc < 0 ? rc : follow(r, e);
}

static struct reader *reader_new(int dirfd, const char *diff_id)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->dir = dirfd;
		r->diff = r->kept = -EBADF;
		r->diff_id = diff_id;
	}
	return r;
}

int layer_tar(int layer_dirfd, const char *diff_id, recipe_write_fn write, void *data,
	      struct err *e)
{
	struct reader *r = reader_new(layer_dirfd, diff_id);

	if (!r)
		return err_nomem(e);
	r->write = write;
	r->data = data;
	int rc = run(r, e);

	reader_free(r);
	return rc;
}

int layer_tar_size(int layer_dirfd, const char *diff_id, uint64_t *ret, struct err *e)
{
	struct reader *r = reader_new(layer_dirfd, diff_id);

	if (!r)
		return err_nomem(e);
	r->count_only = true;
	int rc = run(r, e);

	if (rc >= 0)
		*ret = r->written;
	reader_free(r);
	return rc;
}

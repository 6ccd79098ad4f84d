/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_layer.c - one layer: decompressed, hashed and unpacked in one pass
 *
 * Two archive readers in a row: the first takes the compression off (format "raw"), its bytes are
 * hashed for the diff id and counted against bombs, and the second reads them as a tar. What
 * follows the tar's end is hashed too: the diff id is that of the whole stream.
 *
 * On the way the recipe is written (recipe.h). The tar reader says where it is in the stream: what
 * lies before the body of an entry, and between bodies, is kept as it came; a body that becomes a
 * file of the tree is only named. The bytes come in blocks, ahead of the reader: those that it has
 * not reached are pending.
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "image/helper.h"
#include "image/recipe.h"

#define BOMB_FREE (64ull << 20)
#define PENDING_MAX                                                                                \
	(16u << 20) /* libarchive takes pax headers of 1 MiB, and looks ahead by blocks */

struct stream {
	int fd;
	struct archive *packed, *tar;
	struct sha256_ctx hash;
	uint64_t unpacked;
	bool ended;	/* of the packed one */
	struct err err; /* the first failure, which libarchive's text would hide */
	/* the recipe */
	struct recipe *recipe; /* NULL: none is wanted */
	struct buf pending;    /* ends where @unpacked does */
	uint64_t skip_to;      /* the end of a body that is only named */
	bool in_body;	       /* between two headers */
	char block[ARCHIVE_BLOCK];
};

bool is_bomb(uint64_t unpacked, uint64_t packed)
{
	return unpacked > BOMB_FREE && unpacked / LIMIT_BOMB_RATIO > packed;
}

int archive_filters(struct archive *a, struct err *e)
{
	/* ARCHIVE_WARN: libarchive would run an external program; the filter is not there then */
	if (archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_filter_xz(a) != ARCHIVE_OK ||
	    archive_read_support_filter_zstd(a) != ARCHIVE_OK)
		return err_set(e, ERR_INTERNAL, ENOTSUP, "libarchive lacks gzip, xz or zstd");
	return 0;
}

/* ---- the recipe ---- */

static uint64_t position(const struct stream *s)
{
	return (uint64_t)archive_filter_bytes(s->tar, 0);
}

/* pending bytes before @to are as they are in the tar */
static void record_to(struct stream *s, uint64_t to)
{
	uint64_t from = s->unpacked - s->pending.len;

	if (to <= from)
		return;
	size_t n = (size_t)MIN(to - from, s->pending.len);

	recipe_raw(s->recipe, s->pending.data, n);
	buf_consume(&s->pending, n);
}

/* the next bytes of the stream; @unpacked is before them */
static void record_bytes(struct stream *s, const char *data, size_t len)
{
	if (!s->recipe)
		return;
	if (s->in_body)
		record_to(s, position(s));
	if (s->skip_to > s->unpacked) {
		size_t n = (size_t)MIN(s->skip_to - s->unpacked, len);

		data += n;
		len -= n;
	}
	if (buf_add(&s->pending, data, len) < 0)
		recipe_drop(s->recipe);
}

/* A header that says where its file has holes: the body is no plain content then. */
static bool is_sparse(const struct stream *s, size_t header_len)
{
	static const char key[] = "GNU.sparse.";
	const char *p = s->pending.data;

	if (header_len && memmem(p, header_len, key, sizeof(key) - 1))
		return true;
	for (size_t at = 0; at + 512 <= header_len; at += 512)
		if (p[at + 156] == 'S' && !memcmp(p + at + 257, "ustar", 5))
			return true;
	return false;
}

/* the header of an entry was read: @path is what it will be in the tree, NULL nothing */
static void record_header(struct stream *s, struct archive_entry *ae, const char *path)
{
	uint64_t at = position(s), size = (uint64_t)archive_entry_size(ae);
	uint64_t from = s->unpacked - s->pending.len;
	bool plain = path && at >= from && at - from <= s->pending.len && size > 0 &&
		     !archive_entry_hardlink(ae) && archive_entry_filetype(ae) == AE_IFREG &&
		     archive_entry_sparse_count(ae) == 0 && !is_sparse(s, (size_t)(at - from));

	s->in_body = true;
	recipe_entry(s->recipe);
	record_to(s, at);
	if (!plain)
		return;
	s->skip_to = at + size;
	buf_consume(&s->pending, (size_t)MIN(size, s->pending.len));
	recipe_file(s->recipe, path, size);
}

/* The entry was unpacked; a reader that is elsewhere than it should be has seen something that we
 * have not. */
static void record_entry(struct stream *s)
{
	uint64_t at;

	(void)archive_read_data_skip(s->tar); /* a failure comes again with the next header */
	at = position(s);
	if (s->skip_to && (at < s->skip_to || at - s->skip_to >= 512))
		recipe_drop(s->recipe);
	record_to(s, at);
	s->skip_to = 0;
	s->in_body = false;
}

/* ---- the streams ---- */

static la_ssize_t read_packed(struct archive *a, void *data, const void **buffer)
{
	struct stream *s = data;
	ssize_t n = read(s->fd, s->block, sizeof(s->block));

	if (n < 0)
		archive_set_error(a, errno, "cannot read: %s", strerror(errno));
	*buffer = s->block;
	return n;
}

static la_ssize_t read_tar(struct archive *a, void *data, const void **buffer)
{
	struct stream *s = data;
	int64_t offset;
	size_t len = 0;
	int r = s->ended ? ARCHIVE_EOF : archive_read_data_block(s->packed, buffer, &len, &offset);

	if (r == ARCHIVE_EOF) {
		s->ended = true; /* libarchive must not be asked again */
		return 0;
	}
	if (r != ARCHIVE_OK) {
		(void)err_invalid(&s->err, "%s", archive_error_string(s->packed));
	} else {
		sha256_update(&s->hash, len, *buffer);
		record_bytes(s, *buffer, len);
		s->unpacked += len;
		if (s->unpacked > LIMIT_LAYER_BYTES)
			(void)err_invalid(&s->err, "it unpacks to more than %llu GiB",
					  LIMIT_LAYER_BYTES >> 30);
		else if (is_bomb(s->unpacked, (uint64_t)archive_filter_bytes(s->packed, -1)))
			(void)err_invalid(&s->err, "it unpacks to more than %d times its size",
					  LIMIT_BOMB_RATIO);
	}
	if (!s->err.code)
		return (la_ssize_t)len;
	archive_set_error(a, EINVAL, "%s", s->err.msg);
	return -1;
}

static int fail(const struct stream *s, struct archive *a, struct err *e)
{
	if (s->err.code)
		return err_invalid(e, "%s", s->err.msg);
	const char *text = archive_error_string(a);

	return err_invalid(e, "invalid tar archive: %s", text ? text : "unknown error");
}

static int open_both(struct stream *s, struct err *e)
{
	struct archive_entry *ae;

	s->packed = archive_read_new();
	s->tar = archive_read_new();
	if (!s->packed || !s->tar)
		return err_nomem(e);
	int r = archive_filters(s->packed, e);

	if (r < 0)
		return r;
	(void)archive_read_support_format_raw(s->packed);
	(void)archive_read_support_format_empty(s->packed);
	(void)archive_read_support_format_tar(s->tar);
	(void)archive_read_support_format_empty(s->tar);
	/* else two names that differ only in Unicode normalization become one */
	(void)archive_read_set_format_option(s->tar, "tar", "compat-2x", "1");
	r = archive_read_open(s->packed, s, NULL, read_packed, NULL);
	if (r == ARCHIVE_OK)
		r = archive_read_next_header(s->packed, &ae);
	if (r != ARCHIVE_OK && r != ARCHIVE_EOF)
		return fail(s, s->packed, e);
	s->ended = r == ARCHIVE_EOF;
	if (archive_read_open(s->tar, s, NULL, read_tar, NULL) != ARCHIVE_OK)
		return fail(s, s->tar, e);
	return 0;
}

static int unpack(struct stream *s, struct tree *t, struct err *e)
{
	struct archive_entry *ae;
	int r;

	/* a warning is about a name that could not be converted: tree_add() refuses it */
	while ((r = archive_read_next_header(s->tar, &ae)) == ARCHIVE_OK || r == ARCHIVE_WARN) {
		auto_free char *path = s->recipe ? tree_path(t, ae) : NULL;

		if (s->recipe)
			record_header(s, ae, path);
		r = tree_add(t, s->tar, ae, e);
		if (r < 0)
			return s->err.code ? fail(s, s->tar, e) : r;
		if (s->recipe)
			record_entry(s);
	}
	if (r != ARCHIVE_EOF)
		return fail(s, s->tar, e);
	const void *rest;
	la_ssize_t n;

	while ((n = read_tar(s->tar, s, &rest)) > 0)
		;
	if (n < 0)
		return fail(s, s->tar, e);
	if (s->recipe)
		record_to(s, s->unpacked);
	return tree_finish(t, e);
}

static void finish_hash(struct stream *s, char out[DIGEST_SIZE])
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char *p = out + snprintf(out, DIGEST_SIZE, "sha256:");

	sha256_digest(&s->hash, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		p += snprintf(p, 3, "%02x", sum[i]);
}

int layer_unpack(int fd, int dirfd, const struct tree_rules *rules, struct layer_result *ret,
		 struct err *e)
{
	struct stream *s = calloc(1, sizeof(*s));
	auto_(tree_free) struct tree *t = NULL;
	struct layer_result out = {0};

	if (!s)
		return err_nomem(e);
	s->fd = fd;
	s->recipe = rules ? rules->recipe : NULL;
	s->pending = BUF_INIT(PENDING_MAX);
	sha256_init(&s->hash);
	int r = tree_new(dirfd, rules, &t, e);

	if (r >= 0)
		r = open_both(s, e);
	if (r >= 0)
		r = unpack(s, t, e);
	if (r >= 0 && s->recipe)
		r = recipe_finish(s->recipe, s->unpacked, e);
	if (r >= 0) {
		finish_hash(s, out.diff_id);
		out.size = tree_size(t);
		*ret = out;
	}
	(void)archive_read_free(s->tar);
	(void)archive_read_free(s->packed);
	buf_done(&s->pending);
	free(s);
	return r;
}

int is_archive(int fd, struct err *e)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct archive_entry *ae;
	int r;

	if (!s)
		return err_nomem(e);
	s->fd = fd;
	sha256_init(&s->hash);
	r = open_both(s, NULL) >= 0 && !s->ended ? archive_read_next_header(s->tar, &ae)
						 : ARCHIVE_FATAL;
	(void)archive_read_free(s->tar);
	(void)archive_read_free(s->packed);
	free(s);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(e, errno, "cannot read the file again");
	return r == ARCHIVE_OK || r == ARCHIVE_WARN;
}

int layer_make(int dirfd, const char *name, int fd, struct layer_result *ret, struct err *e)
{
	struct tree_rules rules = {0};
	auto_(recipe_free) struct recipe *recipe = NULL;

	if (mkdirat(dirfd, name, 0755) < 0)
		return err_sys(e, errno, "cannot make %s", name);
	auto_close int dir = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0)
		return err_sys(e, errno, "cannot open %s", name);
	int r = recipe_new(dirfd, name, &recipe, e);

	rules.recipe = recipe;
	return r < 0 ? r : layer_unpack(fd, dir, &rules, ret, e);
}

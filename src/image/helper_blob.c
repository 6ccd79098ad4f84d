/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_blob.c - "atoll-helper blob": a layer's tar, compressed, on fd 1
 *
 * The same tar gives the same bytes each time (no time, no name, a fixed level), so that a registry
 * that was given the blob once has it. The report's line:
 *   {"packed":{"digest":"sha256:..","size":123}}
 */
#include <archive.h>
#include <archive_entry.h>
#include <nettle/sha2.h>
#include <string.h>

#include "base/fs.h"
#include "base/jsonw.h"
#include "image/helper.h"
#include "image/recipe.h"

#define LEVEL "5"

struct packer {
	struct archive *a;
	struct sha256_ctx hash;
	uint64_t size;
};

/* the compressed bytes */
static la_ssize_t on_packed(struct archive *a, void *data, const void *bytes, size_t len)
{
	struct packer *p = data;
	int r = fs_write_all(STDOUT_FILENO, bytes, len);

	if (r < 0) {
		archive_set_error(a, -r, "cannot write: %s", strerror(-r));
		return -1;
	}
	sha256_update(&p->hash, len, bytes);
	p->size += len;
	return (la_ssize_t)len;
}

/* the tar's */
static int on_tar(const void *bytes, size_t len, void *data)
{
	struct packer *p = data;

	return archive_write_data(p->a, bytes, len) == (la_ssize_t)len ? 0 : -EIO;
}

static int begin(struct packer *p, struct archive_entry *ae)
{
	archive_entry_set_pathname(ae, "tar");
	archive_entry_set_filetype(ae, AE_IFREG);
	return archive_write_set_format_raw(p->a) == ARCHIVE_OK &&
			       archive_write_add_filter_gzip(p->a) == ARCHIVE_OK &&
			       archive_write_set_filter_option(p->a, "gzip", "timestamp", NULL) ==
				       ARCHIVE_OK &&
			       archive_write_set_filter_option(p->a, "gzip", "compression-level",
							       LEVEL) == ARCHIVE_OK &&
			       archive_write_set_bytes_in_last_block(p->a, 1) == ARCHIVE_OK &&
			       archive_write_open(p->a, p, NULL, on_packed, NULL) == ARCHIVE_OK &&
			       archive_write_header(p->a, ae) == ARCHIVE_OK
		       ? 0
		       : -EIO;
}

static int pack_all(struct packer *p, int layer, const char *diff_id, struct err *e)
{
	struct archive_entry *ae = archive_entry_new();
	int r;

	p->a = archive_write_new();
	if (!p->a || !ae)
		r = err_nomem(e);
	else if (begin(p, ae) < 0)
		r = err_set(e, ERR_INTERNAL, EIO, "cannot compress: %s",
			    archive_error_string(p->a));
	else
		r = layer_tar(layer, diff_id, on_tar, p, e);
	archive_entry_free(ae);
	if (r >= 0 && archive_write_close(p->a) != ARCHIVE_OK)
		r = err_set(e, ERR_INTERNAL, EIO, "cannot compress: %s",
			    archive_error_string(p->a));
	(void)archive_write_free(p->a);
	return r;
}

static int report(struct packer *p, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(1024);
	struct jsonw w = JSONW_INIT(&b);
	uint8_t sum[SHA256_DIGEST_SIZE];
	char digest[DIGEST_SIZE], *at = digest + snprintf(digest, sizeof(digest), "sha256:");
	int r;

	sha256_digest(&p->hash, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		at += snprintf(at, 3, "%02x", sum[i]);
	jsonw_object(&w, NULL);
	jsonw_object(&w, "packed");
	jsonw_str(&w, "digest", digest);
	jsonw_u64(&w, "size", p->size);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	(void)buf_putc(&b, '\n'); /* looked at here */
	r = buf_err(&b) < 0 ? buf_err(&b) : fs_write_all(REPORT_FD, b.data, b.len);
	return r < 0 ? err_sys(e, -r, "cannot report") : 0;
}

int layer_blob(int layer, const char *diff_id, struct err *e)
{
	struct packer p = {.size = 0};
	int r;

	sha256_init(&p.hash);
	r = pack_all(&p, layer, diff_id, e);
	return r < 0 ? r : report(&p, e);
}

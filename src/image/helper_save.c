/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_save.c - images as one tar: a docker-archive that is an OCI layout, too
 *
 * What Docker 25 and later write: blobs/sha256/<digest> for layers, configs and manifests, with
 * manifest.json (Docker) and index.json and oci-layout (OCI) over them; "repositories" for old
 * ones. Nothing is written before each layer is known to have its recipe; each blob is written
 * once. Sources: OCI image-spec image-layout.md, manifest.md; moby image/tarexport/save.go
 * (format).
 */
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/recipe.h"

#define OCI	      "application/vnd.oci.image."
#define TYPE_INDEX    OCI "index.v1+json"
#define TYPE_MANIFEST OCI "manifest.v1+json"
#define TYPE_CONFIG   OCI "config.v1+json"
#define TYPE_LAYER    OCI "layer.v1.tar"
#define INDEX_MAX     (64u << 20)

struct blob_size {
	uint64_t bytes;
	bool written;
};

struct save {
	int layers; /* directory */
	struct archive *a;
	struct map *blobs; /* struct blob_size by digest */
	const json_t *images;
	struct buf index, list; /* the entries of index.json and of manifest.json */
	bool begun;
	int failed;
};

static const char *hex(const char *digest)
{
	return digest + strlen("sha256:");
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* ---- the tar ---- */

static int fail(struct save *s, const char *name, struct err *e)
{
	const char *why = archive_error_string(s->a);

	if (s->failed)
		return err_sys(e, -s->failed, "cannot write the archive");
	return err_set(e, ERR_INTERNAL, EIO, "%.300s: %s", name, why ? why : "cannot be written");
}

static la_ssize_t write_out(struct archive *a, void *data, const void *buffer, size_t len)
{
	struct save *s = data;
	int r = fs_write_all(STDOUT_FILENO, buffer, len);

	if (r < 0) {
		s->failed = r;
		archive_set_error(a, -r, "cannot write: %s", strerror(-r));
	}
	return r < 0 ? -1 : (la_ssize_t)len;
}

static int begin_entry(struct save *s, const char *name, bool dir, uint64_t size, struct err *e)
{
	struct archive_entry *ae = archive_entry_new();

	if (!ae)
		return err_nomem(e);
	archive_entry_set_pathname(ae, name);
	archive_entry_set_filetype(ae, dir ? AE_IFDIR : AE_IFREG);
	archive_entry_set_perm(ae, dir ? 0755 : 0644);
	archive_entry_set_mtime(ae, 0, 0);
	archive_entry_set_size(ae, (int64_t)size);
	int r = archive_write_header(s->a, ae) < ARCHIVE_WARN ? fail(s, name, e) : 0;

	archive_entry_free(ae);
	return r;
}

static int write_file(struct save *s, const char *name, const char *data, size_t len, struct err *e)
{
	int r = begin_entry(s, name, false, len, e);

	if (r >= 0 && archive_write_data(s->a, data, len) != (la_ssize_t)len)
		r = fail(s, name, e);
	return r;
}

/* Return: 1 it is to be written, 0 it was already, -errno */
static int blob_turn(struct save *s, const char *digest)
{
	struct blob_size *b = map_get(s->blobs, digest);

	if (!b) {
		b = calloc(1, sizeof(*b));
		if (!b || map_put(s->blobs, digest, b) < 0) {
			free(b);
			return -ENOMEM;
		}
	}
	if (b->written)
		return 0;
	b->written = true;
	return 1;
}

static int write_blob(struct save *s, const char *digest, const char *data, size_t len,
		      struct err *e)
{
	auto_free char *name = str_printf("blobs/sha256/%s", hex(digest));
	int r = name ? blob_turn(s, digest) : -ENOMEM;

	if (r <= 0)
		return r < 0 ? err_nomem(e) : 0;
	return write_file(s, name, data, len, e);
}

static int layer_piece(const void *data, size_t len, void *d)
{
	struct save *s = d;

	if (archive_write_data(s->a, data, len) == (la_ssize_t)len)
		return 0;
	return s->failed ? s->failed : -EIO;
}

static int open_layer(struct save *s, const json_t *layer, struct err *e)
{
	int fd = openat(s->layers, text(layer, "dir"),
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? err_sys(e, errno, "layer %s", text(layer, "diff")) : fd;
}

static int write_layer(struct save *s, const json_t *layer, struct err *e)
{
	const char *diff = text(layer, "diff");
	const struct blob_size *b = map_get(s->blobs, diff);
	auto_free char *name = str_printf("blobs/sha256/%s", hex(diff));
	int r = name ? blob_turn(s, diff) : -ENOMEM;

	if (r <= 0)
		return r < 0 ? err_nomem(e) : 0;
	auto_close int dir = open_layer(s, layer, e);

	r = dir < 0 ? dir : begin_entry(s, name, false, b->bytes, e);
	return r < 0 ? r : layer_tar(dir, diff, layer_piece, s, e);
}

/* ---- the documents ---- */

static uint64_t size_of(const struct save *s, const char *digest)
{
	const struct blob_size *b = map_get(s->blobs, digest);

	return b ? b->bytes : 0;
}

static void descriptor(struct jsonw *w, const char *key, const char *type, const char *digest,
		       uint64_t size)
{
	jsonw_object(w, key);
	jsonw_str(w, "mediaType", type);
	jsonw_str(w, "digest", digest);
	jsonw_u64(w, "size", size);
}

static void manifest_text(const struct save *s, const json_t *image, struct buf *out)
{
	const json_t *layers = json_object_get(image, "layers"), *l;
	struct jsonw w = JSONW_INIT(out);
	size_t i;

	jsonw_object(&w, NULL);
	jsonw_i64(&w, "schemaVersion", 2);
	jsonw_str(&w, "mediaType", TYPE_MANIFEST);
	descriptor(&w, "config", TYPE_CONFIG, text(image, "id"), strlen(text(image, "config")));
	jsonw_end_object(&w);
	jsonw_array(&w, "layers");
	json_array_foreach(layers, i, l)
	{
		descriptor(&w, NULL, TYPE_LAYER, text(l, "diff"), size_of(s, text(l, "diff")));
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
}

/* one a name, or one without */
static void index_entries(struct save *s, const json_t *image, const char *digest, uint64_t size)
{
	const json_t *tags = json_object_get(image, "tags"), *t;
	size_t n = json_array_size(tags);

	for (size_t i = 0; i < MAX(n, 1u); i++) {
		struct jsonw w = JSONW_INIT(&s->index);

		t = json_array_get(tags, i);
		if (s->index.len)
			(void)buf_putc(&s->index, ',');
		descriptor(&w, NULL, TYPE_MANIFEST, digest, size);
		if (t) {
			const char *name = text(t, "canonical");

			jsonw_object(&w, "annotations");
			jsonw_str(&w, "io.containerd.image.name", name);
			jsonw_str(&w, "org.opencontainers.image.ref.name", strrchr(name, ':') + 1);
			jsonw_end_object(&w);
		}
		jsonw_end_object(&w);
	}
}

static void list_entry_of(struct save *s, const json_t *image)
{
	const json_t *tags = json_object_get(image, "tags"), *t;
	const json_t *layers = json_object_get(image, "layers"), *l;
	struct jsonw w = JSONW_INIT(&s->list);
	size_t i;

	if (s->list.len)
		(void)buf_putc(&s->list, ',');
	jsonw_object(&w, NULL);
	jsonw_strf(&w, "Config", "blobs/sha256/%s", hex(text(image, "id")));
	if (json_array_size(tags)) {
		jsonw_array(&w, "RepoTags");
		json_array_foreach(tags, i, t) jsonw_str(&w, NULL, text(t, "familiar"));
		jsonw_end_array(&w);
	} else {
		jsonw_null(&w, "RepoTags");
	}
	jsonw_array(&w, "Layers");
	json_array_foreach(layers, i, l)
		jsonw_strf(&w, NULL, "blobs/sha256/%s", hex(text(l, "diff")));
	jsonw_end_array(&w);
	jsonw_object(&w, "LayerSources");
	json_array_foreach(layers, i, l)
	{
		descriptor(&w, text(l, "diff"), TYPE_LAYER, text(l, "diff"),
			   size_of(s, text(l, "diff")));
		jsonw_end_object(&w);
	}
	jsonw_end_object(&w);
	jsonw_end_object(&w);
}

/* {"busybox":{"latest":"<digest of the top layer>"}}; engines of old look there */
static int write_repositories(struct save *s, struct err *e)
{
	auto_json json_t *all = json_object();
	const json_t *image, *t;
	size_t i, k;

	json_array_foreach(s->images, i, image)
	{
		const json_t *layers = json_object_get(image, "layers");
		const json_t *top = json_array_get(layers, json_array_size(layers) - 1);

		json_array_foreach(json_object_get(image, "tags"), k, t)
		{
			const char *name = text(t, "familiar"), *colon = strrchr(name, ':');
			auto_free char *repo = strndup(name, (size_t)(colon - name));

			if (!repo || !top)
				continue;
			if (!json_object_get(all, repo))
				(void)json_object_set_new(all, repo, json_object());
			(void)json_object_set_new(json_object_get(all, repo), colon + 1,
						  json_string(hex(text(top, "diff"))));
		}
	}
	if (!json_object_size(all))
		return 0;
	auto_free char *out = json_dumps(all, JSON_COMPACT);

	return out ? write_file(s, "repositories", out, strlen(out), e) : err_nomem(e);
}

/* ---- one image ---- */

static int measure(struct save *s, const json_t *layer, struct err *e)
{
	const char *diff = text(layer, "diff");
	auto_free struct blob_size *b = NULL;

	if (!digest_ok(diff))
		return err_set(e, ERR_INTERNAL, EINVAL, "the request is broken");
	if (map_get(s->blobs, diff))
		return 0;
	auto_close int dir = open_layer(s, layer, e);

	if (dir < 0)
		return dir;
	b = calloc(1, sizeof(*b));
	if (!b)
		return err_nomem(e);
	int r = layer_tar_size(dir, diff, &b->bytes, e);

	if (r < 0)
		return r;
	if (map_put(s->blobs, diff, b) < 0)
		return err_nomem(e);
	(void)TAKE_PTR(b);
	return 0;
}

static int write_image(struct save *s, const json_t *image, struct err *e)
{
	auto_buf struct buf manifest = BUF_INIT(LIMIT_MANIFEST);
	const char *config = text(image, "config");
	char digest[DIGEST_SIZE];
	const json_t *l;
	size_t i;
	int r = write_blob(s, text(image, "id"), config, strlen(config), e);

	json_array_foreach(json_object_get(image, "layers"), i, l)
	{
		if (r >= 0)
			r = write_layer(s, l, e);
	}
	if (r < 0)
		return r;
	manifest_text(s, image, &manifest);
	if (buf_err(&manifest))
		return err_nomem(e);
	digest_of(manifest.data, manifest.len, digest);
	index_entries(s, image, digest, manifest.len);
	list_entry_of(s, image);
	return write_blob(s, digest, manifest.data, manifest.len, e);
}

static int write_documents(struct save *s, struct err *e)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	auto_buf struct buf b = BUF_INIT(INDEX_MAX);
	int r;

	(void)buf_printf(
		&b, "{\"schemaVersion\":2,\"mediaType\":\"" TYPE_INDEX "\",\"manifests\":[%s]}",
		buf_str(&s->index));
	if (buf_err(&b) || buf_err(&s->index) || buf_err(&s->list))
		return err_nomem(e);
	r = write_file(s, "index.json", b.data, b.len, e);
	buf_clear(&b);
	(void)buf_printf(&b, "[%s]", buf_str(&s->list));
	if (r >= 0 && buf_err(&b))
		r = err_nomem(e);
	if (r >= 0)
		r = write_file(s, "manifest.json", b.data, b.len, e);
	if (r >= 0)
		r = write_file(s, "oci-layout", layout, strlen(layout), e);
	return r < 0 ? r : write_repositories(s, e);
}

/* ---- all ---- */

static int open_archive(struct save *s, struct err *e)
{
	s->a = archive_write_new();
	if (!s->a)
		return err_nomem(e);
	if (archive_write_set_format_pax_restricted(s->a) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(s->a, ARCHIVE_BLOCK) != ARCHIVE_OK ||
	    archive_write_set_bytes_in_last_block(s->a, 1) != ARCHIVE_OK ||
	    archive_write_open(s->a, s, NULL, write_out, NULL) != ARCHIVE_OK)
		return fail(s, "the archive", e);
	return 0;
}

static int write_all(struct save *s, struct err *e)
{
	const json_t *image, *l;
	size_t i, k;
	int r = 0;

	json_array_foreach(s->images, i, image)
	{
		if (!digest_ok(text(image, "id")))
			return err_set(e, ERR_INTERNAL, EINVAL, "the request is broken");
		json_array_foreach(json_object_get(image, "layers"), k, l)
		{
			if (r >= 0)
				r = measure(s, l, e);
		}
	}
	if (r >= 0)
		r = open_archive(s, e);
	if (r >= 0)
		r = begin_entry(s, "blobs/", true, 0, e);
	if (r >= 0)
		r = begin_entry(s, "blobs/sha256/", true, 0, e);
	json_array_foreach(s->images, i, image)
	{
		if (r >= 0)
			r = write_image(s, image, e);
	}
	return r < 0 ? r : write_documents(s, e);
}

int save_work(const json_t *request, int layers, struct err *e)
{
	struct save s = {.layers = layers,
			 .images = json_object_get(request, "images"),
			 .index = BUF_INIT(INDEX_MAX),
			 .list = BUF_INIT(INDEX_MAX)};
	size_t pos = 0;
	int r = map_new(&s.blobs) < 0 ? err_nomem(e) : write_all(&s, e);

	if (s.a && r < 0)
		(void)archive_write_fail(s.a); /* no end: it must not be taken for whole */
	else if (s.a && archive_write_close(s.a) != ARCHIVE_OK)
		r = fail(&s, "the archive", e);
	(void)archive_write_free(s.a);
	for (void *b; s.blobs && (b = map_next(s.blobs, &pos, NULL));)
		free(b);
	map_free(s.blobs);
	buf_done(&s.index);
	buf_done(&s.list);
	return r;
}

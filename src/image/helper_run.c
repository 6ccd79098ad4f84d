/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helper_run.c - what atoll-helper does, from its arguments to its last line
 *
 * load: stage all, read the manifests, unpack each layer once per chain id (the same content over
 * different parents is another layer), compare its diff id with the config's, report.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/manifest.h"
#include "image/recipe.h"

#define LINE_MAX_BYTES (8 * LIMIT_MANIFEST) /* a config, each byte escaped */
#define INDEX_DEPTH    4

struct run {
	int dir;
	struct stage *stage;
	struct map *done; /* chain ids unpacked */
	unsigned layers;
};

/* ---- the report ---- */

static int send_line(struct buf *b, struct err *e)
{
	(void)buf_putc(b, '\n');
	int r = buf_err(b);

	if (r >= 0)
		r = fs_write_all(REPORT_FD, b->data, b->len);
	return r < 0 ? err_sys(e, -r, "cannot report") : 0;
}

static int report_end(struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, "end", true);
	jsonw_end_object(&w);
	return send_line(&b, e);
}

/* Whose fault it is: the machine's, where its disk or memory is full or broken; the reader's of
 * what we write; else the bytes'. */
static const char *kind_of(const struct err *why)
{
	if (why->kind == ERR_NOT_FOUND)
		return "not found";
	if (why->kind == ERR_INTERNAL && why->code == -ENOENT) /* as are those without a recipe */
		return "internal";
	switch (-why->code) {
	case ENOSPC:
	case EDQUOT:
	case EIO:
	case EROFS:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EBADMSG: /* our own layers are damaged */
		return "internal";
	case EPIPE:
		return "gone";
	}
	return "invalid";
}

static int report_error(const struct err *why)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "error", why->msg);
	jsonw_str(&w, "kind", kind_of(why));
	jsonw_end_object(&w);
	return send_line(&b, NULL);
}

int report_flag(const char *key, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(256);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_bool(&w, key, true);
	jsonw_end_object(&w);
	return send_line(&b, e);
}

int report_stat(const char *name, uint64_t size, uint32_t mode, int64_t mtime_ns,
		const char *target, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "stat");
	jsonw_str(&w, "name", name);
	jsonw_u64(&w, "size", size);
	jsonw_u64(&w, "mode", mode);
	jsonw_i64(&w, "mtime", mtime_ns);
	jsonw_str(&w, "target", target);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return send_line(&b, e);
}

static int report_layer(const char *chain, const char *dir, const struct layer_result *l,
			struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "layer");
	jsonw_str(&w, "chain", chain);
	jsonw_str(&w, "diff", l->diff_id);
	jsonw_str(&w, "dir", dir);
	jsonw_u64(&w, "size", l->size);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return send_line(&b, e);
}

static int report_image(const char *config, char *const *tags, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(LINE_MAX_BYTES);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_object(&w, "image");
	jsonw_str(&w, "config", config);
	jsonw_strv(&w, "tags", tags);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	return send_line(&b, e);
}

/* ---- layers ---- */

static int unpack_into(struct run *r, int fd, char name[16], struct layer_result *out,
		       struct err *e)
{
	(void)snprintf(name, 16, "l%u", r->layers++);
	return layer_make(r->dir, name, fd, out, e);
}

static int load_layer(struct run *r, const char *blob_name, const char *diff_id, const char *chain,
		      struct err *e)
{
	struct layer_result got = {0};
	char name[16];

	if (map_get(r->done, chain))
		return 0;
	const struct blob *b = stage_find(r->stage, blob_name, e);

	if (!b)
		return -EINVAL;
	auto_close int fd = stage_open(r->stage, b, e);

	if (fd < 0)
		return fd;
	int rc = unpack_into(r, fd, name, &got, e);

	if (rc < 0)
		return err_wrap(e, "layer %.100s", blob_name);
	if (!streq(got.diff_id, diff_id))
		return err_invalid(e,
				   "invalid diffID for layer %.100s: expected \"%s\", got \"%s\"",
				   blob_name, diff_id, got.diff_id);
	if (map_put(r->done, chain, r) < 0)
		return err_nomem(e);
	return report_layer(chain, name, &got, e);
}

static int load_image(struct run *r, const struct archive_image *im, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_MANIFEST + 1);
	auto_strv char **diff_ids = NULL;
	auto_json json_t *config = NULL;
	char chain[DIGEST_SIZE];
	int rc = stage_text(r->stage, im->config, &text, e);

	if (rc >= 0)
		rc = json_read(buf_str(&text), text.len, &config, e);
	if (rc >= 0)
		rc = config_diff_ids(config, &diff_ids, e);
	if (rc < 0)
		return err_wrap(e, "image config %.100s", im->config);
	size_t n = strv_len(im->layers);

	if (n != strv_len(diff_ids))
		return err_invalid(
			e, "invalid manifest, layers length mismatch: expected %zu, got %zu", n,
			strv_len(diff_ids));
	for (size_t i = 0; i < n && rc >= 0; i++) {
		chain_next(i ? chain : NULL, diff_ids[i], chain);
		rc = load_layer(r, im->layers[i], diff_ids[i], chain, e);
	}
	return rc < 0 ? rc : report_image(buf_str(&text), im->tags, e);
}

/* ---- the two kinds of archive ---- */

static int load_docker(struct run *r, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_MANIFEST + 1);
	struct archive_image *v = NULL;
	size_t n = 0;
	int rc = stage_text(r->stage, "manifest.json", &text, e);

	if (rc >= 0)
		rc = manifest_docker(buf_str(&text), text.len, &v, &n, e);
	for (size_t i = 0; i < n && rc >= 0; i++)
		rc = load_image(r, &v[i], e);
	archive_images_free(v, n);
	return rc;
}

static int blob_path(char **s)
{
	char *path = str_printf("blobs/sha256/%s", *s + strlen("sha256:"));

	if (!path)
		return -ENOMEM;
	free(*s);
	*s = path;
	return 0;
}

static int load_oci_manifest(struct run *r, const struct oci_entry *en, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_MANIFEST + 1);
	struct archive_image *im = calloc(1, sizeof(*im));
	auto_free char *path = strdup(en->digest);

	if (!im || !path || blob_path(&path) < 0) {
		free(im);
		return err_nomem(e);
	}
	int rc = stage_text(r->stage, path, &text, e);

	if (rc >= 0)
		rc = manifest_oci(buf_str(&text), text.len, im, e);
	if (rc >= 0 && blob_path(&im->config) < 0)
		rc = err_nomem(e);
	for (size_t i = 0; rc >= 0 && im->layers && im->layers[i]; i++)
		if (blob_path(&im->layers[i]) < 0)
			rc = err_nomem(e);
	if (rc >= 0 && en->name && strv_add(&im->tags, en->name) < 0)
		rc = err_nomem(e);
	if (rc >= 0)
		rc = load_image(r, im, e);
	archive_images_free(im, 1);
	return rc;
}

/* Return: images loaded, or -errno */
static int load_oci_index(struct run *r, const char *path, const char *name, unsigned depth,
			  struct err *e)
{
	auto_buf struct buf text = BUF_INIT(LIMIT_MANIFEST + 1);
	struct oci_entry *v = NULL;
	size_t n = 0;
	int loaded = 0;

	if (depth > INDEX_DEPTH)
		return err_invalid(e, "image indexes are nested too deep");
	int rc = stage_text(r->stage, path, &text, e);

	if (rc >= 0)
		rc = manifest_oci_index(buf_str(&text), text.len, machine_name(), &v, &n, e);
	for (size_t i = 0; i < n && rc >= 0; i++) {
		if (!v[i].name && str_set(&v[i].name, name) < 0) {
			rc = err_nomem(e);
		} else if (v[i].is_index) {
			auto_free char *below = strdup(v[i].digest);

			rc = below && blob_path(&below) >= 0
				     ? load_oci_index(r, below, v[i].name, depth + 1, e)
				     : err_nomem(e);
			loaded += MAX(rc, 0);
		} else {
			rc = load_oci_manifest(r, &v[i], e);
			loaded += rc >= 0;
		}
	}
	oci_entries_free(v, n);
	return rc < 0 ? rc : loaded;
}

static int load(struct run *r, struct err *e)
{
	int rc = stage_new(r->dir, &r->stage, e);

	if (rc >= 0)
		rc = stage_read(r->stage, STDIN_FILENO, e);
	if (rc < 0)
		return rc;
	if (stage_has(r->stage, "manifest.json"))
		return load_docker(r, e);
	if (!stage_has(r->stage, "index.json"))
		return err_invalid(e, "not an image archive: it has neither manifest.json nor "
				      "index.json");
	rc = load_oci_index(r, "index.json", NULL, 0, e);
	if (rc == 0)
		return err_invalid(e, "the archive has no image for linux/%s", machine_name());
	return rc;
}

static int import(struct run *r, struct err *e)
{
	struct layer_result got = {0};
	char name[16];
	int rc = unpack_into(r, STDIN_FILENO, name, &got, e);

	return rc < 0 ? rc : report_layer(got.diff_id, name, &got, e);
}

/* ---- verbs ---- */

/* load, import: the staging directory is the root */
static int read_archive(const char *verb, const char *dir, struct err *e)
{
	const struct view v = {.dir = dir, .root = -1};
	struct run r = {.dir = -EBADF};
	int rc = confine(&v, e);

	if (rc < 0)
		return rc;
	r.dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r.dir < 0)
		rc = err_sys(e, errno, "cannot open the staging directory");
	else if (map_new(&r.done) < 0)
		rc = err_nomem(e);
	else
		rc = streq(verb, "load") ? load(&r, e) : import(&r, e);
	if (rc >= 0 && syncfs(r.dir) < 0) /* on disk before any row names it */
		rc = err_sys(e, errno, "cannot sync");
	stage_free(r.stage);
	map_free(r.done);
	(void)fd_close(r.dir);
	return rc;
}

/* an upper directory as a layer's tar */
static int write_layer(const char *verb, const char *dir, struct err *e)
{
	const struct view v = {.dir = dir, .root = -1, .read_only = true};
	const struct pack p = {.layer = true};
	int rc = confine(&v, e);

	(void)verb;
	if (rc < 0)
		return rc;
	auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return root < 0 ? err_sys(e, errno, "cannot open the upper directory")
			: pack_tree(root, &p, STDOUT_FILENO, e);
}

static int container_files(const char *verb, const char *dir, struct err *e)
{
	struct request r;
	int rc = request_read(&r, e);
	const json_t *as = json_object_get(r.json, "userns_root");
	struct view v = {.dir = dir,
			 .root = ROOT_FD,
			 .userns = json_array_size(as) == 2 ? USERNS_FD : 0,
			 .uid = (uint32_t)json_integer_value(json_array_get(as, 0)),
			 .gid = (uint32_t)json_integer_value(json_array_get(as, 1)),
			 .read_only = !streq(verb, "put"),
			 .mounts = r.mounts,
			 .n_mounts = r.n_mounts};

	if (rc >= 0)
		rc = confine(&v, e);
	if (rc >= 0)
		rc = files_work(verb, &r, e);
	request_done(&r);
	return rc;
}

static int put_out(const void *data, size_t len, void *unused)
{
	(void)unused;
	return fs_write_all(STDOUT_FILENO, data, len);
}

/* save, tar, blob: layers as they came */
static int layers_out(const char *verb, const char *dir, struct err *e)
{
	const struct view v = {.dir = dir, .root = -1, .read_only = true};
	struct request r;
	int rc = request_read(&r, e);

	if (rc >= 0)
		rc = confine(&v, e);
	if (rc >= 0) {
		auto_close int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		const char *diff = json_string_value(json_object_get(r.json, "diff"));

		if (root < 0)
			rc = err_sys(e, errno, "cannot open the layers");
		else if (streq(verb, "save"))
			rc = save_work(r.json, root, e);
		else if (streq(verb, "blob"))
			rc = layer_blob(root, diff ? diff : "", e);
		else
			rc = layer_tar(root, diff ? diff : "", put_out, NULL, e);
	}
	request_done(&r);
	return rc;
}

static const struct verb {
	const char *name;
	int (*fn)(const char *verb, const char *dir, struct err *e);
} verbs[] = {
	{"load", read_archive},	     {"import", read_archive}, {"pack", write_layer},
	{"stat", container_files},   {"get", container_files}, {"put", container_files},
	{"export", container_files}, {"save", layers_out},     {"tar", layers_out},
	{"blob", layers_out},	     {"tree", unpack_tree},
};

/* ---- start and end ---- */

static const struct verb *find_verb(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(verbs); i++)
		if (streq(argv[1], verbs[i].name))
			return &verbs[i];
	return NULL;
}

int helper_main(int argc, char **argv)
{
	const struct verb *v = find_verb(argc, argv);
	struct err e = {0};

	if (!v) {
		(void)fprintf(stderr, "usage: atoll-helper VERB DIR, started by atolld\n");
		return 2;
	}
	/* what would open files of the host later: the locale of names, the seed of JSON tables */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	json_object_seed(0);
	int r = v->fn(v->name, argv[2], &e);

	if (r >= 0)
		r = report_end(&e);
	else
		(void)report_error(&e); /* nobody reads: nobody needs it */
	return r < 0 ? 1 : 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* world.c - the harness of world.h */

#include "world.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "image/chain.h"
#include "image/manifest.h"
#include "own.h"

#define ARCHIVE_MAX (512u << 20)

/* ---- the world ---- */

static void clean(const char *dir)
{
	if (fs_rm_tree(dir) < 0)
		fprintf(stderr, "%s stays\n", dir);
}

const char *world_enter(struct world *w)
{
	char dir[] = "/var/tmp/atoll-image-XXXXXX";

	*w = (struct world){.config = {.helper = getenv("ATOLL_HELPER"), .life_fd = -1}};
	if (geteuid() != 0)
		return "not root";
	if (!mkdtemp(dir))
		return "no directory can be made";
	if (own_processes(clean, dir) < 0 || unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", 0, NULL) < 0)
		return "namespaces cannot be made here";
	(void)umask(022);
	w->dir = strdup(dir);
	MUST(w->dir);
	return NULL;
}

void world_open(struct world *w)
{
	auto_free char *data = str_printf("%s/data", w->dir), *db = str_printf("%s/db", w->dir);
	struct err e = {0};

	MUST(data && db);
	MUST(loop_new(&w->loop) >= 0 && job_pool_new(w->loop, 2, &w->jobs) >= 0);
	if (db_open(db, &w->db, &e) < 0 || storage_open(data, w->jobs, &w->storage, &e) < 0 ||
	    images_open(w->loop, w->db, w->storage, &w->config, &w->images, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
}

void world_close(struct world *w)
{
	images_close(w->images);
	job_pool_free(w->jobs);
	storage_close(w->storage);
	db_close(w->db);
	loop_free(w->loop);
	w->images = NULL;
}

void world_settle(struct world *w)
{
	while (job_pending(w->jobs))
		(void)loop_run_once(w->loop, 50);
}

unsigned world_count(struct world *w, const char *folder)
{
	auto_free char *path = str_printf("%s/data/%s", w->dir, folder);
	DIR *d = opendir(path);
	unsigned n = 0;

	MUST(d);
	for (struct dirent *de; (de = readdir(d));)
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

char *world_layer_file(struct world *w, const char *chain, const char *name)
{
	auto_free char *diff = NULL;
	char *path;

	MUST(storage_layer_path(w->storage, chain, &diff) >= 0);
	path = str_printf("%s/%s", diff, name);
	MUST(path);
	return path;
}

/* ---- archives ---- */

static la_ssize_t to_buf(struct archive *a, void *data, const void *bytes, size_t len)
{
	(void)a;
	MUST(buf_add(data, bytes, len) >= 0);
	return (la_ssize_t)len;
}

static int filter_of(const char *how)
{
	return streq(how, "gzip")    ? ARCHIVE_FILTER_GZIP
	       : streq(how, "zstd")  ? ARCHIVE_FILTER_ZSTD
	       : streq(how, "xz")    ? ARCHIVE_FILTER_XZ
	       : streq(how, "bzip2") ? ARCHIVE_FILTER_BZIP2
				     : ARCHIVE_FILTER_NONE;
}

static void set_kind(struct archive_entry *ae, const struct item *it)
{
	static const struct {
		char type;
		unsigned kind;
	} kinds[] = {{'d', AE_IFDIR},
		     {'s', AE_IFLNK},
		     {'c', AE_IFCHR},
		     {'b', AE_IFBLK},
		     {'p', AE_IFIFO}};
	unsigned kind = AE_IFREG;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (it->type == kinds[i].type)
			kind = kinds[i].kind;
	archive_entry_set_filetype(ae, kind);
	archive_entry_set_perm(ae, it->mode ? it->mode : kind == AE_IFDIR ? 0755 : 0644);
	if (it->type == 's')
		archive_entry_set_symlink(ae, it->data);
	if (it->type == 'h')
		archive_entry_set_hardlink(ae, it->data);
	if (it->type == 'c' || it->type == 'b') {
		archive_entry_set_rdevmajor(ae, it->major);
		archive_entry_set_rdevminor(ae, it->minor);
	}
}

void tar_make(struct buf *out, const struct item *v, size_t n, const char *how)
{
	struct archive *a = archive_write_new();

	MUST(a && archive_write_add_filter(a, filter_of(how)) >= ARCHIVE_WARN);
	MUST(archive_write_set_format_pax_restricted(a) == ARCHIVE_OK);
	MUST(archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK);
	MUST(archive_write_open(a, out, NULL, to_buf, NULL) == ARCHIVE_OK);
	for (size_t i = 0; i < n; i++) {
		struct archive_entry *ae = archive_entry_new();
		bool file = v[i].type == 'f';
		size_t len = !file ? 0 : v[i].len ? v[i].len : v[i].data ? strlen(v[i].data) : 0;

		archive_entry_set_pathname(ae, v[i].name);
		set_kind(ae, &v[i]);
		archive_entry_set_uid(ae, v[i].uid);
		archive_entry_set_mtime(ae, v[i].mtime ? v[i].mtime : 1700000000, 0);
		archive_entry_set_size(ae, (int64_t)len);
		MUST(archive_write_header(a, ae) == ARCHIVE_OK);
		MUST(!len || archive_write_data(a, v[i].data, len) == (la_ssize_t)len);
		archive_entry_free(ae);
	}
	MUST(archive_write_close(a) == ARCHIVE_OK);
	archive_write_free(a);
}

char *config_text(const struct spec *s)
{
	auto_buf struct buf b = BUF_INIT(1 << 20);

	(void)buf_printf(&b,
			 "{\"architecture\":\"%s\",\"os\":\"linux\",%s\"created\":"
			 "\"2023-11-14T22:13:20Z\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":{"
			 "\"type\":\"layers\",\"diff_ids\":[",
			 machine_name(), s->extra ? s->extra : "");
	for (size_t i = 0; i < s->n; i++) {
		char id[DIGEST_SIZE];

		digest_of(s->layers[i].data, s->layers[i].len, id);
		(void)buf_printf(&b, "%s\"%s\"", i ? "," : "", id);
	}
	(void)buf_puts(&b, "]}}");
	return buf_take(&b);
}

/* one stream through a filter, as a layer travels */
static void pack(struct buf *out, const struct buf *data, const char *how)
{
	struct archive *a = archive_write_new();
	struct archive_entry *ae = archive_entry_new();

	if (streq(how, "tar")) {
		(void)buf_add(out, data->data, data->len);
	} else {
		MUST(archive_write_add_filter(a, filter_of(how)) >= ARCHIVE_WARN);
		MUST(archive_write_set_format_raw(a) == ARCHIVE_OK);
		MUST(archive_write_set_bytes_in_last_block(a, 1) == ARCHIVE_OK);
		MUST(archive_write_open(a, out, NULL, to_buf, NULL) == ARCHIVE_OK);
		archive_entry_set_filetype(ae, AE_IFREG);
		archive_entry_set_pathname(ae, "x");
		MUST(archive_write_header(a, ae) == ARCHIVE_OK);
		MUST(archive_write_data(a, data->data, data->len) == (la_ssize_t)data->len);
		MUST(archive_write_close(a) == ARCHIVE_OK);
	}
	archive_entry_free(ae);
	archive_write_free(a);
}

#define PARTS_MAX 16

struct parts {
	struct buf packed[PARTS_MAX];
	char names[PARTS_MAX][128];
	struct item items[PARTS_MAX + 8];
	size_t n;
};

static void add_part(struct parts *p, const char *name, const char *data, size_t len)
{
	p->items[p->n++] = (struct item){.name = name, .type = 'f', .data = data, .len = len};
}

static void pack_layers(struct parts *p, const struct spec *s)
{
	for (size_t i = 0; i < s->n; i++) {
		p->packed[i] = BUF_INIT(ARCHIVE_MAX);
		pack(&p->packed[i], &s->layers[i], s->how ? s->how : "tar");
	}
}

static void free_parts(struct parts *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_done(&p->packed[i]);
	free(p);
}

void docker_archive(struct buf *out, const struct spec *s)
{
	auto_free char *config = s->config ? strdup(s->config) : config_text(s);
	auto_buf struct buf manifest = BUF_INIT(1 << 20);
	struct parts *p = calloc(1, sizeof(*p));
	struct jsonw w = JSONW_INIT(&manifest);

	MUST(p && config && s->n <= PARTS_MAX);
	pack_layers(p, s);
	jsonw_array(&w, NULL);
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Config", "config.json");
	jsonw_array(&w, "RepoTags");
	if (s->tag)
		jsonw_str(&w, NULL, s->tag);
	jsonw_end_array(&w);
	jsonw_array(&w, "Layers");
	add_part(p, "config.json", config, strlen(config));
	for (size_t i = 0; i < s->n; i++) {
		snprintf(p->names[i], sizeof(p->names[i]), "l%zu/layer.tar", i);
		jsonw_str(&w, NULL, p->names[i]);
		add_part(p, p->names[i], p->packed[i].data, p->packed[i].len);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	jsonw_end_array(&w);
	add_part(p, "manifest.json", buf_str(&manifest), manifest.len);
	tar_make(out, p->items, p->n, "tar");
	free_parts(p, s->n);
}

/* puts a blob among the parts; its descriptor as JSON */
static void add_blob(struct parts *p, struct jsonw *w, const char *key, const char *type,
		     const struct buf *b)
{
	char id[DIGEST_SIZE], *name = p->names[p->n];

	digest_of(b->data, b->len, id);
	snprintf(name, sizeof(p->names[0]), "blobs/sha256/%s", id + strlen("sha256:"));
	add_part(p, name, b->data, b->len);
	jsonw_object(w, key);
	jsonw_str(w, "mediaType", type);
	jsonw_str(w, "digest", id);
	jsonw_u64(w, "size", b->len);
}

void oci_archive(struct buf *out, const struct spec *s)
{
	static const char layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
	auto_buf struct buf manifest = BUF_INIT(1 << 20), index = BUF_INIT(1 << 20);
	auto_free char *text = s->config ? strdup(s->config) : config_text(s);
	struct jsonw w = JSONW_INIT(&manifest), wi = JSONW_INIT(&index);
	struct parts *p = calloc(1, sizeof(*p));

	MUST(p && text && s->n <= PARTS_MAX - 4);
	struct buf config = {.data = text, .len = strlen(text)};

	pack_layers(p, s);
	jsonw_object(&w, NULL);
	jsonw_i64(&w, "schemaVersion", 2);
	add_blob(p, &w, "config", "application/vnd.oci.image.config.v1+json", &config);
	jsonw_end_object(&w);
	jsonw_array(&w, "layers");
	for (size_t i = 0; i < s->n; i++) {
		add_blob(p, &w, NULL, "application/vnd.oci.image.layer.v1.tar", &p->packed[i]);
		jsonw_end_object(&w);
	}
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	jsonw_object(&wi, NULL);
	jsonw_i64(&wi, "schemaVersion", 2);
	jsonw_array(&wi, "manifests");
	add_blob(p, &wi, NULL, "application/vnd.oci.image.manifest.v1+json", &manifest);
	jsonw_object(&wi, "annotations");
	if (s->tag)
		jsonw_str(&wi, "io.containerd.image.name", s->tag);
	jsonw_end_object(&wi);
	jsonw_end_object(&wi);
	jsonw_end_array(&wi);
	jsonw_end_object(&wi);
	add_part(p, "oci-layout", layout, sizeof(layout) - 1);
	add_part(p, "index.json", buf_str(&index), index.len);
	tar_make(out, p->items, p->n, "tar");
	free_parts(p, s->n);
}

/* ---- loads ---- */

static void on_progress(const char *text, void *data)
{
	struct outcome *o = data;

	MUST(!o->done && strv_add(&o->told, text) >= 0);
}

static void on_writable(void *data)
{
	((struct outcome *)data)->writable++;
}

static void on_done(int result, char *const *ids, const struct err *e, void *data)
{
	struct outcome *o = data;

	MUST(!o->done); /* exactly once */
	o->done = true;
	o->result = result;
	if (e)
		o->e = *e;
	for (; ids && *ids; ids++)
		MUST(strv_add(&o->ids, *ids) >= 0);
}

void outcome_done(struct outcome *o)
{
	strv_free(o->ids);
	strv_free(o->told);
	*o = (struct outcome){0};
}

struct image_load_ops outcome_ops(struct outcome *o)
{
	return (struct image_load_ops){
		.progress = on_progress, .writable = on_writable, .done = on_done, .data = o};
}

void wait_done(struct world *w, struct outcome *o)
{
	int64_t end = clock_mono_ns() + 60 * NS_PER_S;

	while (!o->done && clock_mono_ns() < end)
		(void)loop_run_once(w->loop, 100);
	MUST(o->done);
	world_settle(w);
}

void load_all(struct world *w, struct image_load *l, const struct buf *data, size_t piece,
	      struct outcome *o)
{
	int64_t end = clock_mono_ns() + 60 * NS_PER_S;

	for (size_t at = 0; at < data->len && !o->done;) {
		size_t len = MIN(piece, data->len - at);
		ssize_t n = image_load_write(l, data->data + at, len);

		if (n < 0)
			break; /* the end comes */
		at += (size_t)n;
		while ((size_t)n < len && !o->writable && !o->done) {
			(void)loop_run_once(w->loop, 100);
			MUST(clock_mono_ns() < end);
		}
		o->writable = 0;
	}
	if (!o->done)
		image_load_eof(l);
	wait_done(w, o);
}

void load_bytes(struct world *w, const struct buf *data, struct outcome *o)
{
	struct image_load_ops ops = outcome_ops(o);
	struct image_load *l;
	struct err e = {0};

	if (image_load_start(w->images, &ops, &l, &e) < 0) {
		fprintf(stderr, "%s\n", e.msg);
		abort();
	}
	load_all(w, l, data, 64u << 10, o);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * push.c - an image to a registry: its layers, its config, its manifest
 *
 * One after the other: is the blob there (or in another repository of that registry, then it is
 * mounted)? If not it is sent. A layer's blob is known from a pull or push of this life, or it is
 * made: atoll-helper packs the layer's exact tar, the same way each time. The manifest is version
 * 2, schema 2, as Docker's; where it went is one of the image's digests from then on.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/log.h"
#include "base/str.h"
#include "image/internal.h"
#include "image/registry_manifest.h"
#include "image/remote.h"
#include "image/task.h"
#include "loop/loop.h"
#include "state/tables.h"
#include "storage/storage.h"

#define PUSHES_MAX   64
#define MANIFEST_MAX (1u << 20)

struct push_layer {
	char diff[DIGEST_SIZE], chain[DIGEST_SIZE];
	struct blob_known blob; /* digest "": not known yet */
	bool ours, there;
};

struct image_push {
	struct list node; /* in images.pushes */
	struct images *im;
	struct image_push_ops ops;
	struct image_ref ref;
	struct registry_auth auth;
	struct remote *remote;
	struct source *first;
	struct helper_child *packer;
	char *dir; /* of the packed layer */
	char *tag; /* asked for, or NULL */
	char **tags;
	size_t at; /* of the tags */
	bool begun;
	/* of the image at hand */
	char image_id[DIGEST_SIZE];
	struct push_layer *layers;
	size_t n, layer; /* @layer == n: the config, n + 1: the manifest */
	char *config, *manifest;
};

/* ---- what was learned of blobs ---- */

void blob_learn(struct images *im, const char *diff_id, const struct blob_known *b)
{
	struct blob_known *copy = map_get(im->blobs, diff_id);

	if (!copy) {
		copy = calloc(1, sizeof(*copy));
		if (!copy || map_put(im->blobs, diff_id, copy) < 0) {
			free(copy); /* it is made again another time */
			return;
		}
	}
	free(copy->name);
	*copy = *b;
	copy->name = b->name ? strdup(b->name) : NULL;
}

void blobs_forget(struct images *im)
{
	struct blob_known *b;
	size_t pos = 0;

	while (im->blobs && (b = map_next(im->blobs, &pos, NULL))) {
		free(b->name);
		free(b);
	}
	map_free(im->blobs);
}

/* ---- life ---- */

static void tell(struct image_push *p, const char *id, const char *status, int64_t current,
		 int64_t total)
{
	if (p->ops.progress)
		p->ops.progress(id, status, current, total, p->ops.data);
}

static void tell_layer(struct image_push *p, size_t n, const char *status, int64_t current)
{
	char id[13];

	(void)snprintf(id, sizeof(id), "%.12s", p->layers[n].diff + strlen("sha256:"));
	tell(p, id, status, current, current ? p->layers[n].blob.size : 0);
}

static void drop_dir(struct image_push *p)
{
	if (p->dir)
		storage_trash(p->im->storage, p->dir);
	free(p->dir);
	p->dir = NULL;
}

static void forget_image(struct image_push *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->layers[i].blob.name);
	if (*p->image_id)
		image_release(p->im, p->image_id);
	*p->image_id = '\0';
	free(p->layers);
	free(p->config);
	free(p->manifest);
	p->layers = NULL;
	p->config = p->manifest = NULL;
	p->n = p->layer = 0;
}

static void begin_later(void *data);

/* the next one that waits gets its turn */
static void pushes_go_on(struct images *im)
{
	struct image_push *p;

	list_for_each (p, &im->pushes, node)
		if (!p->begun && !p->first) {
			/* out of memory: another end comes by here */
			(void)loop_defer(im->loop, begin_later, p, &p->first);
			return;
		}
}

static void push_free(struct image_push *p)
{
	struct images *im = p->im;

	(void)source_free(p->first);
	if (p->packer)
		helper_forget(p->packer);
	remote_close(p->remote);
	drop_dir(p);
	forget_image(p);
	list_remove(&p->node);
	image_ref_done(&p->ref);
	registry_auth_done(&p->auth);
	strv_free(p->tags);
	free(p->tag);
	free(p);
	pushes_go_on(im);
}

static void finish(struct image_push *p, int result, const struct err *e)
{
	struct image_push_ops ops = p->ops;
	struct err copy = {0};

	if (e) { /* it may be the push's own */
		copy = *e;
		log_info("push failed repository=%s/%s error=%s", p->ref.domain, p->ref.path,
			 e->msg);
	}
	push_free(p);
	ops.done(result, e ? &copy : NULL, ops.data);
}

static void fail(struct image_push *p, const struct err *e)
{
	finish(p, e->code ? e->code : -EIO, e);
}

void image_push_abort(struct image_push *p)
{
	struct err e = {0};

	finish(p, err_set(&e, ERR_INTERNAL, ECANCELED, "context canceled"), &e);
}

void pushes_drop(struct images *im)
{
	while (!list_empty(&im->pushes))
		image_push_abort(list_entry(im->pushes.next, struct image_push, node));
}

/* ---- the manifest ---- */

static void descriptor(struct jsonw *w, const char *key, const char *type, int64_t size,
		       const char *digest)
{
	jsonw_object(w, key);
	jsonw_str(w, "mediaType", type);
	jsonw_i64(w, "size", size);
	jsonw_str(w, "digest", digest);
	jsonw_end_object(w);
}

static int make_manifest(struct image_push *p, struct err *e)
{
	auto_buf struct buf b = BUF_INIT(MANIFEST_MAX);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_i64(&w, "schemaVersion", 2);
	jsonw_str(&w, "mediaType", TYPE_DOCKER_MANIFEST);
	descriptor(&w, "config", TYPE_DOCKER_CONFIG, (int64_t)strlen(p->config), p->image_id);
	jsonw_array(&w, "layers");
	for (size_t i = 0; i < p->n; i++)
		descriptor(&w, NULL, TYPE_DOCKER_LAYER, p->layers[i].blob.size,
			   p->layers[i].blob.digest);
	jsonw_end_array(&w);
	jsonw_end_object(&w);
	p->manifest = buf_take(&b);
	return p->manifest ? 0 : err_nomem(e);
}

/* ---- one step after the other ---- */

static void next_step(struct image_push *p);
static void next_tag(struct image_push *p);

static void send_or_fail(struct image_push *p, json_t *command, int fd)
{
	struct err e = {0};

	if (remote_send(p->remote, command, fd, &e) < 0)
		fail(p, &e);
}

/* another repository of this registry that has it */
static json_t *sources(const struct image_push *p, const struct push_layer *l)
{
	const struct image_ref here = {.domain = p->ref.domain, .path = p->ref.path};
	auto_free char *own = image_ref_canonical(&here);
	json_t *list = json_array();
	size_t n = strlen(p->ref.domain);

	if (list && l->blob.name && own && !streq(own, l->blob.name) &&
	    !strncmp(l->blob.name, p->ref.domain, n) && l->blob.name[n] == '/')
		(void)json_array_append_new(list, json_string(l->blob.name + n + 1)); /* or not */
	return list;
}

static void ask_layer(struct image_push *p)
{
	struct push_layer *l = &p->layers[p->layer];

	send_or_fail(p,
		     json_pack("{s:s,s:s,s:I,s:o}", "op", "blob", "digest", l->blob.digest, "size",
			       (json_int_t)l->blob.size, "from", sources(p, l)),
		     -1);
}

static void send_file(struct image_push *p, const char *digest, int64_t size, int fd)
{
	send_or_fail(p,
		     json_pack("{s:s,s:s,s:I}", "op", "blob", "digest", digest, "size",
			       (json_int_t)size),
		     fd);
}

/* ---- packing ---- */

static int on_packed(const json_t *line, void *data, struct err *e)
{
	struct image_push *p = data;
	struct push_layer *l = &p->layers[p->layer];
	const json_t *packed = json_object_get(line, "packed");
	const char *digest = json_string_value(json_object_get(packed, "digest"));

	l->blob.size = json_integer_value(json_object_get(packed, "size"));
	if (!digest_ok(digest) || l->blob.size < 0)
		return err_invalid(e, "the helper's report has no digest");
	(void)snprintf(l->blob.digest, sizeof(l->blob.digest), "%s", digest);
	l->ours = true;
	return 0;
}

static void on_pack_ended(int result, const struct err *e, void *data)
{
	struct image_push *p = data;
	struct err none = {0};

	p->packer = NULL;
	if (result >= 0 && !p->layers[p->layer].ours)
		result = err_set(&none, ERR_INTERNAL, EIO, "the layer was not packed");
	if (result < 0)
		fail(p, e ? e : &none);
	else
		ask_layer(p);
}

static int start_pack(struct image_push *p, struct err *e)
{
	const struct push_layer *l = &p->layers[p->layer];
	const struct helper_ops ops = {.line = on_packed, .done = on_pack_ended, .data = p};
	auto_json json_t *request = json_pack("{s:s}", "diff", l->diff);
	auto_free char *layer = NULL, *blob = NULL;
	struct helper_task t = HELPER_TASK_INIT;
	int r;

	drop_dir(p);
	r = storage_layer_tmp(p->im->storage, &p->dir, e);
	if (r < 0)
		return r;
	blob = str_printf("%s/blob", p->dir);
	if (!request || !blob || storage_layer_path(p->im->storage, l->chain, &layer) < 0)
		return err_nomem(e);
	*strrchr(layer, '/') = '\0'; /* "diff", and what belongs to it beside it */
	auto_close int out = open(blob, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (out < 0)
		return err_sys(e, errno, "cannot make %s", blob);
	t.verb = "blob";
	t.dir = layer;
	t.request = request;
	t.out = out;
	return helper_start(p->im, &t, &ops, &p->packer, e);
}

static void pack(struct image_push *p)
{
	struct err e = {0};

	tell_layer(p, p->layer, "Preparing", 0);
	if (start_pack(p, &e) < 0)
		fail(p, &e);
}

/* ---- steps ---- */

static void begin_layer(struct image_push *p)
{
	struct push_layer *l = &p->layers[p->layer];
	const struct blob_known *known = map_get(p->im->blobs, l->diff);

	if (!known) {
		pack(p);
		return;
	}
	l->blob = *known;
	l->blob.name = known->name ? strdup(known->name) : NULL;
	ask_layer(p);
}

static void begin_config(struct image_push *p)
{
	size_t len = strlen(p->config);
	auto_close int fd = memfd_create("config", MFD_CLOEXEC);
	struct err e = {0};
	int r = fd < 0 ? -errno : fs_write_all(fd, p->config, len);

	if (r < 0) {
		(void)err_sys(&e, -r, "cannot hold the image's config");
		fail(p, &e);
		return;
	}
	send_file(p, p->image_id, (int64_t)len, fd);
}

static void begin_manifest(struct image_push *p)
{
	struct err e = {0};

	if (make_manifest(p, &e) < 0) {
		fail(p, &e);
		return;
	}
	send_or_fail(p,
		     json_pack("{s:s,s:s,s:s,s:s}", "op", "put", "reference", p->tags[p->at],
			       "type", TYPE_DOCKER_MANIFEST, "manifest", p->manifest),
		     -1);
}

static void next_step(struct image_push *p)
{
	if (p->layer < p->n)
		begin_layer(p);
	else if (p->layer == p->n)
		begin_config(p);
	else
		begin_manifest(p);
}

static void layer_there(struct image_push *p, const char *status)
{
	struct push_layer *l = &p->layers[p->layer];
	const struct image_ref here = {.domain = p->ref.domain, .path = p->ref.path};

	tell_layer(p, p->layer, status, 0);
	free(l->blob.name);
	l->blob.name = image_ref_canonical(&here);
	blob_learn(p->im, l->diff, &l->blob);
	drop_dir(p);
	p->layer++;
	next_step(p);
}

/* what was asked for is not there: sent, or made first where only another form of it was known */
static void layer_absent(struct image_push *p)
{
	struct push_layer *l = &p->layers[p->layer];
	auto_free char *path = NULL;
	struct err e = {0};

	if (!l->ours) {
		pack(p);
		return;
	}
	path = str_printf("%s/blob", p->dir);
	auto_close int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;

	if (fd < 0) {
		(void)err_sys(&e, path ? errno : ENOMEM, "cannot open the packed layer");
		fail(p, &e);
		return;
	}
	tell_layer(p, p->layer, "Pushing", 0);
	send_file(p, l->blob.digest, l->blob.size, fd);
}

static int about_blob(struct image_push *p, const char *state, struct err *e)
{
	bool sent = streq(state, "pushed");

	if (p->layer == p->n && sent) {
		p->layer++;
		next_step(p);
	} else if (p->layer < p->n && sent) {
		layer_there(p, "Pushed");
	} else if (p->layer < p->n && streq(state, "exists")) {
		layer_there(p, "Layer already exists");
	} else if (p->layer < p->n && streq(state, "mounted")) {
		const char *slash = strchr(p->layers[p->layer].blob.name, '/');
		char text[300];

		(void)snprintf(text, sizeof(text), "Mounted from %s", slash ? slash + 1 : "");
		layer_there(p, text);
	} else if (p->layer < p->n && streq(state, "absent")) {
		layer_absent(p);
	} else {
		return err_invalid(e, "an unknown answer of the registry client");
	}
	return 0;
}

/* the manifest is there: a digest of the image's */
static int record(struct image_push *p, const char *digest, struct err *e)
{
	struct image_ref r = {
		.domain = p->ref.domain, .path = p->ref.path, .digest = (char *)digest};
	auto_free char *name = image_ref_familiar(&r), *canonical = image_ref_canonical(&r);
	struct image *i = map_get(p->im->by_id, p->image_id);
	int rc;

	if (!name || !canonical)
		return err_nomem(e);
	if (!i || i->hidden)
		return 0; /* it was deleted meanwhile */
	rc = tag_put(p->im->db, canonical, i->id, e);
	if (rc >= 0 && digest_link(p->im, i, name) < 0)
		rc = err_nomem(e);
	return rc;
}

static int about_manifest(struct image_push *p, struct err *e)
{
	size_t size = strlen(p->manifest);
	char digest[DIGEST_SIZE], text[DIGEST_SIZE + 200];
	int r;

	digest_of(p->manifest, size, digest); /* whatever was reported */
	r = record(p, digest, e);
	if (r < 0)
		return r;
	(void)snprintf(text, sizeof(text), "%s: digest: %s size: %zu", p->tags[p->at], digest,
		       size);
	tell(p, NULL, text, -1, -1);
	log_info("image pushed name=%s/%s:%s digest=%s", p->ref.domain, p->ref.path, p->tags[p->at],
		 digest);
	if (p->ops.pushed)
		p->ops.pushed(p->tags[p->at], digest, (int64_t)size, p->ops.data);
	forget_image(p);
	p->at++;
	next_tag(p);
	return 0;
}

static int on_answer(const json_t *answer, void *data, struct err *e)
{
	struct image_push *p = data;
	const json_t *v;
	struct err failed = {0};
	int64_t n;

	if (remote_failed(answer, NULL, &n, &failed) < 0) {
		fail(p, &failed);
		return 0;
	}
	if ((v = json_object_get(answer, "sent"))) {
		if (p->layer < p->n)
			tell_layer(p, p->layer, "Pushing", json_integer_value(v));
		return 0;
	}
	if ((v = json_object_get(answer, "blob")) && json_is_string(v))
		return about_blob(p, json_string_value(v), e);
	if (json_object_get(answer, "put") && p->layer == p->n + 1 && p->manifest)
		return about_manifest(p, e);
	return err_invalid(e, "an unknown answer of the registry client");
}

static void on_ended(const struct err *e, void *data)
{
	fail(data, e);
}

/* ---- images ---- */

static int read_image(struct image_push *p, const struct image *i, struct err *e)
{
	const json_t *ids = json_get(json_get(i->config, "rootfs"), "diff_ids");
	int r = image_text(p->im, i, &p->config, e);

	if (r < 0)
		return r;
	p->n = strv_len(i->layers);
	p->layers = calloc(p->n + 1, sizeof(*p->layers));
	if (!p->layers || json_array_size(ids) != p->n) {
		p->n = 0;
		return err_set(e, ERR_INTERNAL, EIO, "image %s is not whole in the store", i->id);
	}
	(void)snprintf(p->image_id, sizeof(p->image_id), "%s", i->id);
	image_hold(p->im, p->image_id); /* its layers stay, whatever is deleted meanwhile */
	for (size_t k = 0; k < p->n; k++) {
		const char *diff = json_string_value(json_array_get(ids, k));

		(void)snprintf(p->layers[k].diff, DIGEST_SIZE, "%s", diff ? diff : "");
		(void)snprintf(p->layers[k].chain, DIGEST_SIZE, "%s", i->layers[k]);
		tell_layer(p, k, "Preparing", 0);
	}
	return 0;
}

static int begin_tag(struct image_push *p, struct err *e)
{
	struct image_ref r = {.domain = p->ref.domain, .path = p->ref.path, .tag = p->tags[p->at]};
	auto_free char *name = image_ref_familiar(&r);
	const struct image *i = name ? map_get(p->im->by_tag, name) : NULL;

	if (!name)
		return err_nomem(e);
	return i ? read_image(p, i, e) : err_not_found(e, "tag does not exist: %s", name);
}

static void next_tag(struct image_push *p)
{
	struct err e = {0};

	if (!p->tags || !p->tags[p->at])
		finish(p, 0, NULL);
	else if (begin_tag(p, &e) < 0)
		fail(p, &e);
	else
		next_step(p);
}

/* ---- the start ---- */

/* all tags of the repository, or the one that was named */
static int find_tags(struct image_push *p, struct err *e)
{
	const char *tag = p->tag;
	struct image_ref r = {.domain = p->ref.domain, .path = p->ref.path};
	auto_free char *repository = image_ref_familiar(&r);
	size_t n = repository ? strlen(repository) : 0, pos = 0;
	const char *name;

	if (!repository)
		return err_nomem(e);
	while (map_next(p->im->by_tag, &pos, &name))
		if (!strncmp(name, repository, n) && name[n] == ':' &&
		    (str_empty(tag) || streq(name + n + 1, tag)) &&
		    strv_add(&p->tags, name + n + 1) < 0)
			return err_nomem(e);
	return p->tags ? 0
		       : err_not_found(e, "An image does not exist locally with the tag: %s",
				       repository);
}

static unsigned busy(const struct images *im)
{
	struct image_push *p;
	unsigned n = 0;

	list_for_each (p, &im->pushes, node)
		n += p->begun;
	return n;
}

static void begin_later(void *data)
{
	struct image_push *p = data;
	auto_free char *text =
		str_printf("The push refers to repository [%s/%s]", p->ref.domain, p->ref.path);

	struct err e = {0};

	p->first = NULL; /* one-shot */
	if (busy(p->im) >= MAX(p->im->registry->max_uploads, 1u))
		return; /* push_free() of another one comes back here */
	p->begun = true;
	if (text)
		tell(p, NULL, text, -1, -1);
	if (find_tags(p, &e) < 0)
		fail(p, &e);
	else
		next_tag(p);
}

static int begin(struct image_push *p, const char *name, const char *tag, const char *auth,
		 struct err *e)
{
	const struct remote_ops ops = {.answer = on_answer, .ended = on_ended, .data = p};
	const struct remote_spec spec = {.ref = &p->ref, .actions = "pull,push", .auth = &p->auth};
	int r = image_ref_parse(name, &p->ref, e);

	if (r >= 0 && p->ref.digest)
		r = err_invalid(e, "cannot push a digest reference");
	if (r >= 0 && str_empty(tag) && p->ref.tag_given)
		tag = p->ref.tag;
	if (r >= 0 && !str_empty(tag) && !image_tag_ok(tag))
		r = err_invalid(e, "invalid tag format");
	if (r >= 0 && str_set(&p->tag, tag) < 0)
		r = err_nomem(e);
	if (r < 0)
		return r;
	(void)registry_auth_parse(auth, &p->auth, NULL); /* broken counts as none */
	r = remote_open(p->im, &spec, &ops, &p->remote, e);
	if (r >= 0)
		r = loop_defer(p->im->loop, begin_later, p, &p->first);
	return r;
}

int image_push_start(struct images *im, const char *name, const char *tag, const char *auth,
		     const struct image_push_ops *ops, struct image_push **ret, struct err *e)
{
	struct image_push *p;
	int r;

	if (list_len(&im->pushes) >= PUSHES_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d images are being pushed already",
			       PUSHES_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_nomem(e);
	p->im = im;
	list_append(&im->pushes, &p->node);
	r = begin(p, name, tag, auth, e);
	if (r < 0) {
		push_free(p);
		return r;
	}
	p->ops = *ops;
	*ret = p;
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pull.c - the pull of an image: from a reference to rows in the store
 *
 * A session with the registry finds the manifest and the config; layers that are not here come side
 * by side, as many at once as the configuration allows for all pulls together, and are unpacked
 * while they come. When all are there, in one turn of the loop: layers move to their places, the
 * rows commit, the end is told. Nothing is visible before, and an abort or a failure leaves
 * nothing. A layer that was here when the pull began may be gone at its end, with its last image:
 * then it is fetched after all. Two pulls of the same layer both fetch it; the second to end finds
 * it there.
 *
 * The documents that the registry client reports are checked from the first one down: each must
 * have the digest that the one before names.
 */
#include "image/pull.h"

#include <string.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "image/manifest.h"
#include "image/remote.h"
#include "storage/storage.h"

#define PULLS_MAX 64 /* side by side; each is a process */

/* ---- what clients hear ---- */

void pull_tell(struct image_pull *p, const char *id, const char *status)
{
	if (p->ops.progress)
		p->ops.progress(id, status, -1, -1, p->ops.data);
}

/* ---- life ---- */

static void forget_image(struct image_pull *p)
{
	for (size_t i = 0; p->layers && i < p->manifest.n; i++)
		layer_done(&p->layers[i]);
	free(p->layers);
	p->layers = NULL;
	registry_manifest_done(&p->manifest);
	free(p->config);
	p->config = NULL;
	p->found = false;
}

static void pull_free(struct image_pull *p)
{
	struct images *im = p->im;

	forget_image(p);
	remote_close(p->remote);
	list_remove(&p->node);
	image_ref_done(&p->ref);
	registry_auth_done(&p->auth);
	strv_free(p->tags);
	free(p->tag);
	free(p);
	pulls_go_on(im);
}

static void finish(struct image_pull *p, int result, const struct err *e)
{
	struct image_pull_ops ops = p->ops;

	pull_free(p);
	ops.done(result, e, ops.data);
}

void pull_fail(struct image_pull *p, const struct err *e)
{
	struct err copy = *e; /* it may be the pull's own */

	log_info("pull failed repository=%s/%s error=%s", p->ref.domain, p->ref.path, copy.msg);
	finish(p, copy.code ? copy.code : -EIO, &copy);
}

void image_pull_abort(struct image_pull *p)
{
	struct err e = {0};

	finish(p, err_set(&e, ERR_INTERNAL, ECANCELED, "context canceled"), &e);
}

void pulls_drop(struct images *im)
{
	while (!list_empty(&im->pulls))
		image_pull_abort(list_entry(im->pulls.next, struct image_pull, node));
}

/* ---- names ---- */

/* "busybox:latest" of the image at hand, NULL: it is pulled by digest; malloc'ed */
static char *tag_text(const struct image_pull *p)
{
	struct image_ref r = {.domain = p->ref.domain, .path = p->ref.path, .tag = p->tag};

	return image_ref_familiar(&r);
}

static char *digest_text(const struct image_pull *p)
{
	struct image_ref r = {
		.domain = p->ref.domain, .path = p->ref.path, .digest = (char *)p->digest};

	return image_ref_familiar(&r);
}

/* ---- into the store ---- */

/* The layers as a report of a load has them, so that one way leads into the store. */
static int add_layers(struct image_pull *p, struct report *rep, struct err *e)
{
	for (size_t i = 0; i < p->manifest.n; i++) {
		const struct pull_layer *l = &p->layers[i];
		struct report_layer *copy;
		size_t pos = 0;

		if (map_get(rep->layers, l->chain))
			continue;
		copy = calloc(1, sizeof(*copy));
		if (!copy)
			return err_nomem(e);
		if (l->state == LAYER_DONE)
			*copy = *(struct report_layer *)map_next(l->rep.layers, &pos, NULL);
		else
			copy->size = layer_size(p->im, l->chain);
		(void)snprintf(copy->chain, sizeof(copy->chain), "%s", l->chain);
		(void)snprintf(copy->diff, sizeof(copy->diff), "%s", l->diff);
		if (map_put(rep->layers, copy->chain, copy) < 0) {
			free(copy);
			return err_nomem(e);
		}
	}
	return 0;
}

static int commit_layer(struct image_pull *p, struct pull_layer *l, struct err *e)
{
	size_t pos = 0;
	const struct report_layer *got;
	auto_free char *path = NULL;
	struct stat st;

	if (l->state != LAYER_DONE || storage_layer_exists(p->im->storage, l->chain))
		return 0;
	got = map_next(l->rep.layers, &pos, NULL);
	path = str_printf("%s/%s", l->dir, got->dir);
	if (!path)
		return err_nomem(e);
	if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode)) /* the helper's work is foreign, too */
		return err_set(e, ERR_INTERNAL, EIO, "layer %s is not a directory", l->chain);
	return storage_layer_commit(p->im->storage, path, l->chain, e);
}

static int store(struct image_pull *p, struct report *rep, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < p->manifest.n; i++)
		r = commit_layer(p, &p->layers[i], e);
	if (r >= 0)
		r = images_store(p->im, rep, e);
	if (r < 0)
		(void)layers_collect(p->im, rep->images[0].layers, NULL);
	return r;
}

/* what a push of these layers need not make again */
static void learn(struct image_pull *p)
{
	struct image_ref r = {.domain = p->ref.domain, .path = p->ref.path};
	struct blob_known b = {.name = image_ref_canonical(&r)};

	for (size_t i = 0; b.name && i < p->manifest.n; i++) {
		const struct descriptor *d = &p->manifest.entries[i];

		if (!str_has_suffix(d->media_type, "gzip"))
			continue;
		memcpy(b.digest, d->digest, sizeof(b.digest));
		b.size = d->size;
		blob_learn(p->im, p->layers[i].diff, &b);
	}
	free(b.name);
}

static int settle(struct image_pull *p, char **ret_id, struct err *e)
{
	auto_free char *tag = p->tag ? tag_text(p) : NULL, *digest = digest_text(p);
	char *tags[] = {tag, NULL};
	struct report rep;
	int r;

	if (!digest || (p->tag && !tag) || report_new(&rep) < 0)
		return err_nomem(e);
	r = add_layers(p, &rep, e);
	if (r >= 0)
		r = report_add_image(&rep, p->config, tag ? tags : NULL, e);
	if (r >= 0 && strv_add(&rep.images[0].digests, digest) < 0)
		r = err_nomem(e);
	if (r >= 0)
		r = store(p, &rep, e);
	if (r >= 0) {
		*ret_id = strdup(rep.images[0].id);
		r = *ret_id ? 0 : err_nomem(e);
	}
	report_done(&rep);
	return r;
}

/* ---- the course ---- */

static void next_tag(struct image_pull *p);

/* the image is in the store. @newer: its name meant another one before */
static void tell_end(struct image_pull *p, bool newer)
{
	auto_free char *name = p->tag ? tag_text(p) : digest_text(p);
	char text[DIGEST_SIZE + 400];

	(void)snprintf(text, sizeof(text), "Digest: %s", p->digest);
	pull_tell(p, NULL, text);
	p->any = p->any || newer;
	if (p->all)
		return; /* one word for all of them */
	(void)snprintf(text, sizeof(text),
		       newer ? "Status: Downloaded newer image for %s"
			     : "Status: Image is up to date for %s",
		       name ? name : "");
	pull_tell(p, NULL, text);
}

static void conclude(struct image_pull *p)
{
	auto_free char *id = NULL, *tag = p->tag ? tag_text(p) : NULL, *digest = digest_text(p);
	const char *name = tag ? tag : digest;
	const struct image *old = !name ? NULL
				  : tag ? map_get(p->im->by_tag, tag)
					: map_get(p->im->by_digest, digest);
	char before[DIGEST_SIZE] = "";
	struct err e = {0};

	if (old)
		(void)snprintf(before, sizeof(before), "%s", old->id);
	if (settle(p, &id, &e) < 0) {
		pull_fail(p, &e);
		return;
	}
	learn(p);
	tell_end(p, !streq(before, id));
	log_info("image pulled name=%s id=%s digest=%s", name ? name : "", id, p->digest);
	if (p->ops.pulled)
		p->ops.pulled(name ? name : "", id, p->ops.data);
	forget_image(p);
	next_tag(p);
}

/* in order, as layers above need those below in other engines */
static void tell_whole(struct image_pull *p)
{
	for (size_t i = 0; i < p->manifest.n; i++) {
		struct pull_layer *l = &p->layers[i];

		if (l->state != LAYER_HERE && l->state != LAYER_DONE)
			return;
		if (l->state == LAYER_DONE && !l->told)
			layer_tell_whole(l);
		l->told = true;
	}
}

/* Starts what may start. Return: layers that are not there yet, -errno */
static int start_layers(struct image_pull *p, struct err *e)
{
	const struct registry_config *c = p->im->registry;
	int open = 0;

	for (size_t i = 0; i < p->manifest.n; i++) {
		struct pull_layer *l = &p->layers[i];

		if (l->state == LAYER_HERE && !storage_layer_exists(p->im->storage, l->chain))
			l->state = LAYER_WAITING; /* its last image went meanwhile */
		if (l->state == LAYER_WAITING && p->im->downloads < MAX(c->max_downloads, 1u)) {
			int r = pull_layer_start(l, e);

			if (r < 0)
				return r;
		}
		open += l->state == LAYER_WAITING || l->state == LAYER_RUNNING;
	}
	return open;
}

void pull_advance(struct image_pull *p)
{
	struct images *im = p->im;
	struct err e = {0};
	int open;

	tell_whole(p);
	open = start_layers(p, &e);
	if (open < 0)
		pull_fail(p, &e);
	else if (open == 0)
		conclude(p);
	pulls_go_on(im);
}

void pulls_go_on(struct images *im)
{
	struct image_pull *p;

	list_for_each (p, &im->pulls, node) {
		struct err e = {0};

		if (!p->layers || im->downloads >= MAX(im->registry->max_downloads, 1u))
			continue;
		for (size_t i = 0; i < p->manifest.n; i++)
			if (p->layers[i].state == LAYER_WAITING) {
				if (start_layers(p, &e) < 0) {
					pull_fail(p, &e);
					return; /* which comes back here */
				}
				break;
			}
	}
}

/* ---- the documents ---- */

/* each text has the digest that the one before names; the last one is the image's */
static int check_texts(struct image_pull *p, const json_t *texts, struct err *e)
{
	struct registry_manifest m = {0};
	size_t n = json_array_size(texts);
	int r = n ? 0 : err_invalid(e, "no manifest came");

	for (size_t i = 0; r >= 0 && i < n; i++) {
		const json_t *t = json_array_get(texts, i);
		char digest[DIGEST_SIZE];
		bool named = i == 0 && (!p->ref.digest || p->all);

		if (!json_is_string(t))
			return err_invalid(e, "a manifest is no text");
		digest_of(json_string_value(t), json_string_length(t), digest);
		if (i == 0) {
			memcpy(p->digest, digest, sizeof(p->digest));
			named = named || streq(digest, p->ref.digest);
		}
		for (size_t k = 0; i > 0 && k < m.n; k++)
			named = named || streq(m.entries[k].digest, digest);
		registry_manifest_done(&m);
		r = named ? registry_manifest_parse(json_string_value(t), json_string_length(t),
						    NULL, p->ref.path, &m, e)
			  : err_invalid(e, "manifest verification failed for digest %s", digest);
	}
	if (r >= 0 && m.is_index)
		r = err_invalid(e, "no image manifest came");
	if (r < 0)
		registry_manifest_done(&m);
	else
		p->manifest = m;
	return r;
}

static int check_config(struct image_pull *p, const json_t *config, char ***ret_diff_ids,
			struct err *e)
{
	const char *os = json_string_value(json_get(config, "os"));
	char digest[DIGEST_SIZE];
	int r;

	digest_of(p->config, strlen(p->config), digest);
	if (!streq(digest, p->manifest.config.digest))
		return err_invalid(e, "image config verification failed for digest %s",
				   p->manifest.config.digest);
	if (!str_empty(os) && !streq(os, "linux"))
		return err_set(e, ERR_INTERNAL, EINVAL,
			       "cannot download image with operating system \"%.30s\" when "
			       "requested \"linux\"",
			       os);
	r = config_diff_ids(config, ret_diff_ids, e);
	if (r >= 0 && strv_len(*ret_diff_ids) != p->manifest.n)
		r = err_invalid(e, "layers from manifest don't match image configuration");
	return r;
}

static int make_layers(struct image_pull *p, char *const *diff_ids, struct err *e)
{
	char chain[DIGEST_SIZE];

	p->layers = calloc(p->manifest.n + 1, sizeof(*p->layers));
	if (!p->layers)
		return err_nomem(e);
	for (size_t i = 0; i < p->manifest.n; i++) {
		struct pull_layer *l = &p->layers[i];

		chain_next(i ? chain : NULL, diff_ids[i], chain);
		l->p = p;
		(void)snprintf(l->diff, sizeof(l->diff), "%s", diff_ids[i]);
		(void)snprintf(l->chain, sizeof(l->chain), "%s", chain);
		l->state = storage_layer_exists(p->im->storage, chain) ? LAYER_HERE : LAYER_WAITING;
	}
	return 0;
}

/* Not a word of the layers of an image that is here whole, as in Docker. */
static void tell_layers(struct image_pull *p)
{
	unsigned room = MAX(p->im->registry->max_downloads, 1u), n = p->im->downloads;
	const struct image *i = map_get(p->im->by_id, p->manifest.config.digest);

	for (size_t k = 0; (!i || i->hidden) && k < p->manifest.n; k++)
		layer_tell(&p->layers[k], p->layers[k].state == LAYER_HERE ? "Already exists"
									   : "Pulling fs layer");
	for (size_t k = 0; k < p->manifest.n; k++)
		if (p->layers[k].state == LAYER_WAITING && n++ >= room)
			layer_tell(&p->layers[k], "Waiting");
}

/* the text that came, or the store's where the registry client was told that we have it */
static int find_config(struct image_pull *p, const json_t *text, struct err *e)
{
	const struct image *i = map_get(p->im->by_id, p->manifest.config.digest);

	if (json_is_string(text))
		return str_set(&p->config, json_string_value(text)) < 0 ? err_nomem(e) : 0;
	if (!i)
		return err_set(e, ERR_UNAVAILABLE, EAGAIN,
			       "image %s was removed while it was pulled",
			       p->manifest.config.digest);
	return image_text(p->im, i, &p->config, e);
}

static int take_manifest(struct image_pull *p, const json_t *m, struct err *e)
{
	auto_strv char **diff_ids = NULL;
	auto_json json_t *config = NULL;
	int r;

	if (p->config)
		return err_invalid(e, "the registry client told of a manifest unasked");
	r = check_texts(p, json_object_get(m, "texts"), e);
	if (r >= 0)
		r = find_config(p, json_object_get(m, "config"), e);
	if (r >= 0)
		r = json_read(p->config, strlen(p->config), &config, e);
	if (r >= 0)
		r = check_config(p, config, &diff_ids, e);
	if (r >= 0)
		r = make_layers(p, diff_ids, e);
	if (r >= 0)
		tell_layers(p);
	return r;
}

/* ---- the session's answers ---- */

static struct pull_layer *layer_at(struct image_pull *p, json_int_t n)
{
	return p->layers && n >= 0 && (size_t)n < p->manifest.n &&
			       p->layers[n].state == LAYER_RUNNING
		       ? &p->layers[n]
		       : NULL;
}

static void say_found(struct image_pull *p)
{
	auto_free char *text = str_printf("Pulling from %s", p->ref.path);

	if (!p->found && text)
		pull_tell(p, p->tag ? p->tag : p->ref.digest, text);
	p->found = true;
}

static int take_tags(struct image_pull *p, const json_t *list, struct err *e)
{
	const json_t *t;
	size_t i;

	json_array_foreach(list, i, t)
	{
		const char *tag = json_string_value(t);

		if (!tag || !image_tag_ok(tag))
			return err_invalid(e, "the registry has a tag that is none");
		if (strv_add(&p->tags, tag) < 0)
			return err_nomem(e);
	}
	return 0;
}

/* {"progress":[n,bytes]}, {"retry":[n,seconds]}, {"fetched":n}. Return: 1 it was one of them */
static int about_layer(struct image_pull *p, const json_t *a, struct err *e)
{
	const json_t *pair = json_object_get(a, "progress"), *retry = json_object_get(a, "retry");
	const json_t *fetched = json_object_get(a, "fetched");
	const json_t *both = pair ? pair : retry;
	struct pull_layer *l;

	if (!both && !fetched)
		return 0;
	l = layer_at(p, json_integer_value(fetched ? fetched : json_array_get(both, 0)));
	if (!l)
		return err_invalid(e, "the registry client told of a layer that it does not have");
	json_int_t n = json_integer_value(json_array_get(both, 1));

	if (fetched)
		return layer_fetched(l, e) < 0 ? -EINVAL : 1;
	if (pair) {
		layer_progress(l, n);
	} else {
		char text[64];

		(void)snprintf(text, sizeof(text), "Retrying in %lld second%s", (long long)n,
			       n == 1 ? "" : "s");
		layer_tell(l, text);
	}
	return 1;
}

/* That nobody read any more is the unpacker's doing, and what it says is the reason. */
static void session_failed(struct image_pull *p, const json_t *answer)
{
	const json_t *code = json_object_get(json_object_get(answer, "failed"), "code");
	struct image_ref ref = p->ref;
	struct pull_layer *l;
	int64_t n = -1;
	struct err e = {0};

	ref.tag = p->tag;
	(void)remote_failed(answer, &ref, &n, &e);
	l = layer_at(p, n);
	if (l && streq(json_string_value(code), REGISTRY_READER_GONE))
		layer_unread(l);
	else
		pull_fail(p, &e);
}

static int on_answer(const json_t *answer, void *data, struct err *e)
{
	struct image_pull *p = data;
	const json_t *v;
	int r = about_layer(p, answer, e);

	if (r < 0)
		return r;
	if (r > 0) {
		if (json_object_get(answer, "fetched"))
			layer_settle(
				&p->layers[json_integer_value(json_object_get(answer, "fetched"))]);
		return 0;
	}
	if (json_object_get(answer, "failed")) {
		session_failed(p, answer);
		return 0;
	}
	if (json_object_get(answer, "found")) {
		say_found(p);
		return 0;
	}
	if ((v = json_object_get(answer, "manifest"))) {
		r = take_manifest(p, v, e);
		if (r >= 0)
			pull_advance(p);
		return r;
	}
	if ((v = json_object_get(answer, "tags")) && p->all && !p->tags) {
		r = take_tags(p, v, e);
		if (r >= 0)
			next_tag(p);
		return r;
	}
	return err_invalid(e, "an unknown answer of the registry client");
}

static void on_ended(const struct err *e, void *data)
{
	pull_fail(data, e);
}

/* ---- the start ---- */

static int ask_manifest(struct image_pull *p, const char *reference, struct err *e)
{
	auto_free char *tag = p->tag ? tag_text(p) : NULL;
	const struct image *i = tag ? map_get(p->im->by_tag, tag) : NULL;

	return remote_send(p->remote,
			   json_pack("{s:s,s:s,s:s}", "op", "manifest", "reference", reference,
				     "have", i ? i->id : ""),
			   -1, e);
}

/* of all tags the next one, or the end */
static void next_tag(struct image_pull *p)
{
	struct err e = {0};

	if (p->all && p->tags && p->tags[p->at]) {
		if (str_set(&p->tag, p->tags[p->at++]) < 0)
			(void)err_nomem(&e);
		else
			(void)ask_manifest(p, p->tag, &e);
		if (e.code)
			pull_fail(p, &e);
		return;
	}
	if (p->all) {
		struct image_ref r = {.domain = p->ref.domain, .path = p->ref.path};
		auto_free char *name = image_ref_familiar(&r);
		auto_free char *text = str_printf(p->any ? "Status: Downloaded newer image for %s"
							 : "Status: Image is up to date for %s",
						  name ? name : "");

		if (text)
			pull_tell(p, NULL, text);
	}
	finish(p, 0, NULL);
}

static int begin(struct image_pull *p, const struct image_pull_spec *s, struct err *e)
{
	const struct remote_ops ops = {.answer = on_answer, .ended = on_ended, .data = p};
	const struct remote_spec spec = {
		.ref = &p->ref, .actions = "pull", .auth = &p->auth, .platform = s->platform};
	struct platform unused;
	int r = image_ref_parse(s->name, &p->ref, e);

	if (r >= 0 && s->platform)
		r = platform_parse(s->platform, &unused, e);
	if (r >= 0)
		(void)registry_auth_parse(s->auth, &p->auth, NULL); /* broken counts as none */
	p->all = s->all_tags;
	if (r >= 0 && !p->all && !p->ref.digest && str_set(&p->tag, p->ref.tag) < 0)
		r = err_nomem(e);
	if (r >= 0)
		r = remote_open(p->im, &spec, &ops, &p->remote, e);
	if (r < 0)
		return r;
	return p->all ? remote_send(p->remote, json_pack("{s:s}", "op", "tags"), -1, e)
		      : ask_manifest(p, p->tag ? p->tag : p->ref.digest, e);
}

int image_pull_start(struct images *im, const struct image_pull_spec *s,
		     const struct image_pull_ops *ops, struct image_pull **ret, struct err *e)
{
	struct image_pull *p;
	int r;

	if (list_len(&im->pulls) >= PULLS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d images are being pulled already",
			       PULLS_MAX);
	p = calloc(1, sizeof(*p));
	if (!p)
		return err_nomem(e);
	p->im = im;
	p->ops = *ops;
	list_append(&im->pulls, &p->node);
	r = begin(p, s, e);
	if (r < 0)
		pull_free(p);
	else
		*ret = p;
	return r;
}

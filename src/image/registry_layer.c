/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_layer.c - one layer's bytes into a pipe, by a thread: hashed as they pass, resumed by
 * Range
 *
 * The reader at the other end unpacks while they come; it is as confined as we are, and what it
 * made counts only once the digest was right. A download that breaks goes on where it stopped; a
 * registry that does not know Range sends what we have again, and it is skipped.
 */
#include <curl/curl.h>
#include <nettle/sha2.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "image/registry.h"

#define PROGRESS_NS (100 * NS_PER_MS)
#define WAIT_MAX    30u /* s, between two tries */

struct layer {
	struct registry *r;
	int64_t n, size;
	char digest[DIGEST_SIZE];
	char **urls;
	int fd;
	struct sha256_ctx hash;
	uint64_t have, skip; /* bytes passed on; of this answer still to drop */
	bool began;	     /* this answer's first piece came */
	int64_t told_ns;
	struct reg_answer a;
};

static void layer_free(struct layer *l)
{
	(void)fd_close(l->fd);
	strv_free(l->urls);
	reg_answer_done(&l->a);
	free(l);
}

static void tell(struct layer *l, bool last)
{
	int64_t now = clock_mono_ns();
	struct err e;

	if (!last && now - l->told_ns < PROGRESS_NS)
		return;
	l->told_ns = now;
	/* a line less is no harm; that nobody reads is met at the next write */
	(void)reg_report(json_pack("{s:[I,I]}", "progress", (json_int_t)l->n, (json_int_t)l->have),
			 &e);
}

/* where an answer begins */
static int begin(struct layer *l, unsigned status)
{
	uint64_t first, last;
	int64_t total;

	l->began = true;
	l->skip = status == 206 ? 0 : l->have;
	if (status != 206)
		return 0;
	if (!l->a.content_range ||
	    content_range_parse(l->a.content_range, &first, &last, &total) < 0 || first > l->have)
		return -EPROTO;
	l->skip = l->have - first;
	return 0;
}

static int on_piece(void *data, unsigned status, const char *piece, size_t len)
{
	struct layer *l = data;
	int r = l->began ? 0 : begin(l, status);
	size_t drop = MIN(l->skip, len);

	if (r < 0)
		return r;
	l->skip -= drop;
	piece += drop;
	len -= drop;
	if (l->have + len > (uint64_t)l->size)
		return -EFBIG;
	sha256_update(&l->hash, len, (const uint8_t *)piece);
	r = len ? fs_write_all(l->fd, piece, len) : 0;
	l->have += len;
	tell(l, false);
	return r;
}

static int verify(struct layer *l, struct err *e)
{
	uint8_t sum[SHA256_DIGEST_SIZE];
	char got[DIGEST_SIZE], *p = got + snprintf(got, sizeof(got), "sha256:");

	sha256_digest(&l->hash, sizeof(sum), sum);
	for (size_t i = 0; i < sizeof(sum); i++)
		p += snprintf(p, 3, "%02x", sum[i]);
	return l->have == (uint64_t)l->size && streq(got, l->digest)
		       ? 0
		       : err_set(e, ERR_INVALID, EBADMSG,
				 "filesystem layer verification failed for digest %s", l->digest);
}

/* ---- one try ---- */

static int from_registry(struct layer *l, void *h, const char *url, struct err *e)
{
	struct reg_call c = REG_CALL_INIT;

	c.url = url;
	c.from = l->have;
	c.body_max = 64u << 10; /* of an error */
	c.sink = on_piece;
	c.data = l;
	l->began = false;
	return reg_request(l->r, h, &c, &l->a, e);
}

/* a layer that registries do not keep: from where its descriptor says, without credentials */
static int from_urls(struct layer *l, void *h, struct err *e)
{
	int r = -ENOENT;

	for (char **u = l->urls; r < 0 && u && *u; u++) {
		struct reg_call c = REG_CALL_INIT;

		if (!str_has_prefix(*u, "https://") && !str_has_prefix(*u, "http://"))
			continue;
		c.url = *u;
		c.from = l->have;
		c.body_max = 64u << 10;
		c.sink = on_piece;
		c.data = l;
		l->began = false;
		r = reg_http(l->r, h, &c, &l->a, e);
		if (r >= 0 && l->a.status >= 300)
			r = -ENOENT;
	}
	return r;
}

/* Return: 0; -EAGAIN and the like: worth another try; -EACCES, -EBADMSG, -EPIPE: not */
static int one_try(struct layer *l, void *h, char *code, struct err *e)
{
	auto_free char *url = reg_url(l->r, "blobs/%s", l->digest);
	int r = url ? from_registry(l, h, url, e) : err_nomem(e);

	*code = '\0';
	if (r < 0 && l->a.sunk == -EFBIG)
		return err_set(e, ERR_INVALID, EBADMSG,
			       "filesystem layer verification failed for digest %s", l->digest);
	if (r < 0)
		return l->a.sunk < 0 ? l->a.sunk : r;
	if (l->a.status == 404 && l->urls && from_urls(l, h, NULL) >= 0)
		return verify(l, e);
	if (l->a.status == 416 && l->have == (uint64_t)l->size)
		return verify(l, e); /* all of it was there when it broke */
	return l->a.status >= 300 ? reg_refused(&l->a, code, e) : verify(l, e);
}

static bool hopeless(int r)
{
	return r == -EACCES || r == -EBADMSG || r == -EPIPE || r == -ENOMEM || r == -ENOENT;
}

static void back_off(struct layer *l, unsigned tries)
{
	unsigned wait = MIN(tries < 6 ? 1u << (tries - 1) : WAIT_MAX, WAIT_MAX);
	struct err e;

	if (l->a.retry_after)
		wait = MIN(l->a.retry_after, WAIT_MAX);
	for (; wait; wait--) {
		struct timespec t = {1, 0};

		(void)reg_report(json_pack("{s:[I,i]}", "retry", (json_int_t)l->n, (int)wait), &e);
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &t, NULL);
	}
}

static void download(struct layer *l, void *h)
{
	char code[REGISTRY_CODE_SIZE] = "";
	struct err e = {0};
	int r = 0;

	for (unsigned tries = 1;; tries++) {
		r = one_try(l, h, code, &e);
		if (r >= 0 || hopeless(r) || tries >= l->r->attempts)
			break;
		back_off(l, tries);
	}
	if (r < 0) {
		if (r == -EPIPE)
			(void)err_set(&e, ERR_INTERNAL, EPIPE, "the layer's reader has ended");
		reg_report_failed(&e, r == -EPIPE ? REGISTRY_READER_GONE : code, l->n);
		return;
	}
	tell(l, true);
	(void)reg_report(json_pack("{s:I}", "fetched", (json_int_t)l->n), &e); /* likewise */
}

/* ---- the thread ---- */

static void *run(void *data)
{
	struct layer *l = data;
	CURL *h = curl_easy_init();
	struct err e = {0};

	if (h) {
		download(l, h);
	} else {
		(void)err_nomem(&e);
		reg_report_failed(&e, "", l->n);
	}
	curl_easy_cleanup(h);
	pthread_mutex_lock(&l->r->lock);
	l->r->running--;
	pthread_mutex_unlock(&l->r->lock);
	layer_free(l);
	return NULL;
}

static int read_command(struct layer *l, const json_t *command, struct err *e)
{
	json_t *layer = NULL;
	const char *digest = NULL;
	int r = json_get_i64(command, "layer", "n", &l->n, e);

	if (r >= 0)
		r = json_get_obj(command, "layer", "layer", &layer, e);
	if (r >= 0)
		r = json_get_str(layer, "layer", "digest", &digest, e);
	if (r >= 0)
		r = json_get_i64(layer, "layer", "size", &l->size, e);
	if (r >= 0)
		r = json_get_strv(layer, "layer", "urls", false, &l->urls, e);
	if (r >= 0 && !digest_ok(digest))
		r = err_invalid(e, "no digest");
	if (r >= 0)
		(void)snprintf(l->digest, sizeof(l->digest), "%s", digest);
	return r;
}

int reg_layer_start(struct registry *r, const json_t *command, int fd, struct err *e)
{
	struct layer *l = calloc(1, sizeof(*l));
	pthread_attr_t attr;
	pthread_t thread;

	if (!l) {
		(void)fd_close(fd);
		return err_nomem(e);
	}
	l->r = r;
	l->fd = fd;
	sha256_init(&l->hash);
	int rc = read_command(l, command, e);

	if (rc >= 0) {
		(void)pthread_attr_init(&attr);
		(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
		pthread_mutex_lock(&r->lock);
		rc = -pthread_create(&thread, &attr, run, l);
		r->running += rc >= 0;
		pthread_mutex_unlock(&r->lock);
		(void)pthread_attr_destroy(&attr);
		if (rc < 0)
			rc = err_sys(e, -rc, "cannot start a download");
	}
	if (rc < 0)
		layer_free(l);
	return rc;
}

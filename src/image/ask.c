/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ask.c - questions to registries with one answer: login, what a name leads to, search */

#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/internal.h"
#include "image/remote.h"

#define ASKS_MAX     32
#define SEARCH_LIMIT 25

struct image_ask {
	struct list node; /* in images.asks */
	struct image_ref ref;
	struct registry_auth auth;
	struct remote *remote;
	const char *key; /* of the answer */
	image_ask_fn fn;
	void *data;
};

void image_ask_abort(struct image_ask *a)
{
	remote_close(a->remote);
	list_remove(&a->node);
	image_ref_done(&a->ref);
	registry_auth_done(&a->auth);
	free(a);
}

void asks_drop(struct images *im)
{
	while (!list_empty(&im->asks))
		image_ask_abort(list_entry(im->asks.next, struct image_ask, node));
}

static void finish(struct image_ask *a, int result, const json_t *answer, const struct err *e)
{
	image_ask_fn fn = a->fn;
	struct err copy = {0};
	void *data = a->data;

	if (e)
		copy = *e;
	image_ask_abort(a);
	fn(result, answer, e ? &copy : NULL, data);
}

static int on_answer(const json_t *answer, void *data, struct err *e)
{
	struct image_ask *a = data;
	const json_t *v = json_object_get(answer, a->key);
	struct err failed = {0};
	int64_t n;
	int r = remote_failed(answer, NULL, &n, &failed);

	if (r < 0)
		finish(a, r, NULL, &failed);
	else if (v)
		finish(a, 0, v, NULL);
	else
		return err_invalid(e, "an unknown answer of the registry client");
	return 0;
}

static void on_ended(const struct err *e, void *data)
{
	finish(data, -EIO, NULL, e);
}

static int ask_new(struct images *im, const char *key, image_ask_fn fn, void *data,
		   struct image_ask **ret, struct err *e)
{
	struct image_ask *a;

	if (list_len(&im->asks) >= ASKS_MAX)
		return err_set(e, ERR_UNAVAILABLE, EBUSY, "%d registries are being asked already",
			       ASKS_MAX);
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_nomem(e);
	a->key = key;
	a->fn = fn;
	a->data = data;
	list_append(&im->asks, &a->node);
	*ret = a;
	return 0;
}

static int begin(struct images *im, struct image_ask *a, const char *actions, json_t *command,
		 struct err *e)
{
	const struct remote_ops ops = {.answer = on_answer, .ended = on_ended, .data = a};
	const struct remote_spec spec = {.ref = &a->ref, .actions = actions, .auth = &a->auth};
	int r = remote_open(im, &spec, &ops, &a->remote, e);

	if (r < 0)
		json_decref(command);
	return r < 0 ? r : remote_send(a->remote, command, -1, e);
}

/* "https://index.docker.io/v1/", "" and "docker.io" are Docker Hub; else the host of a URL */
static int server_name(const char *address, char **ret)
{
	const char *p = strstr(address, "://"), *host = p ? p + 3 : address;
	size_t n = strcspn(host, "/");

	if (!n || str_has_prefix(host, "index.docker.io") || str_has_prefix(host, "docker.io") ||
	    str_has_prefix(host, "registry-1.docker.io"))
		*ret = strdup("docker.io");
	else
		*ret = strndup(host, n);
	return *ret ? 0 : -ENOMEM;
}

int image_login(struct images *im, const json_t *auth, image_ask_fn fn, void *data,
		struct image_ask **ret, struct err *e)
{
	const char *address = NULL;
	struct image_ask *a;
	int r = ask_new(im, "login", fn, data, &a, e);

	if (r < 0)
		return r;
	r = registry_auth_from_json(auth, &a->auth, e);
	if (r >= 0)
		r = json_get_str(auth, "AuthConfig", "serveraddress", &address, e);
	if (r >= 0 && (server_name(address ? address : "", &a->ref.domain) < 0 ||
		       str_set(&a->ref.path, "") < 0))
		r = err_nomem(e);
	if (r >= 0)
		r = begin(im, a, NULL, json_pack("{s:s}", "op", "login"), e);
	if (r < 0)
		image_ask_abort(a);
	else
		*ret = a;
	return r;
}

int image_describe(struct images *im, const char *name, const char *auth, image_ask_fn fn,
		   void *data, struct image_ask **ret, struct err *e)
{
	struct image_ask *a;
	int r = ask_new(im, "describe", fn, data, &a, e);

	if (r < 0)
		return r;
	r = image_ref_parse(name, &a->ref, e);
	if (r >= 0) {
		(void)registry_auth_parse(auth, &a->auth, NULL); /* broken counts as none */
		r = begin(im, a, "pull",
			  json_pack("{s:s,s:s}", "op", "describe", "reference",
				    a->ref.digest ? a->ref.digest : a->ref.tag),
			  e);
	}
	if (r < 0)
		image_ask_abort(a);
	else
		*ret = a;
	return r;
}

/* "host:5000/term" asks that host; Docker's rule for what is a host */
static int split_term(const char *term, struct image_ref *ref, const char **rest)
{
	const char *slash = strchr(term, '/');
	size_t n = slash ? (size_t)(slash - term) : 0;
	bool host = n && (memchr(term, '.', n) || memchr(term, ':', n) ||
			  (n == strlen("localhost") && !strncmp(term, "localhost", n)));

	*rest = host ? slash + 1 : term;
	ref->domain = host ? strndup(term, n) : strdup("docker.io");
	ref->path = strdup("");
	return ref->domain && ref->path ? 0 : -ENOMEM;
}

int image_search(struct images *im, const struct image_search *q, image_ask_fn fn, void *data,
		 struct image_ask **ret, struct err *e)
{
	const char *rest = NULL;
	struct image_ask *a;
	int r = ask_new(im, "search", fn, data, &a, e);

	if (r < 0)
		return r;
	r = split_term(q->term, &a->ref, &rest) < 0 ? err_nomem(e) : 0;
	if (r >= 0) {
		(void)registry_auth_parse(q->auth, &a->auth, NULL); /* likewise */
		r = begin(im, a, NULL,
			  json_pack("{s:s,s:s,s:I}", "op", "search", "term", rest, "limit",
				    (json_int_t)(q->limit ? q->limit : SEARCH_LIMIT)),
			  e);
	}
	if (r < 0)
		image_ask_abort(a);
	else
		*ret = a;
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - one engine: host, version, calls, errors */

#include "client/client.h"

#include <string.h>

#include "base/jsonw.h"
#include "base/str.h"
#include "client/target.h"

struct client {
	struct target to;
	struct http_client *http;
	unsigned version; /* 0: not agreed yet */
};

void client_free(struct client *c)
{
	if (!c)
		return;
	http_client_free(c->http);
	target_done(&c->to);
	free(c);
}

static int open_http(struct client *c, struct http_client **ret, struct err *e)
{
	const struct target *t = &c->to;
	const struct http_security sec = {.files = {.ca = t->ca, .cert = t->cert, .key = t->key},
					  .verify = t->verify};

	return http_client_new(t->host, t->tls ? &sec : NULL, ret, e);
}

int client_new(const struct client_wish *w, struct client **ret, struct err *e)
{
	auto_(client_free) struct client *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_nomem(e);
	r = target_find(w, &c->to, e);
	if (r >= 0)
		r = open_http(c, &c->http, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

static int copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -ENOMEM : 0;
}

static int copy_target(struct target *to, const struct target *from)
{
	*to = (struct target){.tls = from->tls, .verify = from->verify};
	return copy_text(&to->host, from->host) < 0 || copy_text(&to->ca, from->ca) < 0 ||
			       copy_text(&to->cert, from->cert) < 0 ||
			       copy_text(&to->key, from->key) < 0
		       ? -ENOMEM
		       : 0;
}

int client_dup(struct client *c, struct client **ret, struct err *e)
{
	auto_(client_free) struct client *d = calloc(1, sizeof(*d));
	int r = d ? client_version(c, &d->version, e) : err_nomem(e);

	if (r >= 0 && copy_target(&d->to, &c->to) < 0)
		r = err_nomem(e);
	if (r >= 0)
		r = open_http(d, &d->http, e);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

/* ---- errors ---- */

/* No connection: say what to do about it. @why is set by the HTTP client. */
static int explain_connect(const struct client *c, int r, struct err *e)
{
	if (r >= 0 || !e || !str_has_prefix(e->msg, "cannot connect to "))
		return r;
	if (strstr(e->msg, strerror(EACCES)))
		return err_set(
			e, ERR_UNAVAILABLE, EACCES,
			"permission denied while connecting to the Atoll engine at %s: run as "
			"root, or as a member of the socket's group (usermod -aG atoll USER, then "
			"log in again)",
			c->to.host);
	return err_set(e, ERR_UNAVAILABLE, ECONNREFUSED,
		       "Cannot connect to the Atoll engine at %s. Is atolld running? Start it with "
		       "'systemctl start atolld', or name another engine with -H or ATOLL_HOST.",
		       c->to.host);
}

int client_raw(struct client *c, int *ret_fd, struct err *e)
{
	return explain_connect(c, http_client_raw(c->http, ret_fd, e), e);
}

static enum err_kind kind_of(unsigned status)
{
	switch (status) {
	case 400:
		return ERR_INVALID;
	case 401:
		return ERR_UNAUTHORIZED;
	case 403:
		return ERR_FORBIDDEN;
	case 404:
		return ERR_NOT_FOUND;
	case 409:
		return ERR_CONFLICT;
	case 501:
		return ERR_UNSUPPORTED;
	case 503:
		return ERR_UNAVAILABLE;
	default:
		return ERR_INTERNAL;
	}
}

static int errno_of(enum err_kind kind)
{
	switch (kind) {
	case ERR_INVALID:
		return EINVAL;
	case ERR_UNAUTHORIZED:
		return EACCES;
	case ERR_FORBIDDEN:
		return EPERM;
	case ERR_NOT_FOUND:
		return ENOENT;
	case ERR_CONFLICT:
		return EEXIST;
	case ERR_UNSUPPORTED:
		return ENOTSUP;
	case ERR_UNAVAILABLE:
		return EBUSY;
	case ERR_INTERNAL:
	case ERR_NOT_MODIFIED:
		break;
	}
	return EIO;
}

int client_error(const struct http_resp *r, struct err *e)
{
	enum err_kind kind = kind_of(r->status);
	auto_json json_t *body = NULL;
	const char *text = buf_str(&r->body);

	if (r->status < 400)
		return 0;
	if (json_read(text, r->body.len, &body, NULL) >= 0 &&
	    json_string_value(json_get(body, "message")))
		text = json_string_value(json_get(body, "message"));
	if (!*text)
		return err_set(e, kind, errno_of(kind),
			       "Error response from daemon: status %u without a text", r->status);
	return err_set(e, kind, errno_of(kind), "Error response from daemon: %s", text);
}

/* ---- the version ---- */

/* "1.41" -> 141 */
static int parse_version(const char *s, unsigned *ret)
{
	const char *dot = s ? strchr(s, '.') : NULL;
	auto_free char *major = dot ? strndup(s, (size_t)(dot - s)) : NULL;
	uint16_t a, b;

	if (!major || parse_u16(major, &a) < 0 || parse_u16(dot + 1, &b) < 0 || a > 9 || b > 99)
		return -EINVAL;
	*ret = a * 100u + b;
	return 0;
}

static int ping(struct client *c, struct http_resp *resp, struct err *e)
{
	struct http_call call = {.method = "HEAD", .path = "/_ping"};
	int r = http_client_call(c->http, &call, resp, e);

	if (r < 0 || resp->status == 200 || resp->api_version)
		return r;
	http_resp_done(resp);
	call.method = "GET"; /* engines before 19.03 do not know HEAD here */
	return http_client_call(c->http, &call, resp, e);
}

int client_version(struct client *c, unsigned *ret, struct err *e)
{
	const char *wish = getenv("DOCKER_API_VERSION");
	struct http_resp resp = {0};
	unsigned theirs = CLIENT_API_MIN;
	int r = 0;

	if (!c->version && !str_empty(wish)) {
		if (parse_version(wish, &c->version) < 0)
			return err_invalid(e, "DOCKER_API_VERSION is no version: %s", wish);
	} else if (!c->version) {
		r = explain_connect(c, ping(c, &resp, e), e);
		if (r >= 0 && resp.api_version && parse_version(resp.api_version, &theirs) < 0)
			r = err_set(e, ERR_INTERNAL, EBADMSG, "%s answers as no engine does",
				    c->to.host);
		if (r >= 0 && theirs < CLIENT_API_MIN)
			r = err_set(e, ERR_UNSUPPORTED, ENOTSUP,
				    "the engine at %s speaks API version %s; 1.24 is the oldest "
				    "that is understood",
				    c->to.host, resp.api_version);
		http_resp_done(&resp);
		if (r < 0)
			return r;
		c->version = MIN(theirs, CLIENT_API_MAX);
	}
	*ret = c->version;
	return 0;
}

/* "/v1.51" and @path, malloc'ed */
static int versioned(struct client *c, const char *path, char **ret, struct err *e)
{
	unsigned v = 0;
	int r = client_version(c, &v, e);

	if (r < 0)
		return r;
	*ret = str_printf("/v%u.%u%s", v / 100, v % 100, path);
	return *ret ? 0 : err_nomem(e);
}

/* ---- calls ---- */

int client_call(struct client *c, const struct http_call *call, struct http_resp *ret,
		struct err *e)
{
	auto_free char *path = NULL;
	struct http_call x = *call;
	int r;

	*ret = (struct http_resp){0};
	r = versioned(c, call->path, &path, e);
	if (r < 0)
		return r;
	x.path = path;
	r = http_client_call(c->http, &x, ret, e);
	if (r)
		return explain_connect(c, r, e);
	return client_error(ret, e);
}

int client_json(struct client *c, const char *method, const char *path, const char *body,
		json_t **ret, struct err *e)
{
	struct http_call call = {
		.method = method, .path = path, .body = body, .body_len = body ? strlen(body) : 0};
	struct http_resp resp;
	int r = client_call(c, &call, &resp, e);

	if (r >= 0 && ret) {
		*ret = NULL;
		if (resp.body.len)
			r = json_read(resp.body.data, resp.body.len, ret, e);
		if (r < 0)
			(void)err_wrap(e, "the engine's answer to %s %s", method, path);
	}
	http_resp_done(&resp);
	return r;
}

int client_hijack(struct client *c, const char *path, const char *body, int *ret_fd,
		  struct buf *early, struct err *e)
{
	auto_free char *full = NULL;
	struct http_call call = {
		.method = "POST", .body = body, .body_len = body ? strlen(body) : 0};
	struct http_resp resp = {0};
	int r = versioned(c, path, &full, e);

	*ret_fd = -EBADF;
	if (r < 0)
		return r;
	call.path = full;
	r = http_client_hijack(c->http, &call, ret_fd, early, &resp, e);
	if (r >= 0)
		r = client_error(&resp, e);
	if (r >= 0 && *ret_fd < 0)
		r = err_set(e, ERR_INTERNAL, EPROTO, "unable to upgrade to tcp, received %u",
			    resp.status);
	http_resp_done(&resp);
	return r < 0 ? explain_connect(c, r, e) : 0;
}

/* ---- request targets ---- */

void url_path(struct buf *u, const char *pattern, const char *part)
{
	const char *hole = strchr(pattern, '%');

	buf_clear(u);
	if (!hole) {
		(void)buf_puts(u, pattern);
		return;
	}
	(void)buf_add(u, pattern, (size_t)(hole - pattern));
	(void)http_url_escape(u, part);
	(void)buf_puts(u, hole + 1);
}

void url_query(struct buf *u, const char *key, const char *value)
{
	if (!value)
		return;
	(void)buf_printf(u, "%c%s=", strchr(buf_str(u), '?') ? '&' : '?', key);
	(void)http_url_escape(u, value);
}

void url_flag(struct buf *u, const char *key, bool value)
{
	url_query(u, key, value ? "1" : NULL);
}

/* All values of the key that filters[i] has, if none before has it. */
static void filter_key(struct jsonw *w, char *const *filters, size_t i)
{
	size_t len = strcspn(filters[i], "=");
	auto_free char *key = strndup(filters[i], len);

	for (size_t k = 0; k < i; k++)
		if (!strncmp(filters[k], filters[i], len + 1))
			return;
	jsonw_object(w, key ? key : "");
	for (size_t k = i; filters[k]; k++)
		if (!strncmp(filters[k], filters[i], len + 1))
			jsonw_bool(w, filters[k] + len + 1, true);
	jsonw_end_object(w);
}

int url_filters(struct buf *u, char *const *filters, struct err *e)
{
	auto_buf struct buf text = BUF_INIT(1u << 20);
	struct jsonw w = JSONW_INIT(&text);

	if (!filters || !*filters)
		return 0;
	for (size_t i = 0; filters[i]; i++)
		if (!strchr(filters[i], '='))
			return err_invalid(e, "invalid filter '%s': a filter is written key=value",
					   filters[i]);
	jsonw_object(&w, NULL);
	for (size_t i = 0; filters[i]; i++)
		filter_key(&w, filters, i);
	jsonw_end_object(&w);
	if (buf_err(&text))
		return err_nomem(e);
	url_query(u, "filters", buf_str(&text));
	return 0;
}

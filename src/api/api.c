/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * api.c - from a request to its handler and back: routes, versions, bodies, answers
 *
 * A request becomes a struct api_call once its route is known. The call owns what the handler was
 * given (path parts, body) and lives until one of the functions of internal.h ends it; the request
 * is the server's and may go before (c->r is NULL then). While the body comes in the call waits
 * with gone = api_drop: a client that leaves in the middle of it has asked for nothing.
 */

#include <string.h>
#include <strings.h>

#include "api/internal.h"
#include "api/pump.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/str.h"
#include "build/build.h"

int api_new(struct engine *en, struct api **ret, struct err *e)
{
	struct api *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return err_nomem(e);
	a->en = en;
	a->loop = engine_loop(en);
	list_init(&a->pumps);
	r = builder_new(en, &a->builder, e);
	if (r < 0) {
		free(a);
		return r;
	}
	*ret = a;
	return 0;
}

void api_free(struct api *a)
{
	if (!a)
		return;
	builder_free(a->builder);
	pumps_close(a);
	free(a);
}

/* ---- ends of a call ---- */

static void call_free(struct api_call *c)
{
	for (size_t i = 0; i < ROUTE_PARAMS_MAX; i++)
		free(c->params[i]);
	json_decref(c->body);
	free(c);
}

void api_drop(struct api_call *c)
{
	call_free(c);
}

static void reply_message(struct http_req *r, unsigned status, const char *message)
{
	/* a text of 1 KiB may grow sixfold by its escapes */
	struct buf b = BUF_INIT(8192);
	struct jsonw w = JSONW_INIT(&b);

	jsonw_object(&w, NULL);
	jsonw_str(&w, "message", message);
	jsonw_end_object(&w);
	(void)buf_putc(&b, '\n'); /* the server looks at the buffer's error */
	http_reply_buf(r, status, "application/json", &b);
}

void api_error(struct api_call *c, const struct err *e)
{
	bool told = e && e->code;
	unsigned status = api_status_of(told ? e->kind : ERR_INTERNAL);

	if (status >= 500 && status != 501 && status != 503)
		log_error("api: %s req=%llu", told ? e->msg : "an error without a text",
			  c->r ? (unsigned long long)http_id(c->r) : 0);
	if (c->r && status == 304)
		http_reply_empty(c->r, status);
	else if (c->r)
		reply_message(c->r, status, told && e->msg[0] ? e->msg : "internal error");
	call_free(c);
}

void api_empty(struct api_call *c, unsigned status)
{
	if (c->r)
		http_reply_empty(c->r, status);
	call_free(c);
}

void api_json(struct api_call *c, unsigned status, struct buf *body)
{
	(void)buf_putc(body, '\n'); /* as Go's encoder; the server looks at the buffer's error */
	if (c->r)
		http_reply_buf(c->r, status, "application/json", body);
	buf_done(body);
	call_free(c);
}

void api_text(struct api_call *c, unsigned status, const char *content_type, const char *text)
{
	if (c->r)
		http_reply(c->r, status, content_type, text, strlen(text));
	call_free(c);
}

void api_done(int result, const struct err *e, void *data)
{
	if (result < 0)
		api_error(data, e);
	else
		api_empty(data, 204);
}

struct http_stream *api_stream(struct api_call *c, unsigned status, const char *content_type,
			       void (*gone)(void *data), void *data)
{
	struct http_stream *s = c->r ? http_reply_stream(c->r, status, content_type, gone, data)
				     : NULL;

	call_free(c);
	return s;
}

/* ---- what handlers ask ---- */

const char *api_query(const struct api_call *c, const char *key)
{
	return c->r ? http_query(c->r, key) : NULL;
}

bool api_query_bool(const struct api_call *c, const char *key, bool absent)
{
	return c->r ? http_query_bool(c->r, key, absent) : absent;
}

int api_query_i64(const struct api_call *c, const char *key, int64_t absent, int64_t *ret,
		  struct err *e)
{
	const char *s = api_query(c, key);
	int64_t v;
	int r;

	if (str_empty(s)) {
		*ret = absent;
		return 0;
	}
	r = parse_i64(s[0] == '+' ? s + 1 : s, &v);
	if (r < 0)
		return err_invalid(e, "strconv.ParseInt: parsing \"%.64s\": %s", s,
				   r == -ERANGE ? "value out of range" : "invalid syntax");
	*ret = v;
	return 0;
}

int api_filters(const struct api_call *c, const char *const *allowed, struct filters **ret,
		struct err *e)
{
	return filters_parse(api_query(c, "filters"), allowed, ret, e);
}

/* ---- the body ---- */

/* Content-Type of a JSON body; parameters are ignored, as by Docker. */
static int check_type(const struct http_req *r, struct err *e)
{
	static const char want[] = "application/json";
	const char *type = http_header(r, "Content-Type");
	size_t len;

	if (str_empty(type))
		return err_invalid(e, "malformed Content-Type header (): mime: no media type");
	len = strcspn(type, "; \t");
	if (len != strlen(want) || strncasecmp(type, want, len) != 0)
		return err_invalid(e,
				   "unsupported Content-Type header (%.200s): must be "
				   "'application/json'",
				   type);
	return 0;
}

static int read_json(const struct http_req *r, const char *text, size_t len, bool optional,
		     json_t **ret, struct err *e)
{
	auto_json json_t *j = NULL;
	int x;

	if (!len && optional)
		return 0;
	if (!len)
		return err_invalid(e, "invalid JSON: got EOF while reading request body");
	x = check_type(r, e);
	if (x >= 0)
		x = json_read(text, len, &j, e);
	if (x < 0)
		return x;
	if (json_is_null(j) && optional)
		return 0;
	if (!json_is_object(j))
		return err_invalid(e,
				   "invalid JSON: json: cannot unmarshal %s into Go value of type "
				   "map[string]interface {}",
				   json_is_array(j)    ? "array"
				   : json_is_string(j) ? "string"
				   : json_is_number(j) ? "number"
				   : json_is_null(j)   ? "null"
						       : "bool");
	*ret = TAKE_PTR(j);
	return 0;
}

struct pending {	      /* a call whose body comes in */
	struct api_call call; /* first: freed as such */
	const struct route *route;
};

static void body_is_in(struct http_req *r, const char *text, size_t len, void *data)
{
	struct pending *p = data;
	struct api_call *c = &p->call;
	struct err e = {0};

	c->gone = NULL;
	if (read_json(r, text, len, p->route->flags & BODY_JSON_OPTIONAL, &c->body, &e) < 0)
		api_error(c, &e);
	else
		((api_fn)p->route->handler)(c);
}

/* ---- the request ---- */

static void call_gone(struct http_req *r, void *data)
{
	struct api_call *c = data;

	(void)r;
	c->r = NULL;
	if (c->gone)
		c->gone(c);
}

static int check_version(unsigned version, struct err *e)
{
	if (version > API_VERSION_MAX)
		return err_invalid(e,
				   "client version %u.%u is too new. Maximum supported API version "
				   "is %u.%u",
				   version / 100, version % 100, API_VERSION_MAX / 100,
				   API_VERSION_MAX % 100);
	if (version < API_VERSION_MIN)
		return err_invalid(e,
				   "client version %u.%u is too old. Minimum supported API version "
				   "is %u.%u, please upgrade your client to a newer version",
				   version / 100, version % 100, API_VERSION_MIN / 100,
				   API_VERSION_MIN % 100);
	return 0;
}

static void add_headers(struct http_req *r)
{
	char version[16];

	(void)snprintf(version, sizeof(version), "%u.%u", API_VERSION_MAX / 100,
		       API_VERSION_MAX % 100);
	http_header_add(r, "Api-Version", version);
	http_header_add(r, "Docker-Experimental", "false");
	http_header_add(r, "Ostype", "linux");
}

static void begin(struct api *a, struct http_req *r, struct route_match *m)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p) {
		route_match_done(m);
		reply_message(r, 500, "out of memory");
		return;
	}
	p->route = m->route;
	http_set_mark(r, m->route);
	p->call = (struct api_call){.api = a,
				    .en = a->en,
				    .r = r,
				    .version = m->version ? m->version : API_VERSION_MAX};
	memcpy(p->call.params, m->params, sizeof(m->params)); /* taken over */
	http_on_gone(r, call_gone, &p->call);
	if (m->route->flags & (BODY_JSON | BODY_JSON_OPTIONAL)) {
		p->call.gone = api_drop;
		http_body_collect(r, LIMIT_JSON_BODY, body_is_in, p);
	} else {
		((api_fn)m->route->handler)(&p->call);
	}
}

void api_handle(struct http_req *r, void *data)
{
	struct route_match m;
	struct err e = {0};
	int x = route_find(api_routes, api_routes_len, http_method(r), http_path(r), &m);

	add_headers(r);
	if (x == -ENOMEM) {
		reply_message(r, 500, "out of memory");
	} else if (x < 0) { /* Docker says so for another method, too */
		reply_message(r, 404, "page not found");
	} else if (m.version && check_version(m.version, &e) < 0) {
		route_match_done(&m);
		reply_message(r, api_status_of(e.kind), e.msg);
	} else {
		begin(data, r, &m);
	}
}

struct container *api_container(struct api_call *c)
{
	struct container *k;
	struct err e = {0};

	if (engine_find(c->en, c->params[0], &k, &e) >= 0)
		return k;
	api_error(c, &e);
	return NULL;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * build.c - POST /build: the context in, the build's lines out
 *
 * States: feeding (the body goes to the build as fast as that takes it), building (the stream is
 * opened with the first line), ended. What fails before the first line has a status of its own;
 * later it is the last line, as in Docker.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/progress.h"
#include "base/limits.h"
#include "base/str.h"
#include "build/build.h"

#define ERROR_LINE_MAX (64u << 10)

struct building {
	struct api_call *c; /* until the stream is opened */
	struct build *build;
	struct http_stream *out;
	bool quiet, aux, fed, gone, behind;
};

/* ---- output ---- */

static void client_left(void *data)
{
	struct building *g = data;

	g->out = NULL;
	g->gone = true;
	if (g->build)
		build_cancel(g->build);
}

static void drained(void *data)
{
	struct building *g = data;

	g->behind = false;
	if (g->build)
		build_resume(g->build);
}

static void open_stream(struct building *g)
{
	struct api_call *c = g->c;

	if (!c)
		return;
	g->c = NULL;
	c->gone = NULL;
	g->gone = !c->r;
	g->out = api_stream(c, 200, "application/json", client_left, g);
	if (g->out)
		http_stream_on_drained(g->out, drained);
	else /* it has left; or no memory, and nobody hears of the build's end */
		g->gone = true;
}

/* Return: 1 the queue is full, 0 */
static int put(struct building *g, struct buf *line)
{
	int r;

	(void)buf_puts(line, "\r\n");
	if (!g->out || buf_err(line))
		return 0;
	r = http_stream_write(g->out, line->data, line->len);
	return r > 0 || r == -ENOBUFS;
}

static int on_text(const char *text, size_t len, void *data)
{
	struct building *g = data;
	auto_buf struct buf line = BUF_INIT(6 * len + 64);
	struct jsonw w = JSONW_INIT(&line);
	auto_free char *copy = malloc(len + 1); /* strndup() ends at a NUL */

	open_stream(g);
	if (!copy)
		return 0;
	for (size_t i = 0; i < len; i++) /* a NUL of a program's output */
		copy[i] = text[i] ? text[i] : ' ';
	copy[len] = '\0';
	jsonw_object(&w, NULL);
	jsonw_str(&w, "stream", copy);
	jsonw_end_object(&w);
	return put(g, &line);
}

static void on_aux(const char *id, void *data)
{
	struct building *g = data;
	auto_buf struct buf line = BUF_INIT(1024);
	struct jsonw w = JSONW_INIT(&line);

	open_stream(g);
	if (!g->aux)
		return;
	jsonw_object(&w, NULL);
	jsonw_object(&w, "aux");
	jsonw_str(&w, "ID", id);
	jsonw_end_object(&w);
	jsonw_end_object(&w);
	(void)put(g, &line);
}

static void on_progress(const char *id, const char *status, int64_t current, int64_t total,
			void *data)
{
	struct building *g = data;
	auto_buf struct buf line = BUF_INIT(8192);
	struct jsonw w = JSONW_INIT(&line);

	open_stream(g);
	if (g->behind && current > 0) /* a slow reader gets fewer of these */
		return;
	progress_object(&w, id, status, current, total);
	g->behind = put(g, &line) > 0;
}

static void put_error(struct building *g, int code, const struct err *e)
{
	auto_buf struct buf line = BUF_INIT(ERROR_LINE_MAX);

	api_error_line(&line, code, e->msg);
	(void)put(g, &line);
}

static void on_done(int result, int code, const struct err *e, const char *image, void *data)
{
	struct building *g = data;

	g->build = NULL;
	if (g->c && result < 0) { /* not a line was written */
		g->c->gone = NULL;
		if (g->c->r)
			api_error(g->c, e);
		else
			api_drop(g->c);
		free(g);
		return;
	}
	if (result >= 0 && g->quiet) {
		auto_free char *text = str_printf("%s\n", image);

		(void)on_text(text ? text : "", text ? strlen(text) : 0, g);
	}
	open_stream(g);
	if (result < 0)
		put_error(g, code, e);
	if (g->out)
		http_stream_end(g->out);
	free(g);
}

/* ---- the context ---- */

static void on_writable(void *data)
{
	struct building *g = data;

	if (g->c && g->c->r)
		http_body_resume(g->c->r);
}

static size_t piece(struct http_req *r, const char *data, size_t len, void *d)
{
	struct building *g = d;
	ssize_t n;

	(void)r;
	if (g->fed)
		return len;
	if (!len) {
		g->fed = true;
		build_eof(g->build);
		return 0;
	}
	n = build_write(g->build, data, len);
	return n < 0 ? len : (size_t)n; /* it takes no more: the end says why */
}

static void left_while_feeding(struct api_call *c)
{
	struct building *g = c->data;

	g->gone = g->fed = true;
	build_cancel(g->build);
}

/* ---- the request ---- */

static int json_query(const struct api_call *c, const char *key, json_t **ret, const char *what,
		      struct err *e)
{
	const char *text = api_query(c, key);
	int r;

	if (str_empty(text))
		return 0;
	r = json_read(text, strlen(text), ret, e);
	return r < 0 ? err_wrap(e, "error reading %s", what) : 0;
}

static int object_query(const struct api_call *c, const char *key, json_t **ret, const char *what,
			struct err *e)
{
	int r = json_query(c, key, ret, what, e);

	if (r < 0 || !*ret || json_is_object(*ret))
		return r;
	if (json_is_null(*ret)) {
		*ret = NULL; /* the one null of the library is not counted */
		return 0;
	}
	return err_invalid(e, "error reading %s: json: cannot unmarshal into Go value of type map",
			   what);
}

static int put_number(const struct api_call *c, json_t *host, const char *key, const char *name,
		      struct err *e)
{
	int64_t v = 0;
	int r = api_query_i64(c, key, 0, &v, e);

	return r >= 0 && v && json_object_set_new(host, name, json_integer(v)) < 0 ? err_nomem(e)
										   : r;
}

static int put_text(const struct api_call *c, json_t *host, const char *key, const char *name,
		    struct err *e)
{
	const char *v = api_query(c, key);

	return !str_empty(v) && json_object_set_new(host, name, json_string(v)) < 0 ? err_nomem(e)
										    : 0;
}

/* "a:1.2.3.4" several times; docker-py sends "a:1.2.3.4,b:..." once */
static int put_extra_hosts(const struct api_call *c, json_t *host, struct err *e)
{
	json_t *list = json_array();
	const char *v;

	for (size_t pos = 0; list && (v = http_query_next(c->r, "extrahosts", &pos));) {
		auto_strv char **parts = NULL;

		if (strv_split(v, ",", &parts) < 0)
			break;
		for (char **p = parts; p && *p; p++)
			if (**p)
				(void)json_array_append_new(list, json_string(*p));
	}
	if (!list || json_object_set_new(host, "ExtraHosts", list) < 0)
		return err_nomem(e);
	return 0;
}

static int read_host(const struct api_call *c, json_t *host, struct err *e)
{
	static const struct {
		const char *key, *name;
		bool text;
	} rows[] = {
		{"memory", "Memory", false},
		{"memswap", "MemorySwap", false},
		{"cpushares", "CpuShares", false},
		{"cpuperiod", "CpuPeriod", false},
		{"cpuquota", "CpuQuota", false},
		{"shmsize", "ShmSize", false},
		{"cpusetcpus", "CpusetCpus", true},
		{"cpusetmems", "CpusetMems", true},
		{"cgroupparent", "CgroupParent", true},
		{"networkmode", "NetworkMode", true},
		{"isolation", "Isolation", true},
	};
	json_t *ulimits = NULL, *log = json_pack("{s:s,s:{}}", "Type", "none", "Config");
	int r = json_query(c, "ulimits", &ulimits, "ulimit settings", e);

	if (ulimits && json_is_array(ulimits) && json_object_set(host, "Ulimits", ulimits) < 0)
		r = err_nomem(e);
	json_decref(ulimits);
	if (json_object_set_new(host, "LogConfig", log) < 0)
		r = err_nomem(e);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(rows); i++)
		r = rows[i].text ? put_text(c, host, rows[i].key, rows[i].name, e)
				 : put_number(c, host, rows[i].key, rows[i].name, e);
	return r < 0 ? r : put_extra_hosts(c, host, e);
}

static int check(const struct api_call *c, struct err *e)
{
	const char *version = api_query(c, "version"), *remote = api_query(c, "remote");

	if (streq(version, "2"))
		return err_invalid(e, "buildkit is not enabled on daemon");
	if (!str_empty(version) && !streq(version, "1"))
		return err_invalid(e, "invalid version %.20s", version);
	if (api_query_bool(c, "squash", false))
		return err_invalid(e, "squash is only supported with experimental mode");
	if (!str_empty(api_query(c, "securityopt")))
		return err_invalid(e,
				   "The daemon on this platform does not support setting security "
				   "options on build");
	if (str_empty(remote))
		return 0;
	return err_set(e, ERR_UNSUPPORTED, ENOTSUP,
		       "building from a remote context (%.200s) is not supported by this engine: "
		       "fetch it and give its directory",
		       remote);
}

static int read_tags(const struct api_call *c, char ***ret, struct err *e)
{
	const char *v;

	for (size_t pos = 0; (v = http_query_next(c->r, "t", &pos));) {
		int r;

		if (!*v)
			continue;
		r = image_name_check(v, e);
		if (r < 0)
			return r;
		if (strv_add_unique(ret, v) < 0)
			return err_nomem(e);
	}
	return 0;
}

static int start(struct api_call *c, struct building *g, struct err *e)
{
	auto_json json_t *args = NULL, *labels = NULL, *host = json_object();
	auto_strv char **tags = NULL;
	const struct build_ops ops = {.text = on_text,
				      .aux = on_aux,
				      .progress = on_progress,
				      .writable = on_writable,
				      .done = on_done,
				      .data = g};
	int r = host ? check(c, e) : err_nomem(e);

	if (r >= 0)
		r = read_tags(c, &tags, e);
	if (r >= 0)
		r = object_query(c, "buildargs", &args, "build args", e);
	if (r >= 0)
		r = object_query(c, "labels", &labels, "labels", e);
	if (r >= 0)
		r = read_host(c, host, e);
	if (r < 0)
		return r;
	g->quiet = api_query_bool(c, "q", false);
	g->aux = c->version >= 130;
	const struct build_options o = {
		.dockerfile = api_query(c, "dockerfile"),
		.tags = tags,
		.target = api_query(c, "target"),
		.args = args,
		.labels = labels,
		.host = host,
		.platform = c->version >= 132 ? api_query(c, "platform") : NULL,
		.registry_config = http_header(c->r, "X-Registry-Config"),
		.no_cache = api_query_bool(c, "nocache", false),
		.pull = api_query_bool(c, "pull", false),
		.remove = api_query_bool(c, "rm", true),
		.force_remove = api_query_bool(c, "forcerm", false),
		.quiet = g->quiet,
	};

	return build_start(c->api->builder, &o, &ops, &g->build, e);
}

void build_post(struct api_call *c)
{
	struct building *g = calloc(1, sizeof(*g));
	struct err e = {0};
	int r = g ? start(c, g, &e) : err_nomem(&e);

	if (r < 0) {
		free(g);
		api_error(c, &e);
		return;
	}
	g->c = c;
	c->data = g;
	c->gone = left_while_feeding;
	http_body_stream(c->r, piece, g);
}

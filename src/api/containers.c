/* SPDX-License-Identifier: GPL-2.0-or-later */
/* containers.c - /containers: create, start, stop, kill, restart, remove, rename, wait, prune */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "api/internal.h"
#include "api/sizes.h"
#include "base/limits.h"
#include "base/str.h"
#include "image/manifest.h"
#include "loop/loop.h"

/* Before 1.44 a container begins with one network. */
static int one_network(const struct api_call *c, struct err *e)
{
	auto_buf struct buf names = BUF_INIT(512);
	json_t *networking, *asked = NULL, *v;
	const char *name;
	int r = json_get_obj(c->body, "ContainerConfigWrapper", "NetworkingConfig", &networking, e);

	if (r >= 0 && networking)
		r = json_get_obj(networking, "NetworkingConfig", "EndpointsConfig", &asked, e);
	if (r < 0 || c->version >= 144 || json_object_size(asked) < 2)
		return r;
	json_object_foreach(asked, name, v)(void)
		buf_printf(&names, "%s%s", names.len ? ", " : "", name);
	return err_invalid(e, "Container cannot be connected to network endpoints: %s",
			   buf_str(&names));
}

/* "linux", "linux/amd64", "amd64": images of other machines cannot run here. */
static int platform_fits(const struct api_call *c, struct err *e)
{
	const char *platform = api_query(c, "platform"), *machine = platform, *slash;
	const char *image = json_string_value(json_get(c->body, "Image"));
	size_t len;

	if (str_empty(platform))
		return 0;
	slash = strchr(platform, '/');
	if (slash || streq(platform, "linux")) {
		len = slash ? (size_t)(slash - platform) : strlen(platform);
		machine = slash ? slash + 1 : "";
		if (len != 5 || memcmp(platform, "linux", 5) != 0)
			return err_invalid(e,
					   "\"%s\" is an unknown or unsupported operating system: "
					   "this engine runs linux containers",
					   platform);
	}
	len = strcspn(machine, "/");
	if (!len || (strlen(machine_name()) == len && !memcmp(machine, machine_name(), len)))
		return 0;
	return err_not_found(e,
			     "image with reference %s was found but does not match the specified "
			     "platform: wanted %s, actual: linux/%s",
			     image ? image : "", platform, machine_name());
}

/* What an API version did not have yet, or still has. */
static int older_clients(struct api_call *c, char ***warnings)
{
	json_t *host = json_get(c->body, "HostConfig");

	if (c->version < 144)
		(void)json_object_del(json_get(c->body, "Healthcheck"), "StartInterval");
	if (c->version < 142 && json_integer_value(json_get(host, "KernelMemory")) > 0)
		return strv_add(warnings,
				"Your kernel does not support kernel memory limit capabilities or "
				"the cgroup is not mounted. Limitation discarded.");
	return 0;
}

void containers_create(struct api_call *c)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_BODY);
	auto_strv char **warnings = NULL;
	struct jsonw w = JSONW_INIT(&out);
	struct container *k;
	struct err e = {0};
	int r = one_network(c, &e);

	if (r >= 0)
		r = platform_fits(c, &e);
	if (r >= 0)
		r = older_clients(c, &warnings) < 0 ? err_nomem(&e) : 0;
	if (r >= 0)
		r = engine_create_as(c->en, c->version, api_query(c, "name"), c->body, &k,
				     &warnings, &e);
	if (r < 0) {
		api_error(c, &e);
		return;
	}
	jsonw_object(&w, NULL);
	jsonw_str(&w, "Id", container_id(k));
	jsonw_strv(&w, "Warnings", warnings);
	jsonw_end_object(&w);
	api_json(c, 201, &out);
}

void containers_start(struct api_call *c)
{
	struct container *k = api_container(c);

	if (k)
		engine_start(k, api_done, c);
}

/* t: seconds of grace; signal */
static int stop_params(struct api_call *c, int *signal, int *timeout, struct err *e)
{
	const char *name = api_query(c, "signal");
	int64_t t;
	int r = api_query_i64(c, "t", -1, &t, e);

	*signal = 0;
	if (r >= 0 && !str_empty(name))
		r = engine_signal_parse(name, signal, e);
	if (r < 0)
		return r;
	*timeout = t < 0 || t > INT32_MAX ? -1 : (int)t; /* below zero: wait for ever */
	if (str_empty(api_query(c, "t")))
		*timeout = ENGINE_STOP_DEFAULT;
	return 0;
}

static void stop_or_restart(struct api_call *c, void (*fn)(struct container *k, int signal,
							   int timeout_s, engine_cb cb, void *data))
{
	struct container *k = api_container(c);
	int signal, timeout;
	struct err e = {0};

	if (!k)
		return;
	if (stop_params(c, &signal, &timeout, &e) < 0)
		api_error(c, &e);
	else
		fn(k, signal, timeout, api_done, c);
}

void containers_stop(struct api_call *c)
{
	stop_or_restart(c, engine_stop);
}

void containers_restart(struct api_call *c)
{
	stop_or_restart(c, engine_restart);
}

static void killed(int exit_code, const char *error, void *data)
{
	(void)exit_code;
	(void)error;
	api_empty(data, 204);
}

/* As in Docker SIGKILL is answered when the process has ended, others when they are sent. */
void containers_kill(struct api_call *c)
{
	const char *name = api_query(c, "signal");
	struct container *k = api_container(c);
	struct err e = {0};
	struct waiter *w;
	int signal = SIGKILL, r = 0;

	if (!k)
		return;
	if (!str_empty(name))
		r = engine_signal_parse(name, &signal, &e);
	if (r >= 0)
		r = engine_kill(k, signal, &e);
	if (r < 0)
		api_error(c, &e);
	else if (signal != SIGKILL || engine_wait(k, WAIT_NOT_RUNNING, killed, c, &w) < 0)
		api_empty(c, 204);
}

void containers_remove(struct api_call *c)
{
	struct container *k = api_container(c);
	struct err e = {0};

	if (!k)
		return;
	if (api_query_bool(c, "link", false)) {
		(void)err_set(&e, ERR_UNSUPPORTED, ENOTSUP,
			      "links are not there in this version of the engine: remove the "
			      "container without link=1");
		api_error(c, &e);
		return;
	}
	engine_remove(k, api_query_bool(c, "force", false), api_query_bool(c, "v", false), api_done,
		      c);
}

void containers_rename(struct api_call *c)
{
	const char *name = api_query(c, "name");
	struct container *k = api_container(c);
	struct err e = {0};

	if (!k)
		return;
	if (str_empty(name))
		(void)err_invalid(&e, "Neither old nor new names may be empty");
	else if (engine_rename(k, name, &e) >= 0) {
		api_empty(c, 204);
		return;
	}
	api_error(c, &e);
}

/* ---- wait ---- */

struct wait {
	struct http_stream *s;
	struct waiter *w;
};

static void wait_gone(void *data)
{
	struct wait *x = data;

	engine_wait_cancel(x->w);
	free(x);
}

static void waited(int exit_code, const char *error, void *data)
{
	auto_buf struct buf out = BUF_INIT(8192);
	struct jsonw w = JSONW_INIT(&out);
	struct wait *x = data;

	jsonw_object(&w, NULL);
	jsonw_i64(&w, "StatusCode", exit_code);
	if (error) {
		jsonw_object(&w, "Error");
		jsonw_str(&w, "Message", error);
		jsonw_end_object(&w);
	}
	jsonw_end_object(&w);
	(void)buf_putc(&out, '\n');
	(void)http_stream_write(x->s, out.data, out.len); /* full or not: it ends */
	http_stream_end(x->s);
	free(x);
}

static int condition(const char *text, enum wait_condition *ret, struct err *e)
{
	*ret = WAIT_NOT_RUNNING;
	if (str_empty(text) || streq(text, "not-running"))
		return 0;
	if (streq(text, "next-exit"))
		*ret = WAIT_NEXT_EXIT;
	else if (streq(text, "removed"))
		*ret = WAIT_REMOVED;
	else
		return err_invalid(e, "invalid condition: \"%s\"", text);
	return 0;
}

void containers_wait(struct api_call *c)
{
	struct container *k = api_container(c);
	enum wait_condition when;
	struct waiter *w = NULL;
	struct err e = {0};
	struct wait *x;

	if (!k)
		return;
	x = condition(api_query(c, "condition"), &when, &e) < 0 ? NULL : calloc(1, sizeof(*x));
	if (!x) {
		if (!e.code)
			(void)err_nomem(&e);
		api_error(c, &e);
		return;
	}
	/* the headers now: the CLI starts the container only after it has them */
	x->s = api_stream(c, 200, "application/json", wait_gone, x);
	if (!x->s) {
		free(x);
		return;
	}
	if (engine_wait(k, when, waited, x, &w) < 0)
		waited(-1, "out of memory", x);
	else if (w)
		x->w = w;
}

/* ---- prune ---- */

/* One removal a turn of the loop: the sizes are counted first, for the sum in the answer. */
struct prune {
	struct api_call *c;
	char **ids, **deleted;
	int64_t *bytes, sum;
	size_t next;
};

static void prune_answer(struct prune *p)
{
	auto_buf struct buf out = BUF_INIT(LIMIT_JSON_REPLY);
	struct jsonw w = JSONW_INIT(&out);
	struct api_call *c = p->c;

	jsonw_object(&w, NULL);
	if (p->deleted)
		jsonw_strv(&w, "ContainersDeleted", p->deleted);
	else
		jsonw_null(&w, "ContainersDeleted");
	jsonw_i64(&w, "SpaceReclaimed", p->sum);
	jsonw_end_object(&w);
	prune_event(c->en, "container", p->sum);
	strv_free(p->ids);
	strv_free(p->deleted);
	free(p->bytes);
	free(p);
	api_json(c, 200, &out);
}

static void prune_step(void *data);

static void pruned(int result, const struct err *e, void *data)
{
	struct prune *p = data;

	(void)e; /* it runs again, or another has removed it */
	if (result >= 0) {
		p->sum += p->bytes[p->next - 1];
		if (strv_add(&p->deleted, p->ids[p->next - 1]) < 0)
			p->next = strv_len(p->ids);
	}
	if (loop_defer(engine_loop(p->c->en), prune_step, p, NULL) < 0)
		prune_answer(p);
}

static void prune_step(void *data)
{
	struct prune *p = data;
	struct container *k = NULL;

	while (!k && p->ids && p->ids[p->next])
		if (engine_find(p->c->en, p->ids[p->next++], &k, NULL) < 0)
			k = NULL;
	if (k)
		engine_remove(k, false, false, pruned, p);
	else
		prune_answer(p);
}

static void prune_begin(struct api_call *c, const struct sizes *s)
{
	struct prune *p = calloc(1, sizeof(*p));
	size_t n = strv_len(s->ids);
	struct err e = {0};

	if (p) {
		p->c = c;
		p->ids = strv_copy(s->ids);
		p->bytes = calloc(n + 1, sizeof(*p->bytes));
	}
	if (!p || !p->bytes || (n && !p->ids)) {
		if (p)
			free(p->bytes);
		free(p);
		(void)err_nomem(&e);
		api_error(c, &e);
		return;
	}
	memcpy(p->bytes, s->bytes, n * sizeof(*p->bytes));
	prune_step(p);
}

static bool prunable(const struct container *k, const struct filters *f, int64_t until)
{
	enum container_status st = container_state(k)->status;

	return (st == CONTAINER_CREATED || st == CONTAINER_EXITED || st == CONTAINER_DEAD) &&
	       (!until || container_created_ns(k) < until) &&
	       prune_labels(f, json_get(container_config(k), "Labels"));
}

void containers_prune(struct api_call *c)
{
	static const char *const allowed[] = {PRUNE_KEYS, NULL};
	auto_(filters_free) struct filters *f = NULL;
	auto_strv char **ids = NULL;
	struct container *k = NULL;
	int64_t until = 0;
	struct err e = {0};
	int r = api_filters(c, allowed, &f, &e);

	if (r >= 0)
		r = prune_until(f, &until, &e);
	while (r >= 0 && (k = engine_container_next(c->en, k)))
		if (prunable(k, f, until) && strv_add(&ids, container_id(k)) < 0)
			r = err_nomem(&e);
	if (r < 0)
		api_error(c, &e);
	else
		sizes_count(c, TAKE_PTR(ids), prune_begin);
}

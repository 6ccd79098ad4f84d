/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * internal.h - what the API's files share: a call, and the ways to end it
 *
 * A handler gets one struct api_call and ends it exactly once, at once or later, by one of the
 * api_* functions below marked "ends the call"; @c is freed then. A client that leaves meanwhile
 * makes c->r NULL: whoever waits goes on and ends the call as if nothing had happened, and the
 * answer is dropped. A handler that holds something only for its client sets c->gone.
 */
#pragma once

#include "api/api.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/jsonw.h"
#include "base/list.h"
#include "engine/engine.h"
#include "http/filters.h"
#include "http/router.h"
#include "http/server.h"

struct api {
	struct engine *en;
	struct loop *loop;
	struct list pumps; /* pump.c */
	struct builder *builder;
};

struct api_call {
	struct api *api;
	struct engine *en;
	struct http_req *r; /* NULL once the client has left */
	unsigned version;   /* 141 for /v1.41; without a prefix API_VERSION_MAX */
	char *params[ROUTE_PARAMS_MAX];
	json_t *body;			  /* of BODY_* routes; the call's, NULL if none was sent */
	void (*gone)(struct api_call *c); /* the client left; may end the call. NULL allowed */
	void *data;			  /* the handler's own */
};
typedef void (*api_fn)(struct api_call *c);

/* struct route flags: what is done with the body before the handler runs */
enum {
	BODY_NONE = 0,		/* read and dropped */
	BODY_JSON = 1,		/* a JSON object is required: 400 else */
	BODY_JSON_OPTIONAL = 2, /* an object or nothing */
	BODY_RAW = 4,		/* the handler reads it itself (http_body_stream) */
};

/* ---- api.c: each ends the call ---- */
void api_error(struct api_call *c, const struct err *e); /* {"message": ...}; the kind's status */
void api_empty(struct api_call *c, unsigned status);
void api_json(struct api_call *c, unsigned status, struct buf *body); /* takes the content; a failed
								       * buf answers 500 */
void api_text(struct api_call *c, unsigned status, const char *content_type, const char *text);
/* no answer: the client has left (c->r is NULL), or http_hijack() has taken the request */
void api_drop(struct api_call *c);
/* the container that the path names; NULL: the call was answered with why not */
struct container *api_container(struct api_call *c);
/* appends the last line of a stream of JSON that failed; @code is of a command, 0 none */
void api_error_line(struct buf *out, int code, const char *message);
/* engine_cb: 204 or the error; @data is the call */
void api_done(int result, const struct err *e, void *data);
/* a chunked answer: ends the call and hands over to the stream. NULL: it was ended without one (the
 * client has left, or no memory) and @gone is not called */
struct http_stream *api_stream(struct api_call *c, unsigned status, const char *content_type,
			       void (*gone)(void *data), void *data);

/* ---- helpers ---- */
const char *api_query(const struct api_call *c, const char *key); /* NULL absent */
bool api_query_bool(const struct api_call *c, const char *key, bool absent);
/* absent or empty: @absent; not a number: ERR_INVALID with strconv's text */
int api_query_i64(const struct api_call *c, const char *key, int64_t absent, int64_t *ret,
		  struct err *e) MUST_CHECK;
/* ?filters= with the allowed keys */
int api_filters(const struct api_call *c, const char *const *allowed, struct filters **ret,
		struct err *e) MUST_CHECK;
/* an "EndpointSettings" of a network inspect or container inspect (network_json.c) */
void addresses_json(struct jsonw *w, struct endpoint *ep); /* NULL: none */
void endpoint_settings_json(struct jsonw *w, const char *key, struct endpoint *ep,
			    const struct api_call *c);
void endpoint_summary_json(struct jsonw *w, const char *key, struct endpoint *ep,
			   const struct api_call *c);
/* a key of ExposedPorts for which nothing is published; its port and protocol (container_list.c) */
bool exposed_only(struct sandbox *sb, const char *key, uint16_t *ret_port, uint8_t *ret_proto);
/* one object of GET /containers/json (container_list.c); @bytes of its own layer, NULL: without */
void container_summary_json(struct jsonw *w, struct container *k, const struct api_call *c,
			    const int64_t *bytes);
/* one object of GET /volumes (volumes.c); @bytes NULL: without its UsageData */
void volume_json(struct jsonw *w, const struct volume *v, struct engine *en, const int64_t *bytes);
/* "Images" of GET /system/df (images.c) */
void images_df(struct jsonw *w, const struct api_call *c);
/* an event of an image, with its first name (image_load.c) */
void image_event(struct engine *en, const char *action, const char *id);
void image_event_named(struct engine *en, const char *action, const char *id, const char *name);
/* what a prune's label, label! and until say about an object (networks.c) */
#define PRUNE_KEYS "label", "label!", "until"
int prune_until(const struct filters *f, int64_t *ret_ns, struct err *e) MUST_CHECK;
bool prune_labels(const struct filters *f, const json_t *labels);
/* "prune", with what was gained, of objects of a type */
void prune_event(struct engine *en, const char *type, int64_t bytes);
/* networks.c: a NetworkCreateRequest, its types checked; free with network_spec_done() */
int network_create_parse(const json_t *body, struct network_spec *ret, struct err *e) MUST_CHECK;
/* network_json.c: a network as list and inspect show it; @containers: with those on it */
void network_json(struct jsonw *w, struct network *nw, const struct api_call *c, bool containers);
/* HTTP status of an error's kind (errors.c) */
unsigned api_status_of(enum err_kind kind);

/* ---- handlers, a file a resource; the table is routes.c ---- */
extern const struct route api_routes[];
extern const size_t api_routes_len;

/* system.c, events.c */
void system_ping(struct api_call *c);
void system_version(struct api_call *c);
void system_info(struct api_call *c);
void system_events(struct api_call *c);
void system_df(struct api_call *c);
void system_build_prune(struct api_call *c); /* BuildKit's cache: there is none */
void system_plugins(struct api_call *c);
void system_swarm_off(struct api_call *c);
void system_not_yet(struct api_call *c); /* 501 naming the route */
/* networks.c */
void networks_list(struct api_call *c);
void networks_inspect(struct api_call *c);
void networks_create(struct api_call *c);
void networks_remove(struct api_call *c);
void networks_connect(struct api_call *c);
void networks_disconnect(struct api_call *c);
void networks_prune(struct api_call *c);
/* volumes.c */
void volumes_list(struct api_call *c);
void volumes_inspect(struct api_call *c);
void volumes_create(struct api_call *c);
void volumes_remove(struct api_call *c);
void volumes_prune(struct api_call *c);
void volumes_update(struct api_call *c); /* of swarm's cluster volumes only: refused */
/* images.c, image_load.c */
void images_list(struct api_call *c);
void images_inspect(struct api_call *c);
void images_history(struct api_call *c);
void images_tag(struct api_call *c);
void images_remove(struct api_call *c);
void images_prune(struct api_call *c);
void images_load(struct api_call *c);
void images_create(struct api_call *c); /* fromSrc=- imports, fromImage pulls */
/* image_pull.c, image_push.c, registry.c */
void images_pull(struct api_call *c);
void images_push(struct api_call *c);
void registry_auth(struct api_call *c);
void registry_describe(struct api_call *c);
void registry_search(struct api_call *c);
/* image_save.c */
void images_save(struct api_call *c);
void images_save_all(struct api_call *c);
/* commit.c */
void images_commit(struct api_call *c);
void containers_changes(struct api_call *c);
/* archive.c */
void archive_stat(struct api_call *c);
void archive_get(struct api_call *c);
void archive_put(struct api_call *c);
void archive_export(struct api_call *c);
/* containers.c */
void containers_create(struct api_call *c);
void containers_start(struct api_call *c);
void containers_stop(struct api_call *c);
void containers_restart(struct api_call *c);
void containers_kill(struct api_call *c);
void containers_remove(struct api_call *c);
void containers_rename(struct api_call *c);
void containers_wait(struct api_call *c);
void containers_resize(struct api_call *c);
void containers_prune(struct api_call *c);
/* life.c, stats.c */
void containers_pause(struct api_call *c);
void containers_unpause(struct api_call *c);
void containers_update(struct api_call *c);
void containers_top(struct api_call *c);
void containers_stats(struct api_call *c);
/* container_list.c, container_json.c */
void containers_list(struct api_call *c);
void containers_inspect(struct api_call *c);
/* build.c */
void build_post(struct api_call *c);
/* logs.c, attach.c, exec.c */
void containers_logs(struct api_call *c);
void containers_attach(struct api_call *c);
void containers_attach_ws(struct api_call *c);
void containers_exec(struct api_call *c);
void exec_start(struct api_call *c);
void exec_inspect(struct api_call *c);
void exec_resize(struct api_call *c);

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - the Engine API as its clients use it: which engine, which version, errors, JSON
 *
 * Blocking, one request at a time; a call that stays open beside others needs a client of its own
 * (client_dup()). Paths are given without the version, which is agreed with the engine by /_ping
 * before the first call. A status of 400 and above is a failure with the text
 * "Error response from daemon: ..." and the kind that belongs to it; 304 is none.
 */
#pragma once

#include <stdbool.h>

#include "base/buf.h"
#include "base/json.h"
#include "http/client.h"

#define CLIENT_DEFAULT_HOST "unix:///run/atoll.sock"
#define CLIENT_API_MAX	    151u /* 1.51 */
#define CLIENT_API_MIN	    124u

struct client;
/* what the command line said of the engine; NULL and false: nothing */
struct client_wish {
	const char *host, *context;
	const char *ca, *cert, *key;
	bool tls, verify, verify_said;
};
/* @w NULL: nothing was said. Does not connect. Which engine that is: client/target.h. "/path" and
 * "address:port" are completed to unix:// and tcp://. */
int client_new(const struct client_wish *w, struct client **ret, struct err *e) MUST_CHECK;
/* a raw connection of its own: the caller's */
int client_raw(struct client *c, int *ret_fd, struct err *e) MUST_CHECK;
/* another connection to the same engine, with the version already agreed */
int client_dup(struct client *c, struct client **ret, struct err *e) MUST_CHECK;
void client_free(struct client *c);
DEFINE_AUTO(struct client, client_free);
/* the agreed version, 151 for 1.51; asks the engine if it was not asked yet */
int client_version(struct client *c, unsigned *ret, struct err *e) MUST_CHECK;

/* @call->path without version. @ret is always valid for http_resp_done(). Return: as
 * http_client_call(), and failures for a status of 400 and above (unless on_head ended the call) */
int client_call(struct client *c, const struct http_call *call, struct http_resp *ret,
		struct err *e) MUST_CHECK;
/* JSON text in (NULL: no body), JSON out (@ret NULL: dropped; an empty answer gives NULL) */
int client_json(struct client *c, const char *method, const char *path, const char *body,
		json_t **ret, struct err *e) MUST_CHECK;
/* POST that takes the connection over: @ret_fd and bytes already read. Any answer but 101 fails. */
int client_hijack(struct client *c, const char *path, const char *body, int *ret_fd,
		  struct buf *early, struct err *e) MUST_CHECK;
/* the failure that the answer @r says, or 0 */
int client_error(const struct http_resp *r, struct err *e) MUST_CHECK;

/* ---- request targets; an error is the buffer's ---- */
#define URL_INIT BUF_INIT(1u << 20)
/* clears @u and writes @pattern, its '%' replaced by @part, escaped */
void url_path(struct buf *u, const char *pattern, const char *part);
void url_query(struct buf *u, const char *key, const char *value); /* NULL value: nothing */
void url_flag(struct buf *u, const char *key, bool value);	   /* key=1, or nothing */
/* filters={...} from "key=value" texts; ERR_INVALID on one without '='. None: nothing */
int url_filters(struct buf *u, char *const *filters, struct err *e) MUST_CHECK;

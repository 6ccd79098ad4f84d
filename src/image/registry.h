/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry.h - inside atoll-registry: a client of registries, confined, with the host's network
 *
 * A program of its own beside atoll-helper: it has the network and no file, that one files and no
 * network; what a TLS library brings with it is loaded by this one alone.
 *
 * "atoll-registry DIR" takes commands on fd 0 (a SOCK_SEQPACKET socket, one JSON object each, some
 * with a descriptor) and answers on fd 3 by lines, one JSON object each. DIR is an empty directory
 * to mount on. The first command opens the session; it is read before the confinement, for it says
 * which certificates are needed:
 *   {"op":"open","domain":"docker.io","path":"library/busybox","shown":"busybox","actions":"pull",
 *    "auth":{..},"insecure":[..],"mirrors":[..],"proxies":{"http":..,"https":..,"no":..},
 *    "attempts":5,"platform":"linux/amd64"}
 * then, in any order, one at a time but for "layer", which runs beside the others:
 *   {"op":"manifest","reference":"latest","have":"sha256:.."}  -> {"found":true}, then
 *                       {"manifest":{"texts":[..],"config":"<text>"}}: all documents from the first
 * to the image's own; no config if it is the one that the engine has
 *   {"op":"layer","n":0,"layer":{"digest":..,"size":..,"urls":[..]}} and a pipe
 *                       -> {"progress":[n,bytes]}.., {"retry":[n,seconds]}.., {"fetched":n}
 *   {"op":"tags"}       -> {"tags":[..]}
 *   {"op":"login"}      -> {"login":{"token":".."}}
 *   {"op":"describe","reference":..} -> {"describe":{..}} (GET /distribution)
 *   {"op":"search","term":..,"limit":..} -> {"search":[..]}
 *   {"op":"blob",..}, {"op":"put",..}: registry_push.c
 * Of each mirror that fails, before the answer: {"left":["<mirror>","<why>"]}.
 * A command that fails answers {"failed":{"text":..,"code":..,"n":..}}. The end of fd 0 ends it.
 * Nothing here is believed by the reader of these lines: it checks again.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "image/registry_auth.h"
#include "image/registry_endpoint.h"
#include "image/registry_manifest.h"
#include "image/registry_parse.h"

#define COMMAND_FD  0
#define COMMAND_MAX (192u << 10) /* below a socket's send buffer */

/* ---- helper_net.c ---- */

struct net_file { /* what the helper sees of the host's files: copies in a tmpfs */
	const char *name;
	const void *data;
	size_t len;
};
/* own mount, ipc and uts namespaces; @files are all there is, read-only; nobody's uid, no
 * capability, no_new_privs, limits, a list of system calls. The network stays. */
int confine_net(const char *dir, const struct net_file *files, size_t n, struct err *e) MUST_CHECK;

/* ---- registry_files.c: what is read of the host before the confinement ---- */

struct registry_tls { /* paths inside the confinement; NULL: none */
	char *host, *ca, *cert, *key;
};
struct registry_files {
	struct net_file *v;
	size_t n;
	struct registry_tls *tls;
	size_t n_tls;
	char *nameserver; /* for the texts of failed look-ups */
};
/* resolv.conf and its like, the system's certificates, those of @hosts */
int registry_files_read(struct registry_files *f, char *const *hosts, struct err *e) MUST_CHECK;
/* the content, once it is in the tmpfs */
void registry_files_drop(struct registry_files *f);
void registry_files_done(struct registry_files *f);
const struct registry_tls *registry_tls_of(const struct registry_files *f, const char *host);

/* ---- the session ---- */

struct registry {
	char *domain, *path, *shown, *actions;
	char **scopes; /* "repository:library/busybox:pull", and others while mounting */
	struct registry_auth auth;
	struct registry_endpoint *endpoints;
	size_t n_endpoints;
	const struct registry_endpoint *at; /* the one in use */
	struct registry_files files;
	char *proxy_http, *proxy_https, *no_proxy;
	unsigned attempts;
	struct platform platform;
	bool pinged;
	/* guarded by @lock: who we are to @at */
	pthread_mutex_t lock;
	struct challenge challenge;
	char *token;
	unsigned running; /* downloads */
};

/* ---- registry_http.c ---- */

struct reg_call {
	const char *method, *url;
	const char *accept, *type; /* of what is wanted, of @body */
	const char *authorization; /* never goes to another host */
	const void *body;
	size_t body_len;
	int fd;		 /* the body instead, of @body_len bytes; negative: none */
	uint64_t from;	 /* Range: bytes=from- */
	size_t body_max; /* of the answer; also of errors where there is a sink */
	/* the body of 200 and 206; a failure (-errno) ends the call with it */
	int (*sink)(void *data, unsigned status, const char *piece, size_t len);
	void *data;
	bool sending;  /* how much of @fd has gone is reported: {"sent":bytes} */
	bool stay;     /* redirects are the caller's */
	bool insecure; /* the certificate is not checked, redirects may leave TLS */
};
#define REG_CALL_INIT ((struct reg_call){.method = "GET", .fd = -1, .body_max = 1 << 20})
struct reg_answer {
	unsigned status;
	char *type, *digest, *location, *link, *content_range, *range, *upload;
	struct challenge auth;
	uint32_t retry_after; /* s, 0 not said */
	struct buf body;
	int sunk; /* the sink's failure */
};
void reg_answer_done(struct reg_answer *a);
/* one request, redirects followed. Failures carry Go's text: Get "https://x/v2/": dial tcp ... @h
 * is a curl handle that is kept for the next one */
int reg_http(struct registry *r, void *h, const struct reg_call *c, struct reg_answer *ret,
	     struct err *e) MUST_CHECK;
/* a Location against the URL it came from; malloc'ed, NULL broken */
char *reg_resolve(const char *url, const char *location);
/* ERR_* by Docker's rules and the text of an answer of 400 and above, @code as
 * registry_error_text(). Return: -errno */
int reg_refused(const struct reg_answer *a, char code[REGISTRY_CODE_SIZE], struct err *e);

/* ---- registry_token.c ---- */

/* as reg_http(), with what the registry asks to know us by; on 401 once more with a new token */
int reg_request(struct registry *r, void *h, struct reg_call *c, struct reg_answer *ret,
		struct err *e) MUST_CHECK;
/* GET /v2/ of each endpoint from the current one on until one answers: what it asks for */
int reg_ping(struct registry *r, void *h, struct err *e) MUST_CHECK;
/* "<endpoint>/v2/<path>/<what>", malloc'ed */
char *reg_url(const struct registry *r, const char *fmt, ...) PRINTF(2, 3);
void reg_forget(struct registry *r); /* another endpoint, other scopes */

/* ---- registry_pull.c ---- */

int reg_manifest(struct registry *r, void *h, const char *reference, const char *have,
		 struct err *e) MUST_CHECK;
int reg_tags(struct registry *r, void *h, struct err *e) MUST_CHECK;
int reg_describe(struct registry *r, void *h, const char *reference, struct err *e) MUST_CHECK;
/* ---- registry_layer.c: a thread of its own ---- */
int reg_layer_start(struct registry *r, const json_t *command, int fd, struct err *e) MUST_CHECK;
/* ---- registry_ask.c ---- */
int reg_login(struct registry *r, void *h, struct err *e) MUST_CHECK;
int reg_search(struct registry *r, void *h, const char *term, int64_t limit,
	       struct err *e) MUST_CHECK;
/* ---- registry_push.c ---- */
int reg_blob(struct registry *r, void *h, const json_t *command, int fd, struct err *e) MUST_CHECK;
int reg_put(struct registry *r, void *h, const json_t *command, struct err *e) MUST_CHECK;

/* ---- registry_run.c ---- */

/* one line of the report; any thread. Takes @line (NULL: out of memory) */
int reg_report(json_t *line, struct err *e) MUST_CHECK;
/* @n: the layer, -1 none */
void reg_report_failed(const struct err *e, const char *code, int64_t n);
/* the mirror in use failed for @why, and another endpoint comes next */
void reg_report_left(const struct registry *r, const struct err *why);
/* the whole of "atoll-registry DIR". Return: the exit code */
int registry_main(int argc, char **argv);

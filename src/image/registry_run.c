/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_run.c - atoll-registry: the session from its first command to the last
 *
 * The main thread waits for commands and does all but downloads; those have a thread each, and as
 * many as the engine lets run. The session ends with the command socket: whatever still runs then
 * is of no use to anybody.
 */
#include <curl/curl.h>
#include <locale.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/str.h"
#include "image/helper.h"
#include "image/registry.h"

static pthread_mutex_t report_lock = PTHREAD_MUTEX_INITIALIZER;

int reg_report(json_t *line, struct err *e)
{
	auto_free char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
	size_t len = text ? strlen(text) : 0;
	int r;

	json_decref(line);
	if (!text)
		return err_nomem(e);
	text[len] = '\n'; /* in the NUL's place */
	pthread_mutex_lock(&report_lock);
	r = fs_write_all(REPORT_FD, text, len + 1);
	pthread_mutex_unlock(&report_lock);
	return r < 0 ? err_sys(e, -r, "cannot report") : 0;
}

static json_t *error_text(const struct err *e)
{
	json_t *text = json_string(e->msg);

	if (!text) /* a registry's bytes that are no UTF-8 */
		text = json_string("the registry's answer has an unreadable error text");
	return text;
}

void reg_report_failed(const struct err *e, const char *code, int64_t n)
{
	struct err unused; /* nobody reads: nobody needs it */

	(void)reg_report(json_pack("{s:{s:o,s:s,s:i,s:I}}", "failed", "text", error_text(e), "code",
				   code, "kind", (int)e->kind, "n", (json_int_t)n),
			 &unused);
}

void reg_report_left(const struct registry *r, const struct err *why)
{
	struct err unused; /* likewise */

	(void)reg_report(json_pack("{s:[s,o]}", "left", r->at->url, error_text(why)), &unused);
}

/* ---- the first command ---- */

static int take_text(const json_t *j, const char *key, char **to, struct err *e)
{
	const char *v;
	int r = json_get_str(j, "open", key, &v, e);

	return r < 0 || !v ? r : str_set(to, v) < 0 ? err_nomem(e) : 0;
}

static int take_proxies(struct registry *r, const json_t *j, struct err *e)
{
	json_t *p = NULL;
	int rc = json_get_obj(j, "open", "proxies", &p, e);

	if (rc >= 0)
		rc = take_text(p, "http", &r->proxy_http, e);
	if (rc >= 0)
		rc = take_text(p, "https", &r->proxy_https, e);
	return rc < 0 ? rc : take_text(p, "no", &r->no_proxy, e);
}

static int take_session(struct registry *r, const json_t *j, struct err *e)
{
	int64_t attempts = 0;
	const char *platform;
	int rc = take_text(j, "domain", &r->domain, e);

	if (rc >= 0)
		rc = take_text(j, "path", &r->path, e);
	if (rc >= 0)
		rc = take_text(j, "shown", &r->shown, e);
	if (rc >= 0)
		rc = take_text(j, "actions", &r->actions, e);
	if (rc >= 0)
		rc = take_proxies(r, j, e);
	if (rc >= 0)
		rc = registry_auth_from_json(json_get(j, "auth"), &r->auth, e);
	if (rc >= 0)
		rc = json_get_i64(j, "open", "attempts", &attempts, e);
	if (rc >= 0)
		rc = json_get_str(j, "open", "platform", &platform, e);
	if (rc < 0)
		return rc;
	r->attempts = (unsigned)MAX(MIN(attempts, 100), 1);
	r->platform = platform_here();
	if (platform)
		rc = platform_parse(platform, &r->platform, e);
	if (rc >= 0 && r->actions && *r->path &&
	    strv_addf(&r->scopes, "repository:%s:%s", r->path, r->actions) < 0)
		rc = err_nomem(e);
	return rc;
}

/* those whose certificates may be needed */
static char **hosts_of(const struct registry *r, char *const *mirrors)
{
	char **hosts = NULL;
	bool hub = streq(r->domain, "docker.io");

	if (strv_add(&hosts, hub ? "registry-1.docker.io" : r->domain) < 0)
		return NULL;
	for (; hub && mirrors && *mirrors; mirrors++) {
		const char *p = strstr(*mirrors, "://");

		if (p && strv_addf(&hosts, "%.*s", (int)strcspn(p + 3, "/"), p + 3) < 0)
			break;
	}
	return hosts;
}

/* inside the confinement: a look-up hears the network */
static size_t lookup(const char *host, struct ip *ret, size_t room)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *list = NULL;
	size_t n = 0;

	if (getaddrinfo(host, NULL, &hints, &list) != 0)
		return 0;
	for (const struct addrinfo *a = list; a && n < room; a = a->ai_next) {
		const void *v4 = &((const struct sockaddr_in *)(const void *)a->ai_addr)->sin_addr;
		const void *v6 =
			&((const struct sockaddr_in6 *)(const void *)a->ai_addr)->sin6_addr;
		bool six = a->ai_family == AF_INET6;

		if (ip_from_bytes(six ? v6 : v4, six ? 16 : 4, &ret[n]) >= 0)
			n++;
	}
	freeaddrinfo(list);
	return n;
}

static int open_session(struct registry *r, const char *dir, const json_t *j, struct err *e)
{
	auto_strv char **insecure = NULL, **mirrors = NULL, **hosts = NULL;
	int rc = take_session(r, j, e);

	if (rc >= 0)
		rc = json_get_strv(j, "open", "insecure", false, &insecure, e);
	if (rc >= 0)
		rc = json_get_strv(j, "open", "mirrors", false, &mirrors, e);
	if (rc < 0)
		return rc;
	hosts = hosts_of(r, mirrors);
	rc = hosts ? registry_files_read(&r->files, hosts, e) : err_nomem(e);
	if (rc >= 0)
		rc = confine_net(dir, r->files.v, r->files.n, e);
	registry_files_drop(&r->files);
	if (rc >= 0)
		rc = registry_endpoints(r->domain, insecure, mirrors, lookup, &r->endpoints,
					&r->n_endpoints, e);
	r->at = r->endpoints;
	return rc;
}

static void close_session(struct registry *r)
{
	char *texts[] = {r->domain,	r->path,	r->shown,   r->actions,
			 r->proxy_http, r->proxy_https, r->no_proxy};

	reg_forget(r);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		free(texts[i]);
	strv_free(r->scopes);
	registry_auth_done(&r->auth);
	registry_endpoints_free(r->endpoints, r->n_endpoints);
	registry_files_done(&r->files);
	challenge_done(&r->challenge);
}

/* ---- commands ---- */

static const char *text_of(const json_t *j, const char *key)
{
	const char *v = json_string_value(json_get(j, key));

	return v ? v : "";
}

/* takes @fd (negative: none came) */
static int obey(struct registry *r, void *h, const json_t *j, int fd, struct err *e)
{
	const char *op = text_of(j, "op");

	if (streq(op, "layer") && fd >= 0)
		return reg_layer_start(r, j, fd, e);
	if (streq(op, "blob") && fd >= 0)
		return reg_blob(r, h, j, fd, e);
	(void)fd_close(fd);
	if (streq(op, "manifest"))
		return reg_manifest(r, h, text_of(j, "reference"), text_of(j, "have"), e);
	if (streq(op, "tags"))
		return reg_tags(r, h, e);
	if (streq(op, "describe"))
		return reg_describe(r, h, text_of(j, "reference"), e);
	if (streq(op, "login"))
		return reg_login(r, h, e);
	if (streq(op, "put"))
		return reg_put(r, h, j, e);
	if (streq(op, "blob"))
		return reg_blob(r, h, j, -1, e);
	if (streq(op, "search"))
		return reg_search(r, h, text_of(j, "term"),
				  json_integer_value(json_get(j, "limit")), e);
	return err_invalid(e, "unknown command \"%.40s\"", op);
}

/* Return: 1 a command, 0 the end, -errno */
static int next_command(char *room, json_t **ret, int *ret_fd, struct err *e)
{
	int fds[FD_PASS_MAX];
	size_t n = FD_PASS_MAX;
	ssize_t len = fd_recv(COMMAND_FD, room, COMMAND_MAX, fds, &n);

	*ret_fd = -1;
	if (len == 0)
		return 0;
	if (len < 0)
		return err_sys(e, (int)-len, "cannot read a command");
	for (size_t i = 1; i < n; i++)
		(void)fd_close(fds[i]);
	if (n)
		*ret_fd = fds[0];
	int r = json_read(room, (size_t)len, ret, e);

	explicit_bzero(room, (size_t)len); /* there may be a password in it */
	if (r < 0)
		*ret_fd = fd_close(*ret_fd);
	return r < 0 ? r : 1;
}

static int serve(struct registry *r, const char *dir, char *room, struct err *e)
{
	CURL *h = NULL;
	bool opened = false;
	int rc = 1;

	while (rc > 0) {
		auto_json json_t *j = NULL;
		int fd;

		rc = next_command(room, &j, &fd, e);
		if (rc <= 0)
			break;
		if (opened) {
			rc = obey(r, h, j, fd, e) < 0 ? -EIO : 1;
			continue;
		}
		(void)fd_close(fd);
		h = curl_easy_init();
		rc = h ? open_session(r, dir, j, e) : err_nomem(e);
		opened = rc >= 0;
		rc = rc < 0 ? rc : 1;
	}
	curl_easy_cleanup(h);
	return rc;
}

int registry_main(int argc, char **argv)
{
	struct registry r = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct err e = {0};
	char *room;
	int rc;

	if (argc != 2) {
		(void)fprintf(stderr, "usage: atoll-registry DIR, started by atolld\n");
		return 2;
	}
	/* what would open files of the host later: the locale of names, the seed of JSON tables */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	json_object_seed(0);
	room = malloc(COMMAND_MAX);
	rc = room && curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK ? 0 : err_nomem(&e);
	if (rc >= 0)
		rc = serve(&r, argv[1], room, &e);
	if (rc < 0)
		reg_report_failed(&e, "", -1);
	free(room);
	pthread_mutex_lock(&r.lock);
	bool idle = !r.running; /* else a download still uses the session; the end takes it all */

	pthread_mutex_unlock(&r.lock);
	if (idle)
		close_session(&r);
	return rc < 0 ? 1 : 0;
}

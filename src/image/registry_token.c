/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * registry_token.c - who we are to a registry: basic, or a token of its token server
 *
 * Sources: distribution docs, "Token Authentication" (GET with basic, or POST with an OAuth 2
 * refresh token). A mirror gets no credentials: they were given for the registry. A registry over
 * TLS gets none sent to a token server without.
 */
#include <curl/curl.h>
#include <stdarg.h>
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "image/registry.h"

#define CLIENT_ID "docker" /* token servers know clients by it */

static bool known(const struct registry *r)
{
	return !r->at->mirror && (r->auth.user || r->auth.identity_token);
}

void reg_forget(struct registry *r)
{
	pthread_mutex_lock(&r->lock);
	if (r->token)
		explicit_bzero(r->token, strlen(r->token));
	free(r->token);
	r->token = NULL;
	pthread_mutex_unlock(&r->lock);
}

char *reg_url(const struct registry *r, const char *fmt, ...)
{
	auto_free char *rest = NULL;
	va_list ap;

	va_start(ap, fmt);
	int n = vasprintf(&rest, fmt, ap);

	va_end(ap);
	if (n < 0) {
		rest = NULL;
		return NULL;
	}
	return str_printf("%s/v2/%s/%s", r->at->url, r->path, rest);
}

/* ---- the token server ---- */

/* "key=value" with the value escaped, after '?' or '&'. Errors are the buffer's */
static void add_param(struct buf *b, char before, const char *key, const char *value)
{
	char *v = value ? curl_easy_escape(NULL, value, 0) : NULL;

	if (value)
		(void)buf_printf(b, "%c%s=%s", before, key, v ? v : "");
	if (value && !v)
		b->fail = -ENOMEM;
	curl_free(v);
}

static void add_scopes(const struct registry *r, struct buf *b)
{
	for (char **s = r->scopes; s && *s; s++)
		add_param(b, '&', "scope", *s);
}

static int take_token(const struct reg_answer *a, char **ret, struct err *e)
{
	auto_json json_t *j = NULL;
	const char *v = NULL, *other = NULL;

	if (json_read(buf_str(&a->body), a->body.len, &j, NULL) < 0 || !json_is_object(j))
		return err_set(e, ERR_INTERNAL, EIO, "unable to decode token response");
	v = json_string_value(json_get(j, "access_token"));
	other = json_string_value(json_get(j, "token"));
	if (str_empty(v))
		v = other;
	if (str_empty(v))
		return err_set(e, ERR_INTERNAL, EIO,
			       "authorization server did not include a token in the response");
	for (const char *p = v; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_set(e, ERR_INTERNAL, EIO, "the token has a control character");
	return str_set(ret, v) < 0 ? err_nomem(e) : 0;
}

static int ask_get(struct registry *r, void *h, struct reg_answer *a, struct err *e)
{
	auto_buf struct buf url = BUF_INIT(64u << 10), basic = BUF_INIT(128u << 10);
	struct reg_call c = REG_CALL_INIT;
	const struct challenge *ch = &r->challenge;
	bool who = known(r) && r->auth.user;

	(void)buf_puts(&url, ch->realm);
	add_param(&url, strchr(ch->realm, '?') ? '&' : '?', "service",
		  ch->service ? ch->service : "");
	add_scopes(r, &url);
	if (who) {
		add_param(&url, '&', "account", r->auth.user);
		registry_auth_basic(&r->auth, &basic);
	}
	if (buf_err(&url) || buf_err(&basic))
		return err_nomem(e);
	c.url = buf_str(&url);
	c.authorization = who ? buf_str(&basic) : NULL;
	c.insecure = r->at->insecure;
	return reg_http(r, h, &c, a, e);
}

static int ask_post(struct registry *r, void *h, struct reg_answer *a, struct err *e)
{
	auto_buf struct buf form = BUF_INIT(128u << 10);
	auto_buf struct buf scope = BUF_INIT(16u << 10);
	struct reg_call c = REG_CALL_INIT;

	for (char **s = r->scopes; s && *s; s++)
		(void)buf_printf(&scope, "%s%s", scope.len ? " " : "", *s);
	(void)buf_puts(&form, "grant_type=refresh_token");
	add_param(&form, '&', "refresh_token", r->auth.identity_token);
	add_param(&form, '&', "service", r->challenge.service ? r->challenge.service : "");
	add_param(&form, '&', "client_id", CLIENT_ID);
	add_param(&form, '&', "scope", buf_str(&scope));
	if (buf_err(&form) || buf_err(&scope))
		return err_nomem(e);
	c.method = "POST";
	c.url = r->challenge.realm;
	c.type = "application/x-www-form-urlencoded";
	c.body = form.data;
	c.body_len = form.len;
	c.insecure = r->at->insecure;
	return reg_http(r, h, &c, a, e);
}

static int check_realm(const struct registry *r, struct err *e)
{
	const char *realm = r->challenge.realm;

	if (str_empty(realm) ||
	    (!str_has_prefix(realm, "https://") && !str_has_prefix(realm, "http://")))
		return err_set(e, ERR_INTERNAL, EIO,
			       "the registry names no token server: \"%.200s\"",
			       realm ? realm : "");
	if (str_has_prefix(realm, "http://") && !r->at->insecure && known(r))
		return err_set(e, ERR_INTERNAL, EIO,
			       "refusing to send credentials to %.200s, which is without TLS",
			       realm);
	return 0;
}

/* @ret is malloc'ed */
static int fetch_token(struct registry *r, void *h, char **ret, struct err *e)
{
	struct reg_answer a = {0};
	char code[REGISTRY_CODE_SIZE];
	int rc = check_realm(r, e);

	if (rc >= 0)
		rc = known(r) && r->auth.identity_token ? ask_post(r, h, &a, e)
							: ask_get(r, h, &a, e);
	if (rc >= 0 && a.status >= 400)
		rc = reg_refused(&a, code, e);
	else if (rc >= 0)
		rc = take_token(&a, ret, e);
	reg_answer_done(&a);
	return rc;
}

/* ---- what goes with a request ---- */

/* appends it; nothing where nothing is known */
static int authorize(struct registry *r, struct buf *out)
{
	pthread_mutex_lock(&r->lock);
	if (r->auth.registry_token && !r->at->mirror)
		(void)buf_printf(out, "Bearer %s", r->auth.registry_token);
	else if (r->token)
		(void)buf_printf(out, "Bearer %s", r->token);
	else if (r->challenge.kind == CHALLENGE_BASIC && known(r) && r->auth.user)
		registry_auth_basic(&r->auth, out);
	pthread_mutex_unlock(&r->lock);
	return buf_err(out);
}

/* a token in place of @used, which did not do (or of none); another thread may have been faster */
static int renew(struct registry *r, void *h, const char *used, struct err *e)
{
	auto_free char *token = NULL;
	int rc = 0;

	pthread_mutex_lock(&r->lock);
	if (!r->token || (used && streq(used, r->token))) {
		rc = fetch_token(r, h, &token, e);
		if (rc >= 0) {
			free(r->token);
			r->token = TAKE_PTR(token);
		}
	}
	pthread_mutex_unlock(&r->lock);
	return rc;
}

static bool may_renew(const struct registry *r)
{
	return r->challenge.kind == CHALLENGE_BEARER && (r->at->mirror || !r->auth.registry_token);
}

/* what the registry asks for may be said only now */
static int take_challenge(struct registry *r, struct reg_answer *a)
{
	pthread_mutex_lock(&r->lock);
	if (a->auth.kind != CHALLENGE_NONE && r->challenge.kind == CHALLENGE_NONE) {
		challenge_done(&r->challenge);
		r->challenge = a->auth;
		a->auth = (struct challenge){0};
	}
	pthread_mutex_unlock(&r->lock);
	return 0;
}

static int first_token(struct registry *r, void *h, const struct reg_call *c, struct err *e)
{
	bool wanted;

	pthread_mutex_lock(&r->lock);
	wanted = may_renew(r) && !r->token;
	pthread_mutex_unlock(&r->lock);
	return wanted && renew(r, h, NULL, e) < 0
		       ? err_wrap(e, "%s \"%.300s\"", streq(c->method, "HEAD") ? "Head" : "Get",
				  c->url)
		       : 0;
}

int reg_request(struct registry *r, void *h, struct reg_call *c, struct reg_answer *ret,
		struct err *e)
{
	int rc = first_token(r, h, c, e);

	c->insecure = r->at->insecure;
	for (int round = 0; rc >= 0 && round < 2; round++) {
		auto_buf struct buf with = BUF_INIT(128u << 10);

		if (authorize(r, &with) < 0)
			return err_nomem(e);
		c->authorization = with.len ? buf_str(&with) : NULL;
		rc = reg_http(r, h, c, ret, e);
		c->authorization = NULL;
		if (rc < 0 || ret->status != 401 || round)
			break;
		(void)take_challenge(r, ret);
		if (r->challenge.kind == CHALLENGE_BASIC && !with.len)
			return err_set(e, ERR_UNAUTHORIZED, EACCES,
				       "%s \"%.300s\": no basic auth credentials",
				       streq(c->method, "GET") ? "Head" : c->method, c->url);
		if (!may_renew(r) ||
		    (ret->auth.error && streq(ret->auth.error, "insufficient_scope")))
			break;
		rc = renew(r, h, with.len > 7 ? with.data + 7 : NULL, e);
	}
	return rc;
}

/* ---- GET /v2/ ---- */

static int ping_one(struct registry *r, void *h, struct err *e)
{
	auto_free char *url = str_printf("%s/v2/", r->at->url);
	struct reg_call c = REG_CALL_INIT;
	struct reg_answer a = {0};
	int rc;

	if (!url)
		return err_nomem(e);
	c.url = url;
	c.insecure = r->at->insecure;
	rc = reg_http(r, h, &c, &a, e);
	if (rc >= 0) {
		pthread_mutex_lock(&r->lock);
		challenge_done(&r->challenge);
		r->challenge = a.auth;
		a.auth = (struct challenge){0};
		pthread_mutex_unlock(&r->lock);
	}
	reg_answer_done(&a);
	return rc;
}

int reg_ping(struct registry *r, void *h, struct err *e)
{
	int rc = -EIO;

	for (; r->at < r->endpoints + r->n_endpoints; r->at++) {
		reg_forget(r);
		rc = ping_one(r, h, e);
		if (rc >= 0)
			return rc;
		if (r->at->mirror && r->at + 1 < r->endpoints + r->n_endpoints)
			reg_report_left(r, e);
	}
	r->at--; /* the last one stays in use for texts */
	return rc;
}
